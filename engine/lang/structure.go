package lang

import (
	"slices"
	"strconv"
	"strings"

	"lockstep/engine/value"
)

// maxKnownFields bounds what a type tells of literal maps, the fields of maps
// inside them included: with let steps, a short program could make a type of
// any size.
const maxKnownFields = 200

// maxStructureBytes ends what Structure writes: about a screen. What is deeper
// is json.
const maxStructureBytes = 4 << 10

// Structure is the type written out in full, with the fields of objects and of
// maps that were written as literals: `int`, `string?` (or null), `[int]`,
// `{from: int, to: int}`; `map(string, int)` where the keys are known at run
// time only, and json where the type is, or beyond a screen of text.
func (t Type) Structure() string { return string(t.appendStructure(nil)) }

func (t Type) appendStructure(dst []byte) []byte {
	composite := t.Kind == KList || t.Kind == KMap || t.Kind == KObject
	switch {
	case composite && len(dst) > maxStructureBytes:
		return append(dst, KJSON.String()...)
	case t.Kind == KList:
		dst = append(dst, '[')
		dst = append(t.elem().appendStructure(dst), ']')
	case t.Kind == KObject:
		dst = t.Object.fields().appendStructure(dst)
	case t.Kind == KMap && t.known != nil:
		dst = t.known.appendStructure(dst)
	case t.Kind == KMap:
		dst = append(dst, "map("...)
		dst = append(t.key().appendStructure(dst), ", "...)
		dst = append(t.elem().appendStructure(dst), ')')
	default:
		dst = append(dst, t.Kind.String()...)
	}
	if t.Nullable && t.Kind != KJSON && t.Kind != KNull {
		dst = append(dst, '?')
	}
	return dst
}

// fields are the fields of an object or of a literal map.
type fields struct {
	names []string
	types []Type // parallel to names
}

func (o *ObjectType) fields() *fields { return &fields{o.Shape.Fields, o.Fields} }

func (s *fields) appendStructure(dst []byte) []byte {
	dst = append(dst, '{')
	for i, name := range s.names {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if !plainName(name) {
			name = strconv.Quote(name)
		}
		dst = append(append(dst, name...), ": "...)
		dst = s.types[i].appendStructure(dst)
	}
	return append(dst, '}')
}

// plainName tells whether a name needs no quotes.
func plainName(s string) bool { return IsColumnName(strings.TrimPrefix(s, "_")) }

// knownMap is what the type of a literal map tells of its entries; nil where a
// key is no literal text, or where it would be too much.
func knownMap(keys, vals []node) *fields {
	order := make([]int, len(keys))
	for i := range keys {
		if !keys[i].lit || keys[i].val.Kind() != value.String {
			return nil
		}
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(keys[a].val.Str(), keys[b].val.Str()) })
	s := &fields{}
	for _, i := range order {
		s.names, s.types = append(s.names, keys[i].val.Str()), append(s.types, vals[i].typ)
	}
	if s.count(maxKnownFields) < 0 {
		return nil
	}
	return s
}

// count takes the fields and those inside them from a budget; what is left is
// negative where they are too many.
func (s *fields) count(budget int) int {
	budget -= len(s.types)
	for i := 0; i < len(s.types) && budget >= 0; i++ {
		budget = s.types[i].count(budget)
	}
	return budget
}

func (t Type) count(budget int) int {
	switch {
	case t.known != nil:
		return t.known.count(budget)
	case t.Kind == KObject:
		return t.Object.fields().count(budget)
	case t.Kind == KList, t.Kind == KMap:
		return t.elem().count(budget)
	}
	return budget
}

// eitherKnown is what is known of a value that has one of two equal types: what
// is known of both.
func eitherKnown(a, b Type) *fields {
	switch {
	case a.known == b.known:
		return a.known
	case a.known == nil, b.known == nil, !slices.Equal(a.known.names, b.known.names):
		return nil
	}
	s := &fields{names: a.known.names}
	for i := range s.names {
		s.types = append(s.types, either(a.known.types[i], b.known.types[i], Type{Kind: KJSON}))
	}
	return s
}
