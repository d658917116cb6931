package lang

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/containers"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/parser"

	"lockstep/engine/value"
)

// Env is the pinned environment: the grammar, the macros and the functions of
// one language version, and beside it those of the other versions that this
// program knows. Build one and share it; it is safe for concurrent use.
type Env struct {
	version  uint32
	versions map[uint32]*Env // this one included; shared by all of them
	extra    uint64          // cost of an expression beside its nodes'

	parser   *parser.Parser
	declared *checker.Env // functions only; scopes add their variables to a child
	builders map[string]builder

	names      []string            // of functions, for suggestions
	signatures map[string][]string // for messages
}

// NewEnv builds the environment of Version. It fails only where the table of
// functions contradicts itself.
func NewEnv() (*Env, error) {
	e, err := newEnv(Version, functions())
	if err != nil {
		return nil, err
	}
	e.versions = map[uint32]*Env{Version: e}
	return e, nil
}

// Version is the language version that expressions are compiled under.
func (e *Env) Version() uint32 { return e.version }

// At is the environment of a version. Where this program does not know it, the
// error says which it knows; the copy must not go on then, for it can't execute
// what the others do.
func (e *Env) At(version uint32) (*Env, error) {
	if at := e.versions[version]; at != nil {
		return at, nil
	}
	return nil, fmt.Errorf("%w: version %d, where this program knows %v; run a program that knows it", ErrUnknownVersion, version, e.Versions())
}

// Versions are the language versions that this program knows, ascending.
func (e *Env) Versions() []uint32 { return slices.Sorted(maps.Keys(e.versions)) }

// Functions are the names of all that an expression of this version can call,
// ascending: methods without their dot, and operators under the names that CEL's
// parser gives them (_+_). Macros are not among them.
func (e *Env) Functions() []string {
	names := slices.Sorted(maps.Keys(e.builders))
	return slices.DeleteFunc(names, func(n string) bool { return n == operators.NotStrictlyFalse }) // no source can call it
}

// ErrUnknownVersion says that a language version is not known to this program.
var ErrUnknownVersion = errors.New("unknown language version")

func newEnv(version uint32, table []function) (*Env, error) {
	p, err := parser.NewParser(
		parser.Macros(parser.AllMacros...),
		parser.MaxRecursionDepth(MaxDepth),
		parser.ErrorReportingLimit(1),
		parser.ErrorRecoveryLimit(4),
		parser.ErrorRecoveryLookaheadTokenLimit(32),
		parser.ExpressionSizeCodePointLimit(MaxSourceBytes),
		parser.MaxExpressionNodeCount(MaxExprNodes),
		parser.EnableIdentEscapeSyntax(false),
		parser.EnableHiddenAccumulatorName(true),
	)
	if err != nil {
		return nil, fmt.Errorf("building the parser: %w", err)
	}
	declared, err := checker.NewEnv(containers.DefaultContainer, &registry{}, checker.CrossTypeNumericComparisons(true))
	if err != nil {
		return nil, fmt.Errorf("building the type checker: %w", err)
	}
	e := &Env{version: version, parser: p, declared: declared, builders: map[string]builder{}, signatures: map[string][]string{}}
	for _, fn := range table {
		decl, err := fn.declare()
		if err != nil {
			return nil, fmt.Errorf("declaring %s: %w", fn.name, err)
		}
		if err := declared.AddFunctions(decl); err != nil {
			return nil, fmt.Errorf("declaring %s: %w", fn.name, err)
		}
		if e.builders[fn.name] != nil {
			return nil, errors.New(fn.name + " is declared twice")
		}
		e.builders[fn.name], e.signatures[fn.name] = fn.build, fn.signatures
		if operatorText(fn.name) == "" {
			e.names = append(e.names, fn.name)
		}
	}
	return e, nil
}

// Compile reads, type-checks and compiles one expression in a scope. want is
// the type that its value must have; nil takes any. Where only the value can
// tell, the check is made at run time and is a fault.
func (e *Env) Compile(src string, s *Scope, want *Type) (*Expr, *Problem) {
	if p := checkSource(src); p != nil {
		return nil, p
	}
	reg := newRegistry(s)
	checked, p := e.check(src, s, reg)
	if p != nil {
		return nil, p
	}
	c := &compiler{env: e, ast: checked, scope: s, reg: reg, src: src}
	n, p := c.compile(checked.Expr())
	if p != nil {
		return nil, p
	}
	x := &Expr{src: src, typ: n.typ, eval: n.eval, cost: n.cost + e.extra, locals: c.maxLocals,
		lit: n.lit, val: n.val, ref: n.ref, slot: n.slot, field: n.field}
	if want != nil {
		if p := x.conformTo(*want); p != nil {
			return nil, p
		}
	}
	return x, nil
}

// checkSource refuses what need not be parsed.
func checkSource(src string) *Problem {
	switch {
	case strings.TrimSpace(src) == "":
		return &Problem{Line: 1, Column: 1, Message: "the expression is empty", Hint: "empty text is written ''"}
	case len(src) > MaxSourceBytes:
		return &Problem{Line: 1, Column: 1, Message: fmt.Sprintf("the expression has %d bytes; at most %d are allowed", len(src), MaxSourceBytes)}
	case !utf8.ValidString(src):
		return &Problem{Line: 1, Column: 1, Message: "the expression is not UTF-8 text"}
	}
	return nil
}

// check parses and type-checks. A panic of the library on a strange source
// becomes a refusal: nothing has been evaluated yet.
func (e *Env) check(src string, s *Scope, reg *registry) (checked *ast.AST, problem *Problem) {
	defer func() {
		if r := recover(); r != nil {
			checked, problem = nil, &Problem{Line: 1, Column: 1, Message: "the expression can't be read"}
		}
	}()
	source := common.NewTextSource(src)
	parsed, errs := e.parser.Parse(source)
	if list := errs.GetErrors(); len(list) > 0 {
		return nil, syntaxProblem(src, list)
	}
	var measure complexity
	measure.visit(parsed.Expr(), 0)
	if message := measure.tooComplex(); message != "" {
		return nil, problemAt(src, 1, 1, message, "name a part of it with a let step")
	}
	env, err := checker.NewEnv(containers.DefaultContainer, reg,
		checker.CrossTypeNumericComparisons(true), checker.ValidatedDeclarations(e.declared))
	if err != nil {
		return nil, &Problem{Line: 1, Column: 1, Message: "the expression can't be checked"}
	}
	for _, name := range s.names {
		if err := env.AddIdents(decls.NewVariable(name, reg.celType(s.vars[name].Type))); err != nil {
			return nil, &Problem{Line: 1, Column: 1, Message: "the name " + name + " can't be declared"}
		}
	}
	if s.tx != TxNone {
		if err := env.AddIdents(decls.NewVariable("tx", reg.celType(txType(s.tx)))); err != nil {
			return nil, &Problem{Line: 1, Column: 1, Message: "the name tx can't be declared"}
		}
	}
	checked, errs = checker.Check(parsed, source, env)
	if list := errs.GetErrors(); len(list) > 0 {
		x := explainer{env: e, src: src, checked: checked, scope: s, reg: reg}
		return nil, x.problem(list)
	}
	return checked, nil
}

// Expr is a compiled expression: immutable, safe for concurrent use with
// different frames.
type Expr struct {
	src    string
	typ    Type
	eval   evalFn
	cost   uint64 // units charged before it starts
	locals int    // variables of comprehensions at the deepest point

	lit         bool
	val         value.Value
	ref         refKind
	slot, field int
}

// Literal is an expression that stands for a value.
func Literal(v value.Value, t Type) *Expr {
	return &Expr{typ: t, lit: true, val: v, cost: 1, eval: literal(v).eval}
}

// Type is the static type.
func (x *Expr) Type() Type { return x.typ }

// Source is the text that it was compiled from; empty for a Literal.
func (x *Expr) Source() string { return x.src }

// Const is the value of an expression that is nothing but a literal.
func (x *Expr) Const() (value.Value, bool) { return x.val, x.lit }

// SlotField tells that the expression is a plain variable (field is -1) or a
// plain field of a variable, whose value needs no check beyond null.
func (x *Expr) SlotField() (slot, field int, ok bool) { return x.slot, x.field, x.ref != refNone }

// Eval computes the value. The cost of what is always evaluated is charged at
// once; comprehensions and functions of large values charge as they go.
func (x *Expr) Eval(f *Frame) (value.Value, *Fault) {
	if ft := f.Meter.Charge(x.cost); ft != nil {
		return value.Value{}, ft
	}
	if len(f.locals) < x.locals {
		f.locals = make([]value.Value, x.locals)
	}
	return x.eval(f)
}

// conformTo makes the expression yield the wanted type, checking values at run
// time where the static type leaves it open.
func (x *Expr) conformTo(want Type) *Problem {
	switch assignable(x.typ, want) {
	case never:
		return mismatch(x.src, x.typ, want)
	case perhaps:
		eval := x.eval
		x.eval = func(f *Frame) (value.Value, *Fault) {
			v, ft := eval(f)
			if ft != nil {
				return v, ft
			}
			return f.conform(v, want)
		}
		x.typ, x.ref, x.lit = want, refNone, false
	}
	return nil
}
