package value_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"lockstep/engine/value"
)

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// checkJSON fails unless the text is one strict JSON value: no name twice, valid
// UTF-8.
func checkJSON(t failer, text []byte) {
	t.Helper()
	if !jsontext.Value(text).IsValid() {
		t.Fatalf("not valid JSON: %s", text)
	}
}

// "Always valid JSON": whatever the value, kinds of map keys included.
func TestJSONOutIsValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(anyValue(3), orders()).Draw(t, "value")
		checkJSON(t, value.AppendJSON(nil, v))
		checkJSON(t, value.AppendRawJSON(nil, v))
	})
}

// likeRead tells whether reading the text of a value may give back got. Doubles of
// which ECMAScript writes the digits alone are read as ints: an equal one below
// 2^53; above, the one with the shortest digits, which is written the same.
func likeRead(got, v value.Value) bool {
	return value.Equal(got, v) ||
		(largeDoubles(v) && bytes.Equal(value.AppendJSON(nil, got), value.AppendJSON(nil, v)))
}

func largeDoubles(v value.Value) bool {
	if v.Kind() == value.Double {
		return math.Abs(v.Double()) > value.MaxSafeInt
	}
	return slices.ContainsFunc(v.Elems(), largeDoubles)
}

// transactions.md, Outcome: "Inside json a number is int or double and is written
// back as a number". What a user put into a json column comes back as it was.
func TestJSONComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := jsonValue(3).Draw(t, "value")
		text := value.AppendJSON(nil, v)
		if raw := value.AppendRawJSON(nil, v); !bytes.Equal(text, raw) {
			t.Fatalf("a json value is written %s and raw %s", text, raw)
		}
		got, err := value.FromJSON(text)
		if err != nil || !likeRead(got, v) {
			t.Fatalf("%s read back as %s, error %v", text, value.AppendJSON(nil, got), err)
		}
		if again := value.AppendJSON(nil, got); !bytes.Equal(again, text) {
			t.Fatalf("%s was read and written as %s", text, again)
		}
	})
}

// transactions.md, Determinism: "results are written with object keys in that
// order", whatever the order in which the map was made.
func TestJSONOutIgnoresOrderOfMaking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.IntRange(-50, 50), 0, 30, rapid.ID).Draw(t, "keys")
		shuffled := rapid.Permutation(keys).Draw(t, "shuffled")
		if a, b := intMap(keys), intMap(shuffled); !identical(a, b) || !value.Equal(a, b) {
			t.Fatalf("%s and %s", value.AppendJSON(nil, a), value.AppendJSON(nil, b))
		}
	})
}

func intMap(keys []int) value.Value {
	var k, v []value.Value
	for _, n := range keys {
		k = append(k, value.OfInt(int64(n)))
		v = append(v, value.OfInt(int64(n*n)))
	}
	m, _ := value.OfMap(k, v)
	return m
}

// A json value keeps its numbers when it travels through an expression and a row,
// and a typed int beside it is still protected.
func TestMarkedIntsBesideTypedOnes(t *testing.T) {
	payload, err := value.FromJSON([]byte(`{"n": 9223372036854775807}`))
	if err != nil {
		t.Fatal(err)
	}
	stored, _, err := value.DecodeBinary(value.AppendBinary(nil, payload))
	if err != nil {
		t.Fatal(err)
	}
	result, _ := value.OfMap(
		[]value.Value{value.OfString("payload"), value.OfString("balance")},
		[]value.Value{stored, value.OfInt(math.MaxInt64)},
	)
	want := `{"balance":"9223372036854775807","payload":{"n":9223372036854775807}}`
	if got := string(value.AppendJSON(nil, result)); got != want {
		t.Errorf("written %s, want %s", got, want)
	}
}

func TestAsJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(anyValue(3), orders()).Draw(t, "value")
		j, ok := value.AsJSON(v)
		if !ok {
			return // it holds a uint beyond every int
		}
		text := value.AppendJSON(nil, j)
		if raw := value.AppendRawJSON(nil, v); !bytes.Equal(text, canonicalByBytes(raw)) {
			t.Fatalf("%s as a json value is %s", raw, text)
		}
		back, err := value.FromJSON(text)
		if err != nil || !likeRead(back, j) {
			t.Fatalf("%s read back as %s, error %v", text, value.AppendJSON(nil, back), err)
		}
		if again, ok := value.AsJSON(j); !ok || again.Comp() != j.Comp() {
			t.Fatalf("a json value was made anew")
		}
	})
}

// canonicalByBytes sorts the members of every object by bytes.
func canonicalByBytes(raw []byte) []byte {
	v, err := value.FromJSON(raw)
	if err != nil {
		return raw
	}
	return value.AppendJSON(nil, v)
}

func TestAsJSONRefuses(t *testing.T) {
	deep := value.OfList(nil)
	for range value.MaxJSONDepth {
		deep = value.OfList([]value.Value{deep})
	}
	for name, v := range map[string]value.Value{
		"a uint beyond int": value.OfList([]value.Value{value.OfUint(1 << 63)}),
		"too deep":          deep,
	} {
		if j, ok := value.AsJSON(v); ok {
			t.Errorf("%s became %s", name, value.AppendJSON(nil, j))
		}
	}
}

// Depth that is read can be written and read again, one more cannot.
func TestJSONDepth(t *testing.T) {
	nest := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := value.FromJSON(nest(value.MaxJSONDepth)); err != nil {
		t.Errorf("%d levels: %v", value.MaxJSONDepth, err)
	}
	var place *value.JSONError
	if _, err := value.FromJSON(nest(value.MaxJSONDepth + 1)); !errors.As(err, &place) || place.Reason != "nested too deep" {
		t.Errorf("%d levels: %v", value.MaxJSONDepth+1, err)
	}
	if _, err := value.FromJSON(nest(1 << 20)); err == nil {
		t.Error("a million levels passed")
	}
}

// FromJSON takes exactly what a strict parser takes, save for depth and for
// numbers that no kind holds, and loses nothing.
func FuzzFromJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5,-0,1e3,"x\u00e9\ud834\udd1e"],"b":{"c":null}}`, `[true,false]`, `"\u0000"`,
		`{"a":1,"a":2}`, `18446744073709551616`, `1e400`, ` {} `, `"\ud800"`, `[1,]`, `01`, "\"\xff\"",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := value.FromJSON(raw)
		valid := jsontext.Value(raw).IsValid()
		if err != nil {
			var place *value.JSONError
			if !errors.As(err, &place) || place.Offset > len(raw) {
				t.Fatalf("error %v", err)
			}
			if valid && !strings.HasPrefix(place.Reason, "n") { // nested, number
				t.Fatalf("valid JSON refused: %v", err)
			}
			return
		}
		if !valid {
			t.Fatalf("taken, though it is not valid JSON")
		}
		text := value.AppendJSON(nil, v)
		checkJSON(t, text)
		again, err := value.FromJSON(text)
		if err != nil || !likeRead(again, v) {
			t.Fatalf("read as %s, which is read as %s, error %v", text, value.AppendJSON(nil, again), err)
		}
	})
}

// Invalid UTF-8 can't come in, but if it did, answers would still be JSON.
func TestJSONStringsAreRepaired(t *testing.T) {
	got := string(value.AppendJSONString(nil, "a\xffb\xf0\x9d"))
	if want := "\"a\uFFFDb\uFFFD\uFFFD\""; got != want {
		t.Errorf("written %q, want %q", got, want)
	}
}
