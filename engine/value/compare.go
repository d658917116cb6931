package value

import (
	"cmp"
	"math"
	"strings"
)

// Equal is the equality of CEL. Numbers of different kinds are equal where
// their values are, exactly: no int is rounded to meet a double. Other values
// of different kinds are not equal. Lists are equal element by element, maps
// where they have equal keys with equal values, objects where they have the
// same shape and equal fields.
func Equal(a, b Value) bool {
	if a.Kind() != b.Kind() {
		return a.IsNumber() && b.IsNumber() && compareNumbers(a, b) == 0
	}
	switch a.Kind() {
	case Null:
		return true
	case String, Bytes:
		return a.Str() == b.Str()
	case Timestamp:
		return a.bits == b.bits && a.Nanos() == b.Nanos()
	case List, Map, Object:
		return equalComposites(a.Comp(), b.Comp())
	}
	return a.bits == b.bits // OfDouble leaves one zero and no NaN
}

// Same tells whether a and b are one value, which Equal does not ask: of one
// kind, with the same mark (OfJSONInt) and content, and where they are lists,
// maps or objects with one body, not merely equal ones.
func Same(a, b Value) bool {
	return a.head == b.head && a.bits == b.bits && (a.ptr == b.ptr || (a.Kind() < List && a.Str() == b.Str()))
}

// equalComposites compares two bodies of one kind. Both maps are sorted by
// CompareKeys, so equal maps have equal keys in equal places.
func equalComposites(a, b *Composite) bool {
	if a == b {
		return true
	}
	if a.shape != b.shape || len(a.elems) != len(b.elems) {
		return false
	}
	for i := range a.keys {
		if CompareKeys(a.keys[i], b.keys[i]) != 0 {
			return false
		}
	}
	for i := range a.elems {
		if !Equal(a.elems[i], b.elems[i]) {
			return false
		}
	}
	return true
}

// Compare orders a and b where the language can: numbers of any kinds by value;
// two values of one kind among Bool (false first), String and Bytes (by bytes),
// Timestamp and Duration. It is not ok for anything else.
func Compare(a, b Value) (order int, ok bool) {
	if a.Kind() != b.Kind() {
		if a.IsNumber() && b.IsNumber() {
			return compareNumbers(a, b), true
		}
		return 0, false
	}
	switch a.Kind() {
	case Int, Duration:
		return cmp.Compare(int64(a.bits), int64(b.bits)), true
	case Bool, Uint:
		return cmp.Compare(a.bits, b.bits), true
	case Double:
		return compareDoubles(a.Double(), b.Double()), true
	case String, Bytes:
		return strings.Compare(a.Str(), b.Str()), true
	case Timestamp:
		if c := cmp.Compare(a.Seconds(), b.Seconds()); c != 0 {
			return c, true
		}
		return cmp.Compare(a.Nanos(), b.Nanos()), true
	}
	return 0, false
}

// CompareKeys is the total order of the keys of a map: false, true, numbers by
// value whatever their kinds, strings by bytes. Doubles have a place in it
// since they may be looked up, though they are never kept.
func CompareKeys(a, b Value) int {
	if a.Kind() == String && b.Kind() == String {
		return strings.Compare(a.Str(), b.Str())
	}
	if c := cmp.Compare(keyRank(a.Kind()), keyRank(b.Kind())); c != 0 {
		return c
	}
	c, _ := Compare(a, b)
	return c
}

// keyRank groups the kinds of keys: those of one rank compare with each other.
func keyRank(k Kind) int {
	switch k {
	case Bool:
		return 0
	case Int, Uint, Double:
		return 1
	case String:
		return 2
	}
	return 3
}

// compareNumbers compares two numbers as points on one line.
func compareNumbers(a, b Value) int {
	switch {
	case a.Kind() == b.Kind():
		c, _ := Compare(a, b)
		return c
	case a.Kind() > b.Kind(): // leaves (Int, Uint), (Int, Double), (Uint, Double)
		return -compareNumbers(b, a)
	case b.Kind() == Uint:
		if a.Int() < 0 {
			return -1
		}
		return cmp.Compare(a.bits, b.bits)
	case a.Kind() == Int:
		return compareIntDouble(a.Int(), b.Double())
	}
	return compareUintDouble(a.Uint(), b.Double())
}

// compareIntDouble compares without rounding i to 53 bits, so that equality
// stays transitive: 2^53 and 2^53+1 cannot both equal the same double.
func compareIntDouble(i int64, d float64) int {
	if d >= 1<<63 {
		return -1
	}
	if d < -(1 << 63) {
		return 1
	}
	whole := int64(d) // towards zero, exact in this range
	if c := cmp.Compare(i, whole); c != 0 {
		return c
	}
	return compareDoubles(0, d-float64(whole))
}

// compareUintDouble is compareIntDouble for unsigned integers.
func compareUintDouble(u uint64, d float64) int {
	if d >= 1<<64 {
		return -1
	}
	if d < 0 {
		return 1
	}
	whole := uint64(math.Floor(d))
	if c := cmp.Compare(u, whole); c != 0 {
		return c
	}
	return compareDoubles(0, d-float64(whole))
}

// compareDoubles compares two doubles, neither of which is NaN.
func compareDoubles(a, b float64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}
