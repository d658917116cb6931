package lang

import "lockstep/engine/value"

// Frame is what an expression sees while it is evaluated. One frame serves one
// transaction at a time; its caller may pool it.
type Frame struct {
	Slots []value.Value // values of variables, by Var.Slot
	Meter *Meter        // the transaction's budget
	Tx    *Tx           // nil where the scope is TxNone

	locals []value.Value // variables of comprehensions, by nesting
}

// Tx is what `tx` shows of the transaction.
type Tx struct {
	ID       string
	Revision int64
	Now      value.Value // a timestamp in milliseconds
	Seed     [16]byte    // of the entry; uuid and random are drawn from it and ID
}

// Meter counts cost against a limit, in units of the language's own table. Used is
// never above Limit.
type Meter struct {
	Used, Limit uint64

	// More, for queries alone, is told what would be used where that is over the
	// limit, and may raise the limit: so a query is stopped at set amounts of work,
	// to see whether it should go on. A transaction has none, so that nothing but
	// its cost can end it.
	More func(used uint64)
}

// Charge takes n units before the work that they stand for is done. It is small
// enough to be inlined, for everything that is evaluated calls it.
func (m *Meter) Charge(n uint64) *Fault {
	if n > m.Limit-m.Used {
		return m.over(n)
	}
	m.Used += n
	return nil
}

// over is what is rare.
func (m *Meter) over(n uint64) *Fault {
	used := m.Used + n
	if m.More != nil && used >= n {
		if m.More(used); used <= m.Limit {
			m.Used = used
			return nil
		}
	}
	m.Used = m.Limit
	return &Fault{Kind: FaultCost}
}

// chargeText takes what reading or writing n bytes costs.
func (f *Frame) chargeText(n int) *Fault {
	if n < bytesPerUnit {
		return nil
	}
	return f.chargeLong(uint64(n) / bytesPerUnit)
}

// chargeLong is kept apart, so that what is short costs no call.
//
//go:noinline
func (f *Frame) chargeLong(units uint64) *Fault { return f.Meter.Charge(units) }
