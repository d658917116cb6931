package router

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"lockstep/engine/outcome"
	"lockstep/engine/program"
)

// contention advises clients whose `expect` failed when to read and try again.
//
// Of all who read one version of a row, the first to be ordered wins; the others
// are told conflict, and if they all came back at once, all but one would lose
// again. So those who lost are given turns: each conflict on a row books the next
// free moment, which is as long after the one booked before as a transaction takes
// at present. Who comes in its turn finds the row quiet, or nearly: turns twice as
// far apart spare few conflicts more, and leave the row idle. Nothing is enforced:
// who ignores its turn only competes.
//
// A turn is advice of one router, from what it sees alone: it is no part of the
// recorded outcome, nor of any state. Where several routers serve the group's
// clients, each sees its share of them, and leaves the others' turns free.
type contention struct {
	seed     maphash.Seed
	took     atomic.Int64 // ns: moving median of a transaction from request to outcome
	answered atomic.Uint64

	mu     sync.Mutex
	booked [contentionRows]time.Time // by hash of the row: the last turn given
	share  float64                   // revisions of the group for each outcome answered here, at least 1
	at     time.Time                 // of the figures below
	of     uint64                    // answered then
	from   uint64                    // revision then
}

func newContention() *contention {
	return &contention{seed: maphash.MakeSeed(), share: 1}
}

// note takes how long a transaction took to its outcome, where it was executed: one
// that is answered from the record takes less, and no revision of the group's. Their median is tracked
// by steps, so that a few that took very long don't count for more.
func (c *contention) note(took time.Duration) {
	was := c.took.Load()
	step := max(was/contentionMemory, 1)
	switch {
	case was == 0:
		was = int64(took)
	case int64(took) > was:
		was += step
	case int64(took) < was:
		was -= step
	}
	c.took.Store(was) // of two at once one may be lost
	c.answered.Add(1)
}

// turn books the next turn on a row, and tells how long it is until then.
func (c *contention) turn(row string, revision uint64, now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.weigh(revision, now)
	cycle := min(max(time.Duration(c.took.Load()), minTurn), maxTurn)
	cycle = time.Duration(float64(cycle) * c.share)
	slot := &c.booked[maphash.String(c.seed, row)%contentionRows]
	turn := now
	if slot.After(now) {
		turn = *slot
	}
	turn = turn.Add(cycle)
	if limit := now.Add(maxAdvice); turn.After(limit) {
		turn = limit
	}
	*slot = turn
	return turn.Sub(now)
}

// weigh estimates this router's share of the group's transactions.
func (c *contention) weigh(revision uint64, now time.Time) {
	if now.Sub(c.at) < contentionLook {
		return
	}
	answered, revision := c.answered.Load(), max(revision, c.from)
	if n, all := answered-c.of, revision-c.from; !c.at.IsZero() && n > 0 && revision > c.from {
		seen := min(max(float64(all)/float64(n), 1), maxShare)
		c.share += (seen - c.share) / 2
	}
	c.at, c.of, c.from = now, answered, revision
}

// adviseOn gives a conflict its advice; other aborts have none.
func (c *contention) adviseOn(p *Problem, o *outcome.Outcome, now time.Time) {
	if o.Code == program.CodeConflict {
		p.retryAfter = max(c.turn(program.ConflictRow(o.Message), o.Revision, now), time.Millisecond)
	}
}
