package value_test

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"lockstep/engine/value"
)

// transactions.md, Outcome: "a declared param accepts the same forms, an int any
// JSON number without a fractional value (1.0, 1e3)".
func TestParseInt(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		err  error
	}{
		{"0", 0, nil},
		{"-0", 0, nil},
		{"-0.0e7", 0, nil},
		{"1.0", 1, nil},
		{"1e3", 1000, nil},
		{"1.5e1", 15, nil},
		{"1500E-2", 15, nil},
		{"0.000000000000000000001e21", 1, nil},
		{"9223372036854775807", math.MaxInt64, nil},
		{"9223372036854775807.000", math.MaxInt64, nil},
		{"922337203685477580700e-2", math.MaxInt64, nil},
		{"-9223372036854775808", math.MinInt64, nil},
		{"-9.223372036854775808e18", math.MinInt64, nil},
		{"9007199254740993.0", 9007199254740993, nil}, // as a double it would be ...992
		{"9223372036854775808", 0, value.ErrRange},
		{"-9223372036854775809", 0, value.ErrRange},
		{"1e19", 0, value.ErrRange},
		{"1e999999999999999999999", 0, value.ErrRange},
		{"100000000000000000000000000001", 0, value.ErrRange},
		{"0e999999999999999999999", 0, nil},
		{"1.5", 0, value.ErrFraction},
		{"1e-1", 0, value.ErrFraction},
		{"1e-999999999999999999999", 0, value.ErrFraction},
		{"", 0, value.ErrSyntax},
		{"-", 0, value.ErrSyntax},
		{"01", 0, value.ErrSyntax},
		{"+1", 0, value.ErrSyntax},
		{".5", 0, value.ErrSyntax},
		{"1.", 0, value.ErrSyntax},
		{"1e", 0, value.ErrSyntax},
		{"1 ", 0, value.ErrSyntax},
		{"0x1", 0, value.ErrSyntax},
		{"NaN", 0, value.ErrSyntax},
		{"1_000", 0, value.ErrSyntax},
	} {
		v, err := value.ParseInt(c.text)
		if v.Int() != c.want || !errors.Is(err, c.err) {
			t.Errorf("%q is %d, error %v; want %d, error %v", c.text, v.Int(), err, c.want, c.err)
		}
		if b, berr := value.ParseInt([]byte(c.text)); b.Int() != v.Int() || !errors.Is(berr, c.err) {
			t.Errorf("%q as bytes is %d, error %v", c.text, b.Int(), berr)
		}
	}
}

// "… or a JSON string of digits": of digits alone.
func TestParseIntDigits(t *testing.T) {
	for text, ok := range map[string]bool{
		"12": true, "-12": true, "9223372036854775807": true,
		"1.0": false, "1e3": false, "": false, " 1": false, "012": false, "9223372036854775808": false,
	} {
		if v, err := value.ParseIntDigits(text); (err == nil) != ok {
			t.Errorf("%q is %d, error %v", text, v.Int(), err)
		}
	}
	for text, want := range map[string]error{
		"18446744073709551615": nil, "18446744073709551616": value.ErrRange, "-1": value.ErrNegative,
		"-0": nil, "1.0": value.ErrSyntax,
	} {
		if v, err := value.ParseUintDigits(text); !errors.Is(err, want) {
			t.Errorf("%q is %d, error %v, want %v", text, v.Uint(), err, want)
		}
	}
}

// jsonNumberText draws the texts of numbers that lie near the borders.
func jsonNumberText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`-?(0|[1-9][0-9]{0,21})(\.[0-9]{1,6})?([eE][-+]?[0-9]{1,2})?`),
		rapid.StringMatching(`-?(922337203685477580[0-9]|1844674407370955161[0-9])(\.0{1,3})?(e[01])?`),
		rapid.Map(edgyInt(), func(i int64) string { return strconv.FormatInt(i, 10) }),
	)
}

// Integers are judged exactly, by their value and not by how they are written.
func TestParseIntAgreesWithExactArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := jsonNumberText().Draw(t, "number")
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%s is no number", text)
		}
		i, err := value.ParseInt(text)
		switch {
		case !exact.IsInt():
			if !errors.Is(err, value.ErrFraction) {
				t.Fatalf("int: error %v", err)
			}
		case !exact.Num().IsInt64():
			if !errors.Is(err, value.ErrRange) {
				t.Fatalf("int: error %v", err)
			}
		case err != nil || i.Int() != exact.Num().Int64():
			t.Fatalf("int: %d, error %v", i.Int(), err)
		}
		u, err := value.ParseUint(text)
		if fits := exact.IsInt() && exact.Num().IsUint64(); fits != (err == nil) || (fits && u.Uint() != exact.Num().Uint64()) {
			t.Fatalf("uint: %d, error %v", u.Uint(), err)
		}
	})
}

func TestParseDouble(t *testing.T) {
	for text, want := range map[string]error{
		"1e308": nil, "1e309": value.ErrRange, "-1e400": value.ErrRange, "1e-400": nil,
		"inf": value.ErrSyntax, "0x1p3": value.ErrSyntax, "1_0": value.ErrSyntax, "": value.ErrSyntax,
	} {
		if v, err := value.ParseDouble(text); !errors.Is(err, want) {
			t.Errorf("%s is %v, error %v, want %v", text, v.Double(), err, want)
		}
	}
}

// RFC 8785, appendix B: the samples of how doubles are written, but for NaN and
// the infinities, which the language does not have.
func TestDoublesOfRFC8785(t *testing.T) {
	for bits, want := range map[uint64]string{
		0x0000000000000000: "0",
		0x8000000000000000: "0",
		0x0000000000000001: "5e-324",
		0x8000000000000001: "-5e-324",
		0x7fefffffffffffff: "1.7976931348623157e+308",
		0xffefffffffffffff: "-1.7976931348623157e+308",
		0x4340000000000000: "9007199254740992",
		0xc340000000000000: "-9007199254740992",
		0x4430000000000000: "295147905179352830000",
		0x44b52d02c7e14af5: "9.999999999999997e+22",
		0x44b52d02c7e14af6: "1e+23",
		0x44b52d02c7e14af7: "1.0000000000000001e+23",
		0x444b1ae4d6e2ef4e: "999999999999999700000",
		0x444b1ae4d6e2ef4f: "999999999999999900000",
		0x444b1ae4d6e2ef50: "1e+21",
		0x3eb0c6f7a0b5ed8c: "9.999999999999997e-7",
		0x3eb0c6f7a0b5ed8d: "0.000001",
		0x41b3de4355555553: "333333333.3333332",
		0x41b3de4355555554: "333333333.33333325",
		0x41b3de4355555555: "333333333.3333333",
		0x41b3de4355555556: "333333333.3333334",
		0x41b3de4355555557: "333333333.33333343",
		0xbecbf647612f3696: "-0.0000033333333333333333",
		0x43143ff3c1cb0959: "1424953923781206.2",
	} {
		got := string(value.AppendJSON(nil, value.OfDouble(math.Float64frombits(bits))))
		if got != want {
			t.Errorf("%016x is written %s, want %s", bits, got, want)
		}
	}
}

func TestDoublesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := edgyDouble().Draw(t, "double")
		text := value.AppendDouble(nil, f)
		v, err := value.ParseDouble(text)
		if err != nil || v.Double() != f {
			t.Fatalf("%s read back as %v, error %v", text, v.Double(), err)
		}
	})
}

// transactions.md, Determinism: "Doubles: -0 becomes 0".
func TestNoNegativeZero(t *testing.T) {
	if v := value.OfDouble(math.Copysign(0, -1)); math.Signbit(v.Double()) {
		t.Error("-0 stayed")
	}
}

// interface.md: "In ?key=, prefix=: text as it is, numbers decimal, bytes
// base64url".
func TestTextOfKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := scalars().Draw(t, "value")
		if v.IsNull() {
			return
		}
		text := string(value.AppendText(nil, v))
		got, err := value.ParseText(v.Kind(), text)
		if err != nil || !value.Equal(got, v) {
			t.Fatalf("%q read back as %s, error %v", text, value.AppendJSON(nil, got), err)
		}
	})
	for _, c := range []struct {
		kind value.Kind
		text string
		ok   bool
	}{
		{value.Bytes, "_-8", true},
		{value.Bytes, "_-8=", true},
		{value.Bytes, "_w==", true},
		{value.Bytes, "_w=", false},
		{value.Bytes, "_x", false}, // bits left over
		{value.Bytes, "====", false},
		{value.Bytes, "/+8", false},
		{value.Bytes, "", true},
		{value.Bool, "TRUE", false},
		{value.Int, "1.0", false},
		{value.String, "\xff", false},
		{value.List, "[]", false},
		{value.Null, "null", false},
	} {
		if v, err := value.ParseText(c.kind, c.text); (err == nil) != c.ok {
			t.Errorf("%s %q is %s, error %v", c.kind, c.text, value.AppendJSON(nil, v), err)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, ok := range map[string]bool{
		"aGk=": true, "": true, "aGk": false, "aG\nk=": false, "aGl=": false, "_-8=": false, "/+8=": true,
	} {
		if v, err := value.ParseBytes(text); (err == nil) != ok {
			t.Errorf("%q is %q, error %v", text, v.Str(), err)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"1", "-1.5e3", "1e-7", "18446744073709551615", "0.1e1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			return // exact arithmetic on a huge exponent would take long
		}
		i, err := value.ParseInt(text)
		d, derr := value.ParseDouble(text)
		if err == nil && (derr != nil || float64(i.Int()) != d.Double()) {
			t.Fatalf("int %d, double %v, error %v", i.Int(), d.Double(), derr)
		}
		if derr == nil {
			checkJSON(t, []byte(text))
			checkJSON(t, value.AppendDouble(nil, d.Double()))
		}
		u, uerr := value.ParseUint(text)
		if err == nil && i.Int() >= 0 && (uerr != nil || u.Uint() != uint64(i.Int())) {
			t.Fatalf("int %d, uint %d, error %v", i.Int(), u.Uint(), uerr)
		}
	})
}
