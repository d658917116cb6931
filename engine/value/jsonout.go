package value

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the value as outcomes and rows have it (transactions.md,
// Outcome): an int or uint beyond ±(2^53-1) as a string unless it came from
// JSON, bytes as base64, instants as RFC 3339, spans as seconds with an s,
// entries of maps in key order and fields of objects in byte order of their
// names. It is valid JSON whatever the value.
func AppendJSON(dst []byte, v Value) []byte { return appendJSON(dst, v, false) }

// AppendRawJSON is AppendJSON with every int and uint as a number: the content
// of a json column.
func AppendRawJSON(dst []byte, v Value) []byte { return appendJSON(dst, v, true) }

func appendJSON(dst []byte, v Value, raw bool) []byte {
	switch v.Kind() {
	case Null:
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, v.Bool())
	case Int:
		return appendInt(dst, v.Int(), raw || v.fromJSON())
	case Uint:
		if v.bits > MaxSafeInt && !raw {
			dst = append(dst, '"')
			dst = strconv.AppendUint(dst, v.bits, 10)
			return append(dst, '"')
		}
		return strconv.AppendUint(dst, v.bits, 10)
	case Double:
		return AppendDouble(dst, v.Double())
	case String:
		return AppendJSONString(dst, v.Str())
	case Bytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(v.Str()))
		return append(dst, '"')
	case Timestamp:
		dst = append(dst, '"')
		dst = AppendTimestamp(dst, v)
		return append(dst, '"')
	case Duration:
		dst = append(dst, '"')
		dst = AppendDuration(dst, v.Duration())
		return append(dst, '"')
	case List:
		return appendList(dst, v.Comp(), raw)
	case Map:
		return appendMap(dst, v.Comp(), raw)
	}
	return appendObject(dst, v.Comp(), raw)
}

// appendInt appends an int as a number where every reader keeps it, or where it
// stands in JSON anyway.
func appendInt(dst []byte, i int64, number bool) []byte {
	if number || (i >= -MaxSafeInt && i <= MaxSafeInt) {
		return strconv.AppendInt(dst, i, 10)
	}
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, i, 10)
	return append(dst, '"')
}

func appendList(dst []byte, c *Composite, raw bool) []byte {
	dst = append(dst, '[')
	for i, e := range c.elems {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSON(dst, e, raw)
	}
	return append(dst, ']')
}

func appendMap(dst []byte, c *Composite, raw bool) []byte {
	dst = append(dst, '{')
	for i, k := range c.keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		if k.Kind() == String {
			dst = AppendJSONString(dst, k.Str())
		} else {
			dst = append(dst, '"')
			dst = appendKeyText(dst, k)
			dst = append(dst, '"')
		}
		dst = append(dst, ':')
		dst = appendJSON(dst, c.elems[i], raw)
	}
	return append(dst, '}')
}

func appendObject(dst []byte, c *Composite, raw bool) []byte {
	dst = append(dst, '{')
	for n, i := range c.shape.sorted {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.shape.quoted[i]...)
		dst = appendJSON(dst, c.elems[i], raw)
	}
	return append(dst, '}')
}

// AppendJSONString appends a string of JSON with the escapes of RFC 8785 and no
// others. What is not valid UTF-8 is replaced by U+FFFD.
func AppendJSONString[T Text](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := decodeRune(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(dst, s[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// decodeRune reads one character of text or bytes.
func decodeRune[T Text](s T) (rune, int) {
	return utf8.DecodeRuneInString(string(s[:min(len(s), utf8.UTFMax)]))
}

// appendEscape appends the escape of one character below 0x20, a quote or a
// backslash.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
