package lang

import (
	"math"
	"math/bits"

	"lockstep/engine/value"
)

func mathTable() []function {
	numeric := []string{"int -> int", "uint -> uint", "double -> double"}
	fractions := []string{"double -> double"}
	lists := []string{"list(int) -> int", "list(uint) -> uint", "list(double) -> double"}
	table := []function{
		{"sum", buildAggregate("sum", sum), lists},
		{"min", buildAggregate("min", least), lists},
		{"max", buildAggregate("max", greatest), lists},
		{"avg", buildAggregate("avg", average), []string{"list(int) -> double", "list(uint) -> double", "list(double) -> double"}},
		{"muldiv", variadic(mulDiv), []string{"int, int, int -> int", "uint, uint, uint -> uint"}},
		{"math.abs", unaryOf(absolute), numeric},
		{"math.sign", unaryOf(sign), numeric},
	}
	for _, r := range []struct {
		name  string
		round func(float64) float64
	}{{"math.ceil", math.Ceil}, {"math.floor", math.Floor}, {"math.round", math.Round}, {"math.trunc", math.Trunc}} {
		table = append(table, function{r.name, unaryOf(func(_ *Frame, a value.Value) (value.Value, *Fault) {
			if a.Kind() != value.Double {
				return noOperation(r.name, a)
			}
			return number(r.name, r.round(a.Double()))
		}), fractions})
	}
	return table
}

// buildAggregate compiles a function of a list of numbers. The static type says
// what the sum of an empty list is.
func buildAggregate(name string, fn func(elems []value.Value, kind value.Kind) (value.Value, *Fault)) builder {
	return func(_ *compiler, _ int64, args []node, t Type) (node, *Problem) {
		list, kind := args[0].eval, value.Int
		if k := args[0].typ.elem().Kind; k == KUint || k == KDouble {
			kind = scalarKind(k)
		}
		return node{typ: t, eval: func(f *Frame) (value.Value, *Fault) {
			v, ft := list(f)
			if ft != nil {
				return v, ft
			}
			if v.Kind() != value.List {
				return noOperation(name, v)
			}
			if ft := f.Meter.Charge(uint64(v.Len())); ft != nil {
				return value.Value{}, ft
			}
			elems := v.Elems()
			kind := kind
			if len(elems) > 0 {
				kind = elems[0].Kind()
			}
			for _, e := range elems {
				if !e.IsNumber() {
					return noOperation(name, e)
				}
				if e.Kind() != kind {
					return noOperation(name, elems[0], e)
				}
			}
			return fn(elems, kind)
		}}, nil
	}
}

// sum adds in the order of the list.
func sum(elems []value.Value, kind value.Kind) (value.Value, *Fault) {
	switch kind {
	case value.Double:
		total := 0.0
		for _, e := range elems {
			total += e.Double()
		}
		return number("sum", total)
	case value.Uint:
		var total uint64
		for _, e := range elems {
			next, carry := bits.Add64(total, e.Uint(), 0)
			if carry != 0 {
				return overflow("sum")
			}
			total = next
		}
		return value.OfUint(total), nil
	}
	var high, low uint64 // 128 bits, so that the order of the summands can't overflow
	for _, e := range elems {
		var carry uint64
		low, carry = bits.Add64(low, uint64(e.Int()), 0)
		high += uint64(e.Int()>>63) + carry
	}
	if high != uint64(int64(low)>>63) {
		return overflow("sum")
	}
	return value.OfInt(int64(low)), nil
}

func least(elems []value.Value, _ value.Kind) (value.Value, *Fault) {
	return extreme("min", elems, -1)
}

func greatest(elems []value.Value, _ value.Kind) (value.Value, *Fault) {
	return extreme("max", elems, 1)
}

func extreme(name string, elems []value.Value, want int) (value.Value, *Fault) {
	if len(elems) == 0 {
		return value.Value{}, fault(FaultEmptyList, name)
	}
	best := elems[0]
	for _, e := range elems[1:] {
		if o, _ := value.Compare(e, best); o == want {
			best = e
		}
	}
	return best, nil
}

// average is the sum, as a double, over the number of elements.
func average(elems []value.Value, kind value.Kind) (value.Value, *Fault) {
	if len(elems) == 0 {
		return value.Value{}, fault(FaultEmptyList, "avg")
	}
	total, ft := sum(elems, kind)
	if ft != nil {
		ft.A = "avg"
		return value.Value{}, ft
	}
	var d float64
	switch kind {
	case value.Int:
		d = float64(total.Int())
	case value.Uint:
		d = float64(total.Uint())
	default:
		d = total.Double()
	}
	return number("avg", d/float64(len(elems)))
}

func absolute(_ *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Uint:
		return a, nil
	case value.Int:
		if a.Int() == math.MinInt64 {
			return overflow("math.abs")
		}
		return value.OfInt(max(a.Int(), -a.Int())), nil
	case value.Double:
		return value.OfDouble(math.Abs(a.Double())), nil
	}
	return noOperation("math.abs", a)
}

func sign(_ *Frame, a value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.Uint:
		return value.OfUint(min(a.Uint(), 1)), nil
	case value.Int:
		return value.OfInt(max(-1, min(a.Int(), 1))), nil
	case value.Double:
		switch d := a.Double(); {
		case d > 0:
			return value.OfDouble(1), nil
		case d < 0:
			return value.OfDouble(-1), nil
		}
		return value.OfDouble(0), nil
	}
	return noOperation("math.sign", a)
}

// mulDiv is a·b/c rounded half to even, without an overflow in between.
func mulDiv(_ *Frame, args []value.Value) (value.Value, *Fault) {
	a, b, c := args[0], args[1], args[2]
	if a.Kind() != b.Kind() || b.Kind() != c.Kind() || (a.Kind() != value.Int && a.Kind() != value.Uint) {
		return noOperation("muldiv", a, b, c)
	}
	if c.Uint() == 0 { // the bits of an int that is 0 are 0 as well
		return value.Value{}, fault(FaultDivideByZero, "muldiv")
	}
	if a.Kind() == value.Uint {
		q, ok := roundedMulDiv(a.Uint(), b.Uint(), c.Uint())
		if !ok {
			return overflow("muldiv")
		}
		return value.OfUint(q), nil
	}
	negative := (a.Int() < 0) != (b.Int() < 0) != (c.Int() < 0)
	q, ok := roundedMulDiv(magnitude(a.Int()), magnitude(b.Int()), magnitude(c.Int()))
	switch {
	case !ok || q > 1<<63 || (q == 1<<63 && !negative):
		return overflow("muldiv")
	case negative:
		return value.OfInt(int64(-q)), nil
	}
	return value.OfInt(int64(q)), nil
}

// magnitude is the absolute value, which for the least int only a uint holds.
func magnitude(i int64) uint64 {
	if i < 0 {
		return uint64(-i)
	}
	return uint64(i)
}

// roundedMulDiv is a·b/c rounded half to even; not ok where 64 bits are too few.
func roundedMulDiv(a, b, c uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0, false
	}
	q, r := bits.Div64(hi, lo, c)
	if r > c-r || (r == c-r && q&1 == 1) { // more than half, or half and odd
		if q == math.MaxUint64 {
			return 0, false
		}
		q++
	}
	return q, true
}

// scaled is a·b/c towards zero; not ok where 64 bits are too few.
func scaled(a, b, c uint64) (uint64, bool) {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, c)
	return q, true
}
