package value

import "math"

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
// allocation. Go's == does not compare them: use Equal.
type Value struct {
	kind     Kind
	fromJSON bool   // Int beyond MaxSafeInt that is written as a JSON number; see OfJSONInt
	nanos    int32  // Timestamp: nanoseconds within the second, 0..999,999,999
	bits     uint64 // Bool, Int, Uint, Double (IEEE bits), Timestamp (Unix seconds), Duration (nanoseconds)
	str      string // String, Bytes
	comp     *Composite
}

// OfBool makes a truth value.
func OfBool(b bool) Value {
	if b {
		return Value{kind: Bool, bits: 1}
	}
	return Value{kind: Bool}
}

// OfInt makes a 64-bit signed integer.
func OfInt(i int64) Value { return Value{kind: Int, bits: uint64(i)} }

// OfJSONInt makes an Int that stands inside a json value: AppendJSON writes it
// as a number, however large (transactions.md, Outcome: "Inside json a number
// is int or double and is written back as a number"). It equals OfInt(i) in
// every other respect; a typed column or parameter takes OfInt(v.Int()).
func OfJSONInt(i int64) Value {
	return Value{kind: Int, bits: uint64(i), fromJSON: i > MaxSafeInt || i < -MaxSafeInt}
}

// OfUint makes a 64-bit unsigned integer.
func OfUint(u uint64) Value { return Value{kind: Uint, bits: u} }

// OfDouble makes a double; -0 becomes 0 (transactions.md, Determinism). The
// caller has refused NaN and infinities.
func OfDouble(f float64) Value {
	if f == 0 {
		f = 0
	}
	return Value{kind: Double, bits: math.Float64bits(f)}
}

// OfString makes a string, which must be valid UTF-8.
func OfString(s string) Value { return Value{kind: String, str: s} }

// OfBytes makes a byte string; the bytes are held as an immutable string.
func OfBytes(b string) Value { return Value{kind: Bytes, str: b} }

// OfTimestamp makes an instant from Unix seconds and nanoseconds within the
// second, which must lie in the range that ValidTimestamp tells.
func OfTimestamp(seconds int64, nanos int32) Value {
	return Value{kind: Timestamp, bits: uint64(seconds), nanos: nanos}
}

// OfDuration makes a span of time in nanoseconds.
func OfDuration(nanos int64) Value { return Value{kind: Duration, bits: uint64(nanos)} }

// Kind is the value's dynamic type.
func (v Value) Kind() Kind { return v.kind }

// IsNull tells whether the value is null.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool is the content of a Bool. Like the accessors below, it means nothing on
// a value of another kind.
func (v Value) Bool() bool { return v.bits != 0 }

// Int is the content of an Int.
func (v Value) Int() int64 { return int64(v.bits) }

// Uint is the content of a Uint.
func (v Value) Uint() uint64 { return v.bits }

// Double is the content of a Double.
func (v Value) Double() float64 { return math.Float64frombits(v.bits) }

// Str is the content of a String or of Bytes.
func (v Value) Str() string { return v.str }

// Seconds is the Unix second of a Timestamp.
func (v Value) Seconds() int64 { return int64(v.bits) }

// Nanos is the nanosecond within the second of a Timestamp.
func (v Value) Nanos() int32 { return v.nanos }

// Duration is the content of a Duration, in nanoseconds.
func (v Value) Duration() int64 { return int64(v.bits) }

// IsNumber tells whether the value is an Int, a Uint or a Double.
func (v Value) IsNumber() bool { return v.kind >= Int && v.kind <= Double }

// IsKey tells whether the value may be a key of a map: a Bool, an Int, a Uint
// or a String.
func (v Value) IsKey() bool {
	return v.kind == String || v.kind == Int || v.kind == Bool || v.kind == Uint
}
