package partition

import (
	"context"
	"errors"
	"fmt"
	"sync"

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

// checkpointsKept is how many digests a copy remembers, those under way
// included: each of these holds a snapshot.
const checkpointsKept = 8

// checks computes the digests of checkpoints, one at a time.
type checks struct {
	p      *Partition
	mu     sync.Mutex
	met    *sync.Cond // a checkpoint was met, or the copy closed
	list   []*check   // oldest first
	closed bool
	ctx    context.Context // ends when the copy closes
	cancel context.CancelFunc
	work   sync.Mutex // held by the one that computes
	group  sync.WaitGroup
}

type check struct {
	id      uint64
	digests Digests
	err     error
	done    chan struct{}
}

func (c *checks) init(p *Partition) {
	c.p = p
	c.met = sync.NewCond(&c.mu)
	c.ctx, c.cancel = context.WithCancel(context.Background())
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
	k := &check{id: e.ID, digests: Digests{Revision: pos.Revision, Running: pos.Digest}, done: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.list = append(c.list, k)
	if len(c.list) > checkpointsKept {
		c.list = c.list[1:]
	}
	c.met.Broadcast()
	snap := c.p.store.Snapshot()
	c.group.Go(func() { c.compute(k, snap) })
}

func (c *checks) compute(k *check, snap *store.Snapshot) {
	defer close(k.done)
	defer func() { _ = snap.Close() }()
	c.work.Lock()
	defer c.work.Unlock()
	k.digests.Content, k.err = engine.ContentDigest(c.ctx.Done(), snapshotReader{snap})
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
	c.cancel()
	c.mu.Lock()
	c.closed = true
	c.met.Broadcast()
	c.mu.Unlock()
	c.group.Wait()
}
