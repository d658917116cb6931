package bench

import (
	"maps"
	"sync"
	"sync/atomic"
)

// answer is what a transaction was acknowledged as: 0 none yet, else its revision
// and whether it committed.
type answer uint64

func answerOf(r reply) answer {
	a := answer(r.revision << 1)
	if r.kind == committed {
		a |= 1
	}
	return a
}

func (a answer) definite() bool   { return a != 0 }
func (a answer) committed() bool  { return a&1 == 1 }
func (a answer) revision() uint64 { return uint64(a >> 1) }

// book holds what every transaction was acknowledged as, by worker and number. A
// page is its worker's own until the worker ends.
type book [][]answer

// each calls f for every transaction.
func (b book) each(f func(worker, number int, a answer)) {
	for worker, page := range b {
		for number, a := range page {
			f(worker, number, a)
		}
	}
}

// at finds an answer; 0 where no such transaction was sent.
func (b book) at(worker, number int) answer {
	if worker >= len(b) || number >= len(b[worker]) {
		return 0
	}
	return b[worker][number]
}

// size is how many transactions there are.
func (b book) size() (n int) {
	for _, page := range b {
		n += len(page)
	}
	return n
}

// tally counts what clients saw. It may be used from any goroutine.
type tally struct {
	committed atomic.Int64 // transactions
	aborted   atomic.Int64
	retries   atomic.Int64 // transactions sent again, each time
	doubted   atomic.Int64 // transactions whose outcome was unknown at some time
	resolved  atomic.Int64 // of these, answered definitely under the same id

	mu   sync.Mutex
	seen map[string]int64 // what else came, by code
}

// acknowledged is how many transactions have their outcome.
func (t *tally) acknowledged() int64 { return t.committed.Load() + t.aborted.Load() }

// error counts what came in place of an outcome.
func (t *tally) error(code string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil {
		t.seen = map[string]int64{}
	}
	t.seen[code]++
}

// errors are the counts by code.
func (t *tally) errors() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.seen)
}

// failures is how many answers were none that a client hopes for.
func (t *tally) failures() (n int64) {
	for _, count := range t.errors() {
		n += count
	}
	return n
}
