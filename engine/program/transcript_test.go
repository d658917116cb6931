package program_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// TestTranscripts runs the stories of testdata, which follow the sections of
// transactions.md. Commands:
//
//	schema            applies the document, or tells why it is refused
//	tx [cost=N]       runs each line as a transaction; what is refused takes no revision
//	doc               runs the whole input as one transaction document
//	query             answers each line as a query
//	rows table=NAME   shows a table
//	types             shows what is derived of the schema's procedures
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		s := &story{t: t, env: newEnv(t), state: newMemory()}
		datadriven.RunTest(t, path, s.run)
	})
}

type story struct {
	t        *testing.T
	env      *lang.Env
	state    *memory
	compiled *program.Compiled
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	switch d.Cmd {
	case "schema":
		return s.schema(d.Input)
	case "tx":
		cost := uint64(program.CostLimit)
		if d.HasArg("cost") {
			d.ScanArgs(t, "cost", &cost)
		}
		return lines(d.Input, func(line string) string { return s.tx(line, cost) })
	case "doc":
		return s.tx(d.Input, program.CostLimit)
	case "query":
		return lines(d.Input, s.query)
	case "types":
		return s.types()
	case "rows":
		var name string
		d.ScanArgs(t, "table", &name)
		var b strings.Builder
		for _, row := range s.state.table(name) {
			fmt.Fprintf(&b, "%s\n", value.AppendJSON(nil, row))
		}
		return b.String()
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

func lines(input string, f func(string) string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(input, "\n") {
		b.WriteString(f(line))
	}
	return b.String()
}

func (s *story) schema(src string) string {
	doc, problems := schema.Parse([]byte(src))
	if problems == nil {
		var c *program.Compiled
		if c, _, problems = program.Build(s.compiled, doc, s.env); problems == nil {
			// What is stored must compile to the same.
			loaded, err := program.Load(doc.Canonical(), c.Layout.AppendBinary(nil), s.env)
			if err != nil {
				s.t.Fatal(err)
			}
			s.compiled = loaded
			return "ok\n"
		}
	}
	var b strings.Builder
	r := program.RefuseSchema(problems)
	fmt.Fprintf(&b, "%d %s\n", r.Status, r.Code)
	for _, p := range problems {
		fmt.Fprintf(&b, "  %s\n", p)
		for line := range strings.SplitSeq(p.Snippet, "\n") {
			if line != "" {
				fmt.Fprintf(&b, "      | %s\n", line)
			}
		}
	}
	return b.String()
}

// types shows what is derived, and that a document with it is the same document.
func (s *story) types() string {
	derived := s.compiled.AppendDerived(nil)
	with := append([]byte(`{"derived":`), derived...)
	with = append(append(with, ','), s.compiled.Doc.Canonical()[1:]...)
	again, problems := schema.Parse(with)
	if problems != nil || string(again.Canonical()) != string(s.compiled.Doc.Canonical()) {
		s.t.Fatalf("with the derived types it is another document: %v", problems)
	}
	if !json.Valid(derived) {
		s.t.Fatalf("not JSON: %s", derived)
	}
	var b strings.Builder
	for _, sig := range s.compiled.Signatures() {
		fmt.Fprintf(&b, "%s:", sig.Name)
		for _, p := range sig.Params {
			fmt.Fprintf(&b, " %s %s,", p.Name, p.Type)
		}
		fmt.Fprintf(&b, " -> %s", sig.Result)
		if sig.ReadsOnly {
			b.WriteString(" (only reads)")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *story) tx(doc string, cost uint64) string {
	typed, refusal := program.ParseTransaction([]byte(doc), s.compiled)
	if refusal != nil {
		return describe(refusal)
	}
	p, refusal := s.find(typed)
	if refusal != nil {
		s.t.Fatalf("parsed, but not found again: %v", refusal)
	}
	params, err := p.DecodeParams(typed.Params)
	if err != nil {
		s.t.Fatal(err)
	}
	result, abort, err := s.state.execute(p, params, cost)
	if err != nil {
		s.t.Fatal(err)
	}
	id := ""
	if typed.Keyed != "" {
		id = "[" + typed.Keyed + "] "
	}
	if abort != nil {
		return fmt.Sprintf("%d %saborted %s at %s: %s\n", s.state.revision, id, abort.Code, abort.Step, abort.Message)
	}
	return fmt.Sprintf("%d %scommitted %s\n", s.state.revision, id, value.AppendJSON(nil, result))
}

// find finds the program of a typed transaction as an executing copy does.
func (s *story) find(typed program.Typed) (*program.Program, *program.Refusal) {
	if typed.Proc >= 0 {
		return s.compiled.Procs[typed.Proc], nil
	}
	return s.compiled.Inline(typed.Source)
}

func (s *story) query(doc string) string {
	p, params, refusal := program.ParseQuery([]byte(doc), s.compiled)
	if refusal != nil {
		return describe(refusal)
	}
	before := s.state.revision
	result, abort, err := s.state.execute(p, params, program.CostLimit)
	s.state.revision = before
	if err != nil {
		s.t.Fatal(err)
	}
	if abort != nil {
		return fmt.Sprintf("aborted %s at %s: %s\n", abort.Code, abort.Step, abort.Message)
	}
	return fmt.Sprintf("%s\n", value.AppendJSON(nil, result))
}

func describe(r *program.Refusal) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s\n", r.Status, r.Code)
	for _, e := range r.Errors {
		fmt.Fprintf(&b, "  %s: %s\n", e.Pointer, e.Detail)
	}
	return b.String()
}
