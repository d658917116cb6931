package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lockstep/engine/partition"
	"lockstep/router"
	"lockstep/txlog"
)

// rebuild is a copy of this node that differs from the majority, on its way to be
// replaced by a copy of a good one.
type rebuild struct {
	evidence *Evidence
	kept     chan struct{} // closed when the evidence is on disk
	stopped  chan struct{} // closed when its replica is stopped
}

// condemn is told by a copy what it found of itself, perhaps by the goroutine that
// applies. The copy serves nothing from here on, and its replica is stopped. It
// returns when the evidence is on disk, so that the copy is never opened again.
func (n *Node) condemn(c *copyOf, replica uint64, f *partition.Finding) {
	e := newEvidence(c.name, n.cfg.Name, c.shard, replica, f)
	r := &rebuild{evidence: e, kept: make(chan struct{}), stopped: make(chan struct{})}
	err := n.folder.keepEvidence(e)
	if err == nil {
		close(r.kept)
	}
	n.mu.Lock()
	n.rebuilds[c.name] = r
	n.condemned[replicaName(c.shard, replica)] = true
	if n.copies[c.name] == c {
		delete(n.copies, c.name) // requests go to other nodes
	}
	if !n.stopping { // or else the replica stops with the node
		n.work.Go(func() {
			defer close(r.stopped)
			n.silence(c, r)
		})
	}
	n.mu.Unlock()
	n.checks.divergences.WithLabelValues(c.name, f.Kind).Inc()
	n.cfg.Log.Error("this node's copy differs from the others; it is not served any more and will be built anew from a good one",
		"group", c.name, "replica", replica, "reason", e.Reason, "evidence", n.folder.checkPath(e.Shard, e.Replica, evidenceSuffix),
		"own_running", e.Own.Running, "majority_running", e.Majority.Running, "own_content", e.Own.Content, "majority_content", e.Majority.Content)
	if err != nil {
		n.cfg.Log.Error("evidence can't be written; the copy's log stands still until it is: make room on the disk", "group", c.name, "error", err)
		n.keep(c, r)
	}
}

// keep writes evidence as soon as that is possible, or until the copy is closed.
func (n *Node) keep(c *copyOf, r *rebuild) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.part.Closed():
			return
		}
		if n.folder.keepEvidence(r.evidence) == nil {
			close(r.kept)
			return
		}
	}
}

// silence ends a copy's part in its group: leadership, waiters, and the replica.
func (n *Node) silence(c *copyOf, r *rebuild) {
	e := r.evidence
	<-c.started // it may be found while it is opened
	if c.log == nil {
		return // it could not be started
	}
	ctx, cancel := context.WithTimeout(context.Background(), silenceWait)
	defer cancel()
	if c.log.IsLeader() {
		if err := n.handOverTo(ctx, c, e.Agreed); err != nil {
			n.cfg.Log.Warn("a group was not handed over; its other copies elect a primary", "group", c.name, "error", err)
		}
	}
	// What clients wait for here is sent to the new primary under its id.
	if o := c.orderer.Load(); o != nil {
		if err := o.Close(ctx); err != nil {
			n.cfg.Log.Warn("some requests were not answered before the copy stopped", "group", c.name, "error", err)
		}
	}
	select {
	case <-r.kept: // until then its log stands still, and can't be stopped
	case <-n.ctx.Done():
		return
	}
	if e.Chosen {
		// An operator chose copies that are no majority: this one still votes on who
		// is a member, or it could never be replaced.
		n.awaitRemoval(c, e)
	}
	ctx, cancel = context.WithTimeout(context.Background(), silenceWait)
	defer cancel()
	if err := n.host.StopGroup(ctx, c.shard); err != nil && !errors.Is(err, txlog.ErrNoGroup) && n.ctx.Err() == nil {
		n.cfg.Log.Error("the replica of a copy that differs can't be stopped", "group", c.name, "error", err)
	}
}

// handOverTo makes one of the given replicas the leader.
func (n *Node) handOverTo(ctx context.Context, c *copyOf, replicas []uint64) error {
	members, err := c.log.Members(ctx)
	if err != nil {
		return err
	}
	last := errors.New("none of those that agree is reachable")
	for _, replica := range replicas {
		m, ok := members.Find(replica)
		if !ok || !m.Voting || m.Witness || m.Node == n.id || !n.statuses.reachable(m.Node) {
			continue
		}
		if last = c.log.Transfer(ctx, m.Node); last == nil {
			return nil
		}
	}
	return last
}

// awaitRemoval waits until this replica is out of the group: as long as that takes,
// for the group may have no majority without it.
func (n *Node) awaitRemoval(c *copyOf, e *Evidence) {
	ctx := n.ctx
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, askWait)
		members, err := c.log.Members(asking)
		cancel()
		if _, in := members.Find(e.Replica); err == nil && !in || errors.Is(err, txlog.ErrClosed) || ctx.Err() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// loadEvidence finds, at a start, which copies must not be opened.
func (n *Node) loadEvidence() error {
	all, err := n.folder.evidence()
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range all {
		n.condemned[replicaName(e.Shard, e.Replica)] = true
		n.evidence = append(n.evidence, e)
	}
	return nil
}

// mend takes the next steps for copies that are to be built anew. Each can be
// repeated, so that a crash in the middle leads on.
func (n *Node) mend(ctx context.Context, sys *copyOf) error {
	n.resume()
	var errs []error
	for group, r := range n.allRebuilds() {
		done, err := n.mendOne(ctx, sys, r)
		if err != nil {
			errs = append(errs, fmt.Errorf("build the copy of group %s anew: %w", group, err))
		}
		if done {
			n.mu.Lock()
			if n.rebuilds[group] == r {
				delete(n.rebuilds, group)
			}
			n.evidence = append(n.evidence, r.evidence)
			n.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

// resume takes up what was under way when the node last stopped: the catalog still
// names a replica that must not be opened.
func (n *Node) resume() {
	cat := n.catalog.Load()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range cat.partitions {
		g, ok := cat.group(p.group)
		if p.node != n.id || !ok || n.rebuilds[p.group] != nil || !n.condemned[replicaName(g.shard, p.replica)] {
			continue
		}
		for _, e := range n.evidence {
			if e.Shard == g.shard && e.Replica == p.replica {
				r := &rebuild{evidence: e, kept: make(chan struct{}), stopped: make(chan struct{})}
				close(r.kept)
				close(r.stopped) // it was never started
				n.rebuilds[p.group] = r
			}
		}
	}
}

func (n *Node) allRebuilds() map[string]*rebuild {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make(map[string]*rebuild, len(n.rebuilds))
	for group, r := range n.rebuilds {
		all[group] = r
	}
	return all
}

// mendOne is done when the catalog names a new replica; starting that is like
// starting any copy that is missing.
func (n *Node) mendOne(ctx context.Context, sys *copyOf, r *rebuild) (done bool, err error) {
	e := r.evidence
	if !over(r.kept) {
		return false, nil
	}
	if !e.Chosen && !over(r.stopped) || n.halted("replace") {
		return false, nil
	}
	replica, err := n.replacePartition(ctx, sys, e.Group, n.id, e.Replica)
	if err != nil {
		return false, err
	}
	if !over(r.stopped) || n.halted("aside") {
		return false, nil
	}
	if err := n.folder.putAside(e); err != nil {
		return false, err
	}
	n.cfg.Log.Info("a copy that differed is replaced", "group", e.Group, "replica", e.Replica, "by", replica, "data", e.Data)
	return true, nil
}

func (n *Node) halted(step string) bool { return n.cfg.halt != nil && n.cfg.halt(step) }

// replacePartition has the catalog name a new replica in place of an old one, and
// returns the present one: the same where another was named before.
func (n *Node) replacePartition(ctx context.Context, sys *copyOf, group string, at txlog.NodeID, old uint64) (uint64, error) {
	doc, err := json.Marshal(map[string]any{"procedure": "replace_partition", "params": map[string]any{
		"group": group, "node": at.String(), "replica": old,
	}})
	if err != nil {
		return 0, err
	}
	o, err := sys.execute(ctx, doc)
	if err != nil {
		return 0, fmt.Errorf("name a new replica in the catalog: %w", err)
	}
	var replica uint64
	if err := json.Unmarshal(o.Result, &replica); err != nil {
		return 0, fmt.Errorf("name a new replica in the catalog: it gave %s", o.Result)
	}
	n.refresh()
	return replica, nil
}

// clearReplaced finishes what a crash may have left of replicas that were replaced:
// data that is not aside, and their log, which is dropped once their successor
// follows the group, for that was let in after they were taken out.
func (n *Node) clearReplaced(ctx context.Context) {
	for _, e := range n.allEvidence() {
		if n.rebuilding(e.Group) != nil {
			continue
		}
		if err := n.folder.putAside(e); err != nil {
			n.cfg.Log.Warn("a replaced copy's data is still in its place", "group", e.Group, "error", err)
		}
		c := n.copy(e.Group)
		if c == nil || c.shard != e.Shard || c.log.Replica() == e.Replica || c.part.Position().Index == 0 || !n.host.HasData(e.Shard, e.Replica) {
			continue
		}
		if err := n.host.RemoveData(ctx, e.Shard, e.Replica); err != nil {
			n.cfg.Log.Debug("the log of a replaced copy can't be removed yet", "group", e.Group, "replica", e.Replica, "reason", err)
			continue
		}
		n.folder.forgetKnown(e.Shard, c.log.Replica())
	}
}

func (n *Node) allEvidence() []*Evidence {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*Evidence(nil), n.evidence...)
}

// lastEvidence is the newest of a group at this node, nil where there is none.
func (n *Node) lastEvidence(group string) *Evidence {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.rebuilds[group]; r != nil {
		return r.evidence
	}
	var last *Evidence
	for _, e := range n.evidence {
		if e.Group == group && (last == nil || e.Found.After(last.Found)) {
			last = e
		}
	}
	return last
}

// divergence is what status says of evidence.
func (n *Node) divergence(e *Evidence) *router.Divergence {
	return &router.Divergence{
		Found: e.Found, Kind: e.Kind, Reason: e.Reason, EqualRevision: e.EqualRevision, Revision: e.Revision,
		Replica: e.Replica, Evidence: n.folder.checkPath(e.Shard, e.Replica, evidenceSuffix),
	}
}
