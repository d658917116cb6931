package value_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"lockstep/engine/value"
)

func canonical(t failer, raw string) string {
	t.Helper()
	out, err := value.Canonicalize([]byte(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return string(out)
}

// RFC 8785, sections 3.2.2 and 3.2.3: the samples.
func TestSamplesOfRFC8785(t *testing.T) {
	for raw, want := range map[string]string{
		`{
		  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
		  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
		  "literals": [null, true, false]
		}`: `{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		`{
		  "\u20ac": "Euro Sign",
		  "\r": "Carriage Return",
		  "\ufb33": "Hebrew Letter Dalet With Dagesh",
		  "1": "One",
		  "\ud83d\ude00": "Emoji: Grinning Face",
		  "\u0080": "Control",
		  "\u00f6": "Latin Small Letter O With Diaeresis"
		}`: "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\"," +
			"\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
	} {
		if got := canonical(t, raw); got != want {
			t.Errorf("canonical\n%s, want\n%s", got, want)
		}
	}
}

// transactions.md, Exactly once: "The same id with another document is refused …
// judged by a fingerprint of the document". Two amounts of which a double makes
// one are two documents.
func TestCanonicalKeepsLargeInts(t *testing.T) {
	for raw, want := range map[string]string{
		"9007199254740993":         "9007199254740993",
		"9007199254740993.0":       "9007199254740993",
		"-9223372036854775808":     "-9223372036854775808",
		"18446744073709551615":     "18446744073709551615",
		"18446744073709551616":     "18446744073709552000",
		"-9223372036854775809":     "-9223372036854776000",
		"1e3":                      "1000",
		"1e18":                     "1000000000000000000",
		"-0":                       "0",
		"-0.0":                     "0",
		"1.50":                     "1.5",
		"1e-400":                   "0",
		"100000000000000000000000": "1e+23",
	} {
		if got := canonical(t, raw); got != want {
			t.Errorf("%s is %s, want %s", raw, got, want)
		}
	}
}

// A document means the same however it is laid out.
func TestCanonicalIgnoresLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := jsonValue(3).Draw(t, "document")
		seed := rapid.Uint64().Draw(t, "layout")
		want := canonical(t, string(value.AppendJSON(nil, v)))
		messy := layout(rand.New(rand.NewPCG(seed, 0)), nil, v)
		got := canonical(t, string(messy))
		if got != want {
			t.Fatalf("%s is %s, want %s", messy, got, want)
		}
		if again := canonical(t, got); again != got {
			t.Fatalf("%s is canonical and becomes %s", got, again)
		}
		a, err := value.Fingerprint(messy)
		b, berr := value.Fingerprint([]byte(want))
		if err != nil || berr != nil || a != b {
			t.Fatalf("fingerprints %x and %x, errors %v and %v", a, b, err, berr)
		}
	})
}

// layout writes a value with members in random order, white space and escapes.
func layout(r *rand.Rand, dst []byte, v value.Value) []byte {
	space := func() { dst = append(dst, strings.Repeat(" \n\t\r"[r.IntN(4):][:1], r.IntN(3))...) }
	text := func(s string) {
		dst = append(dst, '"')
		for _, c := range s {
			dst = append(dst, spell(r, c)...)
		}
		dst = append(dst, '"')
	}
	space()
	switch v.Kind() {
	case value.String:
		text(v.Str())
	case value.List:
		dst = append(dst, '[')
		for i, e := range v.Elems() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = layout(r, dst, e)
		}
		dst = append(dst, ']')
	case value.Map:
		dst = append(dst, '{')
		for n, i := range r.Perm(v.Len()) {
			if n > 0 {
				dst = append(dst, ',')
			}
			space()
			text(v.Keys()[i].Str())
			space()
			dst = append(dst, ':')
			dst = layout(r, dst, v.At(i))
		}
		dst = append(dst, '}')
	default:
		dst = value.AppendJSON(dst, v)
	}
	space()
	return dst
}

// spell writes a character in one of the ways that JSON has.
func spell(r *rand.Rand, c rune) string {
	if c < 0x20 || c == '"' || c == '\\' || (c < 0x10000 && r.IntN(4) == 0) {
		const hex = "0123456789abcdefABCDEF"
		out := []byte(`\u`)
		for shift := 12; shift >= 0; shift -= 4 {
			digit := int(c>>shift) & 15
			if digit > 9 && r.IntN(2) == 0 {
				digit += 6
			}
			out = append(out, hex[digit])
		}
		return string(out)
	}
	return string(c)
}

func TestFingerprintDropsTheID(t *testing.T) {
	bare := `{"params":{"id":"x"},"procedure":"p"}`
	want, err := value.Fingerprint([]byte(bare))
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{
		bare,
		`{"id":"k1","params":{"id":"x"},"procedure":"p"}`,
		`{"procedure":"p", "params":{"id":"x"}, "\u0069d":["k2"]}`,
	} {
		if got, err := value.Fingerprint([]byte(raw), "id"); err != nil || got != want {
			t.Errorf("%s: %x, want %x, error %v", raw, got, want, err)
		}
	}
	other, err := value.Fingerprint([]byte(`{"params":{"id":"y"},"procedure":"p"}`), "id")
	if err != nil || other == want {
		t.Errorf("an id within the params counts for nothing: %x, error %v", other, err)
	}
	if only, err := value.Fingerprint([]byte(`{"id":1}`), "id"); err != nil || only == want {
		t.Errorf("error %v", err)
	}
}

// The only transcript of a fingerprint: outcomes keep it, so it can't change.
func TestFingerprintIsFixed(t *testing.T) {
	got, err := value.Fingerprint([]byte(`{"procedure":"transfer","params":{"from":"alice","to":"bob","amount":30}}`))
	want := [16]byte{0x53, 0x8c, 0xa5, 0xf8, 0xf6, 0x0c, 0x90, 0xbe, 0x3d, 0x81, 0x89, 0x2d, 0x23, 0x39, 0xd1, 0xa8}
	if err != nil || got != want {
		t.Errorf("fingerprint %#v, error %v", got, err)
	}
}

func TestErrorsOfJSONNameThePlace(t *testing.T) {
	for _, c := range []struct{ raw, pointer, reason string }{
		{`{"a":{"b":[1,2,x]}}`, "/a/b/2", "a JSON value is wanted here"},
		{`{"a/b":{"c~d":tru}}`, "/a~1b/c~0d", "a JSON value is wanted here"},
		{`{"a":1,"b":{"z":1,"y":2,"z":3}}`, "/b/z", "the same name twice in one object"},
		{`{"a":1,"\u0061":1}`, "/a", "the same name twice in one object"},
		{`[1e400]`, "/0", "number that neither an int nor a double can hold"},
		{`["\ud800"]`, "/0", "a surrogate in a string without its other half"},
		{`["\ud800\u0041"]`, "/0", "a surrogate in a string without its other half"},
		{`["\udc00"]`, "/0", "a surrogate in a string without its other half"},
		{`["\x41"]`, "/0", "no such escape in a string"},
		{`["\u00g0"]`, "/0", "no such escape in a string"},
		{"[\"a\nb\"]", "/0", "a control character in a string must be escaped"},
		{"[\"\xff\"]", "/0", "a string is not valid UTF-8"},
		{`[-]`, "/0", "not a number of JSON"},
		{`[1.]`, "/0", "not a number of JSON"},
		{`[01]`, "", "a comma or the closing bracket is wanted here"},
		{`[1,]`, "/1", "a JSON value is wanted here"},
		{`{"a":1,}`, "", "a string is wanted here"},
		{`{"a" 1}`, "", "a colon is wanted after a name"},
		{`{a:1}`, "", "a string is wanted here"},
		{`{"a":1`, "", "the text ends too early"},
		{`["a`, "/0", "the text ends too early"},
		{`["\`, "/0", "the text ends too early"},
		{``, "", "the text ends too early"},
		{`{} {}`, "", "more text after the value"},
		{`nulll`, "", "more text after the value"},
	} {
		_, parse := value.FromJSON([]byte(c.raw))
		_, canon := value.Canonicalize([]byte(c.raw))
		_, print := value.Fingerprint([]byte(c.raw), "id")
		for _, err := range []error{parse, canon, print} {
			var place *value.JSONError
			if !errors.As(err, &place) || place.Pointer != c.pointer || place.Reason != c.reason {
				t.Errorf("%s: error %v, want %q at %q", c.raw, err, c.reason, c.pointer)
			}
		}
	}
}

func TestCanonicalDepth(t *testing.T) {
	nest := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	if got := canonical(t, nest(value.MaxDocumentDepth)); got != nest(value.MaxDocumentDepth) {
		t.Errorf("as deep as is allowed: %s", got)
	}
	if _, err := value.Canonicalize([]byte(nest(value.MaxDocumentDepth + 1))); err == nil {
		t.Error("too deep, and taken")
	}
}

// exactInts tells whether a text holds a number of which RFC 8785 keeps less than
// we do.
func exactInts(raw []byte) bool {
	for _, text := range bytes.FieldsFunc(raw, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) {
		if i, err := value.ParseUint(bytes.TrimPrefix(text, []byte("-"))); err == nil && i.Uint() > value.MaxSafeInt {
			return true
		}
	}
	return false
}

// Another implementation of RFC 8785 comes to the same bytes.
func FuzzCanonicalize(f *testing.F) {
	for _, s := range []string{
		`{"b":1,"a":[1e3,-0,2.50]}`, `{"é":1,"z":"\u00e9"}`, `{"😀":1,"\ufb33":2}`, `{"a":1,"a":2}`, `[0.1e-6]`, ` "x" `,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := value.Canonicalize(raw)
		_, ferr := value.Fingerprint(raw, "a")
		if (err == nil) != (ferr == nil) {
			t.Fatalf("canonical: error %v, fingerprint: %v", err, ferr)
		}
		theirs := jsontext.Value(bytes.Clone(raw))
		terr := theirs.Canonicalize()
		if err != nil {
			var place *value.JSONError
			if terr == nil && errors.As(err, &place) && !strings.HasPrefix(place.Reason, "n") { // nested, number
				t.Fatalf("valid JSON refused: %v", err)
			}
			return
		}
		if terr != nil {
			t.Fatalf("taken, though it is not valid: %v", terr)
		}
		if !exactInts(raw) && !bytes.Equal(got, theirs) {
			t.Fatalf("%s, want %s", got, theirs)
		}
		if again := canonical(t, string(got)); again != string(got) {
			t.Fatalf("%s becomes %s", got, again)
		}
	})
}
