package golden

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lockstep/engine"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/store"
)

// "at least 20,000 transactions over all example applications, all steps, all types,
// all error kinds": what the golden logs have to show to be worth replaying.
func TestGoldenLogsCoverTheLanguage(t *testing.T) {
	executed := 0
	for _, h := range histories {
		log := readLog(t, h.name)
		for _, e := range log {
			_, items := originOf(e.Cmd)
			executed += len(items)
		}
		if log[len(log)-1].checkpoint == 0 {
			t.Errorf("%s ends without a checkpoint", h.name)
		}
	}
	if executed < 20_000 {
		t.Errorf("the golden logs have %d transactions", executed)
	}
	got := newReport()
	r := newReplica(t)
	defer r.close()
	for _, e := range readLog(t, "kitchen") {
		step(t, r, got, []logged{e})
	}
	seen := survey(got)
	for _, code := range []string{
		program.CodeNotFound, program.CodeAlreadyExists, program.CodeConflict, program.CodeUniqueViolation,
		program.CodeCostExceeded, program.CodeEvaluationError, program.CodeLimitExceeded, program.CodeFenced,
	} {
		if seen.codes[code] == 0 {
			t.Errorf("no transaction of the kitchen aborts with %s", code)
		}
	}
	for kind := lang.FaultNone + 1; !strings.HasPrefix((&lang.Fault{Kind: kind}).Message(), "fault "); kind++ {
		if seen.faults[kind] == 0 {
			t.Errorf("no transaction of the kitchen meets fault %d: %s", kind, (&lang.Fault{Kind: kind, A: "A", B: "B"}).Message())
		}
	}
	for kind := outcome.Executed; kind <= outcome.Deferred; kind++ {
		if seen.verdicts[kind] == 0 {
			t.Errorf("no verdict of the kitchen is of kind %d", kind)
		}
	}
	for _, limit := range []string{"the limit of cost", "the limit of rows read", "the limit of steps", "the limit of bytes written", "a key takes more than"} {
		if !strings.Contains(seen.text, limit) {
			t.Errorf("no transaction of the kitchen goes over the limit of which a message says %q", limit)
		}
	}
}

// survey is what occurs in a report.
type surveyed struct {
	codes    map[string]int
	faults   map[lang.FaultKind]int
	verdicts map[outcome.Kind]int
	text     string // of all messages
}

func survey(r *report) surveyed {
	s := surveyed{codes: map[string]int{}, faults: map[lang.FaultKind]int{}, verdicts: map[outcome.Kind]int{}}
	var text strings.Builder
	for _, verdicts := range r.verdicts {
		for _, v := range verdicts {
			s.verdicts[v.Kind]++
			s.codes[v.Outcome.Code]++
			if v.Outcome.Code == program.CodeCostExceeded || v.Outcome.Code == program.CodeEvaluationError {
				s.faults[faultOf(v.Outcome.Message)]++
				text.WriteString(v.Outcome.Message + "\n")
			}
		}
	}
	s.text = text.String()
	return s
}

// faultOf is the kind of fault that a message tells of; FaultNone if it is none. Of
// several that might have worded it, it is the one with the most words of its own.
func faultOf(message string) lang.FaultKind {
	if strings.HasPrefix(message, "the limit of cost,") { // as package program words it
		return lang.FaultCost
	}
	best, words := lang.FaultNone, 0
	for kind := lang.FaultNone + 1; ; kind++ {
		own := (&lang.Fault{Kind: kind}).Message()
		if strings.HasPrefix(own, "fault ") {
			return best
		}
		const a, b = "first operand", "second operand"
		pattern := regexp.QuoteMeta((&lang.Fault{Kind: kind, A: a, B: b}).Message())
		pattern = strings.NewReplacer(a, "(?s:.*)", b, "(?s:.*)").Replace(pattern)
		if len(own) > words && regexp.MustCompile("^"+pattern+"$").MatchString(message) {
			best, words = kind, len(own)
		}
	}
}

// "...all steps, all types": the transactions of the kitchen execute every step, and its
// first schema has every type in every place.
func TestTheKitchenUsesEveryStepAndType(t *testing.T) {
	ran := stepsThatRan(t, readLog(t, "kitchen"))
	for _, step := range []string{"get", "scan", "insert", "update", "upsert", "delete", "require", "let", "if", "each", "expect", "expect_task", "emit"} {
		if ran[step] == 0 {
			t.Errorf("no step %s was executed", step)
		}
		delete(ran, step)
	}
	for step := range ran {
		t.Errorf("the step %s is not on the list of this test", step)
	}
	text := readText(t, "kitchen.yaml")
	for _, kind := range []string{"bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration", "json"} {
		if !strings.Contains(text, "type: "+kind+",") || !strings.Contains(text, "type: "+kind+", optional: true") || !regexp.MustCompile(`"o[a-z]\?": `+kind).MatchString(text) {
			t.Errorf("no column, optional column or param of type %s", kind)
		}
	}
}

// machineStore lets a machine use a store without a partition around it.
type machineStore struct{ *store.Store }

func (s machineStore) NewIter(lo, hi []byte) engine.Iterator { return s.Store.NewIter(lo, hi) }
func (s machineStore) NewBatch() engine.Batch                { return s.Store.NewBatch() }

// stepsThatRan counts the steps, by kind, that the transactions of a log executed.
func stepsThatRan(t *testing.T, log []logged) map[string]int {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	disk, err := store.Open(store.Options{Dir: "copy", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	ran := map[string]int{}
	m, err := engine.Open(machineStore{disk}, engine.Options{Local: session, Env: env, Trace: func(trace *program.Trace) {
		for _, s := range trace.Steps {
			if s.Runs > 0 {
				ran[s.Kind]++
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range log {
		if err := m.Apply(e.Raw); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	return ran
}
