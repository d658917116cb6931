package model

import (
	"strconv"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// evaluator evaluates one expression.
type evaluator struct {
	tx *tx
	// unknown: a comparison with a null column is neither true nor false, as in
	// checks.
	unknown bool
	used    func(string) // is told of each operator and function
}

func (x *evaluator) eval(e ast.Expr, s *scope) any {
	switch e.Kind() {
	case ast.LiteralKind:
		return literal(e)
	case ast.IdentKind:
		return s.find(e.AsIdent()).val
	case ast.SelectKind:
		sel := e.AsSelect()
		if sel.Operand().Kind() == ast.IdentKind && sel.Operand().AsIdent() == "tx" {
			x.used("tx." + sel.FieldName())
			switch sel.FieldName() {
			case "id":
				return x.tx.id
			case "revision":
				return x.tx.revision
			case "now":
				return x.tx.now
			}
		}
		return field(x.eval(sel.Operand(), s), sel.FieldName())
	case ast.ListKind:
		l := List{}
		for _, el := range e.AsList().Elements() {
			l = append(l, x.eval(el, s))
		}
		return l
	case ast.MapKind:
		return x.mapLiteral(e.AsMap(), s)
	case ast.CallKind:
		return x.call(e.AsCall(), s)
	}
	panic("no expression of the language")
}

func literal(e ast.Expr) any {
	switch v := e.AsLiteral().(type) {
	case types.Bool:
		return bool(v)
	case types.Int:
		return int64(v)
	case types.Uint:
		return uint64(v)
	case types.Double:
		return unsigned(float64(v))
	case types.String:
		return string(v)
	case types.Bytes:
		return Bytes(v)
	}
	return nil
}

// field reads a.name.
func field(v any, name string) any {
	switch v := v.(type) {
	case nil:
		failNull("field " + name + " of null")
	case *Object:
		f, ok := v.Fields[name]
		if !ok {
			fail("evaluation_error", "no field "+name+" in "+v.Type)
		}
		return f
	case *Map:
		f, ok := v.get(name)
		if !ok {
			fail("evaluation_error", "no such key: "+show(name))
		}
		return f
	}
	fail("evaluation_error", "a value of type "+kindName(v)+" where object is wanted")
	return nil
}

// has tells whether a field is there: of an object, whether it is not null.
func (x *evaluator) has(e ast.Expr, s *scope) any {
	sel := e.AsSelect()
	if sel.Operand().Kind() == ast.IdentKind && sel.Operand().AsIdent() == "tx" {
		return true
	}
	name := sel.FieldName()
	switch v := x.eval(sel.Operand(), s).(type) {
	case nil:
		failNull("field " + name + " of null")
	case *Object:
		f, ok := v.Fields[name]
		if !ok {
			fail("evaluation_error", "no field "+name+" in "+v.Type)
		}
		return f != nil
	case *Map:
		_, ok := v.get(name)
		return ok
	default:
		fail("evaluation_error", "a value of type "+kindName(v)+" where object is wanted")
	}
	return nil
}

func (x *evaluator) mapLiteral(m ast.MapExpr, s *scope) any {
	var keys, vals []any
	for _, entry := range m.Entries() {
		k := plain(x.eval(entry.AsMapEntry().Key(), s))
		switch k.(type) {
		case bool, int64, uint64, string:
		default:
			fail("evaluation_error", kindName(k)+" can't be a key")
		}
		keys, vals = append(keys, k), append(vals, x.eval(entry.AsMapEntry().Value(), s))
	}
	out := &Map{}
	for i, k := range keys {
		if !out.put(k, vals[i]) {
			fail("evaluation_error", "the key "+show(k)+" is repeated")
		}
	}
	return out
}

// call evaluates operators, macros and functions.
func (x *evaluator) call(c ast.CallExpr, s *scope) any {
	name := c.FunctionName()
	if c.IsMemberFunction() {
		t := c.Target()
		if isMacro(name, c.Args()) {
			x.used(name)
			return x.comprehension(name, t, c.Args(), s)
		}
		if prefix := namespace(t); prefix != "" {
			name = prefix + "." + name
			x.used(name)
			return x.apply(name, x.all(c.Args(), s), nil)
		}
		x.used(name)
		target := x.eval(t, s)
		if _, isList := target.(List); isList {
			x.used(name + " of a list")
		}
		return x.apply(name, append([]any{target}, x.all(c.Args(), s)...), nil)
	}
	x.used(name)
	args := c.Args()
	switch name {
	case operators.LogicalAnd:
		return x.junction("&&", false, args, s)
	case operators.LogicalOr:
		return x.junction("||", true, args, s)
	case operators.Conditional:
		if x.condition("?:", args[0], s) {
			return x.eval(args[1], s)
		}
		return x.eval(args[2], s)
	case "has":
		return x.has(args[0], s)
	case "when":
		if x.condition("when", args[0], s) {
			return x.eval(args[1], s)
		}
		return nil
	case "coalesce":
		if v := x.eval(args[0], s); v != nil {
			return v
		}
		return x.eval(args[1], s)
	case operators.Equals, operators.NotEquals:
		return x.equality(name == operators.NotEquals, args, s)
	case "dyn":
		return x.eval(args[0], s)
	case "sum", "avg", "min", "max":
		return aggregate(name, x.eval(args[0], s), func() string { return elementOf(args[0], s) })
	}
	return x.apply(name, x.all(args, s), args)
}

// namespace is what stands before the point of a function's name, if it is no value.
func namespace(target ast.Expr) string {
	if target.Kind() == ast.IdentKind {
		switch name := target.AsIdent(); name {
		case "math", "tx", "lists", "sets":
			return name
		}
	}
	return ""
}

func (x *evaluator) all(args []ast.Expr, s *scope) []any {
	var vals []any
	for _, a := range args {
		vals = append(vals, x.eval(a, s))
	}
	return vals
}

// condition wants a bool.
func (x *evaluator) condition(op string, e ast.Expr, s *scope) bool {
	v := x.eval(e, s)
	b, ok := v.(bool)
	if !ok {
		noOperation(op, v)
	}
	return b
}

// junction is && and ||: a fault of one side counts only where the other side
// leaves the result open.
func (x *evaluator) junction(op string, decisive bool, args []ast.Expr, s *scope) any {
	var first *Abort
	for _, a := range args {
		b, abort := try(func() bool { return x.condition(op, a, s) })
		if abort != nil {
			if abort.Code == "cost_exceeded" {
				panic(abort)
			}
			if first == nil {
				first = abort
			}
			continue
		}
		if b == decisive {
			return decisive
		}
	}
	if first != nil {
		panic(first)
	}
	return !decisive
}

func (x *evaluator) equality(not bool, args []ast.Expr, s *scope) any {
	a, b := x.eval(args[0], s), x.eval(args[1], s)
	if x.unknown && (a == nil || b == nil) && !isNull(args[0]) && !isNull(args[1]) {
		op := "=="
		if not {
			op = "!="
		}
		failNull(op + " of null")
	}
	return equal(a, b) != not
}

func isNull(e ast.Expr) bool {
	return e.Kind() == ast.LiteralKind && e.AsLiteral() == types.NullValue
}

func isMacro(name string, args []ast.Expr) bool {
	switch name {
	case "all", "exists", "exists_one", "existsOne", "filter":
		return len(args) == 2
	case "map":
		return len(args) == 2 || len(args) == 3
	}
	return false
}

// comprehension goes through a list, or through the keys of a map.
func (x *evaluator) comprehension(name string, over ast.Expr, args []ast.Expr, s *scope) any {
	var elems []any
	switch v := x.eval(over, s).(type) {
	case List:
		elems = v
	case *Map:
		elems = v.Keys
	default:
		if v == nil {
			failNull("a comprehension of null")
		}
		fail("evaluation_error", "a comprehension is not defined for "+kindName(v))
	}
	inner := func(el any) *scope { return s.with(args[0].AsIdent(), el, nil) }
	switch name {
	case "all":
		return x.quantifier("a predicate", false, elems, args[1], inner)
	case "exists":
		return x.quantifier("a predicate", true, elems, args[1], inner)
	case "exists_one", "existsOne":
		n := 0
		for _, el := range elems {
			if x.condition("a predicate", args[1], inner(el)) {
				n++
			}
		}
		return n == 1
	}
	out := List{}
	for _, el := range elems {
		switch {
		case name == "filter":
			if x.condition("a predicate", args[1], inner(el)) {
				out = append(out, el)
			}
		case len(args) == 3:
			if x.condition("a predicate", args[1], inner(el)) {
				out = append(out, x.eval(args[2], inner(el)))
			}
		default:
			out = append(out, x.eval(args[1], inner(el)))
		}
	}
	return out
}

// quantifier is all and exists, as a chain of && and ||.
func (x *evaluator) quantifier(op string, decisive bool, elems []any, pred ast.Expr, inner func(any) *scope) any {
	var first *Abort
	for _, el := range elems {
		b, abort := try(func() bool { return x.condition(op, pred, inner(el)) })
		switch {
		case abort != nil && abort.Code == "cost_exceeded":
			panic(abort)
		case abort != nil && first == nil:
			first = abort
		case abort == nil && b == decisive:
			return decisive
		}
	}
	if first != nil {
		panic(first)
	}
	return !decisive
}

// index is a[i].
func index(a, i any) any {
	switch c := a.(type) {
	case List:
		n, ok := plain(i).(int64)
		if !ok {
			return noOperation("[]", a, i)
		}
		if n < 0 || n >= int64(len(c)) {
			fail("evaluation_error", "index "+strconv.FormatInt(n, 10)+" is outside a list of "+strconv.Itoa(len(c)))
		}
		return c[n]
	case *Map:
		if i == nil {
			return noOperation("[]", a, i)
		}
		v, ok := c.get(plain(i))
		if !ok {
			fail("evaluation_error", "no such key: "+show(i))
		}
		return v
	}
	return noOperation("[]", a, i)
}

// in is membership of a list, or of a map's keys.
func in(a, of any) any {
	switch c := of.(type) {
	case List:
		for _, e := range c {
			if equal(a, e) {
				return true
			}
		}
		return false
	case *Map:
		_, ok := c.get(plain(a))
		return ok
	}
	return noOperation("in", of)
}
