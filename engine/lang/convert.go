package lang

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"

	"lockstep/engine/value"
)

func conversionTable() []function {
	return []function{
		{"bool", unaryOf(toBool), []string{"bool -> bool", "string -> bool"}},
		{"int", unaryOf(toInt), []string{"int -> int", "uint -> int", "double -> int", "string -> int", "timestamp -> int"}},
		{"uint", unaryOf(toUint), []string{"uint -> uint", "int -> uint", "double -> uint", "string -> uint"}},
		{"double", unaryOf(toDouble), []string{"double -> double", "int -> double", "uint -> double", "string -> double"}},
		{"string", unaryOf(toString), []string{"string -> string", "bool -> string", "int -> string", "uint -> string",
			"double -> string", "bytes -> string", "timestamp -> string", "duration -> string"}},
		{"bytes", unaryOf(toBytes), []string{"bytes -> bytes", "string -> bytes"}},
		{"timestamp", unaryOf(toTimestamp), []string{"timestamp -> timestamp", "string -> timestamp", "int -> timestamp"}},
		{"duration", unaryOf(toDuration), []string{"duration -> duration", "string -> duration"}},
		{"dyn", unaryOf(func(_ *Frame, a value.Value) (value.Value, *Fault) { return a, nil }), []string{"A -> dyn"}},
		{"sha256", unaryOf(hash), []string{"bytes -> bytes", "string -> bytes"}},
		{"sha512", unaryOf(hash512), []string{"bytes -> bytes", "string -> bytes"}},
		{"hex", unaryOf(toHex), []string{"bytes -> string"}},
		{"fromHex", unaryOf(fromHex), []string{"string -> bytes"}},
		{"base64", unaryOf(toBase64), []string{"bytes -> string"}},
		{"fromBase64", unaryOf(fromBase64), []string{"string -> bytes"}},
	}
}

// unconvertible is the fault of a value that has no counterpart in a type.
func unconvertible(to string, v value.Value) (value.Value, *Fault) {
	return value.Value{}, fault2(FaultConversion, to, show(v))
}

func toBool(_ *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Bool:
		return a, nil
	case value.String:
		switch a.Str() {
		case "true", "True", "TRUE", "t", "1":
			return value.OfBool(true), nil
		case "false", "False", "FALSE", "f", "0":
			return value.OfBool(false), nil
		}
		return unconvertible("bool", a)
	}
	return noOperation("bool", a)
}

func toInt(f *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Int:
		return a, nil
	case value.Uint:
		if a.Uint() > math.MaxInt64 {
			return unconvertible("int", a)
		}
		return value.OfInt(int64(a.Uint())), nil
	case value.Double:
		// Towards zero. The bounds are exact doubles; -2^63 is refused with them, as CEL does.
		if d := a.Double(); d > -(1<<63) && d < 1<<63 {
			return value.OfInt(int64(d)), nil
		}
		return unconvertible("int", a)
	case value.String:
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		v, err := value.ParseIntDigits(a.Str())
		if err != nil {
			return unconvertible("int", a)
		}
		return v, nil
	case value.Timestamp:
		return value.OfInt(a.Seconds()), nil
	}
	return noOperation("int", a)
}

func toUint(f *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Uint:
		return a, nil
	case value.Int:
		if a.Int() < 0 {
			return unconvertible("uint", a)
		}
		return value.OfUint(uint64(a.Int())), nil
	case value.Double:
		if d := a.Double(); d >= 0 && d < 1<<64 {
			return value.OfUint(uint64(d)), nil
		}
		return unconvertible("uint", a)
	case value.String:
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		v, err := value.ParseUintDigits(a.Str())
		if err != nil {
			return unconvertible("uint", a)
		}
		return v, nil
	}
	return noOperation("uint", a)
}

func toDouble(f *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Double:
		return a, nil
	case value.Int:
		return value.OfDouble(float64(a.Int())), nil
	case value.Uint:
		return value.OfDouble(float64(a.Uint())), nil
	case value.String:
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		v, err := value.ParseDouble(a.Str())
		if err != nil {
			return unconvertible("double", a)
		}
		return v, nil
	}
	return noOperation("double", a)
}

func toString(f *Frame, a value.Value) (value.Value, *Fault) {
	var scratch [40]byte
	switch a.Kind() {
	case value.String:
		return a, nil
	case value.Bool:
		return value.OfString(strconv.FormatBool(a.Bool())), nil
	case value.Int, value.Uint, value.Double, value.Timestamp, value.Duration:
		return value.OfString(string(value.AppendText(scratch[:0], a))), nil
	case value.Bytes:
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		if !utf8.ValidString(a.Str()) {
			return value.Value{}, fault(FaultNotText, "string")
		}
		return value.OfString(a.Str()), nil
	}
	return noOperation("string", a)
}

func toBytes(_ *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Bytes:
		return a, nil
	case value.String:
		return value.OfBytes(a.Str()), nil
	}
	return noOperation("bytes", a)
}

func toTimestamp(f *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Timestamp:
		return a, nil
	case value.Int:
		if !value.ValidTimestamp(a.Int(), 0) {
			return unconvertible("timestamp", a)
		}
		return value.OfTimestamp(a.Int(), 0), nil
	case value.String:
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		v, err := value.ParseTimestamp(a.Str())
		if err != nil {
			return unconvertible("timestamp", a)
		}
		return v, nil
	}
	return noOperation("timestamp", a)
}

func toDuration(f *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Duration:
		return a, nil
	case value.String:
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		n, ok := parseSpan(a.Str())
		if !ok {
			return unconvertible("duration", a)
		}
		return value.OfDuration(n), nil
	}
	return noOperation("duration", a)
}

// keyText is a map's key as JSON writes it.
func keyText(k value.Value) string {
	if k.Kind() == value.String {
		return k.Str()
	}
	return string(value.AppendText(nil, k))
}

func toHex(f *Frame, a value.Value) (value.Value, *Fault) {
	if a.Kind() != value.Bytes {
		return noOperation("hex", a)
	}
	n := hex.EncodedLen(len(a.Str()))
	if ft := f.room(n); ft != nil {
		return value.Value{}, ft
	}
	return value.OfString(hex.EncodeToString([]byte(a.Str()))), nil
}

func toBase64(f *Frame, a value.Value) (value.Value, *Fault) {
	if a.Kind() != value.Bytes {
		return noOperation("base64", a)
	}
	if ft := f.room(base64.StdEncoding.EncodedLen(len(a.Str()))); ft != nil {
		return value.Value{}, ft
	}
	return value.OfString(base64.StdEncoding.EncodeToString([]byte(a.Str()))), nil
}

func fromHex(f *Frame, a value.Value) (value.Value, *Fault) {
	if a.Kind() != value.String {
		return noOperation("fromHex", a)
	}
	if ft := f.room(len(a.Str())); ft != nil {
		return value.Value{}, ft
	}
	b, err := hex.DecodeString(a.Str())
	if err != nil {
		return unconvertible("hex", a)
	}
	return value.OfBytes(string(b)), nil
}

func fromBase64(f *Frame, a value.Value) (value.Value, *Fault) {
	if a.Kind() != value.String {
		return noOperation("fromBase64", a)
	}
	if ft := f.room(len(a.Str())); ft != nil {
		return value.Value{}, ft
	}
	v, err := value.ParseBytes(a.Str())
	if err != nil {
		return unconvertible("base64", a)
	}
	return v, nil
}

// room takes the cost of making a text of n bytes, and refuses one that is over
// the limits.
func (f *Frame) room(n int) *Fault {
	if n > value.MaxBytes {
		return &Fault{Kind: FaultTooLarge}
	}
	return f.chargeText(n)
}
