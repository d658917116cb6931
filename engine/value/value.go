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

// Value is one immutable value of the language. The zero Value is null.
// Values are passed by value and never boxed, so that scalars cost no
// allocation.
type Value struct {
	kind  Kind
	nanos int32  // Timestamp: nanoseconds within the second, 0..999,999,999
	bits  uint64 // Bool, Int, Uint, Double (IEEE bits), Timestamp (Unix seconds), Duration (nanoseconds)
	str   string // String, Bytes
	comp  *Composite
}

// Composite is the shared, immutable body of a list, a map or an object.
type Composite struct {
	elems []Value // list: elements; map: values in key order; object: fields in the shape's order
	keys  []Value // map only: strictly ascending by CompareKeys
	shape *Shape  // object only
	size  Size    // deep size, this composite included
}

// Size is the deep size of a value, which the language's limits are stated in.
// Shared parts count as often as they are reached.
type Size struct {
	Nodes int // values, containers included
	Bytes int // bytes of text and binary data
}

// Shape names the fields of an object type: a table's row, a declared params
// object. Shapes are compared by pointer.
type Shape struct {
	Name   string
	Fields []string
	sorted []int          // positions of Fields in byte order of the names
	index  map[string]int // position by name
}

// OfBool, OfInt … make scalars.
func OfBool(b bool) Value {
	if b {
		return Value{kind: Bool, bits: 1}
	}
	return Value{kind: Bool}
}

// OfInt makes a 64-bit signed integer.
func OfInt(i int64) Value { return Value{kind: Int, bits: uint64(i)} }

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

// OfTimestamp makes an instant from Unix seconds and nanoseconds within the second.
func OfTimestamp(seconds int64, nanos int32) Value {
	return Value{kind: Timestamp, bits: uint64(seconds), nanos: nanos}
}

// OfDuration makes a span of time in nanoseconds.
func OfDuration(nanos int64) Value { return Value{kind: Duration, bits: uint64(nanos)} }

// Kind is the value's dynamic type.
func (v Value) Kind() Kind { return v.kind }

// IsNull tells whether the value is null.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool, Int … return the content; they are meaningful for that kind only.
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

// Comp is the body of a List, Map or Object.
func (v Value) Comp() *Composite { return v.comp }
