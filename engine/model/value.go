package model

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A value of the language is one of nil, bool, int64, uint64, float64, string,
// Bytes, time.Time (in UTC), time.Duration, List, *Map, *Object, and bigInJSON.
type (
	// Bytes are bytes, where a string is text.
	Bytes string
	// List is a list.
	List []any
	// Map is a map, its entries in the order of its keys.
	Map struct{ Keys, Vals []any }
	// Object has named fields: a row, or a param of a declared object type.
	Object struct {
		Type   string
		Fields map[string]any
	}
	// bigInJSON is an int beyond what a double holds exactly, inside json, where it
	// is written back as a number.
	bigInJSON int64
)

// safeInt is the greatest int that is written as a JSON number.
const safeInt = 1<<53 - 1

// plain takes the mark of json from an int.
func plain(v any) any {
	if b, ok := v.(bigInJSON); ok {
		return int64(b)
	}
	return v
}

// kindName is the type of a value as a message names it.
func kindName(v any) string {
	switch plain(v).(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case int64:
		return "int"
	case uint64:
		return "uint"
	case float64:
		return "double"
	case string:
		return "string"
	case Bytes:
		return "bytes"
	case time.Time:
		return "timestamp"
	case time.Duration:
		return "duration"
	case List:
		return "list"
	case *Map:
		return "map"
	case *Object:
		return "object"
	}
	panic("no value of the language")
}

// show is a value as a message quotes it.
func show(v any) string {
	switch v := plain(v).(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10) + "u"
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return strconv.QuoteToASCII(v)
	}
	return kindName(v)
}

// rat is a number exactly.
func rat(v any) (*big.Rat, bool) {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v), true
	case uint64:
		return new(big.Rat).SetUint64(v), true
	case float64:
		return new(big.Rat).SetFloat64(v), true
	}
	return nil, false
}

// compareNumbers orders numbers of any types by what they are.
func compareNumbers(a, b any) (order int, ok bool) {
	x, isX := a.(int64)
	y, isY := b.(int64)
	if isX && isY {
		switch {
		case x < y:
			return -1, true
		case x > y:
			return 1, true
		}
		return 0, true
	}
	r, isA := rat(a)
	s, isB := rat(b)
	if !isA || !isB {
		return 0, false
	}
	return r.Cmp(s), true
}

// compare orders two values of one type, or two numbers.
func compare(a, b any) (order int, ok bool) {
	a, b = plain(a), plain(b)
	if order, ok := compareNumbers(a, b); ok {
		return order, true
	}
	switch a := a.(type) {
	case bool:
		if b, ok := b.(bool); ok {
			return rank(a) - rank(b), true
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), true
		}
	case Bytes:
		if b, ok := b.(Bytes); ok {
			return strings.Compare(string(a), string(b)), true
		}
	case time.Time:
		if b, ok := b.(time.Time); ok {
			return a.Compare(b), true
		}
	case time.Duration:
		if b, ok := b.(time.Duration); ok {
			return compareNumbersOnly(int64(a), int64(b)), true
		}
	}
	return 0, false
}

func compareNumbersOnly(a, b int64) int {
	o, _ := compareNumbers(a, b)
	return o
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// equal: numbers by value whatever their types, lists and maps by what is in
// them, values of different types never.
func equal(a, b any) bool {
	a, b = plain(a), plain(b)
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if o, ok := compare(a, b); ok {
		return o == 0
	}
	switch a := a.(type) {
	case List:
		b, ok := b.(List)
		return ok && slices.EqualFunc(a, b, equal)
	case *Map:
		b, ok := b.(*Map)
		return ok && slices.EqualFunc(a.Keys, b.Keys, equal) && slices.EqualFunc(a.Vals, b.Vals, equal)
	case *Object:
		b, ok := b.(*Object)
		if !ok || a.Type != b.Type || len(a.Fields) != len(b.Fields) {
			return false
		}
		for name, v := range a.Fields {
			if w, ok := b.Fields[name]; !ok || !equal(v, w) {
				return false
			}
		}
		return true
	}
	return false
}

// compareKeys is the order of a map's keys: false before true, then numbers by
// value, then strings by bytes.
func compareKeys(a, b any) int {
	if o, ok := compare(a, b); ok {
		return o
	}
	return keyRank(a) - keyRank(b)
}

func keyRank(k any) int {
	switch k.(type) {
	case bool:
		return 0
	case string:
		return 2
	}
	return 1
}

// get finds a key.
func (m *Map) get(key any) (any, bool) {
	for i, k := range m.Keys {
		if equal(k, key) {
			return m.Vals[i], true
		}
	}
	return nil, false
}

// put adds an entry at its place; false where the key is there.
func (m *Map) put(key, val any) bool {
	i, there := slices.BinarySearchFunc(m.Keys, key, compareKeys)
	if there {
		return false
	}
	m.Keys = slices.Insert(m.Keys, i, key)
	m.Vals = slices.Insert(m.Vals, i, val)
	return true
}
