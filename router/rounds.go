package router

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// errNoRound says that no read-index round was answered in time.
var errNoRound = errors.New("no majority confirmed the group's primary in time")

// rounds shares read-index rounds among all the reads of a group that wait
// (architecture.md, Reads). A read is served by any round that began after it
// arrived; while one is under way, those that arrive gather for the next. A
// round without an answer for ten ticks, or one before a change of the leader,
// is not waited for: another one starts beside it, and whichever answers first
// serves all that had arrived when it began.
type rounds struct {
	source func(context.Context) (uint64, error)
	tick   time.Duration
	count  func() // counts rounds for the metrics

	ctx  context.Context // ends with the front
	mu   sync.Mutex
	wait []*reader   // in the order of arrival
	came uint64      // readers that ever arrived
	fly  int         // rounds under way
	next uint64      // number of the newest round
	busy bool        // the newest round is under way
	late *time.Timer // begins another round
	last served
}

// While somebody waits, the newest round is under way or late is set.

// served is a round that was answered: all that was acknowledged before began
// lies at or below index.
type served struct {
	began time.Time
	index uint64
}

// reader is one read that waits for a round. Readers are reused.
type reader struct {
	came  uint64
	index uint64
	ready chan struct{} // holds one
	timer *time.Timer
}

// newRounds makes the rounds of one group, until the context ends.
func newRounds(ctx context.Context, source func(context.Context) (uint64, error), tick time.Duration, count func()) *rounds {
	r := &rounds{ctx: ctx, source: source, tick: tick, count: count}
	r.late = time.AfterFunc(time.Hour, r.overdue)
	r.late.Stop()
	return r
}

func newReader() *reader {
	r := &reader{ready: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	r.timer.Stop()
	return r
}

// index waits for a round that begins after this call.
func (r *rounds) index(w *reader, deadline time.Time) (uint64, error) {
	r.mu.Lock()
	r.came++
	w.came = r.came
	r.wait = append(r.wait, w)
	if len(r.wait) == 1 && !r.busy {
		r.begin()
	}
	r.mu.Unlock()
	w.timer.Reset(time.Until(deadline))
	select {
	case <-w.ready:
		w.timer.Stop()
		return w.index, nil
	case <-w.timer.C:
	case <-r.ctx.Done():
		w.timer.Stop()
	}
	r.mu.Lock()
	at := slices.Index(r.wait, w)
	if at >= 0 {
		r.wait = slices.Delete(r.wait, at, at+1)
	}
	r.mu.Unlock()
	if at < 0 { // served in the last moment
		<-w.ready
		return w.index, nil
	}
	return 0, errNoRound
}

// recent is the index of a round that began no longer ago than lag.
func (r *rounds) recent(lag time.Duration) (uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last.index, !r.last.began.IsZero() && time.Since(r.last.began) <= lag
}

// begin starts a round for all that wait; the lock is held.
func (r *rounds) begin() {
	r.fly++
	r.next++
	r.busy = true
	r.late.Reset(roundTicks * r.tick)
	r.count()
	go r.run(r.next, r.came, time.Now())
}

// run is one round. Those who had come when it began are the first to came.
func (r *rounds) run(number, came uint64, began time.Time) {
	ctx, cancel := context.WithTimeout(r.ctx, roundTime)
	index, err := r.source(ctx)
	cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fly--
	if err == nil {
		r.serve(came, served{began: began, index: index})
	}
	if number != r.next {
		return // the newest round sees to those who still wait
	}
	r.busy = false
	switch {
	case len(r.wait) == 0:
		r.late.Stop()
	case err == nil:
		r.begin()
	default: // no primary, say: again after a tick, unless its change comes first
		r.late.Reset(r.tick)
	}
}

// serve lets go all who arrived before the round began; the lock is held.
func (r *rounds) serve(came uint64, by served) {
	n := 0
	for n < len(r.wait) && r.wait[n].came <= came {
		r.wait[n].index = by.index
		r.wait[n].ready <- struct{}{}
		n++
	}
	r.wait = slices.Delete(r.wait, 0, n)
	if by.began.After(r.last.began) {
		r.last = by
	}
}

// overdue starts another round where the newest has no answer yet.
func (r *rounds) overdue() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wait) == 0 || r.ctx.Err() != nil {
		return
	}
	if r.fly < maxConcurrentRounds {
		r.begin()
	} else {
		r.late.Reset(roundTicks * r.tick)
	}
}
