package value

import (
	"strconv"
	"unicode/utf8"
)

// JSONError says where and why a text is not the JSON that was wanted.
type JSONError struct {
	Offset  int    // bytes before the fault
	Pointer string // RFC 6901 pointer to the value at fault, "" for the whole
	Reason  string // what is wrong there, for the user
}

// Error shows the place and the reason.
func (e *JSONError) Error() string {
	if e.Pointer == "" {
		return "offset " + strconv.Itoa(e.Offset) + ": " + e.Reason
	}
	return e.Pointer + " (offset " + strconv.Itoa(e.Offset) + "): " + e.Reason
}

// within puts one more step in front of the pointer, as the error passes
// outwards through the containers.
func (e *JSONError) within(step string) *JSONError {
	e.Pointer = "/" + pointerStep(step) + e.Pointer
	return e
}

// pointerStep escapes a name for a JSON pointer (RFC 6901, 3).
func pointerStep(name string) string {
	var out []byte
	for i := range len(name) {
		switch name[i] {
		case '~':
			out = append(out, "~0"...)
		case '/':
			out = append(out, "~1"...)
		default:
			out = append(out, name[i])
		}
	}
	return string(out)
}

// cursor is a place in a JSON text that is read from left to right.
type cursor struct {
	src []byte
	at  int
}

// fault is the error at the present place.
func (c *cursor) fault(reason string) *JSONError {
	return &JSONError{Offset: c.at, Reason: reason}
}

// open enters a container and tells whether it is empty and left already.
func (c *cursor) open(closing byte) (closed bool) {
	c.at = skipSpace(c.src, c.at+1)
	if c.at < len(c.src) && c.src[c.at] == closing {
		c.at++
		return true
	}
	return false
}

// next passes what stands after an element: a comma, or the closing bracket.
func (c *cursor) next(closing byte) (closed bool, err *JSONError) {
	c.at = skipSpace(c.src, c.at)
	if c.at >= len(c.src) {
		return false, c.fault(reasonEnd)
	}
	found := c.src[c.at]
	if found != ',' && found != closing {
		return false, c.fault(reasonComma)
	}
	c.at++
	return found == closing, nil
}

// colon passes the colon after a name.
func (c *cursor) colon() *JSONError {
	if c.at = skipSpace(c.src, c.at); c.at >= len(c.src) || c.src[c.at] != ':' {
		return c.fault(reasonColon)
	}
	c.at++
	return nil
}

// The reasons that the scanner gives.
const (
	reasonEnd       = "the text ends too early"
	reasonValue     = "a JSON value is wanted here"
	reasonTrailing  = "more text after the value"
	reasonString    = "a string is wanted here"
	reasonControl   = "a control character in a string must be escaped"
	reasonEscape    = "no such escape in a string"
	reasonSurrogate = "a surrogate in a string without its other half"
	reasonUTF8      = "a string is not valid UTF-8"
	reasonNumber    = "not a number of JSON"
	reasonColon     = "a colon is wanted after a name"
	reasonComma     = "a comma or the closing bracket is wanted here"
	reasonTwice     = "the same name twice in one object"
	reasonDepth     = "nested too deep"
	reasonLong      = "the text is too long"
	reasonNumberFit = "number that neither an int nor a double can hold"
)

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// skipSpace is the position of the first byte from i on that is no white space.
func skipSpace(src []byte, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\n' || src[i] == '\t' || src[i] == '\r') {
		i++
	}
	return i
}

// scanNumber reads the JSON number that begins at i and says where it ends and
// whether it is written without point and exponent.
func scanNumber[T Text](src T, i int) (end int, integer, ok bool) {
	if i < len(src) && src[i] == '-' {
		i++
	}
	switch {
	case i >= len(src) || !isDigit(src[i]):
		return i, false, false
	case src[i] == '0':
		i++
	default:
		i = skipDigits(src, i)
	}
	integer = true
	if i < len(src) && src[i] == '.' {
		integer = false
		if first := i + 1; first == skipDigits(src, first) {
			return first, false, false
		}
		i = skipDigits(src, i+1)
	}
	if i < len(src) && src[i]|0x20 == 'e' {
		integer = false
		i++
		if i < len(src) && (src[i] == '+' || src[i] == '-') {
			i++
		}
		first := i
		if i = skipDigits(src, i); i == first {
			return i, false, false
		}
	}
	return i, integer, true
}

// skipDigits is the position of the first byte from i on that is no digit.
func skipDigits[T Text](src T, i int) int {
	for i < len(src) && isDigit(src[i]) {
		i++
	}
	return i
}

// scanString reads the JSON string whose opening quote stands at i. The end is
// after its closing quote; it is plain where its content stands for itself,
// without an escape. On a fault the end is its place and the reason is given.
func scanString(src []byte, i int) (end int, plain bool, reason string) {
	if i >= len(src) {
		return i, false, reasonEnd
	}
	if src[i] != '"' {
		return i, false, reasonString
	}
	plain = true
	for i++; i < len(src); {
		switch c := src[i]; {
		case c == '"':
			return i + 1, plain, ""
		case c == '\\':
			plain = false
			n, reason := scanEscape(src[i:])
			if reason != "" {
				return i, false, reason
			}
			i += n
		case c < 0x20:
			return i, false, reasonControl
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(src[i:])
			if r == utf8.RuneError && n == 1 {
				return i, false, reasonUTF8
			}
			i += n
		}
	}
	return i, false, reasonEnd
}

// scanEscape measures the escape that src begins with.
func scanEscape(src []byte) (n int, reason string) {
	if len(src) < 2 {
		return 0, reasonEnd
	}
	switch src[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, ""
	case 'u':
	default:
		return 0, reasonEscape
	}
	unit, ok := hexUnit(src)
	switch {
	case !ok:
		return 0, reasonEscape
	case unit < 0xD800 || unit > 0xDFFF:
		return 6, ""
	case unit > 0xDBFF:
		return 0, reasonSurrogate
	}
	if low, ok := hexUnit(src[6:]); ok && low >= 0xDC00 && low <= 0xDFFF {
		return 12, ""
	}
	return 0, reasonSurrogate
}

// hexUnit reads \uXXXX at the beginning of src.
func hexUnit(src []byte) (unit rune, ok bool) {
	if len(src) < 6 || src[0] != '\\' || src[1] != 'u' {
		return 0, false
	}
	for _, c := range src[2:6] {
		switch {
		case isDigit(c):
			unit = unit<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			unit = unit<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return unit, true
}

// appendUnescaped appends what the content of a string, between its quotes and
// already scanned, stands for.
func appendUnescaped(dst, content []byte) []byte {
	for i := 0; i < len(content); {
		if content[i] != '\\' {
			dst = append(dst, content[i])
			i++
			continue
		}
		r, n := unescape(content[i:])
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

// unescape is the character of the escape that src begins with and the
// escape's length.
func unescape(src []byte) (r rune, n int) {
	switch src[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(src[1]), 2
	}
	high, _ := hexUnit(src)
	if high < 0xD800 || high > 0xDFFF {
		return high, 6
	}
	low, _ := hexUnit(src[6:])
	return (high-0xD800)<<10 | (low - 0xDC00) + 0x10000, 12
}

// scanLiteral tells whether true, false or null stands at i.
func scanLiteral(src []byte, i int, word string) bool {
	return len(src)-i >= len(word) && string(src[i:i+len(word)]) == word
}
