package partition

import (
	"context"
	"slices"
	"sync"
)

// waiter waits for a position; the channel is closed when it is reached.
type waiter struct {
	index    uint64
	revision uint64
	reached  chan struct{}
}

func (w *waiter) served(index, revision uint64) bool {
	return index >= w.index && revision >= w.revision
}

// waiters are the readers that wait for the copy to get on.
type waiters struct {
	mu     sync.Mutex
	list   []waiter
	closed bool
}

func (ws *waiters) wait(ctx context.Context, p *Partition, w waiter) error {
	w.reached = make(chan struct{})
	ws.mu.Lock()
	if ws.closed {
		ws.mu.Unlock()
		return ErrClosed
	}
	// Published before the lock was taken: wake has not seen this waiter.
	if pos := p.published.Load(); w.served(pos.Index, pos.Revision) {
		ws.mu.Unlock()
		return nil
	}
	ws.list = append(ws.list, w)
	ws.mu.Unlock()
	select {
	case <-w.reached:
		if pos := p.published.Load(); !w.served(pos.Index, pos.Revision) {
			return ErrClosed
		}
		return nil
	case <-ctx.Done():
		ws.forget(w.reached)
		return ctx.Err()
	}
}

func (ws *waiters) forget(reached chan struct{}) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = slices.DeleteFunc(ws.list, func(w waiter) bool { return w.reached == reached })
}

// wake is called with each new position.
func (ws *waiters) wake(index, revision uint64) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.list = slices.DeleteFunc(ws.list, func(w waiter) bool {
		if !w.served(index, revision) {
			return false
		}
		close(w.reached)
		return true
	})
}

func (ws *waiters) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = true
	for _, w := range ws.list {
		close(w.reached)
	}
	ws.list = nil
}
