package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestStories replays the conversations under testdata/stories: interface.md,
// Policy document, paragraph by paragraph.
//
//	policy     a document; it is put into the set, or refused
//	drop NAME  takes it out
//	status     an Input: what is from now on
//	change     overrides, for good
//	wait D     time passes
//	decide     decides, and does what was decided
//	explain    tells why, in the form of the API; with an input, what would be if
//	ask        a body of POST /v1/placements/explain; tells the choice in short
//	oscillate  node=n2 other=n3 seconds=120: their loads go up and down, and every
//	           second it is decided; tells the moves
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := newStory(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return s.command(t, d)
		})
	})
}

type story struct {
	compiler *Compiler
	set      *Set
	in       *Input
}

func newStory(t testing.TB) *story {
	c, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	set, err := c.NewSet()
	if err != nil {
		t.Fatal(err)
	}
	return &story{compiler: c, set: set, in: &Input{}}
}

func (s *story) command(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "policy":
		return s.policy(t, d.Input)
	case "drop":
		s.set = s.set.Without(d.CmdArgs[0].Key)
		return ""
	case "status":
		in, problems := ParseInput([]byte(d.Input))
		if problems != nil {
			return told(problems)
		}
		s.in = in
		return ""
	case "change":
		o, problems := ParseOverrides([]byte(d.Input))
		if problems == nil {
			var in *Input
			if in, problems = o.Apply(s.in); problems == nil {
				s.in = in
			}
		}
		return told(problems)
	case "wait":
		by, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		s.pass(by)
		return ""
	case "decide":
		return s.decide()
	case "explain":
		return s.explain(d.Input)
	case "ask":
		return s.ask(d.Input)
	case "oscillate":
		return s.oscillate(t, d)
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

func told(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s: %s\n", p.JSONPointer, p.Detail)
		for _, line := range strings.Split(p.Snippet, "\n") {
			if line != "" {
				fmt.Fprintf(&b, "    | %s\n", line)
			}
		}
	}
	return b.String()
}

func (s *story) policy(t *testing.T, doc string) string {
	p, problems := s.compiler.Read([]byte(doc))
	if problems != nil {
		return told(problems)
	}
	// What is written is read again as the same.
	text, err := json.Marshal(&p.Document)
	if err != nil {
		t.Fatal(err)
	}
	again, problems := s.compiler.Read(text)
	if problems != nil {
		t.Fatalf("%s: %s", text, told(problems))
	}
	if twice, _ := json.Marshal(&again.Document); string(twice) != string(text) {
		t.Fatalf("%s\nbecomes\n%s", text, twice)
	}
	refused := s.set.With(p).Unsatisfied(p.Name, []*Input{s.in})
	if len(s.in.Candidates) > 0 && len(refused) > 0 {
		return "refused: " + refused[0].String() + "\n"
	}
	s.set = s.set.With(p)
	out := "ok\n"
	for _, w := range p.Warnings {
		out += "warning: " + w + "\n"
	}
	return out
}

func (s *story) pass(by time.Duration) {
	s.in = s.in.After(by)
}

// decide does what a supervisor would: it assigns the slots that change.
func (s *story) decide() string {
	d := s.set.Decide(s.in)
	s.in = s.in.Do(d)
	var b strings.Builder
	for i := range d.Slots {
		slot := &d.Slots[i]
		name := s.in.Task.Name
		if i > 0 {
			name += fmt.Sprintf("#%d", i+1)
		}
		node := slot.Node
		if node == "" {
			node = "nobody"
		}
		switch {
		case slot.Changes() && slot.Was != "":
			fmt.Fprintf(&b, "%s: %s -> %s, %s\n", name, slot.Was, node, slot.Cause)
		case slot.Changes():
			fmt.Fprintf(&b, "%s: -> %s, %s\n", name, node, slot.Cause)
		default:
			fmt.Fprintf(&b, "%s: %s\n", name, node)
		}
		fmt.Fprintf(&b, "    %s\n", slot.Why)
	}
	return b.String()
}

func (s *story) explain(overrides string) string {
	in := s.in
	if overrides != "" {
		o, problems := ParseOverrides([]byte(overrides))
		if problems == nil {
			in, problems = o.Apply(in)
		}
		if problems != nil {
			return told(problems)
		}
	}
	_, e := s.set.Explain(in)
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(e); err != nil {
		return err.Error()
	}
	return b.String()
}

func (s *story) ask(body string) string {
	q, problems := s.compiler.ReadQuestion([]byte(body))
	if problems != nil {
		return told(problems)
	}
	_, e, problems := q.Ask(s.set, s.in)
	if problems != nil {
		return told(problems)
	}
	return fmt.Sprintf("%s of %s: %s, by %s: %s\n", q.Task, q.Group, e.Choice, e.Policy, e.Reason)
}

// oscillate lets the loads of two nodes go up and down against each other, and
// decides every second.
func (s *story) oscillate(t *testing.T, d *datadriven.TestData) string {
	var one, other string
	var seconds int
	d.ScanArgs(t, "node", &one)
	d.ScanArgs(t, "other", &other)
	d.ScanArgs(t, "seconds", &seconds)
	var b strings.Builder
	moves, start := 0, s.in.Now
	for range seconds {
		s.pass(time.Second)
		wave := 0.5 + 0.4*math.Sin(float64(s.in.Now.Unix())/3)
		for i := range s.in.Candidates {
			switch c := &s.in.Candidates[i]; c.Node.Name {
			case one:
				c.Node.CPU = wave
			case other:
				c.Node.CPU = 1 - wave
			}
		}
		if was := s.in.Holders[0].Node; s.decide() != "" && s.in.Holders[0].Node != was {
			moves++
			fmt.Fprintf(&b, "%4.0fs: %s -> %s\n", s.in.Now.Sub(start).Seconds(), was, s.in.Holders[0].Node)
		}
	}
	fmt.Fprintf(&b, "%d moves in %d s\n", moves, seconds)
	return b.String()
}
