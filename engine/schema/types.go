package schema

import (
	"fmt"
	"strconv"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

// typeNames are the scalar types as documents write them.
const typeNames = "bool, int, uint, double, string, bytes, timestamp, duration, json"

// ScalarType is the type that a name in a document stands for.
func ScalarType(name string) (lang.Type, bool) {
	kind, ok := lang.KindOf(name)
	return lang.Type{Kind: kind}, ok
}

// ParamType reads the type of a param: a scalar's name, [T], or
// {name: T, "other?": T}. The name is what messages call an object of it.
func ParamType(c tree.Cursor, name string) (lang.Type, bool) { return paramType(c, name, 0) }

func paramType(c tree.Cursor, name string, depth int) (lang.Type, bool) {
	switch {
	case !c.Here():
		return lang.Type{}, false
	case depth > MaxTypeDepth:
		c.Fail(tree.Invalid, "a type nests at most %d levels; use json for what is deeper", MaxTypeDepth)
		return lang.Type{}, false
	}
	switch c.Node.Kind {
	case tree.String:
		t, ok := ScalarType(c.Node.Text)
		if !ok {
			c.Fail(tree.Invalid, "unknown type %q; types are %s, [T] for a list and {name: T} for an object", c.Node.Text, typeNames)
		}
		return t, ok
	case tree.List:
		return listType(c, name, depth)
	case tree.Map:
		object, ok := objectType(c, name, depth)
		return lang.Type{Kind: lang.KObject, Object: object}, ok
	}
	c.Fail(tree.Malformed, "a type is wanted here, not %s; types are %s, [T] for a list and {name: T} for an object", c.Node.Kind, typeNames)
	return lang.Type{}, false
}

func listType(c tree.Cursor, name string, depth int) (lang.Type, bool) {
	elements := c.Elements()
	if len(elements) != 1 {
		c.Fail(tree.Invalid, "a list's type names the type of its elements, once: [int]")
		return lang.Type{}, false
	}
	elem, ok := paramType(elements[0], name, depth+1)
	return lang.Type{Kind: lang.KList, Elem: &elem}, ok
}

// ObjectType reads {name: T, "other?": T}: a field with ? may be absent and is
// then null. Fields are kept in byte order of their names.
func ObjectType(c tree.Cursor, name string) (*lang.ObjectType, bool) { return objectType(c, name, 0) }

func objectType(c tree.Cursor, name string, depth int) (*lang.ObjectType, bool) {
	ok := true
	var names []string
	var types []lang.Type
	for _, e := range c.Entries() {
		field, optional := strings.CutSuffix(e.Key, "?")
		if !ColumnName(e.Value, "field", field) {
			ok = false
			continue
		}
		t, good := paramType(e.Value, name+"."+field, depth+1)
		t.Nullable = optional
		ok = ok && good
		names, types = append(names, field), append(types, t)
	}
	if !ok {
		return nil, false
	}
	sortFields(names, types)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			c.Fail(tree.Invalid, "the field %q stands here twice, with and without ?", names[i])
			return nil, false
		}
	}
	return &lang.ObjectType{Name: name, Shape: value.NewShape(name, names), Fields: types}, true
}

// literal is the value of a number, a boolean or null that stands for itself;
// a number takes the type that is wanted where that is exact.
func literal(n *tree.Node, want *lang.Type) (value.Value, lang.Type, string) {
	var v value.Value
	t := lang.Type{}
	switch n.Kind {
	case tree.Null:
		v, t = value.Value{}, lang.Type{Kind: lang.KNull}
	case tree.Bool:
		v, t = value.OfBool(n.Bool), lang.Type{Kind: lang.KBool}
	case tree.Int, tree.Float:
		var problem string
		if v, t, problem = numberLiteral(n, want); problem != "" {
			return v, t, problem
		}
	}
	if want != nil && want.Kind == lang.KJSON {
		v, _ = value.AsJSON(v) // a scalar of JSON always has that form
		return v, *want, ""
	}
	if want == nil || want.Kind == t.Kind || (t.Kind == lang.KNull && want.Nullable) {
		return v, t, ""
	}
	return v, t, fmt.Sprintf("%s is wanted here, not %s", want, t)
}

func numberLiteral(n *tree.Node, want *lang.Type) (value.Value, lang.Type, string) {
	kind := lang.KInt
	if n.Kind == tree.Float {
		kind = lang.KDouble
	}
	if want != nil {
		switch want.Kind {
		case lang.KInt, lang.KUint, lang.KDouble:
			kind = want.Kind
		}
	}
	t := lang.Type{Kind: kind}
	f, ferr := strconv.ParseFloat(n.Text, 64)
	switch kind {
	case lang.KInt:
		if i, err := strconv.ParseInt(n.Text, 10, 64); err == nil {
			return value.OfInt(i), t, ""
		}
		if i := int64(f); ferr == nil && n.Kind == tree.Float && float64(i) == f && f > -(1<<63) && f < 1<<63 {
			return value.OfInt(i), t, ""
		}
	case lang.KUint:
		if u, err := strconv.ParseUint(n.Text, 10, 64); err == nil {
			return value.OfUint(u), t, ""
		}
		if ferr == nil && n.Kind == tree.Float && f >= 0 && f < 1<<64 && float64(uint64(f)) == f {
			return value.OfUint(uint64(f)), t, ""
		}
	case lang.KDouble:
		if ferr == nil && (n.Kind == tree.Float || strconv.FormatFloat(f, 'f', -1, 64) == n.Text) {
			return value.OfDouble(f), t, ""
		}
	}
	return value.Value{}, t, fmt.Sprintf("the number %s is not exactly of type %s", n.Text, t)
}

// sortFields brings names and their types into byte order of the names; with
// the ? of optional fields they were sorted a little differently.
func sortFields(names []string, types []lang.Type) {
	for i := 1; i < len(names); i++ {
		for j := i; j > 0 && names[j-1] > names[j]; j-- {
			names[j-1], names[j] = names[j], names[j-1]
			types[j-1], types[j] = types[j], types[j-1]
		}
	}
}
