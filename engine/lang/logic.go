package lang

import "lockstep/engine/value"

// buildJunction compiles a && b and a || b: the decisive value on either side
// decides, even where the other side is a fault.
func buildJunction(op string, decisive bool) builder {
	return func(_ *compiler, _ int64, args []node, t Type) (node, *Problem) {
		n := node{typ: t, eval: junction(op, decisive, args[0].eval, args[1].eval)}
		if l, r := args[0].bools, args[1].bools; l != nil && r != nil {
			n = n.withBools(junctionBools(decisive, l, r))
		}
		return n, nil
	}
}

// junction evaluates the right side only where the left one leaves it open. The
// fault of an undecided junction is the left one's, then the right one's.
func junction(op string, decisive bool, left, right evalFn) evalFn {
	return func(f *Frame) (value.Value, *Fault) {
		a, fa := left(f)
		if fa == nil && a.Kind() != value.Bool {
			_, fa = noOperation(op, a)
		}
		if fa == nil && a.Bool() == decisive {
			return a, nil
		}
		if fa != nil && fa.Terminal() {
			return value.Value{}, fa
		}
		b, fb := right(f)
		if fb == nil && b.Kind() != value.Bool {
			_, fb = noOperation(op, b)
		}
		switch {
		case fb == nil && b.Bool() == decisive:
			return b, nil
		case fb != nil && fb.Terminal():
			return value.Value{}, fb
		case fa != nil:
			return value.Value{}, fa
		case fb != nil:
			return value.Value{}, fb
		}
		return value.OfBool(!decisive), nil
	}
}

func not(_ *Frame, a value.Value) (value.Value, *Fault) {
	if a.Kind() != value.Bool {
		return noOperation("!", a)
	}
	return value.OfBool(!a.Bool()), nil
}

// buildConditional compiles c ? a : b; only the side chosen is evaluated.
func buildConditional(_ *compiler, _ int64, args []node, t Type) (node, *Problem) {
	cond, yes, no := args[0].eval, args[1].eval, args[2].eval
	return node{typ: either(args[1].typ, args[2].typ, t), eval: func(f *Frame) (value.Value, *Fault) {
		c, ft := cond(f)
		if ft != nil {
			return c, ft
		}
		if c.Kind() != value.Bool {
			return noOperation("?:", c)
		}
		if c.Bool() {
			return yes(f)
		}
		return no(f)
	}}, nil
}

// buildCoalesce compiles coalesce(a, b): a, or b where a is null.
func buildCoalesce(_ *compiler, _ int64, args []node, t Type) (node, *Problem) {
	first, second := args[0].eval, args[1].eval
	typ := either(args[0].typ, args[1].typ, t)
	typ.Nullable = args[1].typ.takesNull()
	return node{typ: typ, eval: func(f *Frame) (value.Value, *Fault) {
		a, ft := first(f)
		if ft != nil || !a.IsNull() {
			return a, ft
		}
		return second(f)
	}}, nil
}

// buildWhen compiles when(c, x): x, or null where c is false.
func buildWhen(_ *compiler, _ int64, args []node, t Type) (node, *Problem) {
	cond, then := args[0].eval, args[1].eval
	typ := either(args[1].typ, Type{Kind: KNull}, t)
	return node{typ: typ, eval: func(f *Frame) (value.Value, *Fault) {
		c, ft := cond(f)
		if ft != nil {
			return c, ft
		}
		if c.Kind() != value.Bool {
			return noOperation("when", c)
		}
		if !c.Bool() {
			return value.Value{}, nil
		}
		return then(f)
	}}, nil
}

// either is the type of a value that has one of two types. found is what the
// checker says, which knows less of null.
func either(a, b, found Type) Type {
	switch {
	case a.Kind == KNull && b.Kind == KNull:
		return a
	case a.Kind == KNull:
		b.Nullable = true
		return b
	case b.Kind == KNull:
		a.Nullable = true
		return a
	}
	nullable := a.takesNull() || b.takesNull()
	a.Nullable, b.Nullable = nullable, nullable
	if a.Equal(b) {
		a.known = eitherKnown(a, b)
		if b.Missing == nil {
			a.Missing = nil
		}
		return a
	}
	found.Nullable = nullable
	return found
}
