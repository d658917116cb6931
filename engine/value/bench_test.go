package value_test

import (
	"testing"

	"lockstep/engine/value"
)

// A document of about 100 bytes, the commonest request there is.
var transferDocument = []byte(`{"procedure":"transfer","params":{"from":"account-000123","to":"account-004567","amount":30},"id":"k"}`)

func BenchmarkFingerprint(b *testing.B) {
	b.ReportAllocs()
	var c value.Canonicalizer
	for b.Loop() {
		if _, err := c.Fingerprint(transferDocument, "id"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCanonical(b *testing.B) {
	b.ReportAllocs()
	var c value.Canonicalizer
	buf := make([]byte, 0, 256)
	for b.Loop() {
		if _, err := c.Append(buf, transferDocument); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFromJSON(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := value.FromJSON(transferDocument); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	b.ReportAllocs()
	v, err := value.FromJSON(transferDocument)
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	for b.Loop() {
		buf = value.AppendJSON(buf[:0], v)
	}
}

// Four columns: the row of an account.
func account() value.Value {
	return value.OfObject(value.NewShape("accounts", []string{"id", "owner", "balance", "opened"}), []value.Value{
		value.OfString("account-000123"), value.OfString("alice"), value.OfInt(1_000_000), value.OfTimestamp(1_795_428_000, 0),
	})
}

func BenchmarkAppendBinary(b *testing.B) {
	b.ReportAllocs()
	v := account()
	buf := make([]byte, 0, 256)
	for b.Loop() {
		buf = value.AppendBinary(buf[:0], v)
	}
}

func BenchmarkDecodeObject(b *testing.B) {
	b.ReportAllocs()
	v := account()
	bin := value.AppendBinary(nil, v)
	for b.Loop() {
		if _, err := value.DecodeObject(bin, v.Shape()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompareInts(b *testing.B) {
	x, y := value.OfInt(70), value.OfInt(30)
	for b.Loop() {
		if c, ok := value.Compare(x, y); !ok || c != 1 {
			b.Fatal(c)
		}
	}
}

func BenchmarkEqualStrings(b *testing.B) {
	x, y := value.OfString("account-000123"), value.OfString("account-000124")
	for b.Loop() {
		if value.Equal(x, y) {
			b.Fatal("equal")
		}
	}
}

func BenchmarkMapOfTwo(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		k := []value.Value{value.OfString("to"), value.OfString("from")}
		v := []value.Value{value.OfInt(130), value.OfInt(70)}
		if _, ok := value.OfMap(k, v); !ok {
			b.Fatal("no map")
		}
	}
}

func BenchmarkAppendTimestamp(b *testing.B) {
	v := value.OfTimestamp(1_795_428_000, 123_000_000)
	buf := make([]byte, 0, 64)
	for b.Loop() {
		buf = value.AppendTimestamp(buf[:0], v)
	}
}
