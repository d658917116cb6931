package lang

import (
	"strconv"
	"strings"

	"lockstep/engine/value"
)

// Version is the newest language version that this program knows: of the
// functions, of their cost, of how faults are worded. It changes with any of
// them. A group's own version is recorded with its schema, and is switched
// through the log.
const Version uint32 = 1

// Kind is what a static type is at its outermost.
type Kind uint8

// The kinds of types. KJSON is any value whose type is known at run time only.
const (
	KNull Kind = iota
	KBool
	KInt
	KUint
	KDouble
	KString
	KBytes
	KTimestamp
	KDuration
	KJSON
	KList
	KMap
	KObject
)

// Type is a static type. Two types are the same when Equal says so.
type Type struct {
	Kind     Kind
	Nullable bool        // null is a value of the type too; KJSON and KNull always take null
	Elem     *Type       // KList: of its elements; KMap: of its values; nil means KJSON
	Key      *Type       // KMap: of its keys; nil means KString
	Object   *ObjectType // KObject

	// Missing, of a KMap, is what a key that is not there reads as; nil: reading it
	// is a fault. It belongs to the variable or field that has the type, and is no
	// part of what makes two types the same. No transaction meets one.
	Missing *value.Value

	// known tells more of a map that was written as a literal: its names and
	// their types. It is for people; two types that differ in it are the same.
	known *fields
}

// ObjectType names and types the fields of an object: a row, the params of a
// procedure, an element of a list param. It is the same type only where the
// pointer is the same.
type ObjectType struct {
	Name   string       // what messages call it
	Shape  *value.Shape // names of the fields
	Fields []Type       // parallel to Shape.Fields
}

// Field finds a field by name.
func (o *ObjectType) Field(name string) (index int, t Type, ok bool) {
	i, ok := o.Shape.Index(name)
	if !ok {
		return 0, Type{}, false
	}
	return i, o.Fields[i], true
}

// takesNull tells whether null is a value of the type.
func (t Type) takesNull() bool { return t.Nullable || t.Kind == KJSON || t.Kind == KNull }

// elem is the type of a list's elements or a map's values.
func (t Type) elem() Type {
	if t.Elem == nil {
		return Type{Kind: KJSON}
	}
	return *t.Elem
}

// key is the type of a map's keys.
func (t Type) key() Type {
	if t.Key == nil {
		return Type{Kind: KString}
	}
	return *t.Key
}

// Equal tells whether two types are the same, nullability included.
func (t Type) Equal(u Type) bool {
	if t.Kind != u.Kind || t.takesNull() != u.takesNull() {
		return false
	}
	switch t.Kind {
	case KList:
		return t.elem().Equal(u.elem())
	case KMap:
		return t.key().Equal(u.key()) && t.elem().Equal(u.elem())
	case KObject:
		return t.Object == u.Object
	}
	return true
}

// String is the type as messages write it: `int`, `string?`, `[int]`,
// `{string: int}`, the name of an object.
func (t Type) String() string {
	s := t.bare()
	if t.Nullable && t.Kind != KJSON && t.Kind != KNull {
		return s + "?"
	}
	return s
}

func (t Type) bare() string {
	switch t.Kind {
	case KList:
		return "[" + t.elem().String() + "]"
	case KMap:
		return "{" + t.key().String() + ": " + t.elem().String() + "}"
	case KObject:
		if t.Object != nil && t.Object.Name != "" {
			return t.Object.Name
		}
		return "object"
	}
	return t.Kind.String()
}

// String is the kind's name.
func (k Kind) String() string {
	names := [...]string{"null", "bool", "int", "uint", "double", "string", "bytes",
		"timestamp", "duration", "json", "list", "map", "object"}
	if int(k) < len(names) {
		return names[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// KindOf finds a scalar type by the name that schemas use.
func KindOf(name string) (Kind, bool) {
	for k := KBool; k <= KJSON; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// IsName tells whether a name may be bound: it matches [a-z][a-z0-9_]* and is
// no keyword or reserved word of CEL, and none of tx, params and row.
func IsName(s string) bool {
	return IsColumnName(s) && s != "tx" && s != "params" && s != "row"
}

// IsColumnName tells whether a table, a column or a param may have the name.
func IsColumnName(s string) bool {
	if s == "" || len(s) > MaxNameBytes || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return !strings.Contains(reservedWords, " "+s+" ")
}

// reservedWords are CEL's keywords and its reserved identifiers.
const reservedWords = " as break const continue else false for function if import in let loop" +
	" package namespace null return true var void while "
