package model

import "math/big"

// lists are the functions of lists, and of lists taken as sets.
func lists(name string, args []any) (any, bool) {
	switch name {
	case "lists.range":
		return upTo(args[0])
	case "sets.contains", "sets.intersects", "sets.equivalent":
		return sets(name, args), true
	}
	l, ok := args[0].(List)
	if !ok {
		return nil, false
	}
	switch {
	case name == "slice":
		return slice(l, args)
	case name == "flatten":
		return flatten(l), true
	case name == "distinct":
		return distinct(l), true
	case name == "reverse":
		out := List{}
		for _, e := range l {
			out = append(List{e}, out...)
		}
		return out, true
	case name == "sort":
		return sorted(name, l), true
	case name == "isSorted":
		ascending := true
		for i, e := range sorted(name, l) {
			ascending = ascending && equal(e, l[i])
		}
		return ascending, true
	case name == "indexOf" && len(args) == 2:
		for i := 0; i < len(l); i++ {
			if equal(l[i], args[1]) {
				return int64(i), true
			}
		}
		return int64(-1), true
	case name == "lastIndexOf" && len(args) == 2:
		for i := len(l) - 1; i >= 0; i-- {
			if equal(l[i], args[1]) {
				return int64(i), true
			}
		}
		return int64(-1), true
	}
	return nil, false
}

// maxNodes is the most nodes that a value may have, the list itself included.
const maxNodes = 100_000

func upTo(a any) (any, bool) {
	n, ok := a.(int64)
	switch {
	case !ok:
		return nil, false
	case n < 0:
		fail("evaluation_error", "lists.range can't take "+show(n))
	case n >= maxNodes:
		fail("cost_exceeded", "a value is larger than 1048576 bytes or 100000 nodes")
	}
	out := List{}
	for i := int64(0); i < n; i++ {
		out = append(out, i)
	}
	return out, true
}

func slice(l List, args []any) (any, bool) {
	from, ok := args[1].(int64)
	to, also := args[2].(int64)
	if !ok || !also {
		return nil, false
	}
	if from < 0 || from > int64(len(l)) {
		fail("evaluation_error", "slice can't take position "+show(from))
	}
	if to < from || to > int64(len(l)) {
		fail("evaluation_error", "slice can't take position "+show(to))
	}
	out := List{}
	for i := from; i < to; i++ {
		out = append(out, l[i])
	}
	return out, true
}

func flatten(l List) any {
	out := List{}
	for _, e := range l {
		inner, ok := e.(List)
		if !ok {
			return noOperation("flatten", e)
		}
		out = append(out, inner...)
	}
	return out
}

func distinct(l List) List {
	out := List{}
	for _, e := range l {
		if !in(e, out).(bool) {
			out = append(out, e)
		}
	}
	return out
}

// sorted takes the least that is left, the first of several, again and again. All
// must be of the first one's type, and it one that has an order.
func sorted(name string, l List) List {
	for _, e := range l {
		if _, ok := compare(e, l[0]); !ok || kindName(e) != kindName(l[0]) {
			noOperation(name, l[0], e)
		}
	}
	left, out := append(List{}, l...), List{}
	for len(left) > 0 {
		least := 0
		for i := range left {
			if o, _ := compare(left[i], left[least]); o < 0 {
				least = i
			}
		}
		out = append(out, left[least])
		left = append(left[:least:least], left[least+1:]...)
	}
	return out
}

func sets(name string, args []any) any {
	var set [2]List
	for i := range set {
		l, ok := args[i].(List)
		if !ok {
			return noOperation(name, args[i])
		}
		set[i] = l
	}
	common := func(a, b List) (n int) {
		for _, e := range a {
			if in(e, b).(bool) {
				n++
			}
		}
		return n
	}
	switch a, b := set[0], set[1]; name {
	case "sets.contains":
		return common(b, a) == len(b)
	case "sets.intersects":
		return common(a, b) > 0
	default:
		return common(a, b) == len(a) && common(b, a) == len(b)
	}
}

// extreme is the least or the greatest of several numbers.
func extreme(name string, args []any) any {
	best := args[0]
	for _, a := range args {
		o, ok := compareNumbers(plain(a), plain(best))
		if !ok || kindName(a) != kindName(args[0]) {
			return noOperation(name, args[0], a)
		}
		if name == "math.least" && o < 0 || name == "math.greatest" && o > 0 {
			best = a
		}
	}
	return best
}

// bits are the functions of integers as bits.
func bits(name string, args []any) (any, bool) {
	var n [2]*big.Int
	isUint := false
	for i, a := range args[:min(len(args), len(n))] {
		switch a := a.(type) {
		case int64:
			n[i] = big.NewInt(a)
		case uint64:
			n[i] = new(big.Int).SetUint64(a)
			isUint = isUint || i == 0
		default:
			return nil, false
		}
	}
	all := new(big.Int).Lsh(big.NewInt(1), 64) // one more than 64 bits hold
	out := new(big.Int)
	switch name {
	case "math.bitNot":
		out.Not(n[0])
	case "math.bitAnd", "math.bitOr", "math.bitXor":
		if kindName(args[0]) != kindName(args[1]) {
			return nil, false
		}
		map[string]func(x, y *big.Int) *big.Int{"math.bitAnd": out.And, "math.bitOr": out.Or, "math.bitXor": out.Xor}[name](n[0], n[1])
	case "math.bitShiftLeft", "math.bitShiftRight":
		places, ok := args[1].(int64)
		if !ok {
			return nil, false
		}
		if places < 0 {
			fail("evaluation_error", name+" can't take "+show(places))
		}
		out.Mod(n[0], all)
		if name == "math.bitShiftLeft" {
			out.Lsh(out, uint(min(places, 64)))
		} else {
			out.Rsh(out, uint(min(places, 64)))
		}
	default:
		return nil, false
	}
	out.Mod(out, all)
	if !isUint && out.Bit(63) == 1 {
		out.Sub(out, all)
	}
	return whole(name, out, isUint), true
}

// squareRoot computes with far more digits than a double has, and rounds once.
func squareRoot(a any) (any, bool) {
	if _, isNumber := rat(a); !isNumber {
		return nil, false
	}
	d, _ := toDouble(a)
	f := new(big.Float).SetPrec(300).SetFloat64(d.(float64))
	if f.Sign() < 0 {
		fail("evaluation_error", "the result of math.sqrt is no finite number")
	}
	root, _ := f.Sqrt(f).Float64()
	return root, true
}
