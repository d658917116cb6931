package lang

import (
	"strconv"
	"strings"

	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"lockstep/engine/value"
)

// function is one entry of the language's table: what the checker knows (its
// signatures) and how it is compiled. A signature reads "int, int -> int"; a
// method's begins with a dot, as in ".string -> int".
type function struct {
	name       string
	build      builder
	signatures []string
}

// functions is the table of everything that can be called, operators included.
func functions() []function {
	var all []function
	all = append(all, operatorTable()...)
	all = append(all, conversionTable()...)
	all = append(all, stringTable()...)
	all = append(all, timeTable()...)
	all = append(all, mathTable()...)
	all = append(all, bitTable()...)
	all = append(all, listTable()...)
	all = append(all, txTable()...)
	return all
}

func operatorTable() []function {
	numeric := []string{"int", "uint", "double"}
	same := func(kinds ...string) (out []string) {
		for _, k := range kinds {
			out = append(out, k+", "+k+" -> "+k)
		}
		return out
	}
	ordered := []string{}
	for _, k := range []string{"bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"} {
		ordered = append(ordered, k+", "+k+" -> bool")
	}
	crossed := []string{}
	for _, a := range numeric {
		for _, b := range numeric {
			if a != b {
				crossed = append(crossed, a+", "+b+" -> bool")
			}
		}
	}
	ordered = append(ordered, crossed...)
	equality := []string{"dyn, dyn -> bool"} // buildEquality knows what can be compared
	return []function{
		{operators.Conditional, buildConditional, []string{"bool, A, A -> A"}},
		{operators.LogicalAnd, buildJunction("&&", false), []string{"bool, bool -> bool"}},
		{operators.LogicalOr, buildJunction("||", true), []string{"bool, bool -> bool"}},
		{operators.LogicalNot, unaryOf(not), []string{"bool -> bool"}},
		{operators.NotStrictlyFalse, refused, []string{"bool -> bool"}}, // stands in expanded macros only
		{operators.Equals, buildEquality(false), equality},
		{operators.NotEquals, buildEquality(true), equality},
		{operators.Less, buildOrder(opLess), ordered},
		{operators.LessEquals, buildOrder(opLessEquals), ordered},
		{operators.Greater, buildOrder(opGreater), ordered},
		{operators.GreaterEquals, buildOrder(opGreaterEquals), ordered},
		{operators.Add, buildArithmetic("+", add), append(same("int", "uint", "double", "string", "bytes", "duration"),
			"list(A), list(A) -> list(A)", "timestamp, duration -> timestamp", "duration, timestamp -> timestamp")},
		{operators.Subtract, buildArithmetic("-", subtract), append(same("int", "uint", "double", "duration"),
			"timestamp, duration -> timestamp", "timestamp, timestamp -> duration")},
		{operators.Multiply, buildArithmetic("*", multiply), same(numeric...)},
		{operators.Divide, buildArithmetic("/", divide), same(numeric...)},
		{operators.Modulo, buildArithmetic("%", modulo), same("int", "uint")},
		{operators.Negate, unaryOf(negate), []string{"int -> int", "double -> double", "duration -> duration"}},
		{operators.Index, buildIndex, []string{"list(A), int -> A", "map(A, B), A -> B"}},
		{operators.In, buildIn, []string{"A, list(A) -> bool", "A, map(A, B) -> bool"}},
		{"size", unaryOf(size), []string{"string -> int", "bytes -> int", "list(A) -> int", "map(A, B) -> int",
			".string -> int", ".bytes -> int", ".list(A) -> int", ".map(A, B) -> int"}},
		{"coalesce", buildCoalesce, []string{"A, A -> A"}},
		{"when", buildWhen, []string{"bool, A -> A"}},
	}
}

// declare makes the checker's declaration.
func (fn function) declare() (*decls.FunctionDecl, error) {
	var opts []decls.FunctionOpt
	for i, s := range fn.signatures {
		id := fn.name + "#" + strconv.Itoa(i)
		member := strings.HasPrefix(s, ".")
		in, out, _ := strings.Cut(strings.TrimPrefix(s, "."), " -> ")
		args := []*types.Type{}
		for _, a := range splitTypes(in) {
			args = append(args, parseCelType(a))
		}
		if member {
			opts = append(opts, decls.MemberOverload(id, args, parseCelType(out)))
		} else {
			opts = append(opts, decls.Overload(id, args, parseCelType(out)))
		}
	}
	return decls.NewFunction(fn.name, opts...)
}

// splitTypes splits at the commas outside of parentheses.
func splitTypes(s string) (out []string) {
	depth, start := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	return append(out, strings.TrimSpace(s[start:]))
}

// parseCelType reads a type of a signature.
func parseCelType(s string) *types.Type {
	if inner, ok := strings.CutSuffix(s, "?"); ok {
		return types.NewNullableType(parseCelType(inner))
	}
	if inner, ok := strings.CutPrefix(s, "list("); ok {
		return types.NewListType(parseCelType(strings.TrimSuffix(inner, ")")))
	}
	if inner, ok := strings.CutPrefix(s, "map("); ok {
		kv := splitTypes(strings.TrimSuffix(inner, ")"))
		return types.NewMapType(parseCelType(kv[0]), parseCelType(kv[1]))
	}
	switch s {
	case "A", "B":
		return types.NewTypeParamType(s)
	case "null":
		return types.NullType
	case "timestamp":
		return types.TimestampType
	case "duration":
		return types.DurationType
	}
	if k, ok := KindOf(s); ok {
		if t, ok := scalarType(k); ok {
			return t
		}
	}
	return types.DynType
}

// refused is for what the checker must know and no source can write.
func refused(c *compiler, id int64, _ []node, _ Type) (node, *Problem) {
	return node{}, c.problem(id, "this can't be used here", "")
}

// unaryOf compiles a strict function of one argument.
func unaryOf(fn func(f *Frame, a value.Value) (value.Value, *Fault)) builder {
	return func(_ *compiler, _ int64, args []node, t Type) (node, *Problem) {
		arg := args[0].eval
		return node{typ: t, eval: func(f *Frame) (value.Value, *Fault) {
			a, ft := arg(f)
			if ft != nil {
				return a, ft
			}
			return fn(f, a)
		}}, nil
	}
}

// binaryOf compiles a strict function of two arguments.
func binaryOf(fn func(f *Frame, a, b value.Value) (value.Value, *Fault)) builder {
	return func(_ *compiler, _ int64, args []node, t Type) (node, *Problem) {
		left, right := args[0].eval, args[1].eval
		return node{typ: t, eval: func(f *Frame) (value.Value, *Fault) {
			a, ft := left(f)
			if ft != nil {
				return a, ft
			}
			b, ft := right(f)
			if ft != nil {
				return b, ft
			}
			return fn(f, a, b)
		}}, nil
	}
}

// variadic compiles a strict function of any number of arguments.
func variadic(fn func(f *Frame, args []value.Value) (value.Value, *Fault)) builder {
	return func(_ *compiler, _ int64, args []node, t Type) (node, *Problem) {
		evals := make([]evalFn, len(args))
		for i, a := range args {
			evals[i] = a.eval
		}
		return node{typ: t, eval: func(f *Frame) (value.Value, *Fault) {
			var room [4]value.Value // no function has more arguments
			for i, eval := range evals {
				v, ft := eval(f)
				if ft != nil {
					return v, ft
				}
				room[i] = v
			}
			return fn(f, room[:len(evals)])
		}}, nil
	}
}

// noOperation is the fault of operands that an operation is not defined for.
func noOperation(op string, args ...value.Value) (value.Value, *Fault) {
	kinds := ""
	for i, a := range args {
		if a.IsNull() {
			return value.Value{}, fault(FaultNull, op)
		}
		if i > 0 {
			kinds += ", "
		}
		kinds += kindName(a)
	}
	return value.Value{}, fault2(FaultNoOperation, op, kinds)
}
