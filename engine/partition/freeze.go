package partition

import (
	"io"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/store"
)

// Frozen is a copy's whole state at one point of the order, while entries go on.
// It keeps on disk what is overwritten meanwhile: close it soon.
type Frozen struct {
	part *Partition
	snap *store.Snapshot
	pos  engine.Position
}

// Freeze takes the state as it is committed now.
func (p *Partition) Freeze() (*Frozen, error) {
	switch {
	case p.diverged.Load():
		return nil, ErrDiverged
	case !p.open.Load():
		return nil, ErrClosed
	}
	snap := p.store.StreamSnapshot()
	pos, err := engine.PositionOf(snapshotReader{snap})
	if err != nil {
		return nil, closeSnapshot(snap, err)
	}
	return &Frozen{part: p, snap: snap, pos: pos}, nil
}

// Position is the point of the order that the state is of.
func (f *Frozen) Position() engine.Position { return f.pos }

// Save writes the state as a stream for RecoverFromSnapshot.
func (f *Frozen) Save(w io.Writer, stop <-chan struct{}) error {
	return f.part.saveTo(f.snap, w, stop)
}

// Content digests the whole state.
func (f *Frozen) Content(stop <-chan struct{}) ([32]byte, error) {
	return engine.ContentDigest(stop, snapshotReader{f.snap})
}

// Close lets go of the state.
func (f *Frozen) Close() { _ = f.snap.Close() }

// ExecuteAt executes a transaction of another history, for a rehearsal
// (engine.Machine.ExecuteAt). It is seen by readers after Settle.
func (p *Partition) ExecuteAt(b entry.Batch, it *entry.Item, revision uint64, nowMillis int64) (outcome.Verdict, error) {
	if !p.open.Load() {
		return outcome.Verdict{}, ErrClosed
	}
	return p.machine.ExecuteAt(b, it, revision, nowMillis)
}

// StandAt sets revision and time for a rehearsal (engine.Machine.StandAt).
func (p *Partition) StandAt(revision uint64, nowMillis int64) {
	p.machine.StandAt(revision, nowMillis)
}

// Settle commits what ExecuteAt did.
func (p *Partition) Settle() error { return p.commit() }
