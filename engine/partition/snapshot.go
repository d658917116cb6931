package partition

import (
	"fmt"
	"io"
	"sync/atomic"

	"lockstep/engine"
	"lockstep/engine/lang"
	"lockstep/engine/store"
)

// PrepareSnapshot takes what SaveSnapshot will stream, between two calls of
// Apply.
func (p *Partition) PrepareSnapshot() (any, error) {
	if !p.open.Load() {
		return nil, ErrClosed
	}
	return p.store.StreamSnapshot(), nil
}

// SaveSnapshot streams a prepared snapshot while entries go on.
func (p *Partition) SaveSnapshot(prepared any, w io.Writer, stop <-chan struct{}) error {
	snap, ok := prepared.(*store.Snapshot)
	if !ok {
		return fmt.Errorf("save a snapshot: %T is none of this copy", prepared)
	}
	err := p.saveTo(snap, w, stop)
	if closeErr := snap.Close(); err == nil {
		err = closeErr
	}
	return err
}

// saveTo writes the snapshot, and nothing of a copy that differs: what is wrong
// here must not become another copy's.
func (p *Partition) saveTo(snap *store.Snapshot, w io.Writer, stop <-chan struct{}) error {
	if p.diverged.Load() {
		return ErrDiverged
	}
	if err := p.store.SaveTo(snap, doubtful{w, &p.diverged}, stop); err != nil {
		return err
	}
	if p.diverged.Load() {
		return ErrDiverged
	}
	return nil
}

// doubtful writes until the copy is found to differ.
type doubtful struct {
	w        io.Writer
	diverged *atomic.Bool
}

func (d doubtful) Write(b []byte) (int, error) {
	if d.diverged.Load() {
		return 0, ErrDiverged
	}
	return d.w.Write(b)
}

// RecoverFromSnapshot replaces the copy by a streamed one. Views of before fail
// from then on; the position may go backwards.
func (p *Partition) RecoverFromSnapshot(r io.Reader, stop <-chan struct{}) error {
	if err := p.store.RecoverFrom(r, stop); err != nil {
		return err
	}
	p.checks.reset()
	return p.loadMachine()
}

// View is a consistent reader of the copy; close it.
type View struct {
	*engine.View
	snap *store.Snapshot
	env  *lang.Env
}

// View opens a snapshot of what is committed.
func (p *Partition) View() (*View, error) {
	switch {
	case p.diverged.Load():
		return nil, ErrDiverged
	case !p.open.Load():
		return nil, ErrClosed
	}
	snap := p.store.Snapshot()
	v, err := engine.OpenView(snapshotReader{snap}, p.Compiled(), p.cfg.Env)
	if err != nil {
		return nil, closeSnapshot(snap, err)
	}
	return &View{View: v, snap: snap, env: p.cfg.Env}, nil
}

// Rehearse finds what a schema document would do, by looking at no more than the
// given number of rows (0: at all), until stop is closed.
func (v *View) Rehearse(document []byte, rows uint64, stop <-chan struct{}) engine.Rehearsal {
	return v.View.Rehearse(document, v.env, rows, stop)
}

// Close lets go of the snapshot.
func (v *View) Close() { _ = v.snap.Close() }

func closeSnapshot(snap *store.Snapshot, err error) error {
	_ = snap.Close()
	return err
}
