package value_test

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time" // the oracle; the package itself has its own calendar

	"pgregory.net/rapid"

	"lockstep/engine/value"
)

func clockTime(v value.Value) time.Time { return time.Unix(v.Seconds(), int64(v.Nanos())).UTC() }

func TestCalendarAgreesWithGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := instants().Draw(t, "instant")
		c, want := value.CivilOf(v.Seconds()), clockTime(v)
		got := time.Date(c.Year, time.Month(c.Month), c.Day, c.Hour, c.Minute, c.Second, 0, time.UTC)
		if got.Unix() != v.Seconds() || c.Month != int(want.Month()) || c.Day != want.Day() ||
			c.YearDay != want.YearDay()-1 || c.Weekday != int(want.Weekday()) {
			t.Fatalf("%v, want %v", c, want)
		}
		text := string(value.AppendTimestamp(nil, v))
		if text != want.Format(time.RFC3339Nano) {
			t.Fatalf("written %s, want %s", text, want.Format(time.RFC3339Nano))
		}
		back, err := value.ParseTimestamp(text)
		if err != nil || !value.Equal(back, v) {
			t.Fatalf("%s read back as %v, error %v", text, back, err)
		}
	})
}

// Every day of the calendar, one after the other.
func TestEveryDay(t *testing.T) {
	day := value.CivilOf(value.MinTimestamp)
	if day.Year != 1 || day.Month != 1 || day.Day != 1 || day.Weekday != 1 {
		t.Fatalf("the first day is %v", day)
	}
	for s := value.MinTimestamp + 86_400; s <= value.MaxTimestamp; s += 86_400 {
		next := value.CivilOf(s)
		sameMonth := next.Year == day.Year && next.Month == day.Month && next.Day == day.Day+1
		newMonth := next.Year == day.Year && next.Month == day.Month+1 && next.Day == 1 && day.Day >= 28
		newYear := next.Year == day.Year+1 && next.YearDay == 0 && next.Day == 1 && day.Day == 31 && day.YearDay >= 364
		if !(sameMonth || newMonth || newYear) || next.Weekday != (day.Weekday+1)%7 {
			t.Fatalf("after %v comes %v", day, next)
		}
		day = next
	}
	if day.Year != 9999 || day.Month != 12 || day.Day != 31 {
		t.Errorf("the last day is %v", day)
	}
}

func TestParseTimestamp(t *testing.T) {
	for _, c := range []struct {
		text string
		want string // as it is written, "" where it is refused
		err  error
	}{
		{"2026-11-23T10:00:00.123Z", "2026-11-23T10:00:00.123Z", nil},
		{"2026-11-23t10:00:00.120000000z", "2026-11-23T10:00:00.12Z", nil},
		{"2026-11-23T10:00:00+01:00", "2026-11-23T09:00:00Z", nil},
		{"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z", nil},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", nil},
		{"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z", nil},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", nil},
		{"2026-11-23T10:00:00-00:00", "2026-11-23T10:00:00Z", nil},
		{"2023-02-29T00:00:00Z", "", value.ErrRange},
		{"1900-02-29T00:00:00Z", "", value.ErrRange},
		{"2026-04-31T00:00:00Z", "", value.ErrRange},
		{"2026-00-01T00:00:00Z", "", value.ErrRange},
		{"2026-13-01T00:00:00Z", "", value.ErrRange},
		{"2026-01-00T00:00:00Z", "", value.ErrRange},
		{"2026-01-01T24:00:00Z", "", value.ErrRange},
		{"2016-12-31T23:59:60Z", "", value.ErrRange}, // a leap second
		{"0000-12-31T23:59:59Z", "", value.ErrRange},
		{"9999-12-31T23:59:59-00:01", "", value.ErrRange},
		{"0001-01-01T00:00:00+00:01", "", value.ErrRange},
		{"2026-11-23T10:00:00", "", value.ErrSyntax},
		{"2026-11-23 10:00:00Z", "", value.ErrSyntax},
		{"2026-11-23T10:00Z", "", value.ErrSyntax},
		{"2026-11-23T10:00:00.Z", "", value.ErrSyntax},
		{"2026-11-23T10:00:00,5Z", "", value.ErrSyntax},
		{"2026-11-23T10:00:00.1234567891Z", "", value.ErrSyntax},
		{"2026-11-23T10:00:00Zx", "", value.ErrSyntax},
		{"2026-11-23T10:00:00+24:00", "", value.ErrSyntax},
		{"2026-11-23T10:00:00+0100", "", value.ErrSyntax},
		{"2026-11-23T1:00:00Z", "", value.ErrSyntax},
		{"", "", value.ErrSyntax},
		{"2026", "", value.ErrSyntax},
	} {
		v, err := value.ParseTimestamp(c.text)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v", c.text, err, c.err)
		} else if err == nil && string(value.AppendTimestamp(nil, v)) != c.want {
			t.Errorf("%s is %s, want %s", c.text, value.AppendTimestamp(nil, v), c.want)
		}
	}
}

func FuzzParseTimestamp(f *testing.F) {
	f.Add("2026-11-23T10:00:00.123Z")
	f.Add("2026-11-23T10:00:00.1+01:00")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := value.ParseTimestamp(text)
		if err != nil {
			return
		}
		want, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
		if err != nil || want.Unix() != v.Seconds() || want.Nanosecond() != int(v.Nanos()) {
			t.Fatalf("read as %s, Go has %v, error %v", value.AppendTimestamp(nil, v), want, err)
		}
	})
}

func TestDurationText(t *testing.T) {
	for nanos, want := range map[int64]string{
		0: "0s", 1: "0.000000001s", -1: "-0.000000001s", 1_500_000_000: "1.5s", -90_000_000_000: "-90s",
		math.MaxInt64: "9223372036.854775807s", math.MinInt64: "-9223372036.854775808s",
	} {
		if got := string(value.AppendDuration(nil, nanos)); got != want {
			t.Errorf("%d is written %s, want %s", nanos, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := value.OfDuration(edgyInt().Draw(t, "nanos"))
		text := value.AppendDuration(nil, v.Duration())
		if back, err := value.ParseDuration(text); err != nil || !value.Equal(back, v) {
			t.Fatalf("%s read back as %d, error %v", text, back.Duration(), err)
		}
	})
	for text, want := range map[string]error{
		"1.50s": nil, "-0s": nil, "007s": nil,
		"9223372036.854775808s": value.ErrRange, "-9223372036.854775809s": value.ErrRange,
		"9223372037s": value.ErrRange, "99999999999999999999999999s": value.ErrRange,
		"1": value.ErrSyntax, "1m": value.ErrSyntax, "s": value.ErrSyntax, ".5s": value.ErrSyntax, "1.s": value.ErrSyntax,
		"1.0000000001s": value.ErrSyntax, "--1s": value.ErrSyntax, "+1s": value.ErrSyntax, "": value.ErrSyntax, "1ss": value.ErrSyntax,
	} {
		if v, err := value.ParseDuration(text); !errors.Is(err, want) {
			t.Errorf("%s is %d, error %v, want %v", text, v.Duration(), err, want)
		}
	}
}

// exactNanos is an instant in nanoseconds since 1970, however far.
func exactNanos(v value.Value) *big.Int {
	n := new(big.Int).Mul(big.NewInt(v.Seconds()), big.NewInt(1_000_000_000))
	return n.Add(n, big.NewInt(int64(v.Nanos())))
}

// Sums and differences of times are exact, or refused: never wrapped around.
func TestTimeArithmetic(t *testing.T) {
	span := rapid.OneOf(rapid.Int64(), edgyInt(), rapid.Int64Range(-2_000_000_000, 2_000_000_000))
	rapid.Check(t, func(t *rapid.T) {
		a := instants().Draw(t, "a")
		d := span.Draw(t, "span")
		want := new(big.Int).Add(exactNanos(a), big.NewInt(d))
		first, last := exactNanos(value.OfTimestamp(value.MinTimestamp, 0)), exactNanos(value.OfTimestamp(value.MaxTimestamp, 999_999_999))
		sum, ok := value.AddDuration(a, d)
		if fits := want.Cmp(first) >= 0 && want.Cmp(last) <= 0; ok != fits {
			t.Fatalf("sum ok %v, want %v", ok, fits)
		}
		if ok && exactNanos(sum).Cmp(want) != 0 {
			t.Fatalf("sum %v, want %v", exactNanos(sum), want)
		}
		b := instants().Draw(t, "b")
		if ok && rapid.Bool().Draw(t, "near") {
			b = sum
		}
		want = new(big.Int).Sub(exactNanos(a), exactNanos(b))
		diff, ok := value.Between(a, b)
		if ok != want.IsInt64() {
			t.Fatalf("difference %v ok %v", want, ok)
		}
		if ok && diff.Duration() != want.Int64() {
			t.Fatalf("difference %d, want %v", diff.Duration(), want)
		}
	})
}

// The ends of what 64 bits of nanoseconds hold, which random instants miss.
func TestBetweenAtTheEnds(t *testing.T) {
	base := value.OfTimestamp(0, 0)
	for _, nanos := range []int64{math.MaxInt64, math.MinInt64} {
		far, ok := value.AddDuration(base, nanos)
		if !ok {
			t.Fatal("out of range")
		}
		if d, ok := value.Between(far, base); !ok || d.Duration() != nanos {
			t.Errorf("%d came back as %d, ok %v", nanos, d.Duration(), ok)
		}
		past, _ := value.AddDuration(far, int64(1)-2*int64(boolToInt(nanos < 0)))
		if d, ok := value.Between(past, base); ok {
			t.Errorf("one beyond %d is %d", nanos, d.Duration())
		}
	}
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestTimestampOfMillis(t *testing.T) {
	for millis, want := range map[int64]string{
		0: "1970-01-01T00:00:00Z", -1: "1969-12-31T23:59:59.999Z", 1_795_428_000_123: "2026-11-23T10:00:00.123Z",
	} {
		if v, ok := value.TimestampOfMillis(millis); !ok || string(value.AppendTimestamp(nil, v)) != want {
			t.Errorf("%d is %s, want %s", millis, value.AppendTimestamp(nil, v), want)
		}
	}
	if _, ok := value.TimestampOfMillis(math.MaxInt64); ok {
		t.Error("a time after 9999 passed")
	}
}
