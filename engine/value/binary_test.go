package value_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"lockstep/engine/value"
)

// identical tells whether two values are the same in every respect that can be
// seen, kinds and marks included, where Equal takes 1 for 1.0.
func identical(a, b value.Value) bool {
	return bytes.Equal(value.AppendBinary(nil, a), value.AppendBinary(nil, b)) &&
		a.Size() == b.Size() &&
		bytes.Equal(value.AppendJSON(nil, a), value.AppendJSON(nil, b))
}

// What goes into a log entry or a row comes out of it, on every copy the same.
func TestBinaryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(3).Draw(t, "value")
		b := value.AppendBinary(nil, v)
		got, rest, err := value.DecodeBinary(append(b, "tail"...))
		if err != nil || string(rest) != "tail" || !value.Equal(got, v) || !identical(got, v) {
			t.Fatalf("read back %s, rest %q, error %v", value.AppendJSON(nil, got), rest, err)
		}
		if rest, err := value.SkipBinary(append(b, "tail"...)); err != nil || string(rest) != "tail" {
			t.Fatalf("passing over it left %q, error %v", rest, err)
		}
	})
}

func TestBinaryRoundTripOfObjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := orders().Draw(t, "order")
		b := value.AppendBinary(nil, v)
		got, rest, err := value.DecodeForm(b, orderForm)
		if err != nil || len(rest) != 0 || !value.Equal(got, v) || !identical(got, v) {
			t.Fatalf("read back %s, rest %q, error %v", value.AppendJSON(nil, got), rest, err)
		}
		if rest, err := value.SkipBinary(b); err != nil || len(rest) != 0 {
			t.Fatalf("passing over it left %q, error %v", rest, err)
		}
		if _, _, err := value.DecodeBinary(b); !errors.Is(err, value.ErrShape) {
			t.Fatalf("an object without a shape: error %v", err)
		}
	})
}

// A size known before anything is made of the bytes.
func TestMeasureBinary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(3).Draw(t, "value")
		b := value.AppendBinary(nil, v)
		nodes, text, err := value.MeasureBinary(b)
		if want := v.Size(); err != nil || nodes != want.Nodes || text != want.Bytes {
			t.Fatalf("measured %d values with %d bytes, size %v, error %v", nodes, text, want, err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, _, err := value.MeasureBinary(b[:cut]); !errors.Is(err, value.ErrTruncated) {
			t.Fatalf("cut short at %d: error %v", cut, err)
		}
		if _, _, err := value.DecodeBinary(b[:cut]); !errors.Is(err, value.ErrTruncated) {
			t.Fatalf("cut short at %d: error %v", cut, err)
		}
	})
}

func TestDecodeObject(t *testing.T) {
	v := value.OfObject(lineShape, []value.Value{value.OfInt(3), value.OfString("tea")})
	b := value.AppendBinary(nil, v)
	got, err := value.DecodeObject(b, lineShape)
	if err != nil || !value.Equal(got, v) {
		t.Fatalf("read back %s, error %v", value.AppendJSON(nil, got), err)
	}
	if null, err := value.DecodeObject(value.AppendBinary(nil, value.Value{}), lineShape); err != nil || !null.IsNull() {
		t.Errorf("null in an object's place: %v, error %v", null, err)
	}
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"another shape", value.AppendBinary(nil, value.OfObject(value.NewShape("x", []string{"a"}), make([]value.Value, 1))), value.ErrShape},
		{"a scalar", value.AppendBinary(nil, value.OfInt(1)), value.ErrShape},
		{"a tail", append(bytes.Clone(b), 0), value.ErrTrailing},
		{"cut short", b[:len(b)-1], value.ErrTruncated},
		{"nothing", nil, value.ErrTruncated},
	} {
		if _, err := value.DecodeObject(c.b, lineShape); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

// A decoded value must not change when the buffer of the log is used again.
func TestDecodedStringsAreCopies(t *testing.T) {
	b := value.AppendBinary(nil, value.OfList([]value.Value{value.OfString("alice"), value.OfBytes("bob")}))
	one, _, err := value.DecodeBinary(b)
	if err != nil {
		t.Fatal(err)
	}
	d := value.NewDecoder(b)
	all, err := d.Next(nil)
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	for _, v := range []value.Value{one, all} {
		if v.At(0).Str() != "alice" || v.At(1).Str() != "bob" {
			t.Errorf("the value changed with the buffer: %s", value.AppendJSON(nil, v))
		}
	}
}

// A few bytes must not make a copy of the state run out of memory (traps.md,
// Replicated poison): counts are held against the bytes that are there, over all
// levels of nesting together.
func TestDecodeRefusesBombs(t *testing.T) {
	list := func(n uint64) []byte { return binary.AppendUvarint([]byte{0x0a}, n) }
	nested := func(levels int, n uint64) []byte {
		var b []byte
		for range levels {
			b = append(b, list(n)...)
		}
		return append(b, make([]byte, 1<<20)...)
	}
	var deep []byte
	for range value.MaxDepth + 1 {
		deep = append(deep, list(1)...)
	}
	deep = append(deep, 0)
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"a list of more than there is", list(1 << 40), value.ErrTruncated},
		{"a map of more than there is", append([]byte{0x0b, 2}, 0x41, 0x41, 0x42), value.ErrTruncated},
		{"a string of more than there is", []byte{0x06, 0xff, 0xff, 0xff, 0xff, 0x0f}, value.ErrTruncated},
		{"each level claims all bytes again", nested(100, 1<<20-1), value.ErrTruncated},
		{"nested too deep", deep, value.ErrEncoding},
	} {
		allocated := testing.AllocsPerRun(1, func() {
			if _, _, err := value.DecodeBinary(c.b); !errors.Is(err, c.want) {
				t.Errorf("%s: error %v, want %v", c.name, err, c.want)
			}
		})
		if allocated > value.MaxDepth+8 {
			t.Errorf("%s: %v allocations", c.name, allocated)
		}
	}
	ok, rest, err := value.DecodeBinary(deep[2:])
	if err != nil || len(rest) != 0 || ok.Size().Depth != value.MaxDepth {
		t.Errorf("as deep as is allowed: depth %d, error %v", ok.Size().Depth, err)
	}
}

// Every value has one form: what could be written shorter, or is no value of the
// language, is refused, so that equal state has equal bytes.
func TestDecodeRefusesSecondForms(t *testing.T) {
	for name, text := range map[string]string{
		"a small int written long":      "0302",
		"a marked int that needs none":  "0dc801",
		"a varint with a zero at front": "048000",
		"a varint over 64 bits":         "04ffffffffffffffffff02",
		"a short string written long":   "060161",
		"a string that is not UTF-8":    "81ff",
		"-0":                            "058000000000000000",
		"NaN":                           "057ff8000000000001",
		"infinity":                      "057ff0000000000000",
		"nanoseconds over a second":     "08008094ebdc03",
		"an instant after 9999":         "088086a2ffdf0e00",
		"a map with a double as key":    "0b01053ff000000000000000",
		"a map out of order":            "0b0242004100",
		"a map with a key twice":        "0b0241004100",
		"a map with 1 and 1u":           "0b024100040100",
		"a map with 1 and '1'":          "0b024100813100",
		"no such tag":                   "0e",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if v, _, err := value.DecodeBinary(b); !errors.Is(err, value.ErrEncoding) {
			t.Errorf("%s: read as %s, error %v", name, value.AppendJSON(nil, v), err)
		}
	}
}

func FuzzDecodeBinary(f *testing.F) {
	f.Add([]byte{0x0a, 0x02, 0x41, 0x81, 'a'})
	f.Add([]byte{0x0b, 0x01, 0x81, 'a', 0x05, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x08, 0x02, 0x05, 0x09, 0x01, 0x0d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := value.DecodeBinary(b)
		if err != nil {
			return
		}
		read := b[:len(b)-len(rest)]
		if again := value.AppendBinary(nil, v); !bytes.Equal(again, read) {
			t.Fatalf("%x was read and written as %x", read, again)
		}
		skipped, err := value.SkipBinary(b)
		if err != nil || len(skipped) != len(rest) {
			t.Fatalf("reading left %d bytes, passing over %d, error %v", len(rest), len(skipped), err)
		}
		checkJSON(t, value.AppendJSON(nil, v))
		checkJSON(t, value.AppendRawJSON(nil, v))
	})
}

func FuzzDecodeForm(f *testing.F) {
	f.Add(value.AppendBinary(nil, value.OfObject(orderShape, []value.Value{
		value.OfList([]value.Value{value.OfObject(lineShape, make([]value.Value, 2))}), {}, {},
	})))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := value.DecodeForm(b, orderForm)
		if err != nil {
			return
		}
		if again := value.AppendBinary(nil, v); !bytes.Equal(again, b[:len(b)-len(rest)]) {
			t.Fatalf("%x was read and written as %x", b[:len(b)-len(rest)], again)
		}
		checkJSON(t, value.AppendJSON(nil, v))
	})
}
