package value

import (
	"math"
	"unsafe"
)

// Kind is the dynamic type of a Value. The order of the constants is part of
// the binary format: append only.
type Kind uint8

// The kinds of values.
const (
	Null Kind = iota
	Bool
	Int
	Uint
	Double
	String
	Bytes
	Timestamp
	Duration
	List
	Map
	Object
)

// String names the kind as the language names the type.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "bool"
	case Int:
		return "int"
	case Uint:
		return "uint"
	case Double:
		return "double"
	case String:
		return "string"
	case Bytes:
		return "bytes"
	case Timestamp:
		return "timestamp"
	case Duration:
		return "duration"
	case List:
		return "list"
	case Map:
		return "map"
	case Object:
		return "object"
	}
	return "invalid"
}

// Value is one immutable value of the language. The zero Value is null.
// Values are passed by value and never boxed, so that scalars cost no
// allocation. Go's == does not compile on them: use Equal, or Same.
//
// Three words, because that is what passing them costs: the compiler keeps a
// struct of at most four words and four fields in registers, and copies a larger
// one through memory at every call and return. Text is therefore held as the
// parts of a Go string and put together when it is asked for.
type Value struct {
	_    [0]func()      // no == and no keys of Go maps: they would compare text by its address
	head uint64         // the kind, the mark and what goes with them; see the constants below
	bits uint64         // Bool, Int, Uint, Double (IEEE bits), Timestamp (Unix seconds), Duration (nanoseconds); else 0
	ptr  unsafe.Pointer // String, Bytes: the first byte, nil where empty; List, Map, Object: the *Composite; else nil
}

// The head of a Value, from its low end: eight bits of Kind, the mark, and from
// aside on a number of 48 bits, which no length of a text in memory exceeds.
const (
	markJSON = 1 << 8 // Int beyond MaxSafeInt that is written as a JSON number; see OfJSONInt
	aside    = 16     // String, Bytes: length in bytes; Timestamp: nanoseconds within the second; else 0
)

// OfBool makes a truth value.
func OfBool(b bool) Value {
	if b {
		return Value{head: uint64(Bool), bits: 1}
	}
	return Value{head: uint64(Bool)}
}

// OfInt makes a 64-bit signed integer.
func OfInt(i int64) Value { return Value{head: uint64(Int), bits: uint64(i)} }

// OfJSONInt makes an Int that stands inside a json value: AppendJSON writes it
// as a number, however large (transactions.md, Outcome: "Inside json a number
// is int or double and is written back as a number"). It equals OfInt(i) in
// every other respect; a typed column or parameter takes OfInt(v.Int()).
func OfJSONInt(i int64) Value {
	if i > MaxSafeInt || i < -MaxSafeInt {
		return Value{head: uint64(Int) | markJSON, bits: uint64(i)}
	}
	return OfInt(i)
}

// OfUint makes a 64-bit unsigned integer.
func OfUint(u uint64) Value { return Value{head: uint64(Uint), bits: u} }

// OfDouble makes a double; -0 becomes 0 (transactions.md, Determinism). The
// caller has refused NaN and infinities.
func OfDouble(f float64) Value {
	if f == 0 {
		f = 0
	}
	return Value{head: uint64(Double), bits: math.Float64bits(f)}
}

// OfString makes a string, which must be valid UTF-8.
func OfString(s string) Value { return ofText(String, s) }

// OfBytes makes a byte string; the bytes are held as an immutable string.
func OfBytes(b string) Value { return ofText(Bytes, b) }

// ofText makes a String or Bytes. Empty text has no pointer, so that it keeps
// nothing alive that it was cut from.
func ofText(kind Kind, s string) Value {
	if s == "" {
		return Value{head: uint64(kind)}
	}
	return Value{head: uint64(kind) | uint64(len(s))<<aside, ptr: unsafe.Pointer(unsafe.StringData(s))}
}

// OfTimestamp makes an instant from Unix seconds and nanoseconds within the
// second, which must lie in the range that ValidTimestamp tells.
func OfTimestamp(seconds int64, nanos int32) Value {
	return Value{head: uint64(Timestamp) | uint64(uint32(nanos))<<aside, bits: uint64(seconds)}
}

// OfDuration makes a span of time in nanoseconds.
func OfDuration(nanos int64) Value { return Value{head: uint64(Duration), bits: uint64(nanos)} }

// Kind is the value's dynamic type.
func (v Value) Kind() Kind { return Kind(v.head) }

// IsNull tells whether the value is null.
func (v Value) IsNull() bool { return v.Kind() == Null }

// Bool is the content of a Bool. Like the accessors below, it means nothing on
// a value of another kind.
func (v Value) Bool() bool { return v.bits != 0 }

// Int is the content of an Int.
func (v Value) Int() int64 { return int64(v.bits) }

// Uint is the content of a Uint.
func (v Value) Uint() uint64 { return v.bits }

// Double is the content of a Double.
func (v Value) Double() float64 { return math.Float64frombits(v.bits) }

// Str is the content of a String or of Bytes, and empty for any other kind.
func (v Value) Str() string {
	if v.ptr == nil {
		return ""
	}
	return unsafe.String((*byte)(v.ptr), v.head>>aside) // nothing aside in a list, map or object
}

// Seconds is the Unix second of a Timestamp.
func (v Value) Seconds() int64 { return int64(v.bits) }

// Nanos is the nanosecond within the second of a Timestamp.
func (v Value) Nanos() int32 { return int32(v.head >> aside) }

// Duration is the content of a Duration, in nanoseconds.
func (v Value) Duration() int64 { return int64(v.bits) }

// fromJSON tells whether the value bears the mark of OfJSONInt.
func (v Value) fromJSON() bool { return v.head&markJSON != 0 }

// GoString is the value as a failing test shows it (%#v): its kind and its JSON.
func (v Value) GoString() string { return v.Kind().String() + " " + string(AppendJSON(nil, v)) }

// IsNumber tells whether the value is an Int, a Uint or a Double.
func (v Value) IsNumber() bool { return v.Kind() >= Int && v.Kind() <= Double }

// IsKey tells whether the value may be a key of a map: a Bool, an Int, a Uint
// or a String.
func (v Value) IsKey() bool {
	return v.Kind() == String || v.Kind() == Int || v.Kind() == Bool || v.Kind() == Uint
}
