package order

// counters numbers this router's own ids from 1, and never lets two that are
// under way be counterSpan or more apart, so that none falls below the window
// that the replicated state keeps while it may still be executed.
type counters struct {
	last  uint64
	taken [counterSpan / 64]uint64 // bit n mod counterSpan: n is under way
}

// take gives the next number, unless the one counterSpan before is under way.
func (c *counters) take() (uint64, bool) {
	next := c.last + 1
	if c.bit(next) {
		return 0, false
	}
	c.last = next
	c.taken[next/64%uint64(len(c.taken))] |= 1 << (next % 64)
	return next, true
}

func (c *counters) release(n uint64) {
	c.taken[n/64%uint64(len(c.taken))] &^= 1 << (n % 64)
}

// busy tells whether exactly n is under way.
func (c *counters) busy(n uint64) bool {
	return n <= c.last && n+counterSpan > c.last && c.bit(n)
}

func (c *counters) bit(n uint64) bool {
	return c.taken[n/64%uint64(len(c.taken))]>>(n%64)&1 == 1
}
