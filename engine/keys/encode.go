package keys

import (
	"encoding/binary"
	"math/bits"
	"strings"

	"lockstep/engine/value"
)

// MaxKey is how many bytes an encoded key may have: 4 KiB, far above any key that
// is worth an index, and small enough that hundreds fit into a block of the
// store.
const MaxKey = 4 << 10

// Codes of the first byte. An int or uint that does not fit into it is followed
// by as many bytes as it takes, and the first byte says how many, so that more
// bytes sort further from zero.
const (
	codeFalse = 0x01
	codeTrue  = 0x02

	intZero     = 0x80 // the code of 0
	intFirst    = 0x09 // the code of the lowest int of one byte
	intLast     = 0xf6 // the code of the highest
	minShortInt = intFirst - intZero
	maxShortInt = intLast - intZero

	uintZero     = 0x01
	maxShortUint = intLast - uintZero

	escape     = 0x00 // begins what is special within strings, and null
	nullMark   = 0x00
	endMark    = 0x01 // after escape: the string ends
	escapeMark = 0xff // after escape: a zero byte
)

// Orderable tells whether values of the kind can stand in a key or an index.
func Orderable(k value.Kind) bool {
	switch k {
	case value.Bool, value.Int, value.Uint, value.Double, value.String, value.Bytes,
		value.Timestamp, value.Duration:
		return true
	}
	return false
}

// Append appends the encoding of one column. A list, map or object has none: it
// is a programmer's error and panics, for schemas refuse such keys.
func Append(dst []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.Null:
		return append(dst, escape, nullMark)
	case value.Bool:
		if v.Bool() {
			return append(dst, codeTrue)
		}
		return append(dst, codeFalse)
	case value.Int:
		return appendInt(dst, v.Int())
	case value.Uint:
		return appendUint(dst, v.Uint())
	case value.Double:
		return binary.BigEndian.AppendUint64(dst, flip(v))
	case value.String, value.Bytes:
		return appendText(dst, v.Str())
	case value.Timestamp:
		return appendUint(appendInt(dst, v.Seconds()), uint64(v.Nanos()))
	case value.Duration:
		return appendInt(dst, v.Duration())
	}
	panic("keys: a " + v.Kind().String() + " has no place in a key")
}

// AppendTuple appends the encodings of several columns, one after the other.
func AppendTuple(dst []byte, vals []value.Value) []byte {
	for _, v := range vals {
		dst = Append(dst, v)
	}
	return dst
}

// PrefixEnd appends the least byte string that is greater than every one that
// begins with prefix, for the end of a range. It appends nothing where there is
// none, for a prefix that is empty or of ff bytes only; the encoding of a column
// is never that.
func PrefixEnd(dst, prefix []byte) []byte {
	end := len(prefix)
	for end > 0 && prefix[end-1] == 0xff {
		end--
	}
	if end == 0 {
		return dst
	}
	dst = append(dst, prefix[:end]...)
	dst[len(dst)-1]++
	return dst
}

func appendInt(dst []byte, i int64) []byte {
	switch {
	case i >= minShortInt && i <= maxShortInt:
		return append(dst, byte(i+intZero))
	case i > 0:
		n := byteLen(uint64(i))
		return appendBytes(append(dst, byte(intLast+n)), uint64(i), n)
	}
	n := byteLen(uint64(^i))
	return appendBytes(append(dst, byte(intFirst-n)), uint64(i), n)
}

func appendUint(dst []byte, u uint64) []byte {
	if u <= maxShortUint {
		return append(dst, byte(u+uintZero))
	}
	n := byteLen(u)
	return appendBytes(append(dst, byte(intLast+n)), u, n)
}

// byteLen is how many bytes u takes without leading zeros.
func byteLen(u uint64) int { return (bits.Len64(u) + 7) / 8 }

// appendBytes appends the low n bytes of u, big end first.
func appendBytes(dst []byte, u uint64, n int) []byte {
	for n--; n >= 0; n-- {
		dst = append(dst, byte(u>>(8*n)))
	}
	return dst
}

// flip maps the bits of a double to an unsigned number of the same order.
func flip(v value.Value) uint64 {
	const sign = 1 << 63
	b := doubleBits(v)
	if b&sign != 0 {
		return ^b
	}
	return b | sign
}

func appendText(dst []byte, s string) []byte {
	for {
		zero := strings.IndexByte(s, 0)
		if zero < 0 {
			dst = append(dst, s...)
			return append(dst, escape, endMark)
		}
		dst = append(dst, s[:zero]...)
		dst = append(dst, escape, escapeMark)
		s = s[zero+1:]
	}
}
