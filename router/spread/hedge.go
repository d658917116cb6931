package spread

import (
	"sync/atomic"
	"time"
)

// Bounds of asking a second copy.
const (
	// share is in how many reads one may ask a second copy: 5%. When all copies are
	// slow, second questions would make them slower.
	share = 20
	// saved is how many second questions may be saved up: a copy that stops is met
	// by a burst.
	saved = 10
	// minAfter and maxAfter bound how long the first copy is waited for. Below the
	// least, second questions would cost more than they save.
	minAfter = 2 * time.Millisecond
	maxAfter = time.Second
	// firstAfter is the wait before anything is known.
	firstAfter = 20 * time.Millisecond
	// tailStep is the part of the percentile by which a read that is below it moves
	// it.
	tailStep = 200
)

// Hedge says when a read is late enough to ask a second copy, and how many may. The
// zero value is ready.
type Hedge struct {
	late   atomic.Int64 // ns: the 95th percentile, tracked by steps
	credit atomic.Int64 // parts of a second question
}

// Earn counts a read that may be late: so many give the right to a second question.
func (h *Hedge) Earn() {
	if h.credit.Load() < share*saved {
		h.credit.Add(1) // a few above the bound do no harm
	}
}

// Spend takes the right to ask a second copy.
func (h *Hedge) Spend() bool {
	for {
		have := h.credit.Load()
		if have < share {
			return false
		}
		if h.credit.CompareAndSwap(have, have-share) {
			return true
		}
	}
}

// Note takes how long a read took, or was waited for in vain.
func (h *Hedge) Note(took time.Duration) {
	was := h.late.Load()
	if was == 0 {
		was = int64(firstAfter)
	}
	step := was / tailStep
	if int64(took) > was {
		was += 19 * step // 1 in 20 is above it where this is as often up as down
	} else {
		was -= step
	}
	h.late.Store(min(max(was, int64(minAfter)), int64(maxAfter))) // of two at once one may be lost
}

// After is how long the first copy is waited for before a second one is asked.
func (h *Hedge) After() time.Duration {
	if late := h.late.Load(); late != 0 {
		return time.Duration(late)
	}
	return firstAfter
}
