package lang

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/cel-go/common/operators"

	"lockstep/engine/value"
)

const stdlibPage = "STDLIB.md"

// libraryEntry is what the page says of a function, an operator or a macro. The
// signatures, the result of the example, its cost and what null does come from
// the engine.
type libraryEntry struct {
	name    string // in the table of functions; a macro or a field of tx begins with "="
	does    string
	example string
}

type librarySection struct {
	title, text string
	entries     []libraryEntry
}

// TestStandardLibraryPage holds STDLIB.md to the code ("a page in the docs that
// is generated from the code"): every function of the table stands on it and none
// that is not there. With -rewrite it writes the page.
func TestStandardLibraryPage(t *testing.T) {
	p := newPage(t)
	p.write(librarySections())
	for name := range p.functions {
		if name != operators.NotStrictlyFalse { // stands in expanded macros only
			t.Errorf("the function %s is not on the page: add it to librarySections", name)
		}
	}
	text := p.out.String()
	if f := flag.Lookup("rewrite"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(stdlibPage, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(stdlibPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != text {
		t.Errorf("%s is not what the code says; write it with go test ./engine/lang -run StandardLibrary -rewrite, and read the difference", stdlibPage)
	}
}

// page is the page while it is written.
type page struct {
	t         *testing.T
	env       *Env
	scope     *Scope
	functions map[string]function // not on the page yet
	out       strings.Builder
}

func newPage(t *testing.T) *page {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t: t, env: env, scope: NewScope(TxFull), functions: map[string]function{}}
	for _, fn := range functions() {
		p.functions[fn.name] = fn
	}
	return p
}

// eval evaluates as a transaction would.
func (p *page) eval(src string) (result string, cost uint64, bad bool) {
	x, problem := p.env.Compile(src, p.scope, nil)
	if problem != nil {
		return problem.Error(), 0, true
	}
	f := Frame{Meter: &Meter{Limit: 1_000_000}, Tx: &Tx{
		ID: "transfer-7", Revision: 42, Now: value.OfTimestamp(1_795_428_000, 123_000_000), Seed: [16]byte{1, 2, 3},
	}}
	v, fault := x.Eval(&f)
	if fault != nil {
		return fault.Code() + ": " + fault.Message(), f.Meter.Used, true
	}
	return string(value.AppendJSON(nil, v)), f.Meter.Used, false
}

func (p *page) write(sections []librarySection) {
	fmt.Fprintf(&p.out, libraryPreface, Version)
	fmt.Fprintf(&p.out, libraryCosts, bytesPerUnit, keyUnits, hashUnits, patternUnitsPerByte, MaxPatternProgram)
	for _, s := range sections {
		fmt.Fprintf(&p.out, "\n## %s\n", s.title)
		if s.text != "" {
			p.out.WriteString("\n" + p.filled(s.text))
		}
		if len(s.entries) == 0 {
			continue
		}
		p.out.WriteString("\n| | signatures | does | example | result | cost | of null |\n|---|---|---|---|---|---|---|\n")
		for _, e := range s.entries {
			p.entry(e)
		}
	}
	p.out.WriteString("\n## Left out of CEL, and why\n\n| | what happens | why |\n|---|---|---|\n")
	for _, l := range leftOut() {
		result, _, bad := p.eval(l.example)
		if !bad {
			p.t.Errorf("%s is said to be left out, and gives %s", l.example, result)
		}
		fmt.Fprintf(&p.out, "| %s | %s | %s |\n", code(l.example), cell(result), l.why)
	}
}

// filled evaluates the lines of a text that begin with "> " and puts what they
// give behind them.
func (p *page) filled(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if src, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "> "); ok {
			result, _, _ := p.eval(src)
			fmt.Fprintf(&out, "```cel\n%s\n// %s\n```\n", src, result)
			continue
		}
		out.WriteString(line)
	}
	return out.String()
}

func (p *page) entry(e libraryEntry) {
	name, signatures, null := strings.TrimPrefix(e.name, "="), "", ""
	if name == e.name {
		fn, ok := p.functions[e.name]
		if !ok {
			p.t.Errorf("%s is on the page, twice or without being a function", e.name)
			return
		}
		delete(p.functions, e.name)
		signatures, null = shortened(fn), p.ofNull(fn)
		if text := operatorText(name); text != "" {
			name = text
		}
	}
	result, cost, bad := p.eval(e.example)
	if bad && !strings.Contains(e.does, "fault") {
		p.t.Errorf("the example of %s, %s, fails: %s", e.name, e.example, result)
	}
	fmt.Fprintf(&p.out, "| %s | %s | %s | %s | %s | %d | %s |\n", code(name), signatures, cell(e.does), code(e.example), code(result), cost, null)
}

// shortened writes a function's signatures, those of every scalar type as one.
func shortened(fn function) string {
	var list []string
	for _, s := range fn.signatures {
		if method, ok := strings.CutPrefix(s, "."); ok {
			in, out, _ := strings.Cut(method, " -> ")
			args := splitTypes(in)
			s = args[0] + "." + fn.name + "(" + strings.Join(args[1:], ", ") + ") -> " + out
		}
		list = append(list, code(s))
	}
	const most = 10
	if len(list) > most {
		list = append(list[:most-2], "and so on for the other types")
	}
	return strings.Join(list, "<br>")
}

// ofNull calls a function with null for its first argument.
func (p *page) ofNull(fn function) string {
	in, _, _ := strings.Cut(strings.TrimPrefix(fn.signatures[0], "."), " -> ")
	args := splitTypes(in)
	for i := range args {
		args[i] = sampleOf(args[i])
	}
	args[0] = "dyn(null)"
	result, _, bad := p.eval(called(fn, args))
	if bad {
		return cell(strings.TrimPrefix(result, "evaluation_error: "))
	}
	return code(result)
}

func sampleOf(kind string) string {
	switch kind {
	case "bool":
		return "true"
	case "uint":
		return "1u"
	case "double":
		return "1.0"
	case "string":
		return "'a'"
	case "bytes":
		return "b'a'"
	case "timestamp":
		return "timestamp(0)"
	case "duration":
		return "duration('1s')"
	}
	if strings.HasPrefix(kind, "list(") {
		return "[" + sampleOf(strings.TrimSuffix(strings.TrimPrefix(kind, "list("), ")")) + "]"
	}
	if strings.HasPrefix(kind, "map(") {
		return "{1: 1}"
	}
	return "1"
}

// called writes a call as sources do.
func called(fn function, args []string) string {
	op := operatorText(fn.name)
	switch {
	case fn.name == operators.Conditional:
		return args[0] + " ? " + args[1] + " : " + args[2]
	case fn.name == operators.Index:
		return args[0] + "[" + args[1] + "]"
	case op != "" && len(args) == 1:
		return op + args[0]
	case op != "":
		return args[0] + " " + op + " " + args[1]
	case strings.HasPrefix(fn.signatures[0], "."):
		return args[0] + "." + fn.name + "(" + strings.Join(args[1:], ", ") + ")"
	}
	return fn.name + "(" + strings.Join(args, ", ") + ")"
}

// code is text in a table's cell, set as code.
func code(s string) string { return "`" + cell(s) + "`" }

func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\n", " "), "|", `\|`)
}

// Every example on the page of a function that can be evaluated twice gives the
// same twice: nothing in the library remembers.
func TestLibraryRemembersNothing(t *testing.T) {
	p := newPage(t)
	for _, s := range librarySections() {
		for _, e := range slices.Concat(s.entries, s.entries) {
			first, cost, _ := p.eval(e.example)
			if again, same, _ := p.eval(e.example); again != first || cost != same {
				t.Errorf("%s gives %s for %d, then %s for %d", e.example, first, cost, again, same)
			}
		}
	}
}
