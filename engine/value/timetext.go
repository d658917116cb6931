package value

import "strconv"

// AppendTimestamp appends an instant as RFC 3339 in UTC with Z, its fraction
// without trailing zeros: 2026-11-23T10:00:00.123Z.
func AppendTimestamp(dst []byte, instant Value) []byte {
	c := CivilOf(instant.Seconds())
	dst = appendDigits(dst, c.Year, 4)
	dst = append(dst, '-')
	dst = appendDigits(dst, c.Month, 2)
	dst = append(dst, '-')
	dst = appendDigits(dst, c.Day, 2)
	dst = append(dst, 'T')
	dst = appendDigits(dst, c.Hour, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, c.Minute, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, c.Second, 2)
	dst = appendFraction(dst, int(instant.Nanos()))
	return append(dst, 'Z')
}

// AppendDuration appends a span as seconds with an s: 90s, -0.5s, 0.000000001s.
func AppendDuration(dst []byte, nanos int64) []byte {
	magnitude := uint64(nanos)
	if nanos < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	dst = strconv.AppendUint(dst, magnitude/nanosPerSecond, 10)
	dst = appendFraction(dst, int(magnitude%nanosPerSecond))
	return append(dst, 's')
}

// appendDigits appends n with leading zeros to the width.
func appendDigits(dst []byte, n, width int) []byte {
	start := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := start + width - 1; i >= start; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

// appendFraction appends nanoseconds as a decimal fraction, nothing where they
// are 0.
func appendFraction(dst []byte, nanos int) []byte {
	if nanos == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendDigits(dst, nanos, 9)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// ParseTimestamp reads an instant in RFC 3339, with Z or an offset and up to
// nine digits of a fraction. Errors are ErrSyntax and, for an instant outside
// the years 1 to 9999 or a date that no calendar has, ErrRange. A leap second
// (:60) is refused, since the count of Unix seconds has no place for it.
func ParseTimestamp[T Text](text T) (Value, error) {
	p := timeParser[T]{text: text}
	year := p.digits(4)
	p.literal('-')
	month := p.digits(2)
	p.literal('-')
	day := p.digits(2)
	p.letter('T')
	hour := p.digits(2)
	p.literal(':')
	minute := p.digits(2)
	p.literal(':')
	second := p.digits(2)
	nanos := p.fraction()
	offset := p.offset()
	if p.bad || p.at != len(text) {
		return Value{}, ErrSyntax
	}
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour > 23 || minute > 59 || second > 59 {
		return Value{}, ErrRange
	}
	seconds := daysOf(year, month, day)*secondsPerDay + int64(hour*3600+minute*60+second) - int64(offset)
	if !ValidTimestamp(seconds, nanos) {
		return Value{}, ErrRange
	}
	return OfTimestamp(seconds, nanos), nil
}

// timeParser reads fixed forms from left to right and remembers whether any of
// them was missing.
type timeParser[T Text] struct {
	text T
	at   int
	bad  bool
}

// peek is the next byte, 0 at the end.
func (p *timeParser[T]) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

// literal wants one byte.
func (p *timeParser[T]) literal(c byte) {
	if p.peek() != c {
		p.bad = true
		return
	}
	p.at++
}

// letter wants an upper case letter, in either case (RFC 3339, 5.6).
func (p *timeParser[T]) letter(c byte) {
	if p.peek()&^0x20 != c {
		p.bad = true
		return
	}
	p.at++
}

// digits wants exactly n digits.
func (p *timeParser[T]) digits(n int) int {
	value := 0
	for range n {
		c := p.peek()
		if !isDigit(c) {
			p.bad = true
			return 0
		}
		value = value*10 + int(c-'0')
		p.at++
	}
	return value
}

// fraction reads a point and one to nine digits, or nothing, as nanoseconds.
func (p *timeParser[T]) fraction() int32 {
	if p.peek() != '.' {
		return 0
	}
	p.at++
	nanos, unit := int32(0), int32(nanosPerSecond)
	for isDigit(p.peek()) {
		unit /= 10
		if unit == 0 {
			p.bad = true // a tenth digit would be lost
			return 0
		}
		nanos += int32(p.peek()-'0') * unit
		p.at++
	}
	if unit == nanosPerSecond {
		p.bad = true
	}
	return nanos
}

// offset reads Z or ±hh:mm, as seconds east of UTC.
func (p *timeParser[T]) offset() int {
	sign := 1
	switch p.peek() {
	case '-':
		sign = -1
	case '+':
	default:
		p.letter('Z')
		return 0
	}
	p.at++
	hours := p.digits(2)
	p.literal(':')
	minutes := p.digits(2)
	if hours > 23 || minutes > 59 {
		p.bad = true
	}
	return sign * (hours*3600 + minutes*60)
}

// ParseDuration reads a span in seconds with an s, as AppendDuration writes it:
// up to nine digits of a fraction. Errors are ErrSyntax and ErrRange (over about
// 292 years).
func ParseDuration[T Text](text T) (Value, error) {
	p := timeParser[T]{text: text}
	negative := p.peek() == '-'
	if negative {
		p.at++
	}
	if !isDigit(p.peek()) {
		return Value{}, ErrSyntax
	}
	var seconds uint64
	tooLong := false
	for ; isDigit(p.peek()); p.at++ {
		if seconds > 1<<63/nanosPerSecond {
			tooLong = true
			continue
		}
		seconds = seconds*10 + uint64(p.peek()-'0')
	}
	nanos := p.fraction()
	p.literal('s')
	if p.bad || p.at != len(text) {
		return Value{}, ErrSyntax
	}
	if tooLong || seconds > 1<<63/nanosPerSecond {
		return Value{}, ErrRange
	}
	return signedDuration(negative, seconds*nanosPerSecond+uint64(nanos))
}

// signedDuration puts sign and magnitude together, if 64 bits hold them.
func signedDuration(negative bool, magnitude uint64) (Value, error) {
	limit := uint64(1<<63 - 1)
	if negative {
		limit++
	}
	if magnitude > limit {
		return Value{}, ErrRange
	}
	if negative {
		return OfDuration(int64(-magnitude)), nil
	}
	return OfDuration(int64(magnitude)), nil
}
