package value_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lockstep/engine/value"
)

// deepSize walks a value to count what Size knows beforehand.
func deepSize(v value.Value) value.Size {
	size := value.Size{Nodes: 1}
	if v.Comp() == nil {
		size.Bytes = len(v.Str())
		return size
	}
	size.Depth = 1
	parts := slices.Concat(v.Keys(), v.Elems())
	for _, p := range parts {
		s := deepSize(p)
		size.Nodes += s.Nodes
		size.Bytes += s.Bytes
		size.Depth = max(size.Depth, s.Depth+1)
	}
	if v.Kind() == value.Object {
		for _, name := range v.Shape().Fields {
			size.Bytes += len(name)
		}
	}
	return size
}

func TestSizeIsWhatWalkingCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(anyValue(3), orders()).Draw(t, "value")
		if got, want := v.Size(), deepSize(v); got != want {
			t.Fatalf("size %v, want %v", got, want)
		}
	})
}

// A few dozen list constructors double a value at each step (traps.md, Replicated
// poison): its size is known at every step at no cost, and never overflows.
func TestSizeOfDoublings(t *testing.T) {
	v := value.OfString("x")
	for n := 1; n <= 200; n++ {
		v = value.OfList([]value.Value{v, v})
		if large := n > 16 || v.Size().Nodes > value.MaxNodes; v.TooLarge() != large {
			t.Fatalf("after %d doublings %v is too large: %v", n, v.Size(), v.TooLarge())
		}
		if s := v.Size(); s.Nodes <= 0 || s.Bytes <= 0 || s.Depth != n {
			t.Fatalf("after %d doublings the size is %v", n, s)
		}
	}
}

func TestTooLarge(t *testing.T) {
	long := value.OfString(string(make([]byte, value.MaxBytes)))
	deep := value.OfList(nil)
	for range value.MaxDepth - 1 {
		deep = value.OfList([]value.Value{deep})
	}
	many := value.OfList(make([]value.Value, value.MaxNodes-1))
	for name, v := range map[string]value.Value{"long": long, "deep": deep, "many": many} {
		if v.TooLarge() {
			t.Errorf("%s: at the limit, %v is too large", name, v.Size())
		}
	}
	for name, v := range map[string]value.Value{
		"longer": value.OfString(long.Str() + "x"),
		"deeper": value.OfList([]value.Value{deep}),
		"more":   value.OfList(make([]value.Value, value.MaxNodes)),
	} {
		if !v.TooLarge() {
			t.Errorf("%s: over the limit, %v is not too large", name, v.Size())
		}
	}
}

// transactions.md, Determinism: "Comprehensions over a map visit keys in ascending
// order (false before true, numbers by value, strings by bytes)".
func TestMapsAreSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(mapKeys(), 0, 40).Draw(t, "keys")
		repeated := repeats(keys)
		vals := make([]value.Value, len(keys))
		for i, k := range keys {
			vals[i] = value.OfList([]value.Value{k}) // each value remembers its key
		}
		given := slices.Clone(keys)
		m, ok := value.OfMap(keys, vals)
		if ok == repeated {
			t.Fatalf("ok %v, though keys repeat: %v", ok, repeated)
		}
		if !ok {
			return
		}
		if !slices.IsSortedFunc(m.Keys(), value.CompareKeys) {
			t.Fatal("keys are not ascending")
		}
		for _, k := range given {
			if v, found := m.MapGet(k); !found || !value.Equal(v.At(0), k) {
				t.Fatalf("looking up %s found %v", value.AppendJSON(nil, k), found)
			}
		}
		absent := rapid.OneOf(mapKeys(), scalars()).Draw(t, "other key")
		_, found := m.MapGet(absent)
		if want := slices.ContainsFunc(given, func(k value.Value) bool { return value.Equal(k, absent) }); found != want {
			t.Fatalf("looking up %s found %v", value.AppendJSON(nil, absent), found)
		}
	})
}

// repeats tells whether two keys are equal or are written alike.
func repeats(keys []value.Value) bool {
	for i, a := range keys {
		for _, b := range keys[:i] {
			if value.Equal(a, b) || string(value.AppendText(nil, a)) == string(value.AppendText(nil, b)) {
				return true
			}
		}
	}
	return false
}

func TestWhatIsNoMap(t *testing.T) {
	for name, keys := range map[string][]value.Value{
		"a key twice":      {value.OfString("a"), value.OfString("b"), value.OfString("a")},
		"1 and 1u":         {value.OfInt(1), value.OfUint(1)},
		"1 and '1'":        {value.OfInt(1), value.OfString("1")},
		"true and 'true'":  {value.OfString("true"), value.OfBool(true)},
		"a null as a key":  {{}},
		"a double as key":  {value.OfDouble(1)},
		"a list as a key":  {value.OfList(nil)},
		"bytes as a key":   {value.OfBytes("a")},
		"an instant":       {value.OfTimestamp(0, 0)},
		"a span of time":   {value.OfDuration(0)},
		"twice among many": append(manyKeys(20), value.OfInt(7)),
	} {
		if m, ok := value.OfMap(keys, make([]value.Value, len(keys))); ok {
			t.Errorf("%s: made %s", name, value.AppendJSON(nil, m))
		}
	}
}

func manyKeys(n int) []value.Value {
	keys := make([]value.Value, n)
	for i := range keys {
		keys[i] = value.OfInt(int64(n - i))
	}
	return keys
}

func TestShape(t *testing.T) {
	s := value.NewShape("accounts", []string{"owner", "id", "balance"})
	if i, ok := s.Index("balance"); !ok || i != 2 {
		t.Errorf("balance is at %d, %v", i, ok)
	}
	if _, ok := s.Index("nobody"); ok {
		t.Error("found a field that is not there")
	}
	if got := s.Sorted(); !slices.Equal(got, []int{2, 1, 0}) {
		t.Errorf("sorted positions are %v", got)
	}
	row := value.OfObject(s, []value.Value{value.OfString("ann"), value.OfInt(7), {}})
	if got, want := string(value.AppendJSON(nil, row)), `{"balance":null,"id":7,"owner":"ann"}`; got != want {
		t.Errorf("written %s, want %s", got, want)
	}
	if row.Field(1).Int() != 7 || row.Shape() != s || row.Len() != 3 || row.Keys() != nil {
		t.Error("a row does not give back its parts")
	}
}

// What whoever compiles a schema has to prevent.
func TestProgrammersErrorsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"a field twice":    func() { value.NewShape("s", []string{"a", "a"}) },
		"a missing field":  func() { value.OfObject(lineShape, make([]value.Value, 1)) },
		"too many of them": func() { value.OfObject(lineShape, make([]value.Value, 3)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestScalarsHaveNoParts(t *testing.T) {
	v := value.OfInt(1)
	if v.Len() != 0 || v.Elems() != nil || v.Keys() != nil || v.Shape() != nil || v.Comp() != nil {
		t.Error("a scalar has parts")
	}
	if _, ok := value.OfList([]value.Value{v}).MapGet(v); ok {
		t.Error("a list has a key")
	}
}

// The zero Value is null, so that rows and slots begin as nulls.
func TestZeroValueIsNull(t *testing.T) {
	if v := (value.Value{}); !v.IsNull() || v.Kind() != value.Null || string(value.AppendJSON(nil, v)) != "null" {
		t.Error("the zero value is not null")
	}
}

// Computing with scalars costs no allocation: it is what programs do most.
func TestScalarsDoNotAllocate(t *testing.T) {
	a, b := value.OfInt(3), value.OfDouble(3)
	s, u := value.OfString("alice"), value.OfString("bob")
	m, _ := value.OfMap([]value.Value{s, u}, []value.Value{a, b})
	buf := make([]byte, 0, 256)
	sink := false
	allocs := testing.AllocsPerRun(100, func() {
		c, _ := value.Compare(a, b)
		_, found := m.MapGet(s)
		sink = c == 0 && found && value.Equal(a, b) && !value.Equal(s, u) && m.Size().Nodes == 5
		buf = value.AppendBinary(value.AppendJSON(buf[:0], m), m)
	})
	if allocs != 0 || !sink {
		t.Errorf("%v allocations, result %v", allocs, sink)
	}
}
