package bench

import "time"

// Span is what clients saw in a stretch of time.
type Span struct {
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"tx_per_second"` // committed
	// Gap is the longest time between two successive commits seen by any client; one
	// that was open at either end counts whole, as far as it went.
	Gap float64 `json:"gap_ms"`
	// Slowest is the longest time from a transaction's first attempt to its outcome.
	Slowest float64          `json:"slowest_ms"`
	Errors  map[string]int64 `json:"errors,omitempty"` // answers that were no outcome, by code
}

// spanMeter measures one stretch of a crew's time.
type spanMeter struct {
	crew    *crew
	began   time.Time
	commits int64
	errors  map[string]int64
}

// span begins a stretch; only one goes on at a time.
func (c *crew) span() *spanMeter {
	c.gaps.reset()
	c.gaps.slowest.Store(0)
	return &spanMeter{crew: c, began: time.Now(), commits: c.tally.committed.Load(), errors: c.tally.errors()}
}

// end gives what was seen.
func (m *spanMeter) end() *Span {
	took := time.Since(m.began).Seconds()
	g := m.crew.gaps
	gap := max(g.gap(), time.Duration(g.now()-g.lastCommit()))
	s := &Span{
		Seconds: took, PerSecond: float64(m.crew.tally.committed.Load()-m.commits) / took,
		Gap: inMillis(gap), Slowest: inMillis(time.Duration(g.slowest.Load())),
	}
	for code, n := range m.crew.tally.errors() {
		if n -= m.errors[code]; n > 0 {
			if s.Errors == nil {
				s.Errors = map[string]int64{}
			}
			s.Errors[code] = n
		}
	}
	return s
}

// took notes how long a transaction took that has its outcome now.
func (g *gapMeter) took(d time.Duration) {
	for {
		slowest := g.slowest.Load()
		if int64(d) <= slowest || g.slowest.CompareAndSwap(slowest, int64(d)) {
			return
		}
	}
}

// begin has what is open now count from now.
func (g *gapMeter) begin() {
	if now := g.now(); g.last.Load() != 0 {
		g.last.Store(now)
	}
	g.reset()
}
