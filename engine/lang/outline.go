package lang

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// Outline is what a source shows before it is evaluated, for those who judge an
// expression by what it looks at.
type Outline struct {
	// Reads are the variables and the fields of variables that it names, as
	// "now" and "node.status", ascending. A variable that is used whole stands
	// there under its own name.
	Reads []string

	// Compared are the texts that such a field is compared with by ==, != or in,
	// in the order of the source.
	Compared []Comparison
}

// Comparison is a field and a text that it is compared with.
type Comparison struct{ Field, Text string }

// Names tells whether a variable ("now"), or a field of one ("node.status"), is
// read. A variable is also read where one of its fields is.
func (o *Outline) Names(what string) bool {
	return slices.ContainsFunc(o.Reads, func(r string) bool {
		return r == what || strings.HasPrefix(r, what) && r[len(what)] == '.'
	})
}

// Outline reads a source without checking its types: call it for one that
// Compile takes.
func (e *Env) Outline(src string) (o Outline, problem *Problem) {
	if problem = checkSource(src); problem != nil {
		return o, problem
	}
	defer func() {
		if r := recover(); r != nil {
			o, problem = Outline{}, &Problem{Line: 1, Column: 1, Message: "the expression can't be read"}
		}
	}()
	parsed, errs := e.parser.Parse(common.NewTextSource(src))
	if list := errs.GetErrors(); len(list) > 0 {
		return o, syntaxProblem(src, list)
	}
	w := outliner{env: e}
	w.visit(parsed.Expr())
	slices.Sort(w.Reads)
	w.Reads = slices.Compact(w.Reads)
	return w.Outline, nil
}

type outliner struct {
	Outline
	env   *Env
	bound []string // variables of the comprehensions around
}

// field is how a plain name, or a field of one, is called; empty for anything
// else. dyn() hides the type of a value but not where it comes from.
func (w *outliner) field(e ast.Expr) string {
	switch e.Kind() {
	case ast.IdentKind:
		name := strings.TrimPrefix(e.AsIdent(), ".")
		if strings.HasPrefix(name, "@") || slices.Contains(w.bound, name) {
			return ""
		}
		return name
	case ast.SelectKind:
		of := w.field(e.AsSelect().Operand())
		if of == "" || strings.Contains(of, ".") {
			return ""
		}
		return of + "." + e.AsSelect().FieldName()
	case ast.CallKind:
		if call := e.AsCall(); call.FunctionName() == "dyn" && len(call.Args()) == 1 {
			return w.field(call.Args()[0])
		}
	}
	return ""
}

func (w *outliner) visit(e ast.Expr) {
	if name := w.field(e); name != "" {
		w.Reads = append(w.Reads, name)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		w.visit(e.AsSelect().Operand())
	case ast.CallKind:
		w.call(e.AsCall())
	case ast.ListKind:
		for _, el := range e.AsList().Elements() {
			w.visit(el)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.visit(entry.AsMapEntry().Key())
			w.visit(entry.AsMapEntry().Value())
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		w.visit(c.IterRange())
		w.visit(c.AccuInit())
		outer := len(w.bound)
		w.bound = append(w.bound, c.IterVar(), c.IterVar2(), c.AccuVar())
		w.visit(c.LoopCondition())
		w.visit(c.LoopStep())
		w.visit(c.Result())
		w.bound = w.bound[:outer]
	}
}

func (w *outliner) call(call ast.CallExpr) {
	args := call.Args()
	switch call.FunctionName() {
	case operators.Equals, operators.NotEquals:
		w.compared(args[0], args[1])
		w.compared(args[1], args[0])
	case operators.In:
		if args[1].Kind() == ast.ListKind {
			for _, el := range args[1].AsList().Elements() {
				w.compared(args[0], el)
			}
		}
	}
	if call.IsMemberFunction() && w.env.builders[w.field(call.Target())+"."+call.FunctionName()] == nil { // lists.range reads no variable
		w.visit(call.Target())
	}
	for _, a := range args {
		w.visit(a)
	}
}

func (w *outliner) compared(field, with ast.Expr) {
	name := w.field(field)
	if name == "" || with.Kind() != ast.LiteralKind {
		return
	}
	if text, ok := with.AsLiteral().Value().(string); ok {
		w.Compared = append(w.Compared, Comparison{name, text})
	}
}
