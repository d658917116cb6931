package value_test

import (
	"math/big"
	"testing"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"pgregory.net/rapid"

	"lockstep/engine/value"
)

// exactNumber is the value of a number, without rounding.
func exactNumber(v value.Value) *big.Rat {
	switch v.Kind() {
	case value.Int:
		return new(big.Rat).SetInt64(v.Int())
	case value.Uint:
		return new(big.Rat).SetUint64(v.Uint())
	}
	return new(big.Rat).SetFloat64(v.Double())
}

// near draws pairs of numbers that are often equal or neighbours.
func near() *rapid.Generator[[2]value.Value] {
	return rapid.Custom(func(t *rapid.T) [2]value.Value {
		a := numbers().Draw(t, "a")
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			if f, _ := exactNumber(a).Float64(); f < 1e300 {
				return [2]value.Value{a, value.OfDouble(f)}
			}
		case 1:
			return [2]value.Value{a, value.OfUint(uint64(a.Int()))}
		case 2:
			return [2]value.Value{a, value.OfInt(a.Int() + rapid.Int64Range(-1, 1).Draw(t, "off"))}
		}
		return [2]value.Value{a, numbers().Draw(t, "b")}
	})
}

// Numbers of different kinds compare by value, exactly, so that equality is
// transitive; CEL's definition has numbers on one continuous line.
func TestNumbersCompareExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := near().Draw(t, "pair")
		want := exactNumber(p[0]).Cmp(exactNumber(p[1]))
		got, ok := value.Compare(p[0], p[1])
		if !ok || got != want {
			t.Fatalf("compared %d, want %d", got, want)
		}
		if value.Equal(p[0], p[1]) != (want == 0) {
			t.Fatalf("equal %v, though compared %d", value.Equal(p[0], p[1]), want)
		}
		if value.CompareKeys(p[0], p[1]) != want {
			t.Fatalf("as keys compared %d, want %d", value.CompareKeys(p[0], p[1]), want)
		}
	})
}

// native is a value as cel-go takes it from Go. Its comparison of ints with
// doubles rounds; so the test draws numbers that a double holds.
func native(v value.Value) ref.Val {
	switch v.Kind() {
	case value.Null:
		return types.NullValue
	case value.Bool:
		return types.Bool(v.Bool())
	case value.Int:
		return types.Int(v.Int())
	case value.Uint:
		return types.Uint(v.Uint())
	case value.Double:
		return types.Double(v.Double())
	case value.String:
		return types.String(v.Str())
	case value.Bytes:
		return types.Bytes(v.Str())
	case value.Timestamp:
		return types.Timestamp{Time: clockTime(v)}
	case value.List:
		elems := make([]ref.Val, v.Len())
		for i, e := range v.Elems() {
			elems[i] = native(e)
		}
		return types.NewRefValList(types.DefaultTypeAdapter, elems)
	}
	entries := make(map[ref.Val]ref.Val, v.Len())
	for i, k := range v.Keys() {
		entries[native(k)] = native(v.At(i))
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, entries)
}

// likeCEL draws values from so few that many are equal.
func likeCEL(depth int) *rapid.Generator[value.Value] {
	leaves := rapid.SampledFrom([]value.Value{
		{}, value.OfBool(false), value.OfBool(true), value.OfInt(0), value.OfInt(1), value.OfInt(-1), value.OfUint(0),
		value.OfUint(1), value.OfDouble(0), value.OfDouble(1), value.OfDouble(-1), value.OfDouble(0.5), value.OfString(""),
		value.OfString("1"), value.OfBytes(""), value.OfBytes("1"), value.OfTimestamp(0, 0), value.OfTimestamp(0, 1),
	})
	if depth == 0 {
		return leaves
	}
	keys := rapid.SampledFrom([]value.Value{value.OfInt(1), value.OfUint(1), value.OfString("a"), value.OfBool(true)})
	return rapid.OneOf(leaves, lists(likeCEL(depth-1)), maps(keys, likeCEL(depth-1)))
}

// Equality is CEL's, as cel-go has it.
func TestEqualAgreesWithCEL(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := likeCEL(2).Draw(t, "a"), likeCEL(2).Draw(t, "b")
		if rapid.Bool().Draw(t, "same") {
			b = likeNumber(a)
		}
		want := types.Equal(native(a), native(b)) == types.True
		if got := value.Equal(a, b); got != want || value.Equal(b, a) != want {
			t.Fatalf("%s == %s is %v, CEL has %v", value.AppendJSON(nil, a), value.AppendJSON(nil, b), got, want)
		}
	})
}

// likeNumber rebuilds a value with its ints as doubles, which are equal.
func likeNumber(v value.Value) value.Value {
	switch v.Kind() {
	case value.Int:
		return value.OfDouble(float64(v.Int()))
	case value.List, value.Map:
		elems := make([]value.Value, v.Len())
		for i, e := range v.Elems() {
			elems[i] = likeNumber(e)
		}
		if v.Kind() == value.List {
			return value.OfList(elems)
		}
		m, _ := value.OfMap(append([]value.Value(nil), v.Keys()...), elems)
		return m
	}
	return v
}

// The order of map keys is total: any two have one order, and orders chain.
func TestKeysAreTotallyOrdered(t *testing.T) {
	keys := rapid.OneOf(mapKeys(), numbers())
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := keys.Draw(t, "a"), keys.Draw(t, "b"), keys.Draw(t, "c")
		if value.CompareKeys(a, a) != 0 || value.CompareKeys(a, b) != -value.CompareKeys(b, a) {
			t.Fatal("not antisymmetric")
		}
		if value.CompareKeys(a, b) <= 0 && value.CompareKeys(b, c) <= 0 && value.CompareKeys(a, c) > 0 {
			t.Fatal("not transitive")
		}
		if (value.CompareKeys(a, b) == 0) != value.Equal(a, b) {
			t.Fatal("not the equality of values")
		}
	})
}

func TestWhatCannotBeOrdered(t *testing.T) {
	list := value.OfList(nil)
	for _, p := range [][2]value.Value{
		{value.OfInt(1), value.OfString("1")},
		{value.OfString("a"), value.OfBytes("a")},
		{value.OfTimestamp(0, 0), value.OfDuration(0)},
		{value.OfBool(true), value.OfInt(1)},
		{{}, {}}, {{}, value.OfInt(1)}, {list, list},
	} {
		if c, ok := value.Compare(p[0], p[1]); ok {
			t.Errorf("%s and %s compare %d", p[0].Kind(), p[1].Kind(), c)
		}
	}
}

// Objects are equal within one type: a row is no map, and no row of another table.
func TestObjectsCompareByShape(t *testing.T) {
	fields := []value.Value{value.OfInt(1), value.OfString("tea")}
	line := value.OfObject(lineShape, fields)
	twin := value.OfObject(value.NewShape("line", lineShape.Fields), fields)
	asMap, _ := value.AsJSON(line)
	if !value.Equal(line, value.OfObject(lineShape, []value.Value{value.OfDouble(1), value.OfString("tea")})) {
		t.Error("equal rows are not equal")
	}
	if value.Equal(line, twin) || value.Equal(line, asMap) || value.Equal(asMap, line) {
		t.Error("values of different types are equal")
	}
}
