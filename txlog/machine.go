package txlog

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/lni/dragonboat/v4/statemachine"

	"lockstep/engine/entry"
)

// ErrStopped is what a StateMachine's Open, SaveSnapshot and RecoverFromSnapshot return, wrapped or not, when
// they end early because their stop channel was closed. They must not return it otherwise.
var ErrStopped = errors.New("stopped because the replica is being closed")

// StateMachine is what a group's entries are applied to. Open, Apply, Sync, PrepareSnapshot,
// RecoverFromSnapshot and Close are never called at the same time; SaveSnapshot may run beside Apply.
//
// An error, other than those that are named, stops the process: a state machine that cannot go on must not be
// taken for one that has.
type StateMachine interface {
	// Open opens what is on disk and answers the index of the last entry that it contains, 0 if none.
	Open(stop <-chan struct{}) (applied uint64, err error)
	// Apply applies entries with ascending indexes, each above what Open answered. Indexes may skip. The bytes
	// are valid only during the call. It has to be quick: a replica that is behind in applying cannot become
	// leader, so the time of one call is time added to a failover.
	Apply(entries []entry.Raw) error
	// Sync puts everything applied so far on disk.
	Sync() error
	// PrepareSnapshot fixes the present state for a SaveSnapshot that follows.
	PrepareSnapshot() (any, error)
	// SaveSnapshot writes the state that was fixed and releases it. An error of w must be returned so that
	// errors.Is still finds it. It may end early with ErrStopped once stop is closed, and with ErrUnfit where the
	// state must not be copied.
	SaveSnapshot(fixed any, w io.Writer, stop <-chan struct{}) error
	// RecoverFromSnapshot replaces the state by a saved one, be it older or newer.
	RecoverFromSnapshot(r io.Reader, stop <-chan struct{}) error
	// Close is called once, when nothing else will be.
	Close() error
}

// machine is a StateMachine as the library wants it.
type machine struct {
	sm      StateMachine
	group   *Group
	applied atomic.Uint64 // index of the last entry that came by, the library's own included
	bytes   atomic.Uint64 // of entries applied since the group started: for compaction
	batch   []entry.Raw   // reused between calls of Update
	done    chan struct{} // closed after sm is
}

var _ statemachine.IOnDiskStateMachine = (*machine)(nil)

// fatal tells the operator's hook before the library stops the process.
func (m *machine) fatal(doing string, err error) error {
	if err != nil {
		m.group.host.fatal(m.group.id, doing, err)
	}
	return err
}

func (m *machine) Open(stop <-chan struct{}) (uint64, error) {
	index, err := m.sm.Open(stop)
	if errors.Is(err, ErrStopped) {
		return 0, statemachine.ErrOpenStopped
	}
	if err != nil {
		return 0, m.fatal("opening the state machine", err)
	}
	m.applied.Store(index)
	return index, nil
}

func (m *machine) Update(entries []statemachine.Entry) ([]statemachine.Entry, error) {
	batch, size := m.batch[:0], 0
	for i := range entries {
		if len(entries[i].Cmd) == 0 {
			continue // the library's own
		}
		batch = append(batch, entry.Raw{Index: entries[i].Index, Cmd: entries[i].Cmd})
		size += len(entries[i].Cmd)
	}
	if len(batch) > 0 {
		if err := m.sm.Apply(batch); err != nil {
			return nil, m.fatal("applying entries", err)
		}
	}
	clear(batch)
	m.batch = batch
	m.applied.Store(entries[len(entries)-1].Index)
	m.bytes.Add(uint64(size))
	m.group.grown(entries[len(entries)-1].Index, m.bytes.Load())
	return entries, nil
}

// Lookup has no use: reads go to the state machine directly.
func (m *machine) Lookup(any) (any, error) { return nil, nil }

func (m *machine) Sync() error { return m.fatal("syncing the state machine", m.sm.Sync()) }

func (m *machine) PrepareSnapshot() (any, error) {
	fixed, err := m.sm.PrepareSnapshot()
	return fixed, m.fatal("preparing a snapshot", err)
}

func (m *machine) SaveSnapshot(fixed any, w io.Writer, stop <-chan struct{}) error {
	err := m.sm.SaveSnapshot(fixed, w, stop)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrStopped) && closed(stop):
		return statemachine.ErrSnapshotStopped
	case errors.Is(err, statemachine.ErrSnapshotStreaming), errors.Is(err, ErrUnfit):
		return statemachine.ErrSnapshotStreaming // the receiver is gone; the library compares by identity
	case errors.Is(err, statemachine.ErrSnapshotStopped):
		return statemachine.ErrSnapshotStopped
	}
	return m.fatal("saving a snapshot", err)
}

func (m *machine) RecoverFromSnapshot(r io.Reader, stop <-chan struct{}) error {
	err := m.sm.RecoverFromSnapshot(r, stop)
	if errors.Is(err, ErrStopped) && closed(stop) {
		return statemachine.ErrSnapshotStopped
	}
	return m.fatal("recovering from a snapshot", err)
}

func (m *machine) Close() error {
	defer close(m.done)
	return m.sm.Close()
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
