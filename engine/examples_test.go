package engine_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/value"
	"lockstep/testdata/bank"
	"lockstep/testdata/jobs"
	"lockstep/testdata/ratelimit"
	"lockstep/testdata/reservations"
	"lockstep/testdata/shop"
)

// example is an application under testdata.
type example struct {
	name   string
	schema string
	load   []string // what its data.ndjson has
	next   func() string
	answer func(result []byte) // nil: its traffic needs no answers
}

// examples are the applications, in a size that a reader can look through.
func examples() []example {
	seats := reservations.Size{Events: 2, Rows: 4}
	goods := shop.Size{Warehouses: 2, Districts: 2, Customers: 12, Items: 40}
	booking := reservations.NewTraffic(1, seats)
	work := jobs.NewTraffic(1, 2)
	return []example{
		{"bank", bank.Schema, bank.Load(1, 20), bank.NewTraffic(1, 20).Next, nil},
		{"reservations", reservations.Schema, reservations.Load(1, seats), booking.Next, booking.Answer},
		{"jobs", jobs.Schema, jobs.Load(1, 2, 5), work.Next, work.Answer},
		{"ratelimit", ratelimit.Schema, ratelimit.Load(), ratelimit.NewTraffic(1, 20).Next, nil},
		{"shop", shop.Schema, shop.Load(1, goods), shop.NewTraffic(1, goods).Next, nil},
	}
}

// The applications under testdata do what their READMEs tell: "each a schema with
// procedures, a seeded data set, and a transcript". Beside the commands of other
// transcripts there are: example, which applies the schema; load, which sends
// data.ndjson; and traffic transactions=N [pause=MS], which counts what becomes of
// so many transactions.
func TestExamples(t *testing.T) {
	for _, x := range examples() {
		t.Run(x.name, func(t *testing.T) {
			dir := filepath.Join("../testdata", x.name)
			x.checkData(t, filepath.Join(dir, "data.ndjson"))
			s := newScene(t)
			datadriven.RunTest(t, filepath.Join(dir, "transcript.txt"), func(t *testing.T, d *datadriven.TestData) string {
				switch d.Cmd {
				case "example":
					d.Input = x.schema
					got := s.schema(d)
					if s.machine.Compiled() == nil {
						t.Fatal(got)
					}
					return got
				case "load":
					return s.load(x.load)
				case "traffic":
					return s.traffic(d, x)
				}
				return s.command(t, d)
			})
		})
	}
}

// checkData compares the data file, which users of the command line send, with what
// the example's package makes; -rewrite writes it anew.
func (x *example) checkData(t *testing.T, name string) {
	want := strings.Join(x.load, "\n") + "\n"
	if flag.Lookup("rewrite").Value.String() == "true" {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what Load makes: go test ./engine -run TestExamples -rewrite", name)
	}
}

func (s *scene) load(lines []string) string {
	for _, line := range lines {
		if o := s.send(line); !o.Committed {
			return fmt.Sprintf("%.200s\n%s", line, o.AppendJSON(nil, "g"))
		}
	}
	return fmt.Sprintf("%d transactions committed", len(lines))
}

// traffic sends an example's transactions, an entry each, and counts what became of
// them, by procedure.
func (s *scene) traffic(d *datadriven.TestData, x example) string {
	transactions, pause := 0, int64(0)
	d.ScanArgs(s.t, "transactions", &transactions)
	d.MaybeScanArgs(s.t, "pause", &pause)
	count := map[string]int{}
	for range transactions {
		s.millis += pause
		doc := x.next()
		o := s.send(doc)
		if x.answer != nil {
			x.answer(o.Result)
		}
		_, procedure, _ := strings.Cut(doc, `"procedure":"`)
		procedure, _, _ = strings.Cut(procedure, `"`)
		code := "committed"
		if !o.Committed {
			code = o.Code
		}
		count[fmt.Sprintf("%-18s%s", procedure, code)]++
	}
	var lines []string
	for what, n := range count {
		lines = append(lines, fmt.Sprintf("%-36s%6d", what, n))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// send orders one transaction and gives its outcome.
func (s *scene) send(doc string) outcome.Outcome {
	typed, refusal := program.ParseTransaction([]byte(doc), s.machine.Compiled())
	if refusal != nil {
		s.t.Fatalf("%.300s\n%v", doc, refusal)
	}
	fingerprint, err := value.Fingerprint([]byte(doc))
	if err != nil {
		s.t.Fatal(err)
	}
	s.counter++
	b := entry.Batch{Origin: s.origin(), TimeMillis: s.millis, Seed: [16]byte{1, 2, 3}, SchemaVersion: s.machine.Compiled().Version, Items: []entry.Item{{
		ID: entry.ID{Session: session, Counter: s.counter}, Fingerprint: fingerprint, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source,
	}}}
	s.index++
	if err := s.machine.Apply(entry.Raw{Index: s.index, Cmd: entry.AppendBatch(nil, &b)}); err != nil {
		s.t.Fatal(err)
	}
	done, err := s.machine.Commit()
	if err != nil {
		s.t.Fatal(err)
	}
	return done[0].Verdicts[0].Outcome
}
