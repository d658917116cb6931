package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/store"
)

// Digests is what a copy computed at a checkpoint.
type Digests struct {
	Revision   uint64
	Running    [32]byte // chained over ordered writes and outcomes
	HasContent bool     // the checkpoint asks for the content's too
	Content    [32]byte // of the whole content
}

// ErrNoCheckpoint says that the copy has not met the checkpoint since it was
// opened, or has forgotten it.
var ErrNoCheckpoint = errors.New("the copy has no digest of that checkpoint")

// Bounds of what a copy remembers of checkpoints.
const (
	// checkpointsKept is of how many checkpoints a copy remembers the running
	// digest: their verdicts come within a few of them.
	checkpointsKept = 64
	// contentsKept is how many checkpoints of contents a copy remembers, and
	// contentLife for how long it keeps the snapshot of one that nobody asked for:
	// whoever ordered it asks at once. A snapshot keeps what was overwritten since
	// on disk.
	contentsKept = 4
	contentLife  = 2 * time.Minute
)

// checks holds the digests of the last checkpoints. The running digest is at hand.
// That of the content is computed from a snapshot: when it is first asked for, so
// that those met again after a restart cost nothing, or, for a scrub, at once and
// slowly. One is computed at a time.
type checks struct {
	p      *Partition
	mu     sync.Mutex
	met    *sync.Cond // a checkpoint was met, or the copy closed
	recent []*check   // all, oldest first
	list   []*check   // those of contents, oldest first
	equal  Compared
	closed bool
	work   sync.Mutex // held by the one that computes
	group  sync.WaitGroup
}

type check struct {
	id       uint64
	snap     *store.Snapshot // nil: the running digest only
	life     *time.Timer
	stop     chan struct{} // closed when nobody may ask any more
	begun    bool
	scrub    bool
	digests  Digests
	read     atomic.Int64 // bytes of content digested so far
	err      error
	done     chan struct{}  // closed when digests and err are whole
	awaiting *entry.Verdict // came before the content was digested
}

func (c *checks) init(p *Partition) {
	c.p = p
	c.met = sync.NewCond(&c.mu)
}

// begin is called right after a checkpoint's entry is applied, and, where it is
// one of contents, committed.
func (c *checks) begin(cmd []byte, pos engine.Position) {
	var r entry.Reader
	if _, err := r.Reset(cmd); err != nil {
		return
	}
	e, err := r.Checkpoint()
	if err != nil {
		return
	}
	k := &check{
		id: e.ID, digests: Digests{Revision: pos.Revision, Running: pos.Digest, HasContent: e.Contents != entry.ContentsNone},
		stop: make(chan struct{}), done: make(chan struct{}), scrub: e.Contents == entry.ContentsScrubbed,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.recent = append(c.recent, k)
	c.trim()
	switch e.Contents {
	case entry.ContentsNone:
		close(k.done)
	case entry.ContentsAsked:
		k.snap = c.p.store.Snapshot()
		k.life = time.AfterFunc(contentLife, func() { c.forget(k) })
	case entry.ContentsScrubbed:
		c.dropScrubs()
		k.snap = c.p.store.StreamSnapshot()
		k.begun = true
		c.group.Go(func() { c.compute(k) })
	}
	if k.snap != nil {
		c.list = append(c.list, k)
		if len(c.list) > contentsKept {
			c.drop(0)
		}
	}
	c.met.Broadcast()
}

// trim forgets the oldest checkpoint where there are too many, but not the last
// scrub, which takes as long as thousands of others. c.mu is held.
func (c *checks) trim() {
	if len(c.recent) <= checkpointsKept {
		return
	}
	oldest := 0
	if c.recent[0].scrub && !slices.ContainsFunc(c.recent[1:], func(k *check) bool { return k.scrub }) {
		oldest = 1
	}
	c.recent = slices.Delete(c.recent, oldest, oldest+1)
}

// dropScrubs ends the scrubs under way: a newer one is due. c.mu is held.
func (c *checks) dropScrubs() {
	for i := len(c.list) - 1; i >= 0; i-- {
		if c.list[i].scrub {
			c.drop(i)
		}
	}
}

// drop ends the i-th check of contents. c.mu is held.
func (c *checks) drop(i int) {
	k := c.list[i]
	c.list = slices.Delete(c.list, i, i+1)
	if k.life != nil {
		k.life.Stop()
	}
	close(k.stop)
	if !k.begun {
		k.begun, k.err = true, ErrNoCheckpoint
		_ = k.snap.Close()
		close(k.done)
	}
}

// forget ends a check whose time is over.
func (c *checks) forget(k *check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.list, k); i >= 0 {
		c.drop(i)
	}
}

// compute digests a snapshot and lets go of it.
func (c *checks) compute(k *check) {
	content, err := c.digest(k)
	_ = k.snap.Close()
	c.mu.Lock()
	k.digests.Content, k.err = content, err
	close(k.done)
	v := k.awaiting
	c.mu.Unlock()
	if v != nil {
		c.compareContent(k, v)
	}
}

func (c *checks) digest(k *check) ([32]byte, error) {
	if !k.scrub {
		c.work.Lock()
		defer c.work.Unlock()
	}
	began := time.Now()
	return engine.PacedDigest(snapshotReader{k.snap}, func(bytes int) error {
		k.read.Add(int64(bytes))
		select {
		case <-k.stop:
			return engine.ErrStopped
		default:
		}
		if k.scrub && c.p.cfg.Pacer != nil {
			c.p.cfg.Pacer.pause(bytes, time.Since(began), k.stop)
			began = time.Now()
		}
		return nil
	})
}

// Digests waits until the copy has met the checkpoint and has its digests.
func (p *Partition) Digests(ctx context.Context, checkpoint uint64) (Digests, error) {
	k, err := p.checks.find(ctx, checkpoint)
	if err != nil {
		return Digests{}, err
	}
	select {
	case <-k.done:
		return k.digests, k.err
	case <-ctx.Done():
		return Digests{}, fmt.Errorf("wait for the digest of a checkpoint: %w", ctx.Err())
	}
}

// DigestsSoon is Digests where they are there as soon as the checkpoint is met; of
// a scrub under way it tells how many bytes it has read.
func (p *Partition) DigestsSoon(ctx context.Context, checkpoint uint64) (d Digests, read int64, done bool, err error) {
	k, err := p.checks.find(ctx, checkpoint)
	if err != nil {
		return Digests{}, 0, false, err
	}
	select {
	case <-k.done:
		return k.digests, k.read.Load(), true, k.err
	default:
		return Digests{}, k.read.Load(), false, nil
	}
}

// wake has all who wait look again. It takes the lock, for who has looked and does
// not wait yet would miss it.
func (c *checks) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.met.Broadcast()
}

func (c *checks) find(ctx context.Context, id uint64) (*check, error) {
	stop := context.AfterFunc(ctx, c.wake)
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if k := c.named(id); k != nil {
			if !k.begun && k.snap != nil {
				k.begun = true
				c.group.Go(func() { c.compute(k) })
			}
			return k, nil
		}
		switch {
		case c.p.diverged.Load():
			return nil, ErrDiverged
		case c.closed:
			return nil, ErrClosed
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w: %w", ErrNoCheckpoint, ctx.Err())
		}
		c.met.Wait()
	}
}

// named finds a checkpoint that was met. c.mu is held.
func (c *checks) named(id uint64) *check {
	for _, k := range c.recent {
		if k.id == id {
			return k
		}
	}
	return nil
}

// Scrubbing tells how many bytes the scrub under way has read; not ok where none
// is.
func (p *Partition) Scrubbing() (read int64, ok bool) {
	p.checks.mu.Lock()
	defer p.checks.mu.Unlock()
	for _, k := range p.checks.list {
		select {
		case <-k.done:
		default:
			if k.scrub {
				return k.read.Load(), true
			}
		}
	}
	return 0, false
}

// reset forgets all: the content was replaced by another copy's.
func (c *checks) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.list) > 0 {
		c.drop(0)
	}
	c.recent = nil
}

func (c *checks) close() {
	c.mu.Lock()
	c.closed = true
	for len(c.list) > 0 {
		c.drop(0)
	}
	c.met.Broadcast()
	c.mu.Unlock()
	c.group.Wait()
}
