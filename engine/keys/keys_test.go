package keys_test

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"lockstep/engine/keys"
	"lockstep/engine/value"
)

// column draws values of one kind that may stand in a key, null included, and
// likes the borders at which the encoding changes.
func column(kind value.Kind) *rapid.Generator[value.Value] {
	ints := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-300, 300), rapid.SampledFrom([]int64{
		math.MinInt64, math.MaxInt64, -119, -120, 118, 119, 255, 256, -375, -376, 65_535, 65_536, 1 << 32, -1 << 32,
	}))
	text := rapid.OneOf(
		rapid.StringN(0, 8, -1),
		rapid.StringOfN(rapid.RuneFrom([]rune("\x00\x01a\x7fÿ")), 0, 5, -1),
	)
	var some *rapid.Generator[value.Value]
	switch kind {
	case value.Bool:
		some = rapid.Map(rapid.Bool(), value.OfBool)
	case value.Int:
		some = rapid.Map(ints, value.OfInt)
	case value.Uint:
		some = rapid.Map(ints, func(i int64) value.Value { return value.OfUint(uint64(i)) })
	case value.Double:
		some = rapid.Map(rapid.Float64(), value.OfDouble)
	case value.String:
		some = rapid.Map(text, value.OfString)
	case value.Bytes:
		some = rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 0xfe, 0xff}), 0, 5), func(b []byte) value.Value {
			return value.OfBytes(string(b))
		})
	case value.Timestamp:
		some = rapid.Custom(func(t *rapid.T) value.Value {
			return value.OfTimestamp(
				rapid.OneOf(rapid.Int64Range(-200, 200), rapid.Int64Range(value.MinTimestamp, value.MaxTimestamp)).Draw(t, "seconds"),
				rapid.OneOf(rapid.Int32Range(0, 300), rapid.Int32Range(0, 999_999_999)).Draw(t, "nanos"),
			)
		})
	default:
		some = rapid.Map(ints, value.OfDuration)
	}
	return rapid.OneOf(some, some, some, rapid.Just(value.Value{}))
}

func kinds() *rapid.Generator[value.Kind] {
	return rapid.SampledFrom([]value.Kind{
		value.Bool, value.Int, value.Uint, value.Double, value.String, value.Bytes, value.Timestamp, value.Duration,
	})
}

// compareColumn is the natural order of a column: null, then by value.
func compareColumn(a, b value.Value) int {
	if a.IsNull() || b.IsNull() {
		return cmp.Compare(b2i(!a.IsNull()), b2i(!b.IsNull()))
	}
	c, _ := value.Compare(a, b)
	return c
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tuples draws two tuples of the same columns, which often begin alike.
func tuples(t *rapid.T) (k []value.Kind, a, b []value.Value) {
	k = rapid.SliceOfN(kinds(), 1, 4).Draw(t, "kinds")
	for i, kind := range k {
		a = append(a, column(kind).Draw(t, fmt.Sprintf("a[%d]", i)))
		b = append(b, column(kind).Draw(t, fmt.Sprintf("b[%d]", i)))
		if rapid.Bool().Draw(t, "alike") {
			b[i] = a[i]
		}
	}
	return k, a, b
}

// transactions.md, Schema: "Rows sort by key, ascending, in the columns' natural
// order (-1 before 0 before 1; strings by bytes)" and "Nulls sort first".
func TestOrderIsPreserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, a, b := tuples(t)
		want := 0
		for i := 0; i < len(a) && want == 0; i++ {
			want = compareColumn(a[i], b[i])
		}
		x, y := keys.AppendTuple(nil, a), keys.AppendTuple(nil, b)
		if got := bytes.Compare(x, y); got != want {
			t.Fatalf("%x and %x compare %d, want %d", x, y, got, want)
		}
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, a, _ := tuples(t)
		b := keys.AppendTuple([]byte("table"), a)[len("table"):]
		got, rest, err := keys.Decode(append(b, "tail"...), k, nil)
		if err != nil || string(rest) != "tail" || len(got) != len(a) {
			t.Fatalf("%x read as %d columns, rest %q, error %v", b, len(got), rest, err)
		}
		for i := range a {
			if got[i].Kind() != a[i].Kind() || !value.Equal(got[i], a[i]) {
				t.Fatalf("column %d is %s, want %s", i, value.AppendJSON(nil, got[i]), value.AppendJSON(nil, a[i]))
			}
		}
	})
}

// No encoding is the beginning of another of its column: what follows a column
// can't be taken for a part of it, and rows with given first columns are exactly
// those between the prefix and its end.
func TestNoEncodingBeginsAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := kinds().Draw(t, "kind")
		a, b := column(kind).Draw(t, "a"), column(kind).Draw(t, "b")
		x, y := keys.Append(nil, a), keys.Append(nil, b)
		if same := compareColumn(a, b) == 0; same != bytes.Equal(x, y) || (!same && bytes.HasPrefix(y, x)) {
			t.Fatalf("%x and %x", x, y)
		}
	})
}

func TestPrefixEndBoundsThePrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, a, b := tuples(t)
		n := rapid.IntRange(1, len(k)).Draw(t, "length of the prefix")
		prefix := keys.AppendTuple(nil, a[:n])
		end := keys.PrefixEnd([]byte("x"), prefix)[1:]
		key := keys.AppendTuple(nil, b)
		within := bytes.Compare(key, prefix) >= 0 && bytes.Compare(key, end) < 0
		if want := bytes.HasPrefix(key, prefix); within != want || len(end) == 0 {
			t.Fatalf("%x is within %x and %x: %v, want %v", key, prefix, end, within, want)
		}
	})
	if end := keys.PrefixEnd(nil, []byte{1, 0xff, 0xff}); !bytes.Equal(end, []byte{2}) {
		t.Errorf("the end is %x", end)
	}
	if end := keys.PrefixEnd(nil, []byte{0xff}); len(end) != 0 {
		t.Errorf("the end is %x", end)
	}
}

// What Append does not write, Decode does not read: one key has one encoding, or
// the same row could be there twice.
func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		kind value.Kind
		b    string
		want error
	}{
		{"nothing", value.Int, "", keys.ErrTruncated},
		{"an int cut short", value.Int, "f801", keys.ErrTruncated},
		{"a negative int cut short", value.Int, "07ff", keys.ErrTruncated},
		{"a short int written long", value.Int, "f710", keys.ErrEncoding},
		{"an int with a zero in front", value.Int, "f800ff", keys.ErrEncoding},
		{"a short negative int written long", value.Int, "08ff", keys.ErrEncoding},
		{"a negative int with a byte too many", value.Int, "07ff00", keys.ErrEncoding},
		{"an int over 64 bits", value.Int, "fe8000000000000000", keys.ErrEncoding},
		{"an int under 64 bits", value.Int, "017fffffffffffffff", keys.ErrEncoding},
		{"no code of an int", value.Int, "ff", keys.ErrEncoding},
		{"half a null", value.Int, "00", keys.ErrEncoding},
		{"a short uint written long", value.Uint, "f7f5", keys.ErrEncoding},
		{"a uint with a zero in front", value.Uint, "f800ff", keys.ErrEncoding},
		{"no code of a uint", value.Uint, "ff", keys.ErrEncoding},
		{"neither true nor false", value.Bool, "03", keys.ErrEncoding},
		{"a string without an end", value.String, "6162", keys.ErrTruncated},
		{"a string that ends in an escape", value.String, "6100", keys.ErrTruncated},
		{"a string with an unknown escape", value.String, "610002", keys.ErrEncoding},
		{"a string that is not UTF-8", value.String, "ff0001", keys.ErrEncoding},
		{"a double cut short", value.Double, "80000000000000", keys.ErrTruncated},
		{"-0", value.Double, "7fffffffffffffff", keys.ErrEncoding},
		{"infinity", value.Double, "fff0000000000000", keys.ErrEncoding},
		{"an instant without nanoseconds", value.Timestamp, "80", keys.ErrTruncated},
		{"a second of 10^9 nanoseconds", value.Timestamp, "80fa3b9aca00", keys.ErrEncoding},
		{"an instant after 9999", value.Timestamp, "fb3afff4418001", keys.ErrEncoding},
		{"a list", value.List, "80", keys.ErrEncoding},
	} {
		b, err := hex.DecodeString(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := keys.DecodeOne(b, c.kind); !errors.Is(err, c.want) {
			t.Errorf("%s: read as %s, error %v, want %v", c.name, value.AppendJSON(nil, v), err, c.want)
		}
	}
}

func TestOrderable(t *testing.T) {
	for k := value.Null; k <= value.Object; k++ {
		want := k != value.Null && k != value.List && k != value.Map && k != value.Object
		if keys.Orderable(k) != want {
			t.Errorf("%s is orderable: %v", k, !want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a list became a key")
		}
	}()
	keys.Append(nil, value.OfList(nil))
}

// The encoding is on disk: the golden file shows every form that it has, in
// order, and a diff of it means that old data can't be read.
func TestGolden(t *testing.T) {
	datadriven.RunTest(t, "testdata/keys.txt", func(t *testing.T, d *datadriven.TestData) string {
		kind := value.Null
		for k := value.Bool; k <= value.Duration; k++ {
			if k.String() == d.Cmd {
				kind = k
			}
		}
		var out strings.Builder
		var last []byte
		for _, text := range strings.Split(d.Input, "\n") {
			v := value.Value{}
			if text != "null" {
				raw := strings.ReplaceAll(strings.Trim(text, `"`), `\0`, "\x00")
				var err error
				if v, err = value.ParseText(kind, raw); err != nil {
					d.Fatalf(t, "%s: %v", text, err)
				}
			}
			b := keys.Append(nil, v)
			fmt.Fprintf(&out, "%-34s %x\n", text, b)
			if bytes.Compare(last, b) >= 0 {
				out.WriteString("^ out of order\n")
			}
			last = b
		}
		return out.String()
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(byte(value.Int), []byte{0x80, 0x00, 0x00})
	f.Add(byte(value.String), []byte("a\x00\xffb\x00\x01"))
	f.Add(byte(value.Timestamp), []byte{0xfb, 0x6b, 0x03, 0xc2, 0x60, 0x01})
	f.Add(byte(value.Double), []byte{0xbf, 0xf0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		k := value.Kind(kind%byte(value.Duration) + 1)
		v, rest, err := keys.DecodeOne(b, k)
		if err != nil {
			return
		}
		read := b[:len(b)-len(rest)]
		if again := keys.Append(nil, v); !bytes.Equal(again, read) {
			t.Fatalf("%x was read as %s and written as %x", read, value.AppendJSON(nil, v), again)
		}
	})
}

func BenchmarkAppendString(b *testing.B) {
	v := value.OfString("account-000123")
	buf := make([]byte, 0, 64)
	for b.Loop() {
		buf = keys.Append(buf[:0], v)
	}
}

func BenchmarkAppendInt(b *testing.B) {
	v := value.OfInt(1_000_123)
	buf := make([]byte, 0, 64)
	for b.Loop() {
		buf = keys.Append(buf[:0], v)
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	key := keys.AppendTuple(nil, []value.Value{value.OfString("account-000123"), value.OfInt(1_000_123)})
	k := []value.Kind{value.String, value.Int}
	dst := make([]value.Value, 0, 2)
	for b.Loop() {
		if _, _, err := keys.Decode(key, k, dst[:0]); err != nil {
			b.Fatal(err)
		}
	}
}
