package partition

import (
	"context"
	"sync"

	"lockstep/engine"
)

// changeWatch wakes those who follow a schema change: one channel for all, closed
// at each step and replaced.
type changeWatch struct {
	mu    sync.Mutex
	moved chan struct{}
	last  *engine.ChangeStatus
	ended uint64 // number of the last change that ended
}

func (w *changeWatch) init() { w.moved = make(chan struct{}) }

// wake is called with each new position.
func (w *changeWatch) wake(now *engine.ChangeStatus, ends []engine.ChangeEnd) {
	ended := uint64(0)
	if n := len(ends); n > 0 {
		ended = ends[n-1].ID
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if same(w.last, now) && w.ended == ended {
		return
	}
	w.last, w.ended = now, ended
	close(w.moved)
	w.moved = make(chan struct{})
}

func same(a, b *engine.ChangeStatus) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.ID == b.ID && a.Step == b.Step && a.Phase == b.Phase
}

// Change is the schema change under way at this copy, nil where there is none,
// and a channel that is closed at its next step, or when the next one begins.
func (p *Partition) Change() (*engine.ChangeStatus, <-chan struct{}) {
	p.changes.mu.Lock()
	moved := p.changes.moved
	p.changes.mu.Unlock()
	return p.published.Load().change, moved
}

// Closed is closed when the copy is.
func (p *Partition) Closed() <-chan struct{} { return p.closed }

// WaitChangeEnd waits until the copy knows how a change ended. It is nil where
// that has been forgotten: many others have ended since.
func (p *Partition) WaitChangeEnd(ctx context.Context, id uint64) (*engine.ChangeEnd, error) {
	for {
		_, moved := p.Change()
		ends := p.published.Load().ends
		for i := range ends {
			if ends[i].ID == id {
				return &ends[i], nil
			}
		}
		if n := len(ends); n > 0 && ends[n-1].ID > id {
			return nil, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-p.closed:
			return nil, ErrClosed
		}
	}
}

// CountRows counts the rows of tables, by their numbers, in a snapshot of now.
func (p *Partition) CountRows(tables []uint32, stop <-chan struct{}) (uint64, error) {
	if !p.open.Load() {
		return 0, ErrClosed
	}
	snap := p.store.Snapshot()
	n, err := engine.CountRows(snapshotReader{snap}, tables, stop)
	return n, closeSnapshot(snap, err)
}
