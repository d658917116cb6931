package keys

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"unicode/utf8"

	"lockstep/engine/value"
)

// Errors of Decode. Keys come from the store or from a page's cursor.
var (
	// ErrTruncated: the bytes end within a column.
	ErrTruncated = errors.New("keys: key is cut short")
	// ErrEncoding: the bytes are no encoding of a column of that kind.
	ErrEncoding = errors.New("keys: not an encoding of a key")
)

// Decode reads as many columns as there are kinds, appends their values to dst,
// and returns the bytes after them. Strings are copied. Errors are ErrTruncated
// and ErrEncoding.
func Decode(src []byte, kinds []value.Kind, dst []value.Value) (vals []value.Value, rest []byte, err error) {
	for _, k := range kinds {
		var v value.Value
		if v, src, err = DecodeOne(src, k); err != nil {
			return dst, src, err
		}
		dst = append(dst, v)
	}
	return dst, src, nil
}

// DecodeOne reads one column of a kind, which may be null.
func DecodeOne(src []byte, kind value.Kind) (v value.Value, rest []byte, err error) {
	if len(src) >= 2 && src[0] == escape && src[1] == nullMark {
		return value.Value{}, src[2:], nil
	}
	if len(src) == 0 {
		return v, src, ErrTruncated
	}
	switch kind {
	case value.Bool:
		if src[0] != codeFalse && src[0] != codeTrue {
			return v, src, ErrEncoding
		}
		return value.OfBool(src[0] == codeTrue), src[1:], nil
	case value.Int:
		i, rest, err := decodeInt(src)
		return value.OfInt(i), rest, err
	case value.Uint:
		u, rest, err := decodeUint(src)
		return value.OfUint(u), rest, err
	case value.Double:
		return decodeDouble(src)
	case value.String, value.Bytes:
		return decodeText(src, kind)
	case value.Timestamp:
		return decodeTimestamp(src)
	case value.Duration:
		i, rest, err := decodeInt(src)
		return value.OfDuration(i), rest, err
	}
	return v, src, ErrEncoding
}

func decodeInt(src []byte) (i int64, rest []byte, err error) {
	code := int(src[0])
	switch {
	case code == escape || code == 0xff:
		return 0, src, ErrEncoding
	case code >= intFirst && code <= intLast:
		return int64(code) - intZero, src[1:], nil
	case code > intLast:
		u, rest, err := decodeBytes(src, code-intLast)
		if err == nil && (int64(u) < 0 || u <= maxShortInt || byteLen(u) != code-intLast) {
			err = ErrEncoding
		}
		return int64(u), rest, err
	}
	n := intFirst - code
	u, rest, err := decodeBytes(src, n)
	if n < 8 {
		u |= math.MaxUint64 << (8 * n) // the high bytes of a negative number
	}
	if err == nil && (int64(u) >= minShortInt || byteLen(^u) != n) {
		err = ErrEncoding
	}
	return int64(u), rest, err
}

func decodeUint(src []byte) (u uint64, rest []byte, err error) {
	code := int(src[0])
	switch {
	case code == escape || code == 0xff:
		return 0, src, ErrEncoding
	case code <= intLast:
		return uint64(code - uintZero), src[1:], nil
	}
	u, rest, err = decodeBytes(src, code-intLast)
	if err == nil && (u <= maxShortUint || byteLen(u) != code-intLast) {
		err = ErrEncoding
	}
	return u, rest, err
}

// decodeBytes reads the n bytes after the first.
func decodeBytes(src []byte, n int) (u uint64, rest []byte, err error) {
	if len(src) <= n {
		return 0, src, ErrTruncated
	}
	for _, b := range src[1 : 1+n] {
		u = u<<8 | uint64(b)
	}
	return u, src[1+n:], nil
}

func decodeDouble(src []byte) (v value.Value, rest []byte, err error) {
	if len(src) < 8 {
		return v, src, ErrTruncated
	}
	b := binary.BigEndian.Uint64(src)
	if b&(1<<63) != 0 {
		b &^= 1 << 63
	} else {
		b = ^b
	}
	f := math.Float64frombits(b)
	if math.IsNaN(f) || math.IsInf(f, 0) || b == 1<<63 {
		return v, src, ErrEncoding
	}
	return value.OfDouble(f), src[8:], nil
}

// doubleBits are the IEEE bits of a double.
func doubleBits(v value.Value) uint64 { return math.Float64bits(v.Double()) }

func decodeText(src []byte, kind value.Kind) (v value.Value, rest []byte, err error) {
	var text []byte // what stands before the part, where a zero byte came between
	for rest = src; ; {
		at := bytes.IndexByte(rest, escape)
		if at < 0 || at+1 == len(rest) {
			return v, src, ErrTruncated
		}
		part, mark := rest[:at], rest[at+1]
		rest = rest[at+2:]
		switch mark {
		case escapeMark:
			text = append(append(text, part...), 0)
		case endMark:
			if len(text) > 0 {
				part = append(text, part...)
			}
			if kind == value.Bytes {
				return value.OfBytes(string(part)), rest, nil
			}
			if !utf8.Valid(part) {
				return v, src, ErrEncoding
			}
			return value.OfString(string(part)), rest, nil
		default:
			return v, src, ErrEncoding
		}
	}
}

func decodeTimestamp(src []byte) (v value.Value, rest []byte, err error) {
	seconds, rest, err := decodeInt(src)
	if err != nil {
		return v, src, err
	}
	if len(rest) == 0 {
		return v, src, ErrTruncated
	}
	nanos, rest, err := decodeUint(rest)
	if err != nil {
		return v, src, err
	}
	if nanos >= 1_000_000_000 || !value.ValidTimestamp(seconds, int32(nanos)) {
		return v, src, ErrEncoding
	}
	return value.OfTimestamp(seconds, int32(nanos)), rest, nil
}
