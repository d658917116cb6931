package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/store"
)

// Digests is what a copy computed at a checkpoint.
type Digests struct {
	Revision uint64
	Content  [32]byte // of the whole content
	Running  [32]byte // chained over ordered writes and outcomes
}

// ErrNoCheckpoint says that the copy has not met the checkpoint since it was
// opened, or has forgotten it.
var ErrNoCheckpoint = errors.New("the copy has no digest of that checkpoint")

// checkpointsKept is how many checkpoints a copy remembers, and checkpointLife
// for how long it keeps the snapshot of one: whoever ordered it asks at once. A
// snapshot keeps what was overwritten since on disk.
const (
	checkpointsKept = 4
	checkpointLife  = 2 * time.Minute
)

// checks holds a snapshot of each of the last checkpoints. A digest is computed
// when it is first asked for, so that those met again after a restart cost
// nothing; one at a time.
type checks struct {
	p      *Partition
	mu     sync.Mutex
	met    *sync.Cond // a checkpoint was met, or the copy closed
	list   []*check   // oldest first
	closed bool
	work   sync.Mutex // held by the one that computes
	group  sync.WaitGroup
}

type check struct {
	id      uint64
	snap    *store.Snapshot
	life    *time.Timer
	stop    chan struct{} // closed when nobody may ask any more
	begun   bool
	digests Digests
	err     error
	done    chan struct{}
}

func (c *checks) init(p *Partition) {
	c.p = p
	c.met = sync.NewCond(&c.mu)
}

// begin is called right after a checkpoint's entry is committed.
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
		id: e.ID, digests: Digests{Revision: pos.Revision, Running: pos.Digest},
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	k.snap = c.p.store.Snapshot()
	k.life = time.AfterFunc(checkpointLife, func() { c.forget(k) })
	c.list = append(c.list, k)
	if len(c.list) > checkpointsKept {
		c.drop(0)
	}
	c.met.Broadcast()
}

// drop ends the i-th check. c.mu is held.
func (c *checks) drop(i int) {
	k := c.list[i]
	c.list = slices.Delete(c.list, i, i+1)
	k.life.Stop()
	close(k.stop)
	if !k.begun {
		_ = k.snap.Close()
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
	defer close(k.done)
	defer func() { _ = k.snap.Close() }()
	c.work.Lock()
	defer c.work.Unlock()
	k.digests.Content, k.err = engine.ContentDigest(k.stop, snapshotReader{k.snap})
}

// Digests waits until the copy has met the checkpoint and computed its digests.
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

func (c *checks) find(ctx context.Context, id uint64) (*check, error) {
	stop := context.AfterFunc(ctx, c.met.Broadcast)
	defer stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for _, k := range c.list {
			if k.id == id {
				if !k.begun {
					k.begun = true
					c.group.Go(func() { c.compute(k) })
				}
				return k, nil
			}
		}
		if c.closed {
			return nil, ErrClosed
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoCheckpoint, ctx.Err())
		}
		c.met.Wait()
	}
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
