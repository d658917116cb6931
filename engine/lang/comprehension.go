package lang

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"lockstep/engine/value"
)

// macro is which of CEL's macros a comprehension came of.
type macro uint8

const (
	macroUnknown macro = iota
	macroAll
	macroExists
	macroExistsOne
	macroMap // and filter, which maps an element to itself
)

// expansion is what a macro was given.
type expansion struct {
	macro     macro
	predicate ast.Expr // nil where map has none
	transform ast.Expr // macroMap only
}

// expanded recognises the trees that the parser's macros make. The tree of map
// taken at its word would copy its list once for each element.
func expanded(comp ast.ComprehensionExpr) expansion {
	step := comp.LoopStep()
	if step.Kind() != ast.CallKind {
		return expansion{}
	}
	call := step.AsCall()
	args := call.Args()
	switch {
	case call.FunctionName() == operators.LogicalAnd && literalBool(comp.AccuInit()):
		return expansion{macro: macroAll, predicate: args[1]}
	case call.FunctionName() == operators.LogicalOr && literalBool(comp.AccuInit()):
		return expansion{macro: macroExists, predicate: args[1]}
	case comp.AccuInit().Kind() == ast.LiteralKind && call.FunctionName() == operators.Conditional:
		return expansion{macro: macroExistsOne, predicate: args[0]}
	case comp.AccuInit().Kind() != ast.ListKind:
		return expansion{}
	}
	var x expansion
	if call.FunctionName() == operators.Conditional {
		x.predicate = args[0]
		if args[1].Kind() != ast.CallKind {
			return expansion{}
		}
		args = args[1].AsCall().Args()
	}
	if len(args) != 2 || args[1].Kind() != ast.ListKind || len(args[1].AsList().Elements()) != 1 {
		return expansion{}
	}
	x.macro, x.transform = macroMap, args[1].AsList().Elements()[0]
	return x
}

func literalBool(e ast.Expr) bool {
	if e.Kind() != ast.LiteralKind {
		return false
	}
	_, ok := e.AsLiteral().(types.Bool)
	return ok
}

// comprehension compiles all, exists, exists_one, map and filter. The cost of
// the body is charged for each element before it is visited.
func (c *compiler) comprehension(e ast.Expr) (node, *Problem) {
	comp := e.AsComprehension()
	x := expanded(comp)
	if x.macro == macroUnknown || comp.HasIterVar2() {
		return node{}, c.problem(e.ID(), "this comprehension can't be used", "")
	}
	switch comp.IterVar() {
	case "tx", "params", "row":
		return node{}, c.problem(e.ID(), comp.IterVar()+" can't be bound again", "choose another name for the element")
	}
	over, p := c.compile(comp.IterRange())
	if p != nil {
		return node{}, p
	}
	elem := Type{Kind: KJSON}
	switch over.typ.Kind {
	case KList:
		elem = over.typ.elem()
	case KMap:
		elem = over.typ.key()
	}
	slot := len(c.locals)
	c.locals = append(c.locals, local{comp.IterVar(), elem})
	c.maxLocals = max(c.maxLocals, len(c.locals))
	body, p := c.body(x)
	c.locals = c.locals[:slot]
	if p != nil {
		return node{}, p
	}
	body.over, body.slot = over.eval, slot
	n := node{cost: over.cost + 1, typ: c.typeOf(e)}
	switch x.macro {
	case macroAll:
		n.eval = body.quantifier(false)
	case macroExists:
		n.eval = body.quantifier(true)
	case macroExistsOne:
		n.eval = body.existsOne()
	default:
		if n.typ.Kind == KList {
			n.typ.Elem = &body.result
		}
		n.eval = body.mapping()
	}
	return n, nil
}

// loop is a comprehension ready to run.
type loop struct {
	over      evalFn
	slot      int    // of the element among the frame's locals
	cost      uint64 // of one turn
	predicate evalFn // nil: every element
	transform evalFn
	result    Type // of transform
}

func (c *compiler) body(x expansion) (loop, *Problem) {
	l := loop{cost: 1}
	if x.predicate != nil {
		n, p := c.compile(x.predicate)
		if p != nil {
			return l, p
		}
		l.predicate = n.eval
		l.cost += n.cost
	}
	if x.transform != nil {
		n, p := c.compile(x.transform)
		if p != nil {
			return l, p
		}
		l.transform, l.result = n.eval, n.typ
		l.cost += n.cost
	}
	return l, nil
}

// elements are what a comprehension visits: a list's elements, or a map's keys
// in ascending order.
func (l *loop) elements(f *Frame) ([]value.Value, *Fault) {
	v, ft := l.over(f)
	if ft != nil {
		return nil, ft
	}
	switch v.Kind() {
	case value.List:
		return v.Elems(), nil
	case value.Map:
		return v.Keys(), nil
	}
	_, ft = noOperation("a comprehension", v)
	return nil, ft
}

// holds evaluates the predicate for an element.
func (l *loop) holds(f *Frame, e value.Value) (bool, *Fault) {
	if ft := f.Meter.Charge(l.cost); ft != nil {
		return false, ft
	}
	f.locals[l.slot] = e
	if l.predicate == nil {
		return true, nil
	}
	v, ft := l.predicate(f)
	if ft != nil {
		return false, ft
	}
	if v.Kind() != value.Bool {
		_, ft = noOperation("a predicate", v)
		return false, ft
	}
	return v.Bool(), nil
}

// quantifier is all and exists: a decisive element ends it, even where others
// are faults; else the first fault is the result.
func (l *loop) quantifier(decisive bool) evalFn {
	return func(f *Frame) (value.Value, *Fault) {
		elems, ft := l.elements(f)
		if ft != nil {
			return value.Value{}, ft
		}
		var first *Fault
		for _, e := range elems {
			ok, ft := l.holds(f, e)
			switch {
			case ft != nil && ft.Terminal():
				return value.Value{}, ft
			case ft != nil && first == nil:
				first = ft
			case ft == nil && ok == decisive:
				return value.OfBool(decisive), nil
			}
		}
		return value.OfBool(!decisive), first
	}
}

// existsOne tells whether exactly one element satisfies the predicate.
func (l *loop) existsOne() evalFn {
	return func(f *Frame) (value.Value, *Fault) {
		elems, ft := l.elements(f)
		if ft != nil {
			return value.Value{}, ft
		}
		n := 0
		for _, e := range elems {
			ok, ft := l.holds(f, e)
			if ft != nil {
				return value.Value{}, ft
			}
			if ok {
				n++
			}
		}
		return value.OfBool(n == 1), nil
	}
}

// mapping is map and filter. What the list comes to is counted as it grows, so
// that no more is ever held than a value may have.
func (l *loop) mapping() evalFn {
	return func(f *Frame) (value.Value, *Fault) {
		elems, ft := l.elements(f)
		if ft != nil {
			return value.Value{}, ft
		}
		var out []value.Value
		size := value.Size{Nodes: 1, Depth: 1}
		for _, e := range elems {
			ok, ft := l.holds(f, e)
			if ft != nil {
				return value.Value{}, ft
			}
			if !ok {
				continue
			}
			v, ft := l.transform(f)
			if ft != nil {
				return v, ft
			}
			s := v.Size()
			size.Nodes, size.Bytes, size.Depth = size.Nodes+s.Nodes, size.Bytes+s.Bytes, max(size.Depth, s.Depth+1)
			if size.TooLarge() {
				return value.Value{}, &Fault{Kind: FaultTooLarge}
			}
			out = append(out, v)
		}
		return value.OfList(out), nil
	}
}
