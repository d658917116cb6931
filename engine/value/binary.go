package value

import (
	"encoding/binary"
	"math"
)

// The binary form of a value: one byte of tag, then what the tag calls for.
// Counts and lengths are unsigned varints (LEB128), signed numbers are zigzag
// varints, doubles eight bytes, big end first. Every value has exactly one
// form, so equal bytes mean the same value and the other way round. The form has
// no version of its own: what contains it (an entry, a row) has one.
//
//	0x00 null   0x01 false   0x02 true
//	0x03 int: zigzag                       0x40..0x7f  int 0..63
//	0x04 uint: varint
//	0x05 double: IEEE 754
//	0x06 string: length, bytes             0x80..0xff  string of 0..127 bytes
//	0x07 bytes: length, bytes
//	0x08 timestamp: zigzag seconds, varint nanoseconds
//	0x09 duration: zigzag nanoseconds
//	0x0a list: count, elements
//	0x0b map: count, key and value in turn, keys ascending
//	0x0c object: count, fields in the order of the shape
//	0x0d int of a json value that is written as a number: zigzag
const (
	tagNull      = 0x00
	tagFalse     = 0x01
	tagTrue      = 0x02
	tagInt       = 0x03
	tagUint      = 0x04
	tagDouble    = 0x05
	tagString    = 0x06
	tagBytes     = 0x07
	tagTimestamp = 0x08
	tagDuration  = 0x09
	tagList      = 0x0a
	tagMap       = 0x0b
	tagObject    = 0x0c
	tagJSONInt   = 0x0d

	tagSmallInt    = 0x40 // | the int
	tagShortString = 0x80 // | the length

	smallInts    = 0x40
	shortStrings = 0x80
)

// AppendBinary appends the binary form of the value. The caller has refused
// what is TooLarge: DecodeBinary does not read what nests over MaxDepth.
func AppendBinary(dst []byte, v Value) []byte {
	switch v.Kind() {
	case Null:
		return append(dst, tagNull)
	case Bool:
		return append(dst, tagFalse+byte(v.bits))
	case Int:
		return appendBinaryInt(dst, v)
	case Uint:
		return binary.AppendUvarint(append(dst, tagUint), v.bits)
	case Double:
		return binary.BigEndian.AppendUint64(append(dst, tagDouble), v.bits)
	case String:
		if len(v.Str()) < shortStrings {
			dst = append(dst, tagShortString|byte(len(v.Str())))
			return append(dst, v.Str()...)
		}
		dst = binary.AppendUvarint(append(dst, tagString), uint64(len(v.Str())))
		return append(dst, v.Str()...)
	case Bytes:
		dst = binary.AppendUvarint(append(dst, tagBytes), uint64(len(v.Str())))
		return append(dst, v.Str()...)
	case Timestamp:
		dst = binary.AppendVarint(append(dst, tagTimestamp), v.Seconds())
		return binary.AppendUvarint(dst, uint64(v.Nanos()))
	case Duration:
		return binary.AppendVarint(append(dst, tagDuration), v.Duration())
	case List:
		return appendElems(append(dst, tagList), v.Comp().elems)
	case Map:
		return appendEntries(append(dst, tagMap), v.Comp())
	}
	return appendElems(append(dst, tagObject), v.Comp().elems)
}

func appendBinaryInt(dst []byte, v Value) []byte {
	switch {
	case v.bits < smallInts:
		return append(dst, tagSmallInt|byte(v.bits))
	case v.fromJSON():
		dst = append(dst, tagJSONInt)
	default:
		dst = append(dst, tagInt)
	}
	return binary.AppendVarint(dst, v.Int())
}

func appendElems(dst []byte, elems []Value) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(elems)))
	for _, e := range elems {
		dst = AppendBinary(dst, e)
	}
	return dst
}

func appendEntries(dst []byte, c *Composite) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c.keys)))
	for i, k := range c.keys {
		dst = AppendBinary(dst, k)
		dst = AppendBinary(dst, c.elems[i])
	}
	return dst
}

// finite tells whether bits are a double that the language has: neither NaN nor
// infinite nor -0.
func finite(bits uint64) bool {
	f := math.Float64frombits(bits)
	return !math.IsNaN(f) && !math.IsInf(f, 0) && bits != 1<<63
}
