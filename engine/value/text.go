package value

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// ParseText reads a value of a scalar kind from plain text, as the key of a row
// stands in a URL (interface.md: "text as it is, numbers decimal, bytes
// base64url", with or without padding); bools are true and false, instants RFC
// 3339, spans seconds with an s. Errors are ErrSyntax, ErrFraction, ErrNegative
// and ErrRange; a kind that is no scalar is ErrSyntax.
func ParseText(kind Kind, text string) (Value, error) {
	switch kind {
	case Bool:
		switch text {
		case "true":
			return OfBool(true), nil
		case "false":
			return OfBool(false), nil
		}
	case Int:
		return ParseIntDigits(text)
	case Uint:
		return ParseUintDigits(text)
	case Double:
		return ParseDouble(text)
	case String:
		if utf8.ValidString(text) {
			return OfString(text), nil
		}
	case Bytes:
		return parseBytesURL(text)
	case Timestamp:
		return ParseTimestamp(text)
	case Duration:
		return ParseDuration(text)
	}
	return Value{}, ErrSyntax
}

// parseBytesURL reads base64url, padded or not.
func parseBytesURL(text string) (Value, error) {
	if len(text)%4 == 0 {
		for range 2 { // four characters hold at least one byte, so at most two are padding
			text = strings.TrimSuffix(text, "=")
		}
	}
	return decodeBase64(base64.RawURLEncoding.Strict(), text)
}

// AppendText appends a scalar as ParseText reads it.
func AppendText(dst []byte, v Value) []byte {
	switch v.Kind() {
	case Bool, Int, Uint, String:
		return appendKeyText(dst, v)
	case Double:
		return AppendDouble(dst, v.Double())
	case Bytes:
		return base64.RawURLEncoding.AppendEncode(dst, []byte(v.Str()))
	case Timestamp:
		return AppendTimestamp(dst, v)
	case Duration:
		return AppendDuration(dst, v.Duration())
	}
	return dst
}
