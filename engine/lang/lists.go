package lang

import (
	"math/bits"
	"slices"
	"strings"

	"lockstep/engine/value"
)

// listTable has the functions of lists, and of lists taken as sets.
func listTable() []function {
	return []function{
		{"lists.range", unaryOf(listRange), []string{"int -> list(int)"}},
		{"slice", sameList(variadic(slice)), []string{".list(A), int, int -> list(A)"}},
		{"flatten", buildFlatten, []string{".list(list(A)) -> list(A)"}},
		{"distinct", sameList(unaryOf(distinct)), []string{".list(A) -> list(A)"}},
		{"reverse", sameList(unaryOf(reverse)), []string{".string -> string", ".list(A) -> list(A)"}},
		{"sort", unaryOf(sorted), scalarLists(".list(%) -> list(%)")},
		{"isSorted", unaryOf(isSorted), scalarLists(".list(%) -> bool")},
		{"sets.contains", binaryOf(setsContains), []string{"list(A), list(A) -> bool"}},
		{"sets.intersects", binaryOf(setsIntersects), []string{"list(A), list(A) -> bool"}},
		{"sets.equivalent", binaryOf(setsEquivalent), []string{"list(A), list(A) -> bool"}},
	}
}

// scalarLists writes a signature for each type that has an order.
func scalarLists(signature string) (all []string) {
	for _, kind := range []string{"bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"} {
		all = append(all, strings.ReplaceAll(signature, "%", kind))
	}
	return all
}

// sameList gives what a function yields the type of the list that it is of, which
// says more than the checker's.
func sameList(build builder) builder {
	return func(c *compiler, id int64, args []node, t Type) (node, *Problem) {
		n, p := build(c, id, args, t)
		if n.typ.Kind == KList && args[0].typ.Kind == KList {
			n.typ = args[0].typ
			n.typ.Nullable = false
		}
		return n, p
	}
}

func buildFlatten(c *compiler, id int64, args []node, t Type) (node, *Problem) {
	n, p := unaryOf(flatten)(c, id, args, t)
	if lists := args[0].typ; lists.Kind == KList && lists.elem().Kind == KList {
		n.typ = lists.elem()
		n.typ.Nullable = false
	}
	return n, p
}

// elementsOf are a list's elements, for each of which a unit is taken.
func elementsOf(f *Frame, name string, v value.Value) ([]value.Value, *Fault) {
	if v.Kind() != value.List {
		_, ft := noOperation(name, v)
		return nil, ft
	}
	return v.Elems(), f.Meter.Charge(uint64(v.Len()))
}

// listRange is the numbers from 0 up to but not including n.
func listRange(f *Frame, a value.Value) (value.Value, *Fault) {
	switch {
	case a.Kind() != value.Int:
		return noOperation("lists.range", a)
	case a.Int() < 0:
		return value.Value{}, fault2(FaultArgument, "lists.range", show(a))
	case a.Int() >= value.MaxNodes:
		return value.Value{}, &Fault{Kind: FaultTooLarge}
	}
	if ft := f.Meter.Charge(uint64(a.Int())); ft != nil {
		return value.Value{}, ft
	}
	out := make([]value.Value, a.Int())
	for i := range out {
		out[i] = value.OfInt(int64(i))
	}
	return value.OfList(out), nil
}

// slice is the elements from one position up to but not including another.
func slice(f *Frame, args []value.Value) (value.Value, *Fault) {
	if args[0].Kind() != value.List || args[1].Kind() != value.Int || args[2].Kind() != value.Int {
		return noOperation("slice", args...)
	}
	from, to, n := args[1].Int(), args[2].Int(), int64(args[0].Len())
	switch {
	case from < 0 || from > n:
		return outside("slice", args[1])
	case to < from || to > n:
		return outside("slice", args[2])
	}
	if ft := f.Meter.Charge(uint64(to - from)); ft != nil {
		return value.Value{}, ft
	}
	return value.OfList(slices.Clone(args[0].Elems()[from:to])), nil
}

// flatten puts the elements of a list's lists into one list, one level deep.
func flatten(f *Frame, a value.Value) (value.Value, *Fault) {
	lists, ft := elementsOf(f, "flatten", a)
	if ft != nil {
		return value.Value{}, ft
	}
	n := 0
	for _, l := range lists {
		if l.Kind() != value.List {
			return noOperation("flatten", l)
		}
		n += l.Len()
	}
	if ft := f.Meter.Charge(uint64(n)); ft != nil {
		return value.Value{}, ft
	}
	out := make([]value.Value, 0, n)
	for _, l := range lists {
		out = append(out, l.Elems()...)
	}
	return bounded(value.OfList(out))
}

// distinct drops elements that equal an earlier one. Each is compared with all
// that were kept before it, and that is what it costs.
func distinct(f *Frame, a value.Value) (value.Value, *Fault) {
	elems, ft := elementsOf(f, "distinct", a)
	if ft != nil {
		return value.Value{}, ft
	}
	var out []value.Value
	for _, e := range elems {
		found, ft := among(f, e, out)
		if ft != nil {
			return value.Value{}, ft
		}
		if !found {
			out = append(out, e)
		}
	}
	return value.OfList(out), nil
}

// elementIndex is where a list has an element that equals v, the first or the
// last; -1 where it has none.
func elementIndex(f *Frame, elems []value.Value, v value.Value, last bool) (value.Value, *Fault) {
	at := -1
	for i := range elems {
		if last {
			i = len(elems) - 1 - i
		}
		found, ft := among(f, v, elems[i:i+1])
		if ft != nil {
			return value.Value{}, ft
		}
		if found {
			at = i
			break
		}
	}
	return value.OfInt(int64(at)), nil
}

// among tells whether a value equals one of a list's. Each comparison takes a
// unit, and more where there is more to look at.
func among(f *Frame, v value.Value, list []value.Value) (bool, *Fault) {
	for i := range list {
		if ft := f.Meter.Charge(compareUnits); ft != nil {
			return false, ft
		}
		same, ft := equal(f, v, list[i])
		if same || ft != nil {
			return same, ft
		}
	}
	return false, nil
}

// reverse turns the characters of a text or the elements of a list round.
func reverse(f *Frame, a value.Value) (value.Value, *Fault) {
	if a.Kind() == value.String {
		if ft := f.chargeText(2 * len(a.Str())); ft != nil {
			return value.Value{}, ft
		}
		runes := []rune(a.Str())
		slices.Reverse(runes)
		return value.OfString(string(runes)), nil
	}
	elems, ft := elementsOf(f, "reverse", a)
	if ft != nil {
		return value.Value{}, ft
	}
	out := slices.Clone(elems)
	slices.Reverse(out)
	return value.OfList(out), nil
}

// comparable are a list's elements, if they are of one type that has an order.
func comparables(f *Frame, name string, a value.Value) ([]value.Value, *Fault) {
	elems, ft := elementsOf(f, name, a)
	if ft != nil {
		return nil, ft
	}
	for _, e := range elems {
		if _, ok := value.Compare(e, elems[0]); !ok || e.IsNull() || e.Kind() != elems[0].Kind() {
			_, ft := noOperation(name, elems[0], e)
			return nil, ft
		}
	}
	return elems, nil
}

// sorted orders a list ascending. Comparing is what takes long: each element,
// text included, is looked at once for each halving of the list.
func sorted(f *Frame, a value.Value) (value.Value, *Fault) {
	elems, ft := comparables(f, "sort", a)
	if ft != nil {
		return value.Value{}, ft
	}
	size := a.Size()
	halvings := uint64(bits.Len(uint(len(elems))))
	if ft := f.Meter.Charge(halvings * (uint64(len(elems)) + uint64(size.Bytes)/bytesPerUnit)); ft != nil {
		return value.Value{}, ft
	}
	out := slices.Clone(elems)
	slices.SortStableFunc(out, func(a, b value.Value) int {
		order, _ := value.Compare(a, b)
		return order
	})
	return value.OfList(out), nil
}

// isSorted tells whether a list is in ascending order.
func isSorted(f *Frame, a value.Value) (value.Value, *Fault) {
	elems, ft := comparables(f, "isSorted", a)
	if ft == nil {
		ft = f.chargeText(a.Size().Bytes)
	}
	if ft != nil {
		return value.Value{}, ft
	}
	for i := 1; i < len(elems); i++ {
		if order, _ := value.Compare(elems[i-1], elems[i]); order > 0 {
			return value.OfBool(false), nil
		}
	}
	return value.OfBool(true), nil
}

// twoLists are the elements of two lists.
func twoLists(f *Frame, name string, a, b value.Value) (x, y []value.Value, ft *Fault) {
	if x, ft = elementsOf(f, name, a); ft == nil {
		y, ft = elementsOf(f, name, b)
	}
	return x, y, ft
}

// setsContains tells whether every element of b is one of a's.
func setsContains(f *Frame, a, b value.Value) (value.Value, *Fault) {
	x, y, ft := twoLists(f, "sets.contains", a, b)
	if ft != nil {
		return value.Value{}, ft
	}
	ok, ft := subset(f, y, x)
	return value.OfBool(ok), ft
}

func subset(f *Frame, part, whole []value.Value) (bool, *Fault) {
	for _, e := range part {
		if found, ft := among(f, e, whole); !found || ft != nil {
			return false, ft
		}
	}
	return true, nil
}

// setsIntersects tells whether the lists have an element in common.
func setsIntersects(f *Frame, a, b value.Value) (value.Value, *Fault) {
	x, y, ft := twoLists(f, "sets.intersects", a, b)
	if ft != nil {
		return value.Value{}, ft
	}
	for _, e := range x {
		if found, ft := among(f, e, y); found || ft != nil {
			return value.OfBool(found), ft
		}
	}
	return value.OfBool(false), nil
}

// setsEquivalent tells whether each list has all elements of the other.
func setsEquivalent(f *Frame, a, b value.Value) (value.Value, *Fault) {
	x, y, ft := twoLists(f, "sets.equivalent", a, b)
	if ft != nil {
		return value.Value{}, ft
	}
	ok, ft := subset(f, x, y)
	if ok && ft == nil {
		ok, ft = subset(f, y, x)
	}
	return value.OfBool(ok), ft
}
