package partition

import (
	"fmt"
	"io"

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
	err := p.store.SaveTo(snap, w, stop)
	if closeErr := snap.Close(); err == nil {
		err = closeErr
	}
	return err
}

// RecoverFromSnapshot replaces the copy by a streamed one. Views of before fail
// from then on; the position may go backwards.
func (p *Partition) RecoverFromSnapshot(r io.Reader, stop <-chan struct{}) error {
	if err := p.store.RecoverFrom(r, stop); err != nil {
		return err
	}
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
	if !p.open.Load() {
		return nil, ErrClosed
	}
	snap := p.store.Snapshot()
	v, err := engine.OpenView(snapshotReader{snap}, p.Compiled(), p.cfg.Env)
	if err != nil {
		return nil, closeSnapshot(snap, err)
	}
	return &View{View: v, snap: snap, env: p.cfg.Env}, nil
}

// Rehearse finds what a schema document would do.
func (v *View) Rehearse(document []byte) engine.Rehearsal { return v.View.Rehearse(document, v.env) }

// Close lets go of the snapshot.
func (v *View) Close() { _ = v.snap.Close() }

func closeSnapshot(snap *store.Snapshot, err error) error {
	_ = snap.Close()
	return err
}
