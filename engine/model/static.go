package model

import (
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
)

// elementOf is the type that the elements of a list would have, by its text: what
// sum of an empty list needs to know. Unknown is int.
func elementOf(e ast.Expr, s *scope) string {
	t := typeOf(e, s)
	if t == nil || t.Elem == nil {
		return "int"
	}
	switch t.Elem.Kind {
	case "uint", "double":
		return t.Elem.Kind
	}
	return "int"
}

func kind(k string) *Type { return &Type{Kind: k} }

func listOf(t *Type) *Type {
	if t == nil {
		return nil
	}
	return &Type{Kind: "list", Elem: t}
}

// typeOf finds the type of an expression as far as lists of numbers need it; nil
// where it is unknown.
func typeOf(e ast.Expr, s *scope) *Type {
	switch e.Kind() {
	case ast.LiteralKind:
		return kind(kindName(literal(e)))
	case ast.IdentKind:
		if v := s.find(e.AsIdent()); v != nil {
			return v.static
		}
	case ast.SelectKind:
		if t := typeOf(e.AsSelect().Operand(), s); t != nil {
			if t.Fields != nil {
				return t.Fields[e.AsSelect().FieldName()]
			}
			return t.Elem // of a map
		}
	case ast.ListKind:
		for _, el := range e.AsList().Elements() {
			if t := typeOf(el, s); t != nil {
				return listOf(t)
			}
		}
	case ast.MapKind:
		for _, en := range e.AsMap().Entries() {
			return &Type{Kind: "map", Elem: typeOf(en.AsMapEntry().Value(), s), Key: typeOf(en.AsMapEntry().Key(), s)}
		}
	case ast.CallKind:
		return typeOfCall(e.AsCall(), s)
	}
	return nil
}

func typeOfCall(c ast.CallExpr, s *scope) *Type {
	args, name := c.Args(), c.FunctionName()
	if c.IsMemberFunction() {
		t := c.Target()
		switch {
		case isMacro(name, args) && (name == "map" || name == "filter"):
			over := typeOf(t, s)
			if over == nil {
				over = &Type{}
			}
			el := over.Elem
			if over.Kind == "map" {
				el = over.Key
			}
			if name == "filter" {
				return listOf(el)
			}
			return listOf(typeOf(args[len(args)-1], s.with(args[0].AsIdent(), nil, el)))
		case namespace(t) != "":
			return typeOfNamed(namespace(t)+"."+name, args, s)
		case name == "slice" || name == "distinct" || name == "reverse" || name == "sort":
			return typeOf(t, s)
		case name == "flatten":
			if lists := typeOf(t, s); lists != nil {
				return lists.Elem
			}
		}
		return nil
	}
	switch name {
	case "int", "uint", "double":
		return kind(name)
	case "avg":
		return kind("double")
	case "sum", "min", "max":
		if t := typeOf(args[0], s); t != nil {
			return t.Elem
		}
		return nil
	case operators.Index:
		if t := typeOf(args[0], s); t != nil {
			return t.Elem
		}
		return nil
	case "dyn", operators.In, operators.Equals:
		return nil
	}
	// The operators of numbers and lists have the type of an operand that is known.
	for i := len(args) - 1; i >= 0; i-- {
		if t := typeOf(args[i], s); t != nil && t.Kind != "null" {
			return t
		}
	}
	return nil
}

func typeOfNamed(name string, args []ast.Expr, s *scope) *Type {
	switch name {
	case "math.ceil", "math.floor", "math.round", "math.trunc", "math.sqrt", "tx.random":
		return kind("double")
	case "lists.range":
		return listOf(kind("int"))
	case "math.least", "math.greatest":
		for _, a := range args {
			if t := typeOf(a, s); t != nil && len(args) == 1 {
				return t.Elem
			} else if t != nil {
				return t
			}
		}
	case "math.abs", "math.sign", "math.bitAnd", "math.bitOr", "math.bitXor", "math.bitNot", "math.bitShiftLeft", "math.bitShiftRight":
		return typeOf(args[0], s)
	}
	return nil
}
