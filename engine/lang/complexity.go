package lang

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// complexity measures what type-checking a tree will take. The checker keeps
// one table of type variables and copies it for each question that it asks, and
// it walks types again at each level of nesting: a few kilobytes of `[],` or of
// nested map() would take seconds.
type complexity struct {
	nodes     int
	variables int // type variables that the checker will make, about, and deep types that it compares
	depth     int // deepest nesting of containers
}

// tooComplex tells whether an expression is refused unchecked.
func (x *complexity) tooComplex() (message string) {
	switch {
	case x.depth > MaxContainerDepth:
		return "lists, maps and comprehensions are nested too deeply"
	case x.nodes*x.variables > MaxCheckWork:
		return "the expression is too complex"
	}
	return ""
}

// visit measures a tree; depth is the number of containers around it.
func (x *complexity) visit(e ast.Expr, depth int) {
	x.nodes++
	x.depth = max(x.depth, depth)
	switch e.Kind() {
	case ast.SelectKind:
		x.visit(e.AsSelect().Operand(), depth)
	case ast.CallKind:
		x.visitCall(e.AsCall(), depth)
	case ast.ListKind:
		x.variables += depth / 4
		if e.AsList().Size() == 0 {
			x.variables++
		}
		for _, el := range e.AsList().Elements() {
			x.visit(el, depth+1)
		}
	case ast.MapKind:
		x.variables += depth / 4
		if e.AsMap().Size() == 0 {
			x.variables += 2
		}
		for _, entry := range e.AsMap().Entries() {
			x.visit(entry.AsMapEntry().Key(), depth+1)
			x.visit(entry.AsMapEntry().Value(), depth+1)
		}
	case ast.StructKind:
		for _, field := range e.AsStruct().Fields() {
			x.visit(field.AsStructField().Value(), depth+1)
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		x.variables++
		x.visit(c.IterRange(), depth)
		x.visit(c.LoopStep(), depth+1)
	}
}

func (x *complexity) visitCall(call ast.CallExpr, depth int) {
	switch call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot, operators.Equals, operators.NotEquals,
		operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals,
		operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate:
	case operators.Add:
		if !arithmeticOnly(call) {
			x.variables++
		}
	default:
		x.variables++
	}
	if call.IsMemberFunction() {
		x.visit(call.Target(), depth)
	}
	for _, a := range call.Args() {
		x.visit(a, depth)
	}
}

// arithmeticOnly tells that a sum has a literal among its operands, and so is
// never one of two lists.
func arithmeticOnly(call ast.CallExpr) bool {
	for _, a := range call.Args() {
		if a.Kind() == ast.LiteralKind {
			return true
		}
	}
	return false
}
