package lang

import (
	"math"
	"math/bits"

	"lockstep/engine/value"
)

// operation computes a binary operation for operands of whatever types.
type operation func(f *Frame, a, b value.Value) (value.Value, *Fault)

// buildArithmetic compiles an arithmetic operator, with a shorter way for two
// ints.
func buildArithmetic(op string, general operation) builder {
	return func(c *compiler, id int64, args []node, t Type) (node, *Problem) {
		n, p := binaryOf(general)(c, id, args, t)
		if t.Kind == KList {
			n.typ = concatType(args[0].typ, args[1].typ, t)
		}
		if l, r := args[0].ints, args[1].ints; l != nil && r != nil {
			n = n.withInts(arithmeticInts(op, l, r))
		}
		return n, p
	}
}

// concatType is the type of two lists joined: the checker forgets which of
// their elements can be null.
func concatType(a, b, found Type) Type {
	if a.Kind == KList && b.Kind == KList {
		elem := either(a.elem(), b.elem(), found.elem())
		return Type{Kind: KList, Elem: &elem}
	}
	return found
}

// pair packs two kinds, so that one switch finds the operation for both.
func pair(a, b value.Kind) uint { return uint(a)<<8 | uint(b) }

const (
	ints      = uint(value.Int)<<8 | uint(value.Int)
	uints     = uint(value.Uint)<<8 | uint(value.Uint)
	doubles   = uint(value.Double)<<8 | uint(value.Double)
	strs      = uint(value.String)<<8 | uint(value.String)
	byteses   = uint(value.Bytes)<<8 | uint(value.Bytes)
	lists     = uint(value.List)<<8 | uint(value.List)
	durations = uint(value.Duration)<<8 | uint(value.Duration)
	times     = uint(value.Timestamp)<<8 | uint(value.Timestamp)
	timeSpan  = uint(value.Timestamp)<<8 | uint(value.Duration)
	spanTime  = uint(value.Duration)<<8 | uint(value.Timestamp)
)

func overflow(op string) (value.Value, *Fault) { return value.Value{}, fault(FaultOverflow, op) }

// number is a double that an operation yields.
func number(op string, x float64) (value.Value, *Fault) {
	if !finite(x) {
		return value.Value{}, fault(FaultNotFinite, op)
	}
	return value.OfDouble(x), nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func add(f *Frame, a, b value.Value) (value.Value, *Fault) {
	switch pair(a.Kind(), b.Kind()) {
	case ints:
		z, ok := addInts(a.Int(), b.Int())
		if !ok {
			return overflow("+")
		}
		return value.OfInt(z), nil
	case uints:
		z, carry := bits.Add64(a.Uint(), b.Uint(), 0)
		if carry != 0 {
			return overflow("+")
		}
		return value.OfUint(z), nil
	case doubles:
		return number("+", a.Double()+b.Double())
	case strs, byteses:
		return join2(f, a, b)
	case lists:
		return concat(f, a, b)
	case durations:
		z, ok := addInts(a.Duration(), b.Duration())
		if !ok {
			return overflow("+")
		}
		return value.OfDuration(z), nil
	case timeSpan:
		return shift("+", a, b.Duration())
	case spanTime:
		return shift("+", b, a.Duration())
	}
	return noOperation("+", a, b)
}

func subtract(_ *Frame, a, b value.Value) (value.Value, *Fault) {
	switch pair(a.Kind(), b.Kind()) {
	case ints:
		z, ok := subInts(a.Int(), b.Int())
		if !ok {
			return overflow("-")
		}
		return value.OfInt(z), nil
	case uints:
		if b.Uint() > a.Uint() {
			return overflow("-")
		}
		return value.OfUint(a.Uint() - b.Uint()), nil
	case doubles:
		return number("-", a.Double()-b.Double())
	case durations:
		z, ok := subInts(a.Duration(), b.Duration())
		if !ok {
			return overflow("-")
		}
		return value.OfDuration(z), nil
	case timeSpan:
		if b.Duration() == math.MinInt64 {
			return overflow("-")
		}
		return shift("-", a, -b.Duration())
	case times:
		return since(a, b)
	}
	return noOperation("-", a, b)
}

func multiply(_ *Frame, a, b value.Value) (value.Value, *Fault) {
	switch pair(a.Kind(), b.Kind()) {
	case ints:
		z, ok := mulInts(a.Int(), b.Int())
		if !ok {
			return overflow("*")
		}
		return value.OfInt(z), nil
	case uints:
		hi, lo := bits.Mul64(a.Uint(), b.Uint())
		if hi != 0 {
			return overflow("*")
		}
		return value.OfUint(lo), nil
	case doubles:
		return number("*", float64(a.Double()*b.Double()))
	}
	return noOperation("*", a, b)
}

func divide(_ *Frame, a, b value.Value) (value.Value, *Fault) {
	switch pair(a.Kind(), b.Kind()) {
	case ints:
		switch {
		case b.Int() == 0:
			return value.Value{}, fault(FaultDivideByZero, "/")
		case a.Int() == math.MinInt64 && b.Int() == -1:
			return overflow("/")
		}
		return value.OfInt(a.Int() / b.Int()), nil
	case uints:
		if b.Uint() == 0 {
			return value.Value{}, fault(FaultDivideByZero, "/")
		}
		return value.OfUint(a.Uint() / b.Uint()), nil
	case doubles:
		if b.Double() == 0 {
			return value.Value{}, fault(FaultDivideByZero, "/")
		}
		return number("/", a.Double()/b.Double())
	}
	return noOperation("/", a, b)
}

func modulo(_ *Frame, a, b value.Value) (value.Value, *Fault) {
	switch pair(a.Kind(), b.Kind()) {
	case ints:
		switch {
		case b.Int() == 0:
			return value.Value{}, fault(FaultDivideByZero, "%")
		case a.Int() == math.MinInt64 && b.Int() == -1:
			return overflow("%") // as CEL has it
		}
		return value.OfInt(a.Int() % b.Int()), nil
	case uints:
		if b.Uint() == 0 {
			return value.Value{}, fault(FaultDivideByZero, "%")
		}
		return value.OfUint(a.Uint() % b.Uint()), nil
	}
	return noOperation("%", a, b)
}

func negate(_ *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Int:
		if a.Int() == math.MinInt64 {
			return overflow("-")
		}
		return value.OfInt(-a.Int()), nil
	case value.Double:
		return value.OfDouble(-a.Double()), nil
	case value.Duration:
		if a.Duration() == math.MinInt64 {
			return overflow("-")
		}
		return value.OfDuration(-a.Duration()), nil
	}
	return noOperation("-", a)
}

func addInts(x, y int64) (int64, bool) {
	z := x + y
	return z, (z > x) == (y > 0)
}

func subInts(x, y int64) (int64, bool) {
	z := x - y
	return z, (z < x) == (y > 0)
}

func mulInts(x, y int64) (int64, bool) {
	if x == 0 || y == 0 {
		return 0, true
	}
	z := x * y
	if z/y != x || (x == -1 && y == math.MinInt64) || (y == -1 && x == math.MinInt64) {
		return 0, false
	}
	return z, true
}

// join2 is the sum of two texts.
func join2(f *Frame, a, b value.Value) (value.Value, *Fault) {
	n := len(a.Str()) + len(b.Str())
	if n > value.MaxBytes {
		return value.Value{}, &Fault{Kind: FaultTooLarge}
	}
	if ft := f.chargeText(n); ft != nil {
		return value.Value{}, ft
	}
	if a.Kind() == value.Bytes {
		return value.OfBytes(a.Str() + b.Str()), nil
	}
	return value.OfString(a.Str() + b.Str()), nil
}

// concat is the sum of two lists.
func concat(f *Frame, a, b value.Value) (value.Value, *Fault) {
	if a.Len() == 0 {
		return b, nil
	}
	if b.Len() == 0 {
		return a, nil
	}
	sa, sb := a.Size(), b.Size()
	if (value.Size{Nodes: sa.Nodes + sb.Nodes - 1, Bytes: sa.Bytes + sb.Bytes}).TooLarge() {
		return value.Value{}, &Fault{Kind: FaultTooLarge}
	}
	n := a.Len() + b.Len()
	if ft := f.Meter.Charge(uint64(n)); ft != nil {
		return value.Value{}, ft
	}
	out := make([]value.Value, 0, n)
	return value.OfList(append(append(out, a.Elems()...), b.Elems()...)), nil
}
