package golden

import (
	"regexp"
	"strings"
	"testing"

	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
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

// Every step and every type stands in the kitchen's schema; that its transactions reach
// them is what the transcripts of its outcomes show.
func TestTheKitchenUsesEveryStepAndType(t *testing.T) {
	text := readText(t, "kitchen.yaml")
	for _, step := range []string{"get", "scan", "insert", "update", "upsert", "delete", "require", "let", "if", "each", "expect", "expect_task", "emit"} {
		if !regexp.MustCompile(`[-\[{] *` + step + `:`).MatchString(text) {
			t.Errorf("no step %s", step)
		}
	}
	for _, kind := range []string{"bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration", "json"} {
		if !strings.Contains(text, "type: "+kind+",") || !strings.Contains(text, "type: "+kind+", optional: true") || !regexp.MustCompile(`"o[a-z]\?": `+kind).MatchString(text) {
			t.Errorf("no column, optional column or param of type %s", kind)
		}
	}
}
