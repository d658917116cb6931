package partition

import (
	"lockstep/engine"
	"lockstep/engine/store"
)

// machineStore lets the machine, which knows interfaces only, use a store.
type machineStore struct{ *store.Store }

func (s machineStore) NewIter(lower, upper []byte) engine.Iterator {
	return s.Store.NewIter(lower, upper)
}

func (s machineStore) NewBatch() engine.Batch { return s.Store.NewBatch() }

// snapshotReader lets a view read a snapshot.
type snapshotReader struct{ *store.Snapshot }

func (s snapshotReader) NewIter(lower, upper []byte) engine.Iterator {
	return s.Snapshot.NewIter(lower, upper)
}

// DiskBytes is what the copy takes on disk; 0 while it is not open.
func (p *Partition) DiskBytes() uint64 {
	if !p.open.Load() {
		return 0
	}
	return p.store.Metrics().DiskBytes
}
