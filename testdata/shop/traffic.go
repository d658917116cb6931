package shop

import "lockstep/testdata/call"

// Traffic makes the specification's mix of transactions (clause 5.2.3).
type Traffic struct {
	chance
	size Size
}

// NewTraffic makes the traffic that follows from a seed, for what Load fills with
// the same size.
func NewTraffic(seed uint64, size Size) *Traffic {
	return &Traffic{chance: newChance(seed, runConstant), size: size}
}

// Next is the next transaction.
func (t *Traffic) Next() string {
	w, d := t.between(1, t.size.Warehouses), t.between(1, t.size.Districts)
	switch n := t.IntN(100); {
	case n < 45:
		return t.newOrder(w, d)
	case n < 88:
		return t.payment(w, d)
	case n < 92:
		return call.Procedure("order_status", t.who(call.Params{"w": w, "d": d}))
	case n < 96:
		return call.Procedure("delivery", call.Params{"w": w, "carrier": t.between(1, 10)})
	}
	return call.Procedure("stock_level", call.Params{"w": w, "d": d, "threshold": t.between(10, 20)})
}

// who names a customer: six times in ten by last name.
func (t *Traffic) who(p call.Params) call.Params {
	if t.percent(60) {
		p["last"] = t.last(t.size)
	} else {
		p["c"] = t.customer(t.size)
	}
	return p
}

// newOrder is clause 2.4.1: one order in a hundred has an item that is not there, one
// line in a hundred comes from another warehouse.
func (t *Traffic) newOrder(w, d int) string {
	lines := make([]call.Params, t.between(5, 15))
	for i := range lines {
		supply := w
		if t.percent(1) {
			supply = t.another(w)
		}
		lines[i] = call.Params{"i": t.item(t.size), "supply_w": supply, "quantity": t.between(1, 10)}
	}
	if t.percent(1) {
		lines[len(lines)-1]["i"] = t.size.Items + 1
	}
	return call.Procedure("new_order", call.Params{"w": w, "d": d, "c": t.customer(t.size), "lines": lines})
}

// payment is clause 2.5.1: fifteen customers in a hundred belong to another warehouse.
func (t *Traffic) payment(w, d int) string {
	p := call.Params{"w": w, "d": d, "c_w": w, "c_d": d, "amount": t.between(1_00, 5_000_00)}
	if t.percent(15) && t.size.Warehouses > 1 {
		p["c_w"], p["c_d"] = t.another(w), t.between(1, t.size.Districts)
	}
	return call.Procedure("payment", t.who(p))
}

// another is a warehouse that is not w, if there is one.
func (t *Traffic) another(w int) int {
	if t.size.Warehouses == 1 {
		return w
	}
	other := t.between(1, t.size.Warehouses-1)
	if other >= w {
		other++
	}
	return other
}
