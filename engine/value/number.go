package value

import (
	"encoding/base64"
	"math"
	"math/bits"
	"strconv"
)

// Text is what the parsers read: text or bytes, without copying either.
type Text interface{ ~string | ~[]byte }

// decimal is a number of JSON, exactly: ±mantissa × 10^exponent, where the
// mantissa has no trailing zero.
type decimal struct {
	negative bool
	mantissa uint64
	long     bool  // the mantissa has more digits than 64 bits hold
	exponent int64 // saturates far beyond every range
}

// exponentCap keeps sums of exponents and counts of digits from overflowing.
const exponentCap = 1 << 40

// parseDecimal reads a whole text that has the form of a JSON number; it is not
// ok for any other.
func parseDecimal[T Text](text T) (d decimal, ok bool) {
	end, _, ok := scanNumber(text, 0)
	if !ok || end != len(text) {
		return d, false
	}
	i := 0
	if text[0] == '-' {
		d.negative = true
		i++
	}
	var zeros int64 // zeros not yet known to be trailing
	fraction := false
	for ; i < end; i++ {
		c := text[i]
		if c == '.' {
			fraction = true
			continue
		}
		if !isDigit(c) {
			break // e or E
		}
		if fraction {
			d.exponent--
		}
		if c == '0' {
			if d.mantissa != 0 || d.long {
				zeros++
			}
			continue
		}
		d.push(zeros, c-'0')
		zeros = 0
	}
	if d.mantissa == 0 && !d.long {
		return decimal{}, true
	}
	d.exponent += zeros
	if i < end {
		d.exponent += parseExponent(text[i+1 : end])
	}
	return d, true
}

// push appends zeros and one digit to the mantissa.
func (d *decimal) push(zeros int64, digit byte) {
	for range min(zeros, 20) {
		d.grow(0)
	}
	d.grow(uint64(digit))
}

// grow appends one digit to the mantissa, or gives it up as too long.
func (d *decimal) grow(digit uint64) {
	hi, lo := bits.Mul64(d.mantissa, 10)
	lo, carry := bits.Add64(lo, digit, 0)
	if d.long || hi+carry != 0 {
		d.long = true
		return
	}
	d.mantissa = lo
}

// parseExponent reads the digits of an exponent, with their sign, and
// saturates.
func parseExponent[T Text](text T) int64 {
	var n int64
	for i := range len(text) {
		if isDigit(text[i]) {
			n = min(n*10+int64(text[i]-'0'), exponentCap)
		}
	}
	if text[0] == '-' {
		return -n
	}
	return n
}

// whole is the magnitude of the number, where that is an integer of 64 bits.
func (d decimal) whole() (uint64, error) {
	if d.exponent < 0 {
		return 0, ErrFraction
	}
	if d.long || d.exponent > 19 {
		return 0, ErrRange
	}
	magnitude := d.mantissa
	for range d.exponent {
		hi, lo := bits.Mul64(magnitude, 10)
		if hi != 0 {
			return 0, ErrRange
		}
		magnitude = lo
	}
	return magnitude, nil
}

// signed is the number as an int64.
func (d decimal) signed() (int64, error) {
	magnitude, err := d.whole()
	if err != nil {
		return 0, err
	}
	if d.negative {
		if magnitude > 1<<63 {
			return 0, ErrRange
		}
		return int64(-magnitude), nil
	}
	if magnitude > math.MaxInt64 {
		return 0, ErrRange
	}
	return int64(magnitude), nil
}

// ParseInt reads a JSON number without a fractional value (1.0 and 1e3 are
// fine) as an Int, exactly. Errors are ErrSyntax, ErrFraction and ErrRange.
func ParseInt[T Text](number T) (Value, error) {
	if i, ok := shortInt(number); ok {
		return OfInt(i), nil
	}
	d, ok := parseDecimal(number)
	if !ok {
		return Value{}, ErrSyntax
	}
	i, err := d.signed()
	return OfInt(i), err
}

// ParseUint reads a JSON number without a fractional value as a Uint, exactly.
// Errors are those of ParseInt and ErrNegative.
func ParseUint[T Text](number T) (Value, error) {
	d, ok := parseDecimal(number)
	if !ok {
		return Value{}, ErrSyntax
	}
	magnitude, err := d.whole()
	if err != nil {
		return Value{}, err
	}
	if d.negative {
		return Value{}, ErrNegative
	}
	return OfUint(magnitude), nil
}

// ParseIntDigits reads the content of a JSON string, digits with a minus sign
// where there is one, as an Int: the form in which large ints are written.
func ParseIntDigits[T Text](digits T) (Value, error) {
	if !isInteger(digits) {
		return Value{}, ErrSyntax
	}
	return ParseInt(digits)
}

// ParseUintDigits is ParseIntDigits for a Uint.
func ParseUintDigits[T Text](digits T) (Value, error) {
	if !isInteger(digits) {
		return Value{}, ErrSyntax
	}
	return ParseUint(digits)
}

// isInteger tells whether the whole text is a JSON number without point and
// exponent.
func isInteger[T Text](text T) bool {
	end, integer, ok := scanNumber(text, 0)
	return ok && integer && end == len(text)
}

// shortInt reads an integer of up to 18 digits, nearly all there are, fast.
func shortInt[T Text](text T) (int64, bool) {
	i := 0
	if len(text) > 0 && text[0] == '-' {
		i++
	}
	first := i
	if len(text) == first || len(text) > first+18 || (text[first] == '0' && len(text) > first+1) {
		return 0, false
	}
	var n int64
	for ; i < len(text); i++ {
		if !isDigit(text[i]) {
			return 0, false
		}
		n = n*10 + int64(text[i]-'0')
	}
	if first == 1 {
		n = -n
	}
	return n, true
}

// ParseDouble reads any JSON number as the nearest Double. Errors are ErrSyntax
// and, where it would be infinite, ErrRange.
func ParseDouble[T Text](number T) (Value, error) {
	if end, _, ok := scanNumber(number, 0); !ok || end != len(number) {
		return Value{}, ErrSyntax
	}
	f, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return Value{}, ErrRange
	}
	return OfDouble(f), nil
}

// AppendDouble appends a double as ECMAScript and RFC 8785 do: the shortest
// digits that read back as the same double, with an exponent below 1e-6 and
// from 1e21 on.
func AppendDouble(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0')
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-2] == '0' { // e-07 is written e-7
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// ParseBytes reads base64 in the standard alphabet with padding, as outcomes
// have it. The only error is ErrSyntax.
func ParseBytes[T Text](text T) (Value, error) {
	return decodeBase64(base64.StdEncoding.Strict(), text)
}

// decodeBase64 refuses the line breaks that Go's decoder would pass over, since
// one value has one text.
func decodeBase64[T Text](encoding *base64.Encoding, text T) (Value, error) {
	for i := range len(text) {
		if text[i] == '\n' || text[i] == '\r' {
			return Value{}, ErrSyntax
		}
	}
	b, err := encoding.DecodeString(string(text))
	if err != nil {
		return Value{}, ErrSyntax
	}
	return OfBytes(string(b)), nil
}
