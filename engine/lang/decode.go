package lang

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"lockstep/engine/value"
)

// JSONError is why JSON is no value of a declared type.
type JSONError struct {
	Pointer   string // RFC 6901, from the beginning of the decoder's input
	Reason    string // reads on after the place: "is missing"
	Malformed bool   // it is not JSON at all, or JSON that no type takes
}

// Error makes a JSONError usable as an error of Go.
func (e *JSONError) Error() string { return e.Pointer + ": " + e.Reason }

// DecodeJSON reads the decoder's next value as one of a declared type, in the
// forms that outcomes are written in: an int may be a number without a
// fractional value or a string of digits, bytes are base64, and so on. Objects
// have all the fields of their type, save nullable ones, and no others. Sizes
// are not judged here.
func DecodeJSON(dec *jsontext.Decoder, t Type) (value.Value, *JSONError) {
	switch dec.PeekKind() {
	case 0:
		_, err := dec.ReadToken()
		return value.Value{}, malformed(dec, err)
	case 'n':
		if _, err := dec.ReadToken(); err != nil {
			return value.Value{}, malformed(dec, err)
		}
		if !t.takesNull() {
			return value.Value{}, wrong(dec, t, "null")
		}
		return value.Value{}, nil
	}
	switch t.Kind {
	case KJSON:
		return decodeAny(dec)
	case KList:
		return decodeList(dec, t.elem())
	case KMap:
		return decodeMap(dec, t)
	case KObject:
		return decodeObject(dec, t.Object)
	}
	return decodeScalar(dec, t)
}

// decodeAny reads an undeclared value.
func decodeAny(dec *jsontext.Decoder) (value.Value, *JSONError) {
	raw, err := dec.ReadValue()
	if err != nil {
		return value.Value{}, malformed(dec, err)
	}
	at := string(dec.StackPointer())
	v, err := value.FromJSON(raw)
	if err == nil {
		return v, nil
	}
	out := &JSONError{Pointer: at, Reason: err.Error(), Malformed: true}
	var je *value.JSONError
	if errors.As(err, &je) {
		out.Pointer, out.Reason = at+je.Pointer, je.Reason
	}
	return value.Value{}, out
}

func decodeScalar(dec *jsontext.Decoder, t Type) (value.Value, *JSONError) {
	kind := dec.PeekKind()
	raw, err := dec.ReadValue()
	if err != nil {
		return value.Value{}, malformed(dec, err)
	}
	switch kind {
	case '0':
		v, err := decodeNumber(raw, t.Kind)
		if err != nil {
			return value.Value{}, unfit(dec, t, string(raw), err)
		}
		return v, nil
	case '"':
		text, err := unquote(raw)
		if err != nil {
			return value.Value{}, malformed(dec, err)
		}
		v, err := decodeText(text, t.Kind)
		if err != nil {
			return value.Value{}, unfit(dec, t, "the string", err)
		}
		return v, nil
	case 't', 'f':
		if t.Kind == KBool {
			return value.OfBool(kind == 't'), nil
		}
		return value.Value{}, wrong(dec, t, "a bool")
	case '[':
		return value.Value{}, wrong(dec, t, "a list")
	}
	return value.Value{}, wrong(dec, t, "an object")
}

// decodeNumber reads a JSON number as a value of a type.
func decodeNumber(raw []byte, k Kind) (value.Value, error) {
	switch k {
	case KInt:
		return value.ParseInt(raw)
	case KUint:
		return value.ParseUint(raw)
	case KDouble:
		return value.ParseDouble(raw)
	}
	return value.Value{}, errKind
}

// decodeText reads the content of a JSON string as a value of a type.
func decodeText(text string, k Kind) (value.Value, error) {
	switch k {
	case KString:
		return value.OfString(text), nil
	case KInt:
		return value.ParseIntDigits(text)
	case KUint:
		return value.ParseUintDigits(text)
	case KBytes:
		return value.ParseBytes(text)
	case KTimestamp:
		return value.ParseTimestamp(text)
	case KDuration:
		return value.ParseDuration(text)
	}
	return value.Value{}, errKind
}

// errKind means that a type is not written so at all.
var errKind = errors.New("another type of JSON")

// unquote is the content of a JSON string.
func unquote(raw []byte) (string, error) {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	out, err := jsontext.AppendUnquote(nil, raw)
	return string(out), err
}

func decodeList(dec *jsontext.Decoder, elem Type) (value.Value, *JSONError) {
	if p := open(dec, '[', "list"); p != nil {
		return value.Value{}, p
	}
	var out []value.Value
	for dec.PeekKind() != ']' {
		v, p := DecodeJSON(dec, elem)
		if p != nil {
			return value.Value{}, p
		}
		out = append(out, v)
	}
	if _, err := dec.ReadToken(); err != nil {
		return value.Value{}, malformed(dec, err)
	}
	return value.OfList(out), nil
}

func decodeMap(dec *jsontext.Decoder, t Type) (value.Value, *JSONError) {
	if t.key().Kind != KString {
		return value.Value{}, wrong(dec, t, "an object")
	}
	if p := open(dec, '{', "object"); p != nil {
		return value.Value{}, p
	}
	var keys, vals []value.Value
	for dec.PeekKind() != '}' {
		name, p := memberName(dec)
		if p != nil {
			return value.Value{}, p
		}
		v, p := DecodeJSON(dec, t.elem())
		if p != nil {
			return value.Value{}, p
		}
		keys, vals = append(keys, value.OfString(name)), append(vals, v)
	}
	if _, err := dec.ReadToken(); err != nil {
		return value.Value{}, malformed(dec, err)
	}
	m, ok := value.OfMap(keys, vals)
	if !ok {
		return value.Value{}, &JSONError{Pointer: string(dec.StackPointer()), Reason: "has a name twice", Malformed: true}
	}
	return m, nil
}

func decodeObject(dec *jsontext.Decoder, o *ObjectType) (value.Value, *JSONError) {
	if p := open(dec, '{', "object"); p != nil {
		return value.Value{}, p
	}
	fields := make([]value.Value, len(o.Fields))
	var few [1]uint64 // which fields have been seen, without an allocation for the usual number
	seen := few[:]
	if len(o.Fields) > 64 {
		seen = make([]uint64, (len(o.Fields)+63)/64)
	}
	for dec.PeekKind() != '}' {
		name, p := memberName(dec)
		if p != nil {
			return value.Value{}, p
		}
		i, ok := o.Shape.Index(name)
		if !ok {
			return value.Value{}, &JSONError{Pointer: string(dec.StackPointer()), Reason: "is unknown" + suggestion(name, o.Shape.Fields)}
		}
		if seen[i/64]&(1<<(i%64)) != 0 {
			return value.Value{}, &JSONError{Pointer: string(dec.StackPointer()), Reason: "is there twice", Malformed: true}
		}
		seen[i/64] |= 1 << (i % 64)
		if fields[i], p = DecodeJSON(dec, o.Fields[i]); p != nil {
			return value.Value{}, p
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return value.Value{}, malformed(dec, err)
	}
	for _, i := range o.Shape.Sorted() {
		if seen[i/64]&(1<<(i%64)) == 0 && !o.Fields[i].takesNull() {
			return value.Value{}, &JSONError{Pointer: string(dec.StackPointer()) + "/" + escapePointer(o.Shape.Fields[i]),
				Reason: "is missing; it is " + article(o.Fields[i].String())}
		}
	}
	return value.OfObject(o.Shape, fields), nil
}

// open reads the beginning of a list or of an object.
func open(dec *jsontext.Decoder, want jsontext.Kind, what string) *JSONError {
	if got := dec.PeekKind(); got != want {
		if err := dec.SkipValue(); err != nil {
			return malformed(dec, err)
		}
		return &JSONError{Pointer: string(dec.StackPointer()), Reason: "is " + jsonKind(got) + " where " + article(what) + " is wanted"}
	}
	if _, err := dec.ReadToken(); err != nil {
		return malformed(dec, err)
	}
	return nil
}

// memberName reads the name of an object's next member.
func memberName(dec *jsontext.Decoder) (string, *JSONError) {
	raw, err := dec.ReadValue()
	if err != nil {
		return "", malformed(dec, err)
	}
	name, err := unquote(raw)
	if err != nil {
		return "", malformed(dec, err)
	}
	return name, nil
}

func jsonKind(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a bool"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '[':
		return "a list"
	}
	return "an object"
}

// malformed is the refusal of what is not JSON.
func malformed(dec *jsontext.Decoder, err error) *JSONError {
	out := &JSONError{Pointer: string(dec.StackPointer()), Reason: "is not JSON", Malformed: true}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		out.Pointer = string(syntactic.JSONPointer)
		if syntactic.Err != nil {
			out.Reason = "is not JSON: " + strings.TrimPrefix(syntactic.Err.Error(), "jsontext: ")
		}
	}
	return out
}

// wrong is the refusal of JSON of another type than wanted.
func wrong(dec *jsontext.Decoder, t Type, got string) *JSONError {
	return &JSONError{Pointer: string(dec.StackPointer()), Reason: "is " + got + " where " + article(t.bare()) + " is wanted"}
}

// unfit is the refusal of a number or a string that is no value of the type.
func unfit(dec *jsontext.Decoder, t Type, got string, err error) *JSONError {
	if errors.Is(err, errKind) {
		if got != "the string" {
			got = "a number"
		}
		return wrong(dec, t, strings.Replace(got, "the", "a", 1))
	}
	reason := "is no " + t.bare() + ": " + err.Error()
	if errors.Is(err, value.ErrSyntax) {
		reason = "is no " + t.bare() + forms(t.Kind)
	}
	return &JSONError{Pointer: string(dec.StackPointer()), Reason: reason}
}

// forms says how a type is written in JSON.
func forms(k Kind) string {
	switch k {
	case KInt, KUint:
		return ": write a number, or a string of digits"
	case KBytes:
		return ": write base64"
	case KTimestamp:
		return ": write RFC 3339, as 2026-11-23T10:00:00Z"
	case KDuration:
		return ": write seconds, as 1.5s"
	}
	return ""
}

// article puts a or an before the name of a type, where it takes one.
func article(name string) string {
	switch {
	case name == "" || name[0] == '[' || name[0] == '{' || strings.HasPrefix(name, "bytes"):
		return name
	case strings.ContainsRune("aeio", rune(name[0])):
		return "an " + name
	}
	return "a " + name
}

func escapePointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
