package store

import (
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Get returns the value of key, copied into dst's storage if it is large enough
// (dst's contents are overwritten), and whether there is one. It does not
// allocate when dst has room and the value is in memory or in the cache.
func (s *Store) Get(key, dst []byte) (val []byte, ok bool, err error) {
	c, err := s.enter()
	if err != nil {
		return dst[:0], false, err
	}
	defer c.leave()
	if err := c.fail.readable(); err != nil {
		return dst[:0], false, err
	}
	return get(c.db, key, dst)
}

// getter is the part of Pebble's databases and snapshots that reads one key.
type getter interface {
	Get(key []byte) ([]byte, io.Closer, error)
}

func get(from getter, key, dst []byte) ([]byte, bool, error) {
	v, closer, err := from.Get(key)
	if err == pebble.ErrNotFound {
		return dst[:0], false, nil
	}
	if err != nil {
		return dst[:0], false, readError(err)
	}
	dst = append(dst[:0], v...)
	if err := closer.Close(); err != nil {
		return dst[:0], false, readError(err)
	}
	return dst, true, nil
}

func readError(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: reading: %w", ErrCorrupt, err)
	}
	return diskError("read", ".", err)
}

// pebbleSnapshot is what Pebble's two kinds of snapshots have in common.
type pebbleSnapshot interface {
	getter
	NewIter(*pebble.IterOptions) (*pebble.Iterator, error)
	Close() error
}

// Snapshot is the store's contents at one moment. It may be used by several
// goroutines, and must be closed. While it is open the disk space of what was
// overwritten since is not reclaimed.
type Snapshot struct {
	c    *contents
	mu   sync.RWMutex // held for reading by operations, for writing by Close
	snap pebbleSnapshot
	err  error // why snap is nil
}

// Snapshot returns the contents of now, cheaply: for reads of seconds. Of a
// closed store it returns one whose every use fails with ErrClosed.
func (s *Store) Snapshot() *Snapshot {
	return s.snapshot(func(db *pebble.DB) pebbleSnapshot { return db.NewSnapshot() })
}

// StreamSnapshot is a Snapshot for uses of minutes, as by SaveTo: once its
// contents are flushed it keeps files instead of burdening every compaction with
// overwritten values. Its Get is slower.
func (s *Store) StreamSnapshot() *Snapshot {
	return s.snapshot(func(db *pebble.DB) pebbleSnapshot {
		end := make([]byte, MaxKeyBytes+1)
		for i := range end {
			end[i] = 0xff
		}
		return db.NewEventuallyFileOnlySnapshot([]pebble.KeyRange{{Start: []byte{}, End: end}})
	})
}

func (s *Store) snapshot(open func(*pebble.DB) pebbleSnapshot) *Snapshot {
	c, err := s.enter()
	if err != nil {
		return &Snapshot{err: err}
	}
	defer c.leave()
	sn := &Snapshot{c: c, snap: open(c.db)}
	c.adopt(sn)
	return sn
}

// Get is Store.Get at the snapshot's moment.
func (sn *Snapshot) Get(key, dst []byte) (val []byte, ok bool, err error) {
	sn.mu.RLock()
	defer sn.mu.RUnlock()
	if sn.snap == nil {
		return dst[:0], false, sn.err
	}
	if err := sn.c.fail.readable(); err != nil {
		return dst[:0], false, err
	}
	return get(sn.snap, key, dst)
}

// NewIter returns an iterator over the keys in [lo, hi) at the snapshot's moment;
// nil means no bound. It outlives the snapshot, and must be closed.
func (sn *Snapshot) NewIter(lo, hi []byte) *Iter {
	sn.mu.RLock()
	defer sn.mu.RUnlock()
	if sn.snap == nil {
		return &Iter{err: sn.err}
	}
	if !sn.c.enter() { // no child is adopted once closing has counted them
		return &Iter{err: sn.c.reason}
	}
	defer sn.c.leave()
	return newIter(sn.c, sn.snap, lo, hi)
}

// Close lets go of the snapshot. A second Close does nothing.
func (sn *Snapshot) Close() error {
	err := sn.free(ErrClosed)
	if sn.c != nil {
		sn.c.disown(sn) // last: until then the store's Close waits for it
	}
	return err
}

func (sn *Snapshot) release(reason error) { _ = sn.free(reason) }

func (sn *Snapshot) free(reason error) error {
	sn.mu.Lock()
	defer sn.mu.Unlock()
	if sn.snap == nil {
		return nil
	}
	err := sn.snap.Close()
	sn.snap, sn.err = nil, reason
	return err
}
