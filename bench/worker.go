package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// workload makes documents. The same worker and number give the same document
// under the same id each time.
type workload interface {
	appendID(dst []byte, worker, number int) []byte
	appendDocument(dst []byte, worker, number int) []byte
}

// worker is one connection's client, and a careful one: every transaction has an
// id from the beginning, and is sent again under it, to the next node, until its
// outcome is known.
type worker struct {
	number  int
	load    workload
	servers *servers
	node    int           // where the next attempt goes
	spread  *atomic.Int64 // raised when it shall begin at its own node again; nil: never
	spreads int64         // as it last was
	tally   *tally
	gaps    *gapMeter // nil: gaps don't matter
	page    []answer  // by the transaction's number
	pending []waiting // sent or to be sent, without an outcome

	committed int64  // transactions of this worker
	meter     *meter // nil: nothing is measured

	x    exchange
	body []byte
}

// waiting is a transaction without an outcome.
type waiting struct {
	number  int
	sent    bool // at least once
	doubted bool // it may have been executed
	done    bool
}

// meter records latencies of requests that lie wholly within a window.
type meter struct {
	from, to  time.Time
	latency   *hdrhistogram.Histogram // microseconds
	committed int64
}

func newMeter(from, to time.Time) *meter {
	return &meter{from: from, to: to, latency: hdrhistogram.New(1, time.Hour.Microseconds(), 3)}
}

func (m *meter) record(began, ended time.Time, commits int64) {
	if m == nil || ended.Before(m.from) || ended.After(m.to) {
		return
	}
	m.committed += commits
	if !began.Before(m.from) {
		// Nothing takes an hour: attempts end after seconds, the run after patience.
		_ = m.latency.RecordValue(max(1, ended.Sub(began).Microseconds()))
	}
}

// run sends transactions until take gives no more. take is asked for up to batch
// of them; they go as one request where batch is above 1.
func (w *worker) run(ctx context.Context, batch int, take func(most int) int) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n := take(batch)
		if n == 0 {
			return nil
		}
		if w.spread != nil && w.spreads != w.spread.Load() {
			w.spreads, w.node = w.spread.Load(), w.number%len(w.servers.hosts)
		}
		w.pending = w.pending[:0]
		for range n {
			w.pending = append(w.pending, waiting{number: len(w.page)})
			w.page = append(w.page, 0)
		}
		if err := w.settle(ctx, batch > 1); err != nil {
			return err
		}
	}
}

// settle sends what is pending until each has its outcome.
func (w *worker) settle(ctx context.Context, lines bool) error {
	began := time.Now()
	before, progress, pause := w.committed, began, firstPause
	for failed := 0; len(w.pending) > 0; {
		open := len(w.pending)
		err := w.attempt(lines)
		var fatal *fatalError
		if errors.As(err, &fatal) {
			return err
		}
		if len(w.pending) < open {
			failed, progress, pause = 0, time.Now(), firstPause
		}
		if len(w.pending) == 0 {
			break
		}
		if time.Since(progress) > patience {
			return fmt.Errorf("no outcome within %v: %w", patience, err)
		}
		w.node = (w.node + 1) % len(w.servers.hosts)
		if failed++; failed%len(w.servers.hosts) == 0 {
			if !rest(ctx, pause) {
				return context.Cause(ctx)
			}
			pause = min(2*pause, longestPause)
		}
	}
	w.meter.record(began, time.Now(), w.committed-before)
	if w.gaps != nil {
		w.gaps.took(time.Since(began))
	}
	return nil
}

// fatalError is an answer that a client of this kind must never get.
type fatalError struct{ text string }

func (e *fatalError) Error() string { return e.text }

// attempt sends what is pending once. Its error is why something is still open.
func (w *worker) attempt(lines bool) (err error) {
	for i := range w.pending {
		if w.pending[i].sent {
			w.tally.retries.Add(1)
		}
		w.pending[i].sent = true
	}
	defer w.sweep()
	if !lines {
		return w.attemptOne(&w.pending[0])
	}
	return w.attemptLines()
}

// attemptOne sends one transaction as a request of its own.
func (w *worker) attemptOne(p *waiting) error {
	w.body = w.load.appendDocument(w.body[:0], w.number, p.number)
	w.x.id = w.load.appendID(w.x.id[:0], w.number, p.number)
	r, sent, err := w.x.one(w.servers, w.node, w.body, w.x.id)
	if err != nil {
		return w.broken(w.pending[:1], sent, err)
	}
	return w.take(p, r)
}

// attemptLines sends all that is pending as lines of one request.
func (w *worker) attemptLines() error {
	w.body = w.body[:0]
	for i := range w.pending {
		w.body = append(w.load.appendDocument(w.body, w.number, w.pending[i].number), '\n')
	}
	next := 0
	var last error
	sent, err := w.x.many(w.servers, w.node, w.body, func(i int, line []byte) error {
		if i == wholeRequest {
			return w.takeAll(line)
		}
		if i >= len(w.pending) {
			return &fatalError{fmt.Sprintf("%d lines were sent, and more answers came: %.200q", len(w.pending), line)}
		}
		p := &w.pending[i]
		next = i + 1
		w.x.id = w.load.appendID(w.x.id[:0], w.number, p.number)
		r, err := readReply(line, w.x.id)
		if err != nil {
			return &fatalError{err.Error()}
		}
		if err := w.take(p, r); err != nil {
			last = err
		}
		var fatal *fatalError
		if errors.As(last, &fatal) {
			return last
		}
		return nil
	})
	var whole *wholeError
	switch {
	case errors.As(err, &whole):
		return err
	case err == nil && next < len(w.pending):
		err = errors.New("the answers ended early")
	case err == nil:
		return last
	}
	return w.broken(w.pending[next:], sent, err)
}

// wholeError is a problem that stands for a whole request.
type wholeError struct{ err error }

func (e *wholeError) Error() string { return e.err.Error() }
func (e *wholeError) Unwrap() error { return e.err }

// takeAll takes a problem that stands for every line.
func (w *worker) takeAll(doc []byte) error {
	r, err := readReply(doc, nil)
	if err != nil {
		return &fatalError{err.Error()}
	}
	for i := range w.pending {
		if err = w.take(&w.pending[i], r); err == nil {
			return &fatalError{fmt.Sprintf("a batch was answered like a transaction: %.200q", doc)}
		}
	}
	return &wholeError{err}
}

// take takes the answer to one transaction. Its error says why it is still open.
func (w *worker) take(p *waiting, r reply) error {
	switch r.kind {
	case committed:
		w.tally.committed.Add(1)
		w.committed++
		if w.gaps != nil {
			w.gaps.commit()
		}
	case aborted:
		w.tally.aborted.Add(1)
	case unknown:
		w.tally.error(r.code)
		w.doubt(p)
		return fmt.Errorf("%s: %s", r.code, r.detail)
	case later:
		w.tally.error(r.code)
		return fmt.Errorf("%s: %s", r.code, r.detail)
	case refused:
		return &fatalError{fmt.Sprintf("%s was refused: %s: %s", w.load.appendID(nil, w.number, p.number), r.code, r.detail)}
	}
	p.done = true
	w.page[p.number] = answerOf(r)
	if p.doubted {
		w.tally.resolved.Add(1)
	}
	return nil
}

// broken takes the end of a connection: what was sent and not answered may have
// been executed.
func (w *worker) broken(open []waiting, sent bool, err error) error {
	var fatal *fatalError
	if errors.As(err, &fatal) {
		return err
	}
	if !sent {
		w.tally.error("connection_refused")
		return err
	}
	w.tally.error("connection_broken")
	for i := range open {
		w.doubt(&open[i])
	}
	return err
}

func (w *worker) doubt(p *waiting) {
	if !p.doubted {
		p.doubted = true
		w.tally.doubted.Add(1)
	}
}

// sweep takes out of pending what has its outcome.
func (w *worker) sweep() {
	open := w.pending[:0]
	for _, p := range w.pending {
		if !p.done {
			open = append(open, p)
		}
	}
	w.pending = open
}

// rest waits, and says whether to go on.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
