package lang

import (
	"strconv"
	"unicode/utf8"

	"lockstep/engine/value"
)

// FaultKind says what went wrong at run time. The numbers are persisted with
// outcomes: append only.
type FaultKind uint8

// The kinds of faults.
const (
	FaultNone         FaultKind = iota
	FaultCost                   // the budget is used up
	FaultTooLarge               // a value over value.MaxNodes or value.MaxBytes
	FaultOverflow               // A: the operation
	FaultDivideByZero           // A: the operation
	FaultNotFinite              // A: the operation
	FaultNull                   // A: the operation that met a null
	FaultNullField              // A: the field read of a null
	FaultNoKey                  // A: the key
	FaultNoField                // A: the field, B: the object's type
	FaultIndex                  // A: the index, B: the length
	FaultNoOperation            // A: the operation, B: the types of its operands
	FaultWrongType              // A: the type there is, B: the type wanted
	FaultNullValue              // B: the type wanted
	FaultConversion             // A: the type wanted, B: the text or number
	FaultDuplicateKey           // A: the key
	FaultKeyType                // A: the type of a map's key
	FaultTimeRange              // A: the operation
	FaultPattern                // A: the pattern
	FaultEmptyList              // A: the function
	FaultArgument               // A: the function, B: the argument
	FaultNotText                // A: the operation that met bytes which are no UTF-8
)

// Fault is a runtime error: a value of the language, recorded in an outcome, so
// that every copy words it alike. It never carries a library's text.
type Fault struct {
	Kind FaultKind
	A, B string
}

// Code is the outcome's code: "cost_exceeded" or "evaluation_error".
func (f *Fault) Code() string {
	if f.Terminal() {
		return "cost_exceeded"
	}
	return "evaluation_error"
}

// Terminal tells whether the fault ends the transaction whatever surrounds it:
// && and || don't absorb it.
func (f *Fault) Terminal() bool { return f.Kind == FaultCost || f.Kind == FaultTooLarge }

// FromNull tells whether the fault came of a null, which a check passes on.
func (f *Fault) FromNull() bool {
	return f.Kind == FaultNull || f.Kind == FaultNullField || f.Kind == FaultNullValue
}

// Error makes a Fault usable as an error of Go.
func (f *Fault) Error() string { return f.Message() }

// Message is the text of the fault, a function of its kind and operands alone.
func (f *Fault) Message() string {
	switch f.Kind {
	case FaultCost:
		return "the transaction's budget of cost is used up"
	case FaultTooLarge:
		return "a value is larger than " + strconv.Itoa(value.MaxBytes) + " bytes or " + strconv.Itoa(value.MaxNodes) + " nodes"
	case FaultOverflow:
		return "overflow in " + f.A
	case FaultDivideByZero:
		return "division by zero in " + f.A
	case FaultNotFinite:
		return "the result of " + f.A + " is no finite number"
	case FaultNull:
		return f.A + " of null"
	case FaultNullField:
		return "field " + f.A + " of null"
	case FaultNoKey:
		return "no such key: " + f.A
	case FaultNoField:
		return "no field " + f.A + " in " + f.B
	case FaultIndex:
		return "index " + f.A + " is outside a list of " + f.B
	case FaultNoOperation:
		return f.A + " is not defined for " + f.B
	case FaultWrongType:
		return "a value of type " + f.A + " where " + f.B + " is wanted"
	case FaultNullValue:
		return "null where " + f.B + " is wanted"
	case FaultConversion:
		return f.B + " is no " + f.A
	case FaultDuplicateKey:
		return "the key " + f.A + " is repeated"
	case FaultKeyType:
		return f.A + " can't be a key"
	case FaultTimeRange:
		return "the result of " + f.A + " is outside the years 1 to 9999"
	case FaultPattern:
		return "not a usable pattern: " + f.A
	case FaultEmptyList:
		return f.A + " of an empty list"
	case FaultArgument:
		return f.A + " can't take " + f.B
	case FaultNotText:
		return f.A + " of bytes that are no UTF-8 text"
	}
	return "fault " + strconv.Itoa(int(f.Kind))
}

func fault(kind FaultKind, a string) *Fault     { return &Fault{Kind: kind, A: clip(a)} }
func fault2(kind FaultKind, a, b string) *Fault { return &Fault{Kind: kind, A: clip(a), B: clip(b)} }

// clip cuts an operand to what a fault keeps, at a boundary of characters.
func clip(s string) string {
	if len(s) <= MaxOperandBytes {
		return s
	}
	n := MaxOperandBytes
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// show is a value as a fault quotes it.
func show(v value.Value) string {
	switch v.Kind() {
	case value.Null:
		return "null"
	case value.Bool:
		return strconv.FormatBool(v.Bool())
	case value.Int:
		return strconv.FormatInt(v.Int(), 10)
	case value.Uint:
		return strconv.FormatUint(v.Uint(), 10) + "u"
	case value.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case value.String:
		return strconv.QuoteToASCII(clip(v.Str()))
	}
	return kindName(v)
}

// kindName names the type that a value has at run time.
func kindName(v value.Value) string {
	names := [...]string{"null", "bool", "int", "uint", "double", "string", "bytes",
		"timestamp", "duration", "list", "map", "object"}
	if int(v.Kind()) < len(names) {
		return names[v.Kind()]
	}
	return "value"
}
