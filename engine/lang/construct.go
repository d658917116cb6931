package lang

import (
	"github.com/google/cel-go/common/ast"

	"lockstep/engine/value"
)

// list compiles [a, b, …].
func (c *compiler) list(e ast.Expr) (node, *Problem) {
	elems := e.AsList().Elements()
	evals := make([]evalFn, len(elems))
	vals := make([]value.Value, len(elems))
	n := node{cost: 1 + uint64(len(elems)), lit: true}
	var elem Type
	for i, el := range elems {
		en, p := c.compile(el)
		if p != nil {
			return node{}, p
		}
		evals[i], vals[i] = en.eval, en.val
		n.lit = n.lit && en.lit
		n.cost += en.cost
		if i == 0 {
			elem = en.typ
		} else {
			elem = either(elem, en.typ, Type{Kind: KJSON})
		}
	}
	n.typ = c.typeOf(e)
	if len(elems) > 0 && n.typ.elem().Kind != KJSON {
		n.typ.Elem = &elem
	}
	if n.lit {
		n.val = value.OfList(vals)
		v := n.val
		n.eval = func(*Frame) (value.Value, *Fault) { return v, nil }
		return n, nil
	}
	n.eval = func(f *Frame) (value.Value, *Fault) {
		out := make([]value.Value, len(evals))
		for i, eval := range evals {
			v, ft := eval(f)
			if ft != nil {
				return v, ft
			}
			out[i] = v
		}
		return bounded(value.OfList(out))
	}
	return n, nil
}

// bounded is a value, unless it is over the limits. Making it has cost only as
// many cells as the source has parts.
func bounded(v value.Value) (value.Value, *Fault) {
	if v.TooLarge() {
		return value.Value{}, &Fault{Kind: FaultTooLarge}
	}
	return v, nil
}

// mapping compiles {k: v, …}. Entries are evaluated in the order of the source,
// each key before its value.
func (c *compiler) mapping(e ast.Expr) (node, *Problem) {
	entries := e.AsMap().Entries()
	keys, vals := make([]node, len(entries)), make([]node, len(entries))
	n := node{cost: 1 + uint64(len(entries)*keyUnits), typ: c.typeOf(e)}
	allConst := true
	var elem Type
	for i, entry := range entries {
		kv := entry.AsMapEntry()
		var p *Problem
		if keys[i], p = c.compile(kv.Key()); p != nil {
			return node{}, p
		}
		if vals[i], p = c.compile(kv.Value()); p != nil {
			return node{}, p
		}
		if !keyKind(keys[i].typ) {
			return node{}, c.problem(kv.Key().ID(), keys[i].typ.String()+" can't be a key", "keys are bool, int, uint or string")
		}
		n.cost += keys[i].cost + vals[i].cost
		allConst = allConst && keys[i].lit
		if i == 0 {
			elem = vals[i].typ
		} else {
			elem = either(elem, vals[i].typ, Type{Kind: KJSON})
		}
	}
	if len(entries) > 0 && n.typ.elem().Kind != KJSON {
		n.typ.Elem = &elem
	}
	n.typ.known = knownMap(keys, vals)
	if !allConst {
		n.eval = mapOfComputedKeys(keys, vals)
		return n, nil
	}
	if i := repeatedKey(keys); i >= 0 {
		return node{}, c.problem(entries[i].AsMapEntry().Key().ID(), "the key "+show(keys[i].val)+" is repeated", "")
	}
	n.eval = mapOfKnownKeys(keys, vals)
	return n, nil
}

// keyKind tells whether values of the type may be keys, as far as is known.
func keyKind(t Type) bool {
	switch t.Kind {
	case KBool, KInt, KUint, KString, KJSON:
		return true
	}
	return false
}

// repeatedKey finds the first literal key that repeats one before it, or -1.
// Keys repeat each other too where JSON writes them alike.
func repeatedKey(keys []node) int {
	all := make([]value.Value, len(keys))
	for i := range keys {
		all[i] = keys[i].val
	}
	if _, ok := value.OfMap(append([]value.Value(nil), all...), make([]value.Value, len(all))); ok {
		return -1
	}
	for n := 2; n <= len(all); n++ {
		if _, ok := value.OfMap(append([]value.Value(nil), all[:n]...), make([]value.Value, n)); !ok {
			return n - 1
		}
	}
	return -1
}

// mapOfKnownKeys makes a map whose keys were sorted when it was compiled.
func mapOfKnownKeys(keys, vals []node) evalFn {
	n := len(keys)
	places := make([]value.Value, n) // entry numbers, moved along with the keys
	sorted := make([]value.Value, n)
	for i := range keys {
		sorted[i], places[i] = keys[i].val, value.OfInt(int64(i))
	}
	m, _ := value.OfMap(sorted, places)
	at := make([]int, n)
	for place, entry := range m.Elems() {
		at[entry.Int()] = place
	}
	evals := make([]evalFn, n)
	for i := range vals {
		evals[i] = vals[i].eval
	}
	return func(f *Frame) (value.Value, *Fault) {
		cells := make([]value.Value, 2*n)
		copy(cells, m.Keys())
		for i, eval := range evals {
			v, ft := eval(f)
			if ft != nil {
				return v, ft
			}
			cells[n+at[i]] = v
		}
		out, _ := value.OfMap(cells[:n:n], cells[n:])
		return bounded(out)
	}
}

// mapOfComputedKeys makes a map whose keys are known at run time only.
func mapOfComputedKeys(keys, vals []node) evalFn {
	n := len(keys)
	evals := make([]evalFn, 0, 2*n)
	for i := range keys {
		evals = append(evals, keys[i].eval, vals[i].eval)
	}
	return func(f *Frame) (value.Value, *Fault) {
		cells, text := make([]value.Value, 2*n), 0
		for i, eval := range evals {
			v, ft := eval(f)
			if ft != nil {
				return v, ft
			}
			if i%2 == 0 {
				if !v.IsKey() {
					return value.Value{}, fault(FaultKeyType, kindName(v))
				}
				if text += len(v.Str()); text > value.MaxBytes { // before long keys are sorted
					return value.Value{}, &Fault{Kind: FaultTooLarge}
				}
				if ft := f.chargeText(len(v.Str())); ft != nil {
					return v, ft
				}
			}
			cells[i/2+n*(i%2)] = v
		}
		out, ok := value.OfMap(cells[:n:n], cells[n:])
		if !ok {
			return value.Value{}, fault(FaultDuplicateKey, duplicate(cells[:n]))
		}
		return bounded(out)
	}
}

// duplicate finds the key, of keys sorted by OfMap, that another one repeats.
func duplicate(keys []value.Value) string {
	for i := 1; i < len(keys); i++ {
		if value.CompareKeys(keys[i-1], keys[i]) == 0 {
			return show(keys[i])
		}
	}
	for _, k := range keys { // alike in JSON only: 1 and '1'
		for _, other := range keys {
			if k.Kind() != value.String && other.Kind() == value.String && keyText(k) == other.Str() {
				return show(other)
			}
		}
	}
	return ""
}
