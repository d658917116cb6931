package node

import (
	"context"
	"errors"
	"time"

	"lockstep/txlog"
)

// reconcileLoop makes what this node runs agree with the catalog, whenever the
// catalog changes and every so often besides.
func (n *Node) reconcileLoop() {
	for n.ctx.Err() == nil {
		sys := n.systemCopy()
		err := n.reconcile(n.ctx, sys)
		if errors.Is(err, ErrLost) {
			n.fatal(err)
			return
		}
		if err != nil && n.ctx.Err() == nil {
			n.cfg.Log.Info("not yet as the catalog says; trying again", "reason", err)
		}
		wait := reconcileEvery
		if !n.isReady() || n.drains(n.id) {
			wait = tendEvery
		}
		ctx, cancel := context.WithTimeout(n.ctx, wait)
		_ = sys.part.WaitRevision(ctx, n.catalog.Load().revision+1)
		cancel()
	}
}

// knowsCatalog tells whether this node has had all of the catalog since it started, or
// has waited for that for long enough. What it has on disk may name replicas that were
// replaced since it stopped: a group that was rebuilt from another copy must not get a
// majority of old ones together.
func (n *Node) knowsCatalog(ctx context.Context) (bool, error) {
	if n.caughtUp {
		return true, nil
	}
	if n.begun.IsZero() {
		n.begun = time.Now()
	}
	ctx, cancel := context.WithTimeout(ctx, catalogPatience)
	defer cancel()
	err := n.CatchUp(ctx)
	if unreadable := n.reread(); unreadable != nil {
		return false, unreadable
	}
	n.caughtUp = err == nil || time.Since(n.begun) >= catalogPatience
	if err != nil && n.caughtUp {
		n.cfg.Log.Warn("the catalog has no majority: the copies are opened as it was last known here")
	}
	return n.caughtUp, nil
}

// tendLoop does what the system group's leader does, whenever the catalog changes and
// every so often besides.
func (n *Node) tendLoop() {
	for n.ctx.Err() == nil {
		sys := n.systemCopy()
		wait := reconcileEvery
		if sys.log.IsLeader() {
			ctx, cancel := context.WithTimeout(n.ctx, tendCatalogWait)
			err := n.tend(ctx, sys)
			cancel()
			if err != nil && n.ctx.Err() == nil {
				n.cfg.Log.Info("the cluster is not yet as the catalog says; trying again", "reason", err)
			}
			if err != nil || n.busy.Load() {
				wait = tendEvery
			}
		}
		ctx, cancel := context.WithTimeout(n.ctx, wait)
		_ = sys.part.WaitRevision(ctx, n.catalog.Load().revision+1)
		cancel()
	}
}

func (n *Node) isReady() bool {
	select {
	case <-n.ready:
		return true
	default:
		return false
	}
}

// reconcile takes the steps that are missing. Each can be repeated.
func (n *Node) reconcile(ctx context.Context, sys *copyOf) error {
	ctx, cancel := context.WithTimeout(ctx, catalogWait)
	defer cancel()
	if n.leave(ctx, sys) {
		return nil
	}
	if knows, err := n.knowsCatalog(ctx); err != nil || !knows {
		return err
	}
	if err := n.reread(); err != nil {
		return err // nothing is done by what was read before, or by nothing at all
	}
	cat := n.catalog.Load()
	if err := n.noteFormers(cat); err != nil {
		return err
	}
	if _, removed := cat.removed[n.id]; removed {
		n.removedAt.CompareAndSwap(0, time.Now().UnixNano())
		n.leave(ctx, sys)
		return nil
	}
	n.heed(n.tells(n.id))
	if err := n.reenter(ctx); err != nil {
		return err
	}
	n.shed(ctx)
	if err := n.mend(ctx, sys); err != nil && ctx.Err() == nil {
		n.cfg.Log.Info("a copy that differs is not replaced yet; trying again", "reason", err)
	}
	if err := n.beginAnew(ctx); err != nil && ctx.Err() == nil {
		n.cfg.Log.Warn("a group that is to be rebuilt from the copy of this node is not yet; trying again", "reason", err)
	}
	if err := n.dropOld(ctx); err != nil && ctx.Err() == nil {
		n.cfg.Log.Info("a copy that is removed is not wiped yet; trying again", "reason", err)
	}
	if err := n.startMissing(ctx); err != nil {
		return err
	}
	if err := n.startWitnesses(); err != nil {
		return err
	}
	n.clearReplaced(ctx)
	if err := n.enterSelf(ctx, sys); err != nil {
		return err
	}
	if len(n.Unready()) == 0 && !n.isReady() {
		close(n.ready)
	}
	return nil
}

// refresh reads the catalog anew where what follows can go by the last one that could
// be read.
func (n *Node) refresh() {
	if err := n.reread(); err != nil {
		n.cfg.Log.Warn("the last catalog that could be read goes on", "error", err)
	}
}

// reread reads the catalog anew and lets the network know where nodes are. Where it
// can't be read it stays as it was read last, which a caller that ends or begins
// something must not go by.
func (n *Node) reread() error {
	n.reading.Lock()
	defer n.reading.Unlock()
	sys := n.systemCopy()
	if sys.part.Position().Revision <= n.catalog.Load().revision {
		return nil // a copy that was opened anew may have to catch up first
	}
	c, err := readCatalog(sys.part)
	if c != nil { // those nodes are needed even to mend what can't be read
		for _, row := range c.nodes {
			if row.id != n.id {
				n.peers.Learn(uint64(row.id), row.raft)
			}
		}
	}
	if err != nil {
		return err
	}
	for _, t := range c.tasks {
		if before, ok := n.catalog.Load().task(t.name); t.unreadable != nil && (!ok || before.version != t.version) {
			n.cfg.Log.Error("a task can't be read by this program: it stays with whom it is, and this node does not run it", "task", t.name, "reason", t.unreadable)
		}
	}
	n.catalog.Store(c)
	n.lookAtTasks()
	n.watchNodes(c)
	return nil
}

// startMissing starts the copies that should be here and are not. One that has nothing
// on disk is begun only by what the cluster's catalog says now: after a start the
// catalog's copy here may still name a replica that was wiped.
func (n *Node) startMissing(ctx context.Context) error {
	cat := n.catalog.Load()
	for _, g := range cat.groups {
		if n.copy(g.name) != nil || n.isFormer(g.shard) {
			continue
		}
		cfg, mine := n.groupConfig(cat, g)
		if mine && !n.host.HasData(cfg.Shard, cfg.Replica) {
			if err := n.CatchUp(ctx); err != nil {
				return err
			}
			if fresh := n.catalog.Load(); fresh.revision != cat.revision {
				return n.startMissing(ctx)
			}
		}
		if !mine || g.origin != nil && g.origin.node == n.id && !cfg.Join && !n.folder.has(cfg.Shard, cfg.Replica) {
			continue // it is begun anew first
		}
		if n.isCondemned(g.name, cfg.Shard, cfg.Replica) || n.waitsForWipe(cfg.Shard) {
			continue
		}
		c, err := n.startCopy(g.name, cfg)
		if err != nil {
			return err
		}
		if !n.enlist(c, cfg.Replica) {
			continue // found to differ while it was opened: its successor is started when it is stopped
		}
		n.cfg.Log.Info("the copy of a group is open", "group", g.name, "revision", c.part.Position().Revision)
	}
	return nil
}

// enlist gives a copy that was started its place, unless it was condemned
// meanwhile: what it has not applied yet may hold a verdict.
func (n *Node) enlist(c *copyOf, replica uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mayNotServe(c.name, c.shard, replica) {
		return false
	}
	n.copies[c.name] = c
	return true
}

// groupConfig says how this node's copy of a group begins; mine is false where
// it should have none.
func (n *Node) groupConfig(cat *catalog, g groupRow) (cfg txlog.GroupConfig, mine bool) {
	p, mine := cat.partition(g.name, n.id)
	if !mine || p.away || p.kind == kindWitness {
		return cfg, false
	}
	cfg = txlog.GroupConfig{Shard: g.shard, Replica: p.replica, Members: g.first}
	if p.replica != p.first {
		cfg.Members, cfg.Join, cfg.NonVoting = nil, true, true
	}
	return cfg, true
}

// isCondemned tells whether a copy must not be opened: it differs from the others,
// or the one before it has not been stopped yet.
func (n *Node) isCondemned(group string, shard, replica uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mayNotServe(group, shard, replica)
}

// mayNotServe is isCondemned where n.mu is held.
func (n *Node) mayNotServe(group string, shard, replica uint64) bool {
	return n.condemned[replicaName(shard, replica)] || n.rebuilds[group] != nil
}

// flushLoop has every copy flush what it applied, every so often.
func (n *Node) flushLoop() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			for _, c := range n.allCopies() {
				c.part.FlushSoon()
			}
		case <-n.ctx.Done():
			return
		}
	}
}
