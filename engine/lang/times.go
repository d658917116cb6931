package lang

import (
	"math"

	"lockstep/engine/value"
)

// timeTable has the parts of instants and spans. They are CEL's, in UTC: the
// forms with a time zone don't exist here, since what a zone's name means
// depends on the host.
func timeTable() []function {
	instant := []string{".timestamp -> int"}
	both := []string{".timestamp -> int", ".duration -> int"}
	civil := func(name string, part func(value.Civil) int) function {
		return function{name, unaryOf(civilPart(name, part)), instant}
	}
	return []function{
		civil("getFullYear", func(c value.Civil) int { return c.Year }),
		civil("getMonth", func(c value.Civil) int { return c.Month - 1 }),
		civil("getDate", func(c value.Civil) int { return c.Day }),
		civil("getDayOfMonth", func(c value.Civil) int { return c.Day - 1 }),
		civil("getDayOfYear", func(c value.Civil) int { return c.YearDay }),
		civil("getDayOfWeek", func(c value.Civil) int { return c.Weekday }),
		{"getHours", unaryOf(timePart("getHours", func(c value.Civil, _ int32) int { return c.Hour }, 3600*second)), both},
		{"getMinutes", unaryOf(timePart("getMinutes", func(c value.Civil, _ int32) int { return c.Minute }, 60*second)), both},
		{"getSeconds", unaryOf(timePart("getSeconds", func(c value.Civil, _ int32) int { return c.Second }, second)), both},
		{"getMilliseconds", unaryOf(timePart("getMilliseconds",
			func(_ value.Civil, nanos int32) int { return int(nanos / 1_000_000) }, second/1000)), both},
	}
}

// second is a second in nanoseconds.
const second int64 = 1_000_000_000

type unaryFn = func(f *Frame, a value.Value) (value.Value, *Fault)

// civilPart is a part of an instant's date.
func civilPart(name string, part func(value.Civil) int) unaryFn {
	return func(_ *Frame, a value.Value) (value.Value, *Fault) {
		if a.Kind() != value.Timestamp {
			return noOperation(name, a)
		}
		return value.OfInt(int64(part(value.CivilOf(a.Seconds())))), nil
	}
}

// timePart is a part of an instant's time of day, or a whole span in a unit.
func timePart(name string, part func(value.Civil, int32) int, unit int64) unaryFn {
	return func(_ *Frame, a value.Value) (value.Value, *Fault) {
		switch a.Kind() {
		case value.Timestamp:
			return value.OfInt(int64(part(value.CivilOf(a.Seconds()), a.Nanos()))), nil
		case value.Duration:
			return value.OfInt(a.Duration() / unit), nil
		}
		return noOperation(name, a)
	}
}

// shift moves an instant by a span.
func shift(op string, instant value.Value, nanos int64) (value.Value, *Fault) {
	v, ok := value.AddDuration(instant, nanos)
	if !ok {
		return value.Value{}, fault(FaultTimeRange, op)
	}
	return v, nil
}

// since is the span between two instants.
func since(a, b value.Value) (value.Value, *Fault) {
	v, ok := value.Between(a, b)
	if !ok {
		return overflow("-")
	}
	return v, nil
}

// parseSpan reads a span as CEL writes it: 1h30m, 1.5s, -250ms; units h, m, s,
// ms, us and ns, each number with an optional fraction. Digits of a fraction
// beyond a nanosecond are cut off.
func parseSpan(s string) (int64, bool) {
	negative := false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		negative = s[0] == '-'
		s = s[1:]
	}
	if s == "0" {
		return 0, true
	}
	if s == "" {
		return 0, false
	}
	var total uint64
	for s != "" {
		n, rest, ok := parseSpanPart(s)
		if !ok || total+n < total || total+n > 1<<63 {
			return 0, false
		}
		total, s = total+n, rest
	}
	if negative {
		return int64(-total), true
	}
	return int64(total), total <= math.MaxInt64
}

// parseSpanPart reads a number and its unit.
func parseSpanPart(s string) (nanos uint64, rest string, ok bool) {
	i := 0
	var whole uint64
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		if whole > 1<<63/10 {
			return 0, "", false
		}
		whole = whole*10 + uint64(s[i]-'0')
	}
	digits := i
	var fraction, scale uint64 = 0, 1
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			digits++
			if scale < 1_000_000_000_000_000 {
				fraction, scale = fraction*10+uint64(s[i]-'0'), scale*10
			}
		}
	}
	if digits == 0 {
		return 0, "", false
	}
	unit, n := spanUnit(s[i:])
	if n == 0 || whole > 1<<63/unit {
		return 0, "", false
	}
	part, ok := scaled(fraction, unit, scale)
	return whole*unit + part, s[i+n:], ok
}

// spanUnit is the unit that a text begins with, in nanoseconds, and its length.
func spanUnit(s string) (uint64, int) {
	two := ""
	if len(s) >= 2 {
		two = s[:2]
	}
	switch {
	case two == "ms":
		return 1_000_000, 2
	case two == "us":
		return 1000, 2
	case two == "ns":
		return 1, 2
	case s == "":
		return 0, 0
	case s[0] == 'h':
		return 3600 * uint64(second), 1
	case s[0] == 'm':
		return 60 * uint64(second), 1
	case s[0] == 's':
		return uint64(second), 1
	}
	return 0, 0
}
