package lang

import "lockstep/engine/value"

// intFn computes a node whose value is usually an int, without making a Value
// of it. It is not ok in every unusual case (null, another type, overflow):
// the general way then finds what to say. Going both ways costs the same as
// going one, for a node with an intFn charges nothing as it runs.
type intFn func(f *Frame) (int64, bool)

// boolFn is the same for a truth value.
type boolFn func(f *Frame) (is, ok bool)

// asInt is the content of an int.
func asInt(v *value.Value) (int64, bool) {
	if v.Kind() != value.Int {
		return 0, false
	}
	return v.Int(), true
}

// slotInt reads a variable.
func slotInt(slot int) intFn {
	return func(f *Frame) (int64, bool) { return asInt(&f.Slots[slot]) }
}

// fieldInt reads a field of a variable.
func fieldInt(slot, field int) intFn {
	return func(f *Frame) (int64, bool) {
		v := &f.Slots[slot]
		if v.Kind() != value.Object {
			return 0, false
		}
		return asInt(&v.Elems()[field])
	}
}

// localInt reads the variable of a comprehension.
func localInt(i int) intFn {
	return func(f *Frame) (int64, bool) { return asInt(&f.locals[i]) }
}

// arithmeticInts computes an arithmetic operator.
func arithmeticInts(op string, l, r intFn) intFn {
	var fn func(x, y int64) (int64, bool)
	switch op {
	case "+":
		return func(f *Frame) (int64, bool) {
			x, ok := l(f)
			if !ok {
				return 0, false
			}
			y, ok := r(f)
			z := x + y
			return z, ok && (z > x) == (y > 0)
		}
	case "-":
		return func(f *Frame) (int64, bool) {
			x, ok := l(f)
			if !ok {
				return 0, false
			}
			y, ok := r(f)
			z := x - y
			return z, ok && (z < x) == (y > 0)
		}
	case "*":
		fn = mulInts
	case "/":
		fn = func(x, y int64) (int64, bool) {
			if y == 0 || y == -1 {
				return 0, false
			}
			return x / y, true
		}
	default:
		fn = func(x, y int64) (int64, bool) {
			if y == 0 || y == -1 {
				return 0, false
			}
			return x % y, true
		}
	}
	return func(f *Frame) (int64, bool) {
		x, ok := l(f)
		if !ok {
			return 0, false
		}
		y, ok := r(f)
		if !ok {
			return 0, false
		}
		return fn(x, y)
	}
}

// orderInts compares.
func orderInts(op orderOp, l, r intFn) boolFn {
	return func(f *Frame) (is, ok bool) {
		x, ok := l(f)
		if !ok {
			return false, false
		}
		y, ok := r(f)
		switch op {
		case opLess:
			return x < y, ok
		case opLessEquals:
			return x <= y, ok
		case opGreater:
			return x > y, ok
		}
		return x >= y, ok
	}
}

// equalInts compares for equality.
func equalInts(negated bool, l, r intFn) boolFn {
	return func(f *Frame) (is, ok bool) {
		x, ok := l(f)
		if !ok {
			return false, false
		}
		y, ok := r(f)
		return (x == y) != negated, ok
	}
}

// junctionBools is && and ||, where neither side is a fault.
func junctionBools(decisive bool, l, r boolFn) boolFn {
	return func(f *Frame) (is, ok bool) {
		a, ok := l(f)
		if !ok || a == decisive {
			return a, ok
		}
		return r(f)
	}
}

// withInts gives a node an intFn, before its general way.
func (n node) withInts(fn intFn) node {
	general := n.eval
	n.ints = fn
	n.eval = func(f *Frame) (value.Value, *Fault) {
		if i, ok := fn(f); ok {
			return value.OfInt(i), nil
		}
		return general(f)
	}
	return n
}

// withBools gives a node a boolFn, before its general way.
func (n node) withBools(fn boolFn) node {
	general := n.eval
	n.bools = fn
	n.eval = func(f *Frame) (value.Value, *Fault) {
		if is, ok := fn(f); ok {
			return value.OfBool(is), nil
		}
		return general(f)
	}
	return n
}
