package store

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// writeState is what decides when a memtable is flushed and when a commit waits.
type writeState struct {
	mu       sync.Mutex      // held by a commit, and while a flush is begun
	pending  int             // bytes committed since the last flush was begun, estimated
	flushing <-chan struct{} // closed when the last flush begun is durable; nil before the first
}

// Batch is a set of changes that become visible together, and durable together.
// It is for one goroutine at a time. Changes apply in the order of the calls.
type Batch struct {
	s   *Store
	c   *contents
	b   *pebble.Batch
	err error
}

// NewBatch returns an empty batch. Of a closed store it returns one whose Commit
// fails with ErrClosed.
func (s *Store) NewBatch() *Batch {
	b := &Batch{s: s}
	b.attach()
	return b
}

// attach makes an empty Pebble batch for the present contents.
func (b *Batch) attach() {
	c, err := b.s.enter()
	if err != nil {
		b.err = err
		return
	}
	defer c.leave()
	b.c, b.err = c, nil
	b.b = c.db.NewBatch(pebble.WithMaxRetainedSizeBytes(maxRetainedBatchBytes))
}

// Set gives key a value. Both are copied. A key, value or batch beyond the limits
// makes Commit fail with ErrTooLarge, whatever else is in the batch.
func (b *Batch) Set(key, value []byte) {
	if !b.accepts(key) {
		return
	}
	if len(value) > MaxValueBytes {
		b.err = fmt.Errorf("%w: value of %d bytes, at most %d", ErrTooLarge, len(value), MaxValueBytes)
		return
	}
	b.err = b.b.Set(key, value, nil)
}

// Delete removes key, if it is there.
func (b *Batch) Delete(key []byte) {
	if b.accepts(key) {
		b.err = b.b.Delete(key, nil)
	}
}

// DeleteRange removes the keys in [lo, hi); nothing when lo is not less than hi.
func (b *Batch) DeleteRange(lo, hi []byte) {
	if b.accepts(lo) && b.accepts(hi) && bytes.Compare(lo, hi) < 0 {
		b.err = b.b.DeleteRange(lo, hi, nil)
	}
}

func (b *Batch) accepts(key []byte) bool {
	if b.err != nil {
		return false
	}
	if b.b.Len() > MaxBatchBytes {
		b.err = fmt.Errorf("%w: batch of %d bytes, at most %d", ErrTooLarge, b.b.Len(), MaxBatchBytes)
		return false
	}
	if len(key) == 0 || len(key) > MaxKeyBytes {
		b.err = fmt.Errorf("%w: key of %d bytes, from 1 to %d", ErrTooLarge, len(key), MaxKeyBytes)
		return false
	}
	return true
}

// Len is the batch's size in bytes, a little more than that of its keys and values.
func (b *Batch) Len() int {
	if b.b == nil {
		return 0
	}
	return b.b.Len()
}

// Count is the number of changes in the batch.
func (b *Batch) Count() int {
	if b.b == nil {
		return 0
	}
	return int(b.b.Count())
}

// Commit makes the changes visible, all at once. It does not make them durable:
// Flush does. It may wait for the disk when more is committed than can be
// flushed. A batch is committed once; Reset makes it usable again. After an error
// nothing of the batch, or all of it, is visible, and the store can't be written
// any more, except after ErrTooLarge and ErrReplaced.
func (b *Batch) Commit() error {
	if b.err != nil {
		return fmt.Errorf("commit: %w", b.err)
	}
	c := b.c
	if !c.enter() {
		return fmt.Errorf("commit: %w", c.reason)
	}
	defer c.leave()
	if b.b.Count() == 0 {
		return c.fail.err()
	}
	w := &c.write
	w.mu.Lock()
	defer w.mu.Unlock()
	size := b.b.Len() + int(b.b.Count())*entryOverheadBytes
	if err := c.makeRoom(size, b.s.opt.MemTableBytes); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if err := c.db.Apply(b.b, pebble.NoSync); err != nil {
		return fmt.Errorf("commit: %w", c.fail.set(diskError("commit", c.dir, err)))
	}
	b.err = errCommitted
	w.pending += size
	return c.fail.err()
}

// Reset empties the batch for another use, with the present contents.
func (b *Batch) Reset() {
	if b.b != nil && b.c == b.s.cur.Load() {
		b.b.Reset()
		b.err = nil
		return
	}
	_ = b.Close()
	b.attach()
}

// Close lets go of the batch, committed or not. Only Reset makes it usable again.
func (b *Batch) Close() error {
	if b.b == nil {
		return nil
	}
	err := b.b.Close()
	b.b, b.err = nil, ErrClosed
	return err
}

// makeRoom begins a flush when size more bytes would overfill the memtable. Then
// it waits for the flush before it, so that one memtable is filled while at most
// one is flushed, and for compaction when it has fallen behind. The caller holds
// write.mu.
func (c *contents) makeRoom(size, memTableBytes int) error {
	if err := c.fail.err(); err != nil {
		return err
	}
	w := &c.write
	if w.pending == 0 || w.pending+size <= memTableBytes {
		return nil
	}
	if err := c.wait(w.flushing); err != nil {
		return err
	}
	if err := c.waitForCompaction(); err != nil {
		return err
	}
	return c.beginFlush()
}

// beginFlush turns the memtable over to be flushed. The caller holds write.mu.
func (c *contents) beginFlush() error {
	w := &c.write
	done, err := c.db.AsyncFlush()
	if err != nil {
		return c.fail.set(diskError("flush", c.dir, err))
	}
	w.flushing, w.pending = done, 0
	return nil
}

// wait waits for a flush, a failure or the closing.
func (c *contents) wait(flush <-chan struct{}) error {
	if flush != nil {
		select {
		case <-flush:
		case <-c.fail.failed:
		case <-c.fail.closing:
			return c.reason
		}
	}
	return c.fail.err()
}

// waitForCompaction waits while level 0 has too many sublevels.
func (c *contents) waitForCompaction() error {
	for c.db.Metrics().Levels[0].Sublevels >= l0StopSublevels {
		timer := time.NewTimer(l0PollInterval)
		select {
		case <-timer.C:
		case <-c.fail.failed:
			timer.Stop()
			return c.fail.err()
		case <-c.fail.closing:
			timer.Stop()
			return c.reason
		}
	}
	return nil
}

// Flush makes every commit that returned before it durable, and returns when it
// is. With nothing new since the last it returns at once. On a full or failing
// disk it returns the error instead of waiting for better times.
func (s *Store) Flush() error {
	c, err := s.enter()
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	defer c.leave()
	done, err := c.flush(false)
	if err == nil {
		err = c.wait(done)
	}
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// FlushAsync begins a flush, unless one is under way or there is nothing new, and
// does not wait for it: a Flush soon after has less to wait for.
func (s *Store) FlushAsync() error {
	c, err := s.enter()
	if err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	defer c.leave()
	if _, err := c.flush(true); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// flush begins a flush if there is something new (with early: and none is under
// way), and returns the channel that is closed when all commits are durable.
func (c *contents) flush(early bool) (<-chan struct{}, error) {
	w := &c.write
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := c.fail.err(); err != nil {
		return nil, err
	}
	if w.pending == 0 || early && !isDone(w.flushing) {
		return w.flushing, nil
	}
	if err := c.beginFlush(); err != nil {
		return nil, err
	}
	return w.flushing, nil
}

func isDone(flush <-chan struct{}) bool {
	if flush == nil {
		return true
	}
	select {
	case <-flush:
		return true
	default:
		return false
	}
}
