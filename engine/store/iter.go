package store

import (
	"bytes"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Iter walks keys in byte order, forth and back. It is for one goroutine at a
// time, and must be closed. A loop over it must look at Err at its end: an
// iterator that fails, or whose store is closed, just stops being valid.
type Iter struct {
	c        *contents
	mu       sync.Mutex // against the closing of the store
	it       *pebble.Iterator
	key, val []byte // copies: they outlive the store
	valid    bool
	err      error
}

// NewIter returns an iterator over the keys in [lo, hi) as they are now; nil
// means no bound. Later commits don't show in it.
func (s *Store) NewIter(lo, hi []byte) *Iter {
	c, err := s.enter()
	if err != nil {
		return &Iter{err: err}
	}
	defer c.leave()
	return newIter(c, c.db, lo, hi)
}

type iterable interface {
	NewIter(*pebble.IterOptions) (*pebble.Iterator, error)
}

func newIter(c *contents, from iterable, lo, hi []byte) *Iter {
	if lo != nil && hi != nil && bytes.Compare(lo, hi) >= 0 {
		return &Iter{} // of no keys; Pebble takes such bounds for its own mistake
	}
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return &Iter{err: readError(err)}
	}
	i := &Iter{c: c, it: it}
	c.adopt(i)
	return i
}

// First moves to the first key, and tells whether there is one.
func (i *Iter) First() bool { return i.move((*pebble.Iterator).First) }

// Last moves to the last key.
func (i *Iter) Last() bool { return i.move((*pebble.Iterator).Last) }

// Next moves to the following key.
func (i *Iter) Next() bool { return i.move((*pebble.Iterator).Next) }

// Prev moves to the preceding key.
func (i *Iter) Prev() bool { return i.move((*pebble.Iterator).Prev) }

// SeekGE moves to the first key that is not less than key.
func (i *Iter) SeekGE(key []byte) bool { return i.seek((*pebble.Iterator).SeekGE, key) }

// SeekLT moves to the last key that is less than key.
func (i *Iter) SeekLT(key []byte) bool { return i.seek((*pebble.Iterator).SeekLT, key) }

func (i *Iter) move(step func(*pebble.Iterator) bool) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.it == nil {
		i.valid = false
		return false
	}
	return i.take(step(i.it))
}

func (i *Iter) seek(step func(*pebble.Iterator, []byte) bool, key []byte) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.it == nil {
		i.valid = false
		return false
	}
	return i.take(step(i.it, key))
}

// take copies what the iterator has come to.
func (i *Iter) take(ok bool) bool {
	i.valid = false
	if i.err = i.c.fail.readable(); i.err != nil {
		return false
	}
	if !ok {
		if err := i.it.Error(); err != nil {
			i.err = readError(err)
		}
		return false
	}
	val, err := i.it.ValueAndErr()
	if err != nil {
		i.err = readError(err)
		return false
	}
	i.key = append(i.key[:0], i.it.Key()...)
	i.val = append(i.val[:0], val...)
	i.valid = true
	return true
}

// Skipped is about how many keys that are deleted, or older values, the iterator
// has passed over so far.
func (i *Iter) Skipped() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.it == nil {
		return 0
	}
	s := i.it.Stats()
	calls := s.ForwardStepCount[pebble.InterfaceCall] + s.ReverseStepCount[pebble.InterfaceCall]
	return s.ForwardStepCount[pebble.InternalIterCall] + s.ReverseStepCount[pebble.InternalIterCall] - calls
}

// Valid tells whether the iterator is at a key.
func (i *Iter) Valid() bool { return i.valid }

// Key is the present key, until the next move; only when Valid.
func (i *Iter) Key() []byte { return i.key }

// Value is the present value, until the next move; only when Valid.
func (i *Iter) Value() []byte { return i.val }

// Err is the error that ended the walk, or nil.
func (i *Iter) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

// Close lets go of the iterator and returns Err. A second Close does nothing
// more. Key and Value stay what they are.
func (i *Iter) Close() error {
	i.mu.Lock()
	err := i.err
	i.free(ErrClosed)
	i.mu.Unlock()
	if i.c != nil {
		i.c.disown(i) // last: until then the store's Close waits for it
	}
	return err
}

func (i *Iter) release(reason error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.free(reason)
}

func (i *Iter) free(reason error) {
	if i.it == nil {
		return
	}
	if err := i.it.Close(); err != nil && i.err == nil {
		i.err = readError(err)
	}
	if i.err == nil {
		i.err = reason
	}
	i.it = nil
}
