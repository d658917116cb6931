package lang

import (
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"

	"lockstep/engine/value"
)

// evalFn computes one node of an expression.
type evalFn func(f *Frame) (value.Value, *Fault)

// refKind tells whether a node is a plain variable or a plain field of one.
type refKind uint8

const (
	refNone refKind = iota
	refSlot
	refField
)

// node is a compiled part of an expression.
type node struct {
	eval evalFn
	typ  Type
	cost uint64 // units of one evaluation, without what is charged as it runs

	ints  intFn  // the short way of an int; nil where there is none
	bools boolFn // the short way of a truth value

	lit         bool // nothing but the literal val
	val         value.Value
	ref         refKind
	slot, field int
}

// builder compiles a call whose arguments (a method's target first) are
// compiled already. t is the type that the checker found.
type builder func(c *compiler, id int64, args []node, t Type) (node, *Problem)

// compiler turns one checked tree into closures.
type compiler struct {
	env       *Env
	ast       *ast.AST
	scope     *Scope
	reg       *registry
	src       string
	locals    []local // variables of the comprehensions around, innermost last
	maxLocals int
}

// local is the variable of a comprehension.
type local struct {
	name string
	typ  Type
}

func literal(v value.Value) node {
	return node{eval: func(*Frame) (value.Value, *Fault) { return v, nil }, cost: 1, lit: true, val: v}
}

func (c *compiler) compile(e ast.Expr) (node, *Problem) {
	switch e.Kind() {
	case ast.LiteralKind:
		return c.literal(e)
	case ast.IdentKind:
		return c.ident(e)
	case ast.SelectKind:
		return c.selection(e)
	case ast.CallKind:
		return c.call(e)
	case ast.ListKind:
		return c.list(e)
	case ast.MapKind:
		return c.mapping(e)
	case ast.ComprehensionKind:
		return c.comprehension(e)
	}
	return node{}, c.problem(e.ID(), "this can't be used here", "an object is written as a map: {'name': value}")
}

func (c *compiler) typeOf(e ast.Expr) Type { return c.reg.langType(c.ast.GetType(e.ID())) }

func (c *compiler) literal(e ast.Expr) (node, *Problem) {
	var v value.Value
	t := c.typeOf(e)
	switch l := e.AsLiteral().(type) {
	case types.Bool:
		v = value.OfBool(bool(l))
	case types.Int:
		v = value.OfInt(int64(l))
	case types.Uint:
		v = value.OfUint(uint64(l))
	case types.Double:
		if !finite(float64(l)) {
			return node{}, c.problem(e.ID(), "the number is too large for a double", "")
		}
		v = value.OfDouble(float64(l))
	case types.String:
		v = value.OfString(strings.ToValidUTF8(string(l), "\uFFFD"))
	case types.Bytes:
		v = value.OfBytes(string(l))
	case types.Null:
	default:
		return node{}, c.problem(e.ID(), "this kind of literal can't be used", "")
	}
	n := literal(v)
	n.typ = t
	if i, ok := asInt(&v); ok {
		n.ints = func(*Frame) (int64, bool) { return i, true }
	}
	return n, nil
}

func (c *compiler) ident(e ast.Expr) (node, *Problem) {
	name := e.AsIdent()
	if !strings.HasPrefix(name, ".") {
		for i := len(c.locals) - 1; i >= 0; i-- {
			if c.locals[i].name == name {
				n := node{typ: c.locals[i].typ, cost: 1, eval: func(f *Frame) (value.Value, *Fault) {
					return f.locals[i], nil
				}}
				if n.typ.Kind == KInt {
					n.ints = localInt(i)
				}
				return n, nil
			}
		}
	}
	name = strings.TrimPrefix(name, ".")
	if v, ok := c.scope.Lookup(name); ok {
		slot := v.Slot
		n := node{typ: v.Type, cost: 1, ref: refSlot, slot: slot, field: -1, eval: func(f *Frame) (value.Value, *Fault) {
			return f.Slots[slot], nil
		}}
		if n.typ.Kind == KInt {
			n.ints = slotInt(slot)
		}
		return n, nil
	}
	if name == "tx" && c.scope.tx != TxNone {
		return node{}, c.problem(e.ID(), "tx can't be used as a value", "use one of its fields, as tx.now")
	}
	return node{}, c.problem(e.ID(), "unknown name "+name, "")
}

// selection compiles a.b and has(a.b).
func (c *compiler) selection(e ast.Expr) (node, *Problem) {
	sel := e.AsSelect()
	field := sel.FieldName()
	if c.isTx(sel.Operand()) {
		return c.txField(e.ID(), field, sel.IsTestOnly())
	}
	op, p := c.compile(sel.Operand())
	if p != nil {
		return node{}, p
	}
	if op.typ.Kind == KObject {
		return c.objectField(e.ID(), op, field, sel.IsTestOnly())
	}
	eval, key := op.eval, value.OfString(field)
	n := node{cost: op.cost + 1, typ: c.typeOf(e)}
	if op.typ.Kind == KMap {
		n.typ = op.typ.elem()
	}
	if sel.IsTestOnly() {
		n.typ = Type{Kind: KBool}
		n.eval = func(f *Frame) (value.Value, *Fault) {
			v, ft := eval(f)
			if ft != nil {
				return v, ft
			}
			return hasField(v, key)
		}
		return n, nil
	}
	missing := op.typ.Missing
	n.eval = func(f *Frame) (value.Value, *Fault) {
		v, ft := eval(f)
		if ft != nil {
			return v, ft
		}
		if v, ft = getField(v, key); ft != nil {
			return orMissing(ft, missing)
		}
		return v, nil
	}
	return n, nil
}

// orMissing gives what a missing key reads as in the place of the fault, where
// the map's type has such a value.
func orMissing(ft *Fault, missing *value.Value) (value.Value, *Fault) {
	if ft.Kind == FaultNoKey && missing != nil {
		return *missing, nil
	}
	return value.Value{}, ft
}

// objectField compiles a field of an object whose shape is known.
func (c *compiler) objectField(id int64, op node, field string, test bool) (node, *Problem) {
	i, t, ok := op.typ.Object.Field(field)
	if !ok {
		return node{}, c.problem(id, "no field "+field+" in "+op.typ.bare(), "")
	}
	if test {
		eval := op.eval
		return node{typ: Type{Kind: KBool}, cost: op.cost + 1, eval: func(f *Frame) (value.Value, *Fault) {
			v, ft := eval(f)
			if ft != nil || v.Kind() != value.Object {
				return nullField(v, field, ft)
			}
			return value.OfBool(!v.Field(i).IsNull()), nil
		}}, nil
	}
	if op.ref == refSlot {
		slot := op.slot
		n := node{typ: t, cost: op.cost + 1, ref: refField, slot: slot, field: i, eval: func(f *Frame) (value.Value, *Fault) {
			v := &f.Slots[slot]
			if v.Kind() != value.Object {
				return nullField(*v, field, nil)
			}
			return v.Field(i), nil
		}}
		if t.Kind == KInt {
			n.ints = fieldInt(slot, i)
		}
		return n, nil
	}
	eval := op.eval
	return node{typ: t, cost: op.cost + 1, eval: func(f *Frame) (value.Value, *Fault) {
		v, ft := eval(f)
		if ft != nil || v.Kind() != value.Object {
			return nullField(v, field, ft)
		}
		return v.Field(i), nil
	}}, nil
}

// nullField is the fault of reading a field of what is no object.
func nullField(v value.Value, field string, ft *Fault) (value.Value, *Fault) {
	if ft != nil {
		return value.Value{}, ft
	}
	if v.IsNull() {
		return value.Value{}, fault(FaultNullField, field)
	}
	return value.Value{}, fault2(FaultWrongType, kindName(v), "object")
}

// getField reads a field of a value whose type is known at run time only.
func getField(v, key value.Value) (value.Value, *Fault) {
	switch v.Kind() {
	case value.Map:
		if got, ok := v.MapGet(key); ok {
			return got, nil
		}
		return value.Value{}, fault(FaultNoKey, show(key))
	case value.Object:
		if i, ok := v.Shape().Index(key.Str()); ok {
			return v.Field(i), nil
		}
		return value.Value{}, fault2(FaultNoField, key.Str(), v.Shape().Name)
	}
	return nullField(v, key.Str(), nil)
}

// hasField tells whether getField would find a value; an object's field that is
// null is absent.
func hasField(v, key value.Value) (value.Value, *Fault) {
	switch v.Kind() {
	case value.Map:
		_, ok := v.MapGet(key)
		return value.OfBool(ok), nil
	case value.Object:
		i, ok := v.Shape().Index(key.Str())
		return value.OfBool(ok && !v.Field(i).IsNull()), nil
	}
	return nullField(v, key.Str(), nil)
}

// call compiles the arguments of a call and leaves the rest to its builder.
func (c *compiler) call(e ast.Expr) (node, *Problem) {
	call := e.AsCall()
	build := c.env.builders[call.FunctionName()]
	if build == nil {
		return node{}, c.problem(e.ID(), "unknown function "+call.FunctionName(), "")
	}
	var args []node
	if call.IsMemberFunction() {
		n, p := c.compile(call.Target())
		if p != nil {
			return node{}, p
		}
		args = append(args, n)
	}
	for _, a := range call.Args() {
		n, p := c.compile(a)
		if p != nil {
			return node{}, p
		}
		args = append(args, n)
	}
	n, p := build(c, e.ID(), args, c.typeOf(e))
	if p != nil {
		return node{}, p
	}
	n.cost++
	for _, a := range args {
		n.cost += a.cost
	}
	return n, nil
}

// isIdent tells whether a node is a plain name.
func isIdent(e ast.Expr, name string) bool {
	return e.Kind() == ast.IdentKind && strings.TrimPrefix(e.AsIdent(), ".") == name
}
