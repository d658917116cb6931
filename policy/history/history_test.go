package history

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"lockstep/policy"
)

// TestStories replays back-tests: a recording, policies, and what they would have
// done (issue, Policies: "run a new policy over the recorded history of status and
// assignments and show what it would have done").
func TestStories(t *testing.T) {
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var recording string
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "recording":
				recording = d.Input
				rec, err := Read(strings.NewReader(d.Input))
				if err != nil {
					return err.Error() + "\n"
				}
				torn := ""
				if rec.Torn {
					torn = ", torn"
				}
				return fmt.Sprintf("%d records%s\n", len(rec.Records), torn)
			case "backtest":
				var tasks []string
				if d.HasArg("task") {
					tasks = append(tasks, d.CmdArgs[0].Vals[0])
				}
				return backtest(t, compiler, recording, d.Input, tasks)
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}

func backtest(t *testing.T, compiler *policy.Compiler, recording, doc string, tasks []string) string {
	rec, err := Read(strings.NewReader(recording))
	if err != nil {
		t.Fatal(err)
	}
	p, problems := compiler.Read([]byte(doc))
	if problems != nil {
		t.Fatal(problems)
	}
	set, err := compiler.NewSet(p)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Backtest(rec, set, tasks)
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	if err := r.Text(&b, lined); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func lined(w io.Writer, rows [][]string) error {
	var b bytes.Buffer
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	return nil
}

// What is recorded is read again as it was, whatever it was; and a recorder says
// enough for a reader to know at any time what was: statuses at once, measurements
// no older than Pace.
func TestWhatIsRecordedIsReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, log := NewRecorder("g"), NewLog(0)
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var last []policy.Candidate
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "s")) * time.Second)
			last = nil
			for i := range rapid.IntRange(1, 3).Draw(t, "nodes") {
				c := policy.Candidate{Node: policy.Node{Name: fmt.Sprintf("n%d", i), CPU: float64(rapid.IntRange(0, 10).Draw(t, "cpu")) / 10,
					Status: rapid.SampledFrom([]string{policy.Available, policy.Suspect, policy.Unavailable}).Draw(t, "status")}}
				if rapid.Bool().Draw(t, "copy") {
					c.Partition = &policy.Partition{Role: policy.RoleSubscriber, Status: policy.Available, Lag: int64(rapid.IntRange(0, 3).Draw(t, "lag"))}
				}
				last = append(last, c)
			}
			if err := log.Add(r.Status(now, map[string]string{"a": "b"}, last)...); err != nil {
				t.Fatal(err)
			}
			if err := log.Add(r.Assigned(Record{At: now, Task: "primary", Holder: last[0].Node.Name, Epoch: uint64(rapid.IntRange(1, 3).Draw(t, "epoch"))})...); err != nil {
				t.Fatal(err)
			}
		}
		rec, err := Read(bytes.NewReader(log.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		p := player{group: "g", task: "primary", nodes: map[string]*policy.Candidate{}, heldLast: lastHolders{}, triedLast: lastHolders{}}
		for i := range rec.Records {
			p.take(&rec.Records[i])
		}
		if len(p.nodes) != len(last) {
			t.Fatalf("%d nodes are known, of %d", len(p.nodes), len(last))
		}
		for _, c := range last {
			got := p.nodes[c.Node.Name]
			if got == nil || differs(got, &c) {
				t.Fatalf("%s is %+v, was %+v", c.Node.Name, got, c)
			}
		}
		if p.recorded[0] != last[0].Node.Name {
			t.Fatalf("held by %v", p.recorded)
		}
	})
}

// A log keeps the last lines within its bound, and can be read from some point on.
func TestALogIsBounded(t *testing.T) {
	r, log := NewRecorder("g"), NewLog(4000)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	nodes := []policy.Candidate{{Node: policy.Node{Name: "n1", Status: policy.Available}}, {Node: policy.Node{Name: "n2", Status: policy.Available}}}
	for i := range 5000 {
		now = now.Add(time.Second)
		nodes[1].Node.CPU = float64(i%50) / 50
		if err := log.Add(r.Status(now, nil, nodes)...); err != nil {
			t.Fatal(err)
		}
		if err := log.Add(r.Assigned(Record{At: now, Task: "mailer", Holder: "n1", Epoch: 1})...); err != nil {
			t.Fatal(err)
		}
	}
	text := log.Bytes()
	if len(text) > 4000 || len(text) < 2000 {
		t.Fatalf("%d bytes", len(text))
	}
	rec, err := Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprint(string(text))
	if !strings.Contains(all, `"n1":{`) || !strings.Contains(all, `"task":"mailer"`) || len(rec.Records) == 0 {
		t.Fatalf("what does not change is not known: %s", all)
	}
}

// Whatever a recording holds, reading it ends with a Recording or an error, and
// playing it back ends.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"at":"2026-01-01T00:00:00Z","group":"g","begin":true}` + "\n" + `{"at":"2026-01-01T00:00:00Z","group":"g","nodes":{"n1":{"status":"available","partition":{"role":"primary"}},"n2":null}}` +
		"\n" + `{"at":"2026-01-01T00:00:01Z","group":"g","task":"primary","holder":"n1","epoch":1,"cause":"normal"}` + "\n" + `{"at":"2026-01-01T00:00:02Z","group":"g","nodes":{"n1":{"status":"unavailable"}}}` + "\n{"))
	compiler, err := policy.NewCompiler()
	if err != nil {
		f.Fatal(err)
	}
	set, err := compiler.NewSet()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		rec, err := Read(bytes.NewReader(src))
		if err != nil {
			return
		}
		var again []byte
		for i := range rec.Records {
			if again, err = rec.Records[i].Append(again); err != nil {
				t.Fatal(err)
			}
		}
		if back, err := Read(bytes.NewReader(again)); err != nil || len(back.Records) != len(rec.Records) {
			t.Fatalf("written again it is not read: %v\n%s", err, again)
		}
		if r, err := Backtest(rec, set, nil); err == nil {
			for _, x := range r.Tasks {
				if x.Recorded.Vacant < 0 || x.Tried.Vacant < 0 {
					t.Fatalf("%+v", x)
				}
			}
		}
	})
}
