package lang

import (
	"math"

	"lockstep/engine/value"
)

// bitTable has the functions of numbers as bits, and those that choose one of
// several numbers.
func bitTable() []function {
	two := []string{"int, int -> int", "uint, uint -> uint"}
	shifts := []string{"int, int -> int", "uint, int -> uint"}
	var several []string
	for _, kind := range []string{"int", "uint", "double"} {
		args := kind
		for range 3 { // two to four of them: variadic takes no more
			args += ", " + kind
			several = append(several, args+" -> "+kind)
		}
		several = append(several, "list("+kind+") -> "+kind)
	}
	return []function{
		{"math.bitAnd", bitsOf("math.bitAnd", func(a, b uint64) uint64 { return a & b }), two},
		{"math.bitOr", bitsOf("math.bitOr", func(a, b uint64) uint64 { return a | b }), two},
		{"math.bitXor", bitsOf("math.bitXor", func(a, b uint64) uint64 { return a ^ b }), two},
		{"math.bitNot", unaryOf(bitNot), []string{"int -> int", "uint -> uint"}},
		{"math.bitShiftLeft", shiftOf("math.bitShiftLeft", func(a, n uint64) uint64 { return a << n }), shifts},
		{"math.bitShiftRight", shiftOf("math.bitShiftRight", func(a, n uint64) uint64 { return a >> n }), shifts},
		{"math.least", buildExtreme("math.least", -1), several},
		{"math.greatest", buildExtreme("math.greatest", 1), several},
		{"math.sqrt", unaryOf(squareRoot), []string{"double -> double", "int -> double", "uint -> double"}},
	}
}

// ofBits is a number of the kind that another one has.
func ofBits(like value.Value, bits uint64) value.Value {
	if like.Kind() == value.Uint {
		return value.OfUint(bits)
	}
	return value.OfInt(int64(bits))
}

func isInteger(v value.Value) bool { return v.Kind() == value.Int || v.Kind() == value.Uint }

func bitsOf(name string, fn func(a, b uint64) uint64) builder {
	return binaryOf(func(_ *Frame, a, b value.Value) (value.Value, *Fault) {
		if !isInteger(a) || a.Kind() != b.Kind() {
			return noOperation(name, a, b)
		}
		return ofBits(a, fn(a.Uint(), b.Uint())), nil
	})
}

func bitNot(_ *Frame, a value.Value) (value.Value, *Fault) {
	if !isInteger(a) {
		return noOperation("math.bitNot", a)
	}
	return ofBits(a, ^a.Uint()), nil
}

// shiftOf moves bits; zeros come in from either side, and 64 places or more leave
// nothing, as in CEL.
func shiftOf(name string, fn func(a, n uint64) uint64) builder {
	return binaryOf(func(_ *Frame, a, n value.Value) (value.Value, *Fault) {
		if !isInteger(a) || n.Kind() != value.Int {
			return noOperation(name, a, n)
		}
		if n.Int() < 0 {
			return value.Value{}, fault2(FaultArgument, name, show(n))
		}
		return ofBits(a, fn(a.Uint(), uint64(n.Int()))), nil
	})
}

// buildExtreme compiles the least or greatest of its arguments, or of a list.
func buildExtreme(name string, want int) builder {
	ofList := buildAggregate(name, func(elems []value.Value, _ value.Kind) (value.Value, *Fault) {
		return extreme(name, elems, want)
	})
	ofArgs := variadic(func(_ *Frame, args []value.Value) (value.Value, *Fault) {
		for _, a := range args {
			if !a.IsNumber() || a.Kind() != args[0].Kind() {
				return noOperation(name, args[0], a)
			}
		}
		return extreme(name, args, want)
	})
	return func(c *compiler, id int64, args []node, t Type) (node, *Problem) {
		if len(args) == 1 {
			return ofList(c, id, args, t)
		}
		return ofArgs(c, id, args, t)
	}
}

// squareRoot is rounded as IEEE 754 asks for, so that every processor has the
// same last bit.
func squareRoot(_ *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Int:
		return number("math.sqrt", math.Sqrt(float64(a.Int())))
	case value.Uint:
		return number("math.sqrt", math.Sqrt(float64(a.Uint())))
	case value.Double:
		return number("math.sqrt", math.Sqrt(a.Double()))
	}
	return noOperation("math.sqrt", a)
}
