package schematest

import (
	"fmt"
	"slices"
	"strings"

	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/schema/tree"
)

// Coverage is which steps of a schema's procedures were executed.
type Coverage struct {
	Schema     string       `json:"schema"` // the file
	Percent    float64      `json:"percent"`
	Procedures []*Procedure `json:"procedures"`

	byName map[string]*Procedure
}

// Procedure is the coverage of one procedure.
type Procedure struct {
	Name     string    `json:"procedure"`
	Line     int       `json:"line"`
	Calls    int       `json:"calls"`
	Steps    []*Step   `json:"steps"`
	Branches []*Branch `json:"branches"`

	byPlace map[string]*Step
}

// Step is one step of a procedure.
type Step struct {
	Place    string `json:"step"` // as aborts name it: steps[3], steps[2].then[0]
	Kind     string `json:"kind"`
	Code     string `json:"code,omitempty"` // of a require
	Line     int    `json:"line"`
	Executed int    `json:"executed"`
	Aborted  int    `json:"aborted"` // how often it ended the transaction
}

// Branch is one way of an if.
type Branch struct {
	Place string `json:"step"`   // of the if
	Way   string `json:"branch"` // then or else
	Line  int    `json:"line"`
	Taken int    `json:"taken"`

	first, other *Step // the first step of this branch and of the other one; nil: it has none
	of           *Step
}

// newCoverage lists what there is to cover in a schema document.
func newCoverage(file string, doc *schema.Document) *Coverage {
	c := &Coverage{Schema: file, byName: map[string]*Procedure{}}
	var ps tree.Problems
	section := doc.Cursor(&ps).Field("procedures")
	for _, e := range section.Entries() {
		line := section.Node.KeyLine[slices.Index(section.Node.Keys, e.Key)]
		p := &Procedure{Name: e.Key, Line: line, Steps: []*Step{}, Branches: []*Branch{}, byPlace: map[string]*Step{}}
		p.list(e.Value.Field("steps"), "steps")
		c.Procedures = append(c.Procedures, p)
		c.byName[e.Key] = p
	}
	return c
}

// list adds the steps of a list and gives the first.
func (p *Procedure) list(at tree.Cursor, place string) (first *Step) {
	for i, e := range at.Elements() {
		entries := e.Entries()
		if len(entries) != 1 {
			continue
		}
		s := &Step{Place: fmt.Sprintf("%s[%d]", place, i), Kind: entries[0].Key, Line: e.Node.Line}
		body := entries[0].Value
		p.Steps = append(p.Steps, s)
		p.byPlace[s.Place] = s
		if first == nil {
			first = s
		}
		switch s.Kind {
		case "require":
			if code := body.Field("code"); code.Here() {
				s.Code = code.Node.Text
			}
		case "if":
			then := p.list(body.Field("then"), s.Place+".then")
			other := p.list(body.Field("else"), s.Place+".else")
			if then != nil || other != nil {
				p.Branches = append(p.Branches,
					&Branch{Place: s.Place, Way: "then", Line: s.Line, first: then, other: other, of: s},
					&Branch{Place: s.Place, Way: "else", Line: s.Line, first: other, other: then, of: s})
			}
		case "each":
			p.list(body.Field("do"), s.Place+".do")
		}
	}
	return first
}

// tracer gives what is told how a procedure went.
func (c *Coverage) tracer(name string) func(*program.Trace) {
	p := c.byName[name]
	if p == nil {
		return nil
	}
	return func(t *program.Trace) {
		for i := range t.Steps {
			if s := p.byPlace[t.Steps[i].Step]; s != nil {
				s.Executed += t.Steps[i].Runs
			}
		}
	}
}

// ended notes a call that was executed, and where it was aborted.
func (c *Coverage) ended(name string, what came) {
	p := c.byName[name]
	if p == nil || what.Status == refused || what.again {
		return
	}
	p.Calls++
	if s := p.byPlace[what.Step]; what.Status == aborted && s != nil {
		s.Aborted++
	}
}

// count works out the branches and the percentage: of all steps, and of both
// ways of each if.
func (c *Coverage) count() {
	done, all := 0, 0
	for _, p := range c.Procedures {
		for _, b := range p.Branches {
			if b.first != nil {
				b.Taken = b.first.Executed
			} else {
				b.Taken = b.of.Executed - b.of.Aborted - b.other.Executed
			}
		}
		d, a := p.covered()
		done, all = done+d, all+a
	}
	c.Percent = percent(done, all)
}

func (p *Procedure) covered() (done, all int) {
	for _, s := range p.Steps {
		if all++; s.Executed > 0 {
			done++
		}
	}
	for _, b := range p.Branches {
		if all++; b.Taken > 0 {
			done++
		}
	}
	return done, all
}

func percent(done, all int) float64 {
	if all == 0 {
		return 100
	}
	return float64(1000*done/all) / 10 // towards zero: 100 means all
}

// what is a step as the table shows it.
func (s *Step) what() string {
	if s.Code != "" {
		return s.Kind + " " + s.Code
	}
	return s.Kind
}

// missing tells what was never tried: steps, branches, and requires that always
// held.
func (p *Procedure) missing() (list []string) {
	if p.Calls == 0 && len(p.Steps) > 0 {
		return []string{fmt.Sprintf("%d: %s is never called", p.Line, p.Name)}
	}
	note := func(line int, format string, args ...any) {
		list = append(list, fmt.Sprintf("%d: %s", line, fmt.Sprintf(format, args...)))
	}
	silent := func(place string) bool { // inside a step that was not executed, which is told
		at := strings.LastIndexAny(place, ".")
		if at < 0 {
			return false
		}
		parent := p.byPlace[place[:at]]
		return parent != nil && parent.Executed == 0
	}
	for _, s := range p.Steps {
		switch {
		case s.Executed == 0 && !silent(s.Place):
			note(s.Line, "%s %s (%s) is never executed", p.Name, s.Place, s.what())
		case s.Kind == "require" && s.Executed > 0 && s.Aborted == 0:
			note(s.Line, "%s %s (%s) never fails", p.Name, s.Place, s.what())
		}
	}
	for _, b := range p.Branches {
		if b.Taken == 0 && b.of.Executed > 0 && b.first == nil {
			note(b.Line, "%s %s (if) never goes the way of %s", p.Name, b.Place, b.Way)
		}
	}
	return list
}
