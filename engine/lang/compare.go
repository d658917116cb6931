package lang

import "lockstep/engine/value"

// orderOp is one of < <= > >=.
type orderOp uint8

const (
	opLess orderOp = iota
	opLessEquals
	opGreater
	opGreaterEquals
)

func (op orderOp) String() string { return [...]string{"<", "<=", ">", ">="}[op] }

// holds tells whether the relation holds for a comparison's result.
func (op orderOp) holds(order int) bool {
	switch op {
	case opLess:
		return order < 0
	case opLessEquals:
		return order <= 0
	case opGreater:
		return order > 0
	}
	return order >= 0
}

// buildOrder compiles a < b and its kin.
func buildOrder(op orderOp) builder {
	general := binaryOf(func(f *Frame, a, b value.Value) (value.Value, *Fault) { return order(f, op, a, b) })
	return func(c *compiler, id int64, args []node, t Type) (node, *Problem) {
		n, p := general(c, id, args, t)
		if l, r := args[0].ints, args[1].ints; l != nil && r != nil {
			n = n.withBools(orderInts(op, l, r))
		}
		return n, p
	}
}

// order compares two values of whatever types.
func order(f *Frame, op orderOp, a, b value.Value) (value.Value, *Fault) {
	if ft := f.chargeText(min(len(a.Str()), len(b.Str()))); ft != nil {
		return value.Value{}, ft
	}
	o, ok := value.Compare(a, b)
	if !ok || a.IsNull() {
		return noOperation(op.String(), a, b)
	}
	return value.OfBool(op.holds(o)), nil
}

// buildEquality compiles == and, negated, !=.
func buildEquality(negated bool) builder {
	return func(c *compiler, id int64, args []node, t Type) (node, *Problem) {
		if !canEqual(args[0].typ, args[1].typ) {
			return node{}, c.incomparable(id, args[0].typ, args[1].typ)
		}
		left, right := args[0].eval, args[1].eval
		unknown := c.scope.sqlNull && args[0].typ.Kind != KNull && args[1].typ.Kind != KNull
		op := "=="
		if negated {
			op = "!="
		}
		n := node{typ: t, eval: func(f *Frame) (value.Value, *Fault) {
			a, ft := left(f)
			if ft != nil {
				return a, ft
			}
			b, ft := right(f)
			if ft != nil {
				return b, ft
			}
			if unknown && (a.IsNull() || b.IsNull()) {
				return value.Value{}, fault(FaultNull, op)
			}
			same, ft := equal(f, a, b)
			return value.OfBool(same != negated), ft
		}}
		if l, r := args[0].ints, args[1].ints; l != nil && r != nil {
			n = n.withBools(equalInts(negated, l, r))
		}
		return n, nil
	}
}

// canEqual tells whether values of two types can be equal at all.
func canEqual(a, b Type) bool {
	number := func(k Kind) bool { return k == KInt || k == KUint || k == KDouble }
	switch {
	case a.Kind == KJSON || b.Kind == KJSON, number(a.Kind) && number(b.Kind):
		return true
	case a.Kind == KNull:
		return b.takesNull() || b.Kind > KBytes // whether a row is there is asked of any row
	case b.Kind == KNull:
		return a.takesNull() || a.Kind > KBytes
	case a.Kind != b.Kind:
		return false
	case a.Kind == KList:
		return canEqual(a.elem(), b.elem())
	case a.Kind == KMap:
		return canEqual(a.key(), b.key()) && canEqual(a.elem(), b.elem())
	}
	return a.Object == b.Object
}

// incomparable is the problem of comparing what is never equal.
func (c *compiler) incomparable(id int64, a, b Type) *Problem {
	switch {
	case a.Kind == KNull:
		return c.problem(id, b.String()+" is never null", "")
	case b.Kind == KNull:
		return c.problem(id, a.String()+" is never null", "")
	}
	return c.problem(id, a.String()+" and "+b.String()+" can't be compared", pairHint("+", a, b))
}

// equal compares two values; what is looked at is charged for first.
func equal(f *Frame, a, b value.Value) (bool, *Fault) {
	if a.Kind() < value.String && b.Kind() < value.String {
		return value.Equal(a, b), nil
	}
	if ft := f.Meter.Charge(compareCost(a.Size(), b.Size())); ft != nil {
		return false, ft
	}
	return value.Equal(a, b), nil
}

// compareCost bounds what comparing two values of these sizes can look at.
func compareCost(a, b value.Size) uint64 {
	nodes, bytes := min(a.Nodes, b.Nodes), min(a.Bytes, b.Bytes)
	return uint64(nodes-1)*compareUnits + uint64(bytes)/bytesPerUnit
}

// buildIn compiles `x in list` and `key in map`.
func buildIn(c *compiler, _ int64, args []node, t Type) (node, *Problem) {
	left, right := args[0].eval, args[1].eval
	unknown := c.scope.sqlNull && args[0].typ.Kind != KNull
	return node{typ: t, eval: func(f *Frame) (value.Value, *Fault) {
		a, ft := left(f)
		if ft != nil {
			return a, ft
		}
		b, ft := right(f)
		if ft != nil {
			return b, ft
		}
		if unknown && a.IsNull() {
			return value.Value{}, fault(FaultNull, "in")
		}
		return contains(f, a, b)
	}}, nil
}

func contains(f *Frame, a, b value.Value) (value.Value, *Fault) {
	switch b.Kind() {
	case value.List:
		n, sa, sb := b.Len(), a.Size(), b.Size()
		cost := min(uint64(n)*uint64(sa.Nodes), uint64(sb.Nodes)) +
			min(uint64(n)*uint64(sa.Bytes), uint64(sb.Bytes))/bytesPerUnit
		if ft := f.Meter.Charge(cost); ft != nil {
			return value.Value{}, ft
		}
		for _, e := range b.Elems() {
			if value.Equal(a, e) {
				return value.OfBool(true), nil
			}
		}
		return value.OfBool(false), nil
	case value.Map:
		if ft := f.chargeText(len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		_, ok := b.MapGet(a)
		return value.OfBool(ok), nil
	case value.Object: // behind dyn only
		_, ok := b.Shape().Index(a.Str())
		return value.OfBool(ok && a.Kind() == value.String), nil
	}
	return noOperation("in", b)
}

// buildIndex compiles list[i] and map[key].
func buildIndex(c *compiler, id int64, args []node, t Type) (node, *Problem) {
	lookup := index
	if missing := args[0].typ.Missing; missing != nil {
		lookup = func(f *Frame, a, b value.Value) (value.Value, *Fault) {
			v, ft := index(f, a, b)
			if ft != nil {
				return orMissing(ft, missing)
			}
			return v, nil
		}
	}
	n, p := binaryOf(lookup)(c, id, args, t)
	if k := args[0].typ.Kind; k == KList || k == KMap {
		n.typ = args[0].typ.elem()
	}
	return n, p
}

// index is list[i] and map[key].
func index(f *Frame, a, b value.Value) (value.Value, *Fault) {
	switch a.Kind() {
	case value.List:
		i, ok := position(b)
		if !ok {
			return noOperation("[]", a, b)
		}
		if i < 0 || i >= int64(a.Len()) {
			return value.Value{}, fault2(FaultIndex, show(b), show(value.OfInt(int64(a.Len()))))
		}
		return a.At(int(i)), nil
	case value.Map:
		if ft := f.chargeText(len(b.Str())); ft != nil {
			return value.Value{}, ft
		}
		if v, ok := a.MapGet(b); ok {
			return v, nil
		}
		if b.IsNull() {
			return noOperation("[]", b)
		}
		return value.Value{}, fault2(FaultNoKey, show(b), "")
	case value.Object: // behind dyn only
		if b.Kind() == value.String {
			return getField(a, b)
		}
	}
	return noOperation("[]", a, b)
}

// position is an index as an integer; false for what can't be one. A uint
// beyond every list is as good as any other index that is too large.
func position(v value.Value) (int64, bool) {
	switch v.Kind() {
	case value.Int:
		return v.Int(), true
	case value.Uint:
		return int64(min(v.Uint(), 1<<62)), true
	}
	return 0, false
}
