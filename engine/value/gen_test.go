package value_test

import (
	"math"
	"strings"

	"pgregory.net/rapid"

	"lockstep/engine/value"
)

// The numbers at which representations change: signs, varint and float
// boundaries, the ends of the ranges.
func edgyInt() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64(),
		rapid.Int64Range(-300, 300),
		rapid.SampledFrom([]int64{
			math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1,
			value.MaxSafeInt, value.MaxSafeInt + 1, value.MaxSafeInt + 2,
			-value.MaxSafeInt, -value.MaxSafeInt - 1, 63, 64, -64, -65,
		}),
	)
}

func edgyUint() *rapid.Generator[uint64] {
	return rapid.OneOf(
		rapid.Uint64(),
		rapid.Uint64Range(0, 300),
		rapid.SampledFrom([]uint64{math.MaxUint64, math.MaxInt64, 1 << 63, 1<<53 - 1, 1 << 53}),
	)
}

// edgyDouble draws any finite double.
func edgyDouble() *rapid.Generator[float64] {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) float64 {
			f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return 0
			}
			return f
		}),
		rapid.Map(edgyInt(), func(i int64) float64 { return float64(i) }),
		rapid.SampledFrom([]float64{
			0, math.Copysign(0, -1), 0.5, -0.5, 1e-6, 9.999e-7, 1e21, 1e20, 1e-7, 1 << 53, 1<<53 + 2,
			1 << 63, -1 << 63, 1 << 64, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64,
		}),
	)
}

// edgyText draws UTF-8 text that likes what JSON must escape.
func edgyText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringN(0, 12, -1),
		rapid.StringOfN(rapid.RuneFrom([]rune("a\"\\/\b\f\n\r\t\x00\x1f\x7fé€𝄞\u2028\uFFFDz")), 0, 8, -1),
		rapid.Map(rapid.IntRange(120, 140), func(n int) string { return strings.Repeat("x", n) }),
	)
}

func instants() *rapid.Generator[value.Value] {
	return rapid.Custom(func(t *rapid.T) value.Value {
		seconds := rapid.OneOf(
			rapid.Int64Range(value.MinTimestamp, value.MaxTimestamp),
			rapid.SampledFrom([]int64{value.MinTimestamp, value.MaxTimestamp, 0, -1, 951_782_400}),
		).Draw(t, "seconds")
		nanos := rapid.OneOf(
			rapid.Int32Range(0, 999_999_999),
			rapid.SampledFrom([]int32{0, 1, 999_999_999, 123_000_000, 500_000_000}),
		).Draw(t, "nanos")
		return value.OfTimestamp(seconds, nanos)
	})
}

func numbers() *rapid.Generator[value.Value] {
	return rapid.OneOf(
		rapid.Map(edgyInt(), value.OfInt),
		rapid.Map(edgyInt(), value.OfJSONInt),
		rapid.Map(edgyUint(), value.OfUint),
		rapid.Map(edgyDouble(), value.OfDouble),
	)
}

func scalars() *rapid.Generator[value.Value] {
	return rapid.OneOf(
		rapid.Just(value.Value{}),
		rapid.Map(rapid.Bool(), value.OfBool),
		numbers(),
		rapid.Map(edgyText(), value.OfString),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 8), func(b []byte) value.Value { return value.OfBytes(string(b)) }),
		instants(),
		rapid.Map(rapid.Int64(), value.OfDuration),
	)
}

func mapKeys() *rapid.Generator[value.Value] {
	return rapid.OneOf(
		rapid.Map(rapid.Bool(), value.OfBool),
		rapid.Map(edgyInt(), value.OfInt),
		rapid.Map(edgyUint(), value.OfUint),
		rapid.Map(edgyText(), value.OfString),
		rapid.Map(rapid.SampledFrom([]string{"1", "true", "-1", "false"}), value.OfString),
	)
}

// anyValue draws values of every kind but Object, nested up to the depth.
func anyValue(depth int) *rapid.Generator[value.Value] {
	if depth == 0 {
		return scalars()
	}
	inner := anyValue(depth - 1)
	return rapid.OneOf(scalars(), lists(inner), maps(mapKeys(), inner))
}

func lists(inner *rapid.Generator[value.Value]) *rapid.Generator[value.Value] {
	return rapid.Map(rapid.SliceOfN(inner, 0, 4), value.OfList)
}

// maps draws maps; where the keys drawn repeat each other it takes none.
func maps(keys, inner *rapid.Generator[value.Value]) *rapid.Generator[value.Value] {
	return rapid.Custom(func(t *rapid.T) value.Value {
		k := rapid.SliceOfN(keys, 0, 4).Draw(t, "keys")
		v := rapid.SliceOfN(inner, len(k), len(k)).Draw(t, "values")
		m, ok := value.OfMap(k, v)
		if !ok {
			m, _ = value.OfMap(nil, nil)
		}
		return m
	})
}

// jsonValue draws what FromJSON can make.
func jsonValue(depth int) *rapid.Generator[value.Value] {
	leaves := rapid.OneOf(
		rapid.Just(value.Value{}),
		rapid.Map(rapid.Bool(), value.OfBool),
		rapid.Map(edgyInt(), value.OfJSONInt),
		rapid.Map(edgyDouble(), value.OfDouble),
		rapid.Map(edgyText(), value.OfString),
	)
	if depth == 0 {
		return leaves
	}
	inner := jsonValue(depth - 1)
	return rapid.OneOf(leaves, lists(inner), maps(rapid.Map(edgyText(), value.OfString), inner))
}

// A shape with nested objects and the form that decodes it.
var (
	lineShape  = value.NewShape("line", []string{"qty", "item"})
	orderShape = value.NewShape("order", []string{"lines", "note", "buyer"})
	lineForm   = &value.Form{Shape: lineShape}
	orderForm  = &value.Form{Shape: orderShape, Fields: []*value.Form{{Elem: lineForm}, nil, lineForm}}
)

// orders draws objects that hold lists of objects, objects and nulls.
func orders() *rapid.Generator[value.Value] {
	line := rapid.Custom(func(t *rapid.T) value.Value {
		return value.OfObject(lineShape, []value.Value{anyValue(1).Draw(t, "qty"), scalars().Draw(t, "item")})
	})
	return rapid.Custom(func(t *rapid.T) value.Value {
		return value.OfObject(orderShape, []value.Value{
			lists(line).Draw(t, "lines"),
			anyValue(2).Draw(t, "note"),
			rapid.OneOf(line, rapid.Just(value.Value{})).Draw(t, "buyer"),
		})
	})
}
