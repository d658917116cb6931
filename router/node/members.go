package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lockstep/engine/entry"
	"lockstep/router/node/plan"
	"lockstep/router/order"
	"lockstep/txlog"
)

// ErrRemoved says that the node was taken out of its cluster for good.
var ErrRemoved = errors.New("this node was removed from its cluster")

// tendMembers takes the next step of the system group's members, as its leader: every
// node of the catalog follows it, up to maxSystemVoters vote, and nodes that were
// removed are no members. One step at a time; each can be repeated.
func (n *Node) tendMembers(ctx context.Context, sys *copyOf) error {
	members, err := sys.log.Members(ctx)
	if err != nil {
		return err
	}
	if members.Version != n.catalogSealed {
		if err := sys.seal(ctx); err != nil {
			return err
		}
		n.catalogSealed = members.Version
	}
	// The members are read before the catalog: who is missing there was removed.
	if err := n.CatchUp(ctx); err != nil {
		return err
	}
	n.noteCatalogVoters(&members)
	cat := n.catalog.Load()
	all := n.catalogMembers(cat, sys, &members)
	step := plan.NextMember(all, maxSystemVoters)
	n.busy.Store(step.Kind != plan.Nothing || n.moreSoon(cat, all))
	if step.Kind != plan.Nothing && n.halted("catalog "+cat.nodeName(txlog.NodeID(step.Node))) {
		return nil
	}
	at := cat.nodeName(txlog.NodeID(step.Node))
	switch step.Kind {
	case plan.TakeOut:
		n.cfg.Log.Info("a copy of the catalog is taken out of the system group", "replica", step.Replica, "at", at)
		return sys.log.Remove(ctx, step.Replica)
	case plan.HandOver:
		return n.handOverGroup(ctx, sys)
	case plan.Promote:
		if err := sys.log.Promote(ctx, step.Replica, txlog.NodeID(step.Node)); err != nil {
			return fmt.Errorf("give node %s its vote: %w", at, err)
		}
		n.cfg.Log.Info("a node has its vote in the system group", "peer", at)
		return nil
	case plan.Demote:
		n.cfg.Log.Info("a node is to follow the system group without a vote, for another votes in its place", "peer", at)
		return n.run(ctx, sys, call("replace_system", map[string]any{"id": txlog.NodeID(step.Node).String(), "replica": step.Replica}))
	}
	return n.addFollowers(ctx, sys, cat, &members)
}

// moreSoon tells whether somebody waits for a vote, or drains.
func (n *Node) moreSoon(cat *catalog, members []plan.Member) bool {
	voters := 0
	for _, m := range members {
		if m.Votes {
			voters++
		}
	}
	return voters < min(len(members), maxSystemVoters) || len(members) < len(cat.nodes) ||
		slices.ContainsFunc(cat.nodes, func(row nodeRow) bool { return row.state == stateDraining || row.leaving })
}

// addFollowers lets in nodes of the catalog that are no members: their former replica
// was taken out, or whoever let them join was stopped in the middle.
func (n *Node) addFollowers(ctx context.Context, sys *copyOf, cat *catalog, members *txlog.Membership) error {
	for _, row := range cat.nodes {
		if slices.ContainsFunc(members.Members, func(m txlog.Member) bool { return m.Node == row.id }) {
			continue
		}
		if slices.Contains(members.Removed, row.replica) {
			return n.run(ctx, sys, call("replace_system", map[string]any{"id": row.id.String(), "replica": row.replica}))
		}
		if err := sys.log.AddNonVoting(ctx, row.replica, row.id); err != nil {
			return fmt.Errorf("add node %s to the system group: %w", row.name, err)
		}
		n.cfg.Log.Info("a node follows the system group", "peer", row.name, "replica", row.replica)
	}
	return nil
}

// catalogMembers are the system group's members as package plan sees them.
func (n *Node) catalogMembers(cat *catalog, sys *copyOf, members *txlog.Membership) []plan.Member {
	own := sys.part.Position().Revision
	var out []plan.Member
	for _, m := range members.Members {
		row, known := cat.node(m.Node)
		_, removed := cat.removed[m.Node]
		out = append(out, plan.Member{
			Replica: m.Replica, Node: uint64(m.Node), Zone: row.labels["zone"], Votes: m.Voting, Self: m.Node == n.id,
			Available: m.Node == n.id || n.statuses.reachable(m.Node), Away: m.Node != n.id && n.statuses.awayFor(m.Node) > n.cfg.voterPatience,
			CaughtUp: n.statuses.replica(m.Node, systemGroup) == m.Replica && n.statuses.revision(m.Node, systemGroup) >= own,
			Draining: row.state != "", Gone: removed || known && row.replica != m.Replica,
		})
	}
	return out
}

func (n *Node) noteCatalogVoters(members *txlog.Membership) {
	var voters []uint64
	for _, m := range members.Members {
		if m.Voting {
			voters = append(voters, m.Replica)
		}
	}
	n.guarding.Lock()
	n.catalogVoters = voters
	n.guarding.Unlock()
}

// told is what the catalog of a peer has on the node that asks it: that it was removed,
// or is to follow the system group as another replica. A node that is no member any
// more hears it no other way.
type told struct {
	Removed bool   `json:"removed,omitempty"`
	Replica uint64 `json:"replica,omitempty"`
}

// tells is what this node's catalog has on a peer.
func (n *Node) tells(peer txlog.NodeID) told {
	cat := n.catalog.Load()
	if _, removed := cat.removed[peer]; removed {
		return told{Removed: true}
	}
	row, _ := cat.node(peer)
	return told{Replica: row.replica}
}

// heed takes what the catalog has on this node.
func (n *Node) heed(t told) {
	if t.Removed {
		n.removedAt.CompareAndSwap(0, time.Now().UnixNano())
	}
	for {
		has := n.entitled.Load()
		if t.Replica <= has || n.entitled.CompareAndSwap(has, t.Replica) {
			return
		}
	}
}

// leave ends this node where it was removed for good. As long as it has a vote in the
// system group it stays for that: of two members, the other can take it out only with
// its help. Who can't tell any more, for nobody answers, is out, or will be.
func (n *Node) leave(ctx context.Context, sys *copyOf) (leaving bool) {
	since := n.removedAt.Load()
	if since == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, leaveLook)
	defer cancel()
	members, err := sys.log.Members(ctx)
	if m, in := members.Find(sys.log.Replica()); err == nil && in && m.Voting || err != nil && time.Since(time.Unix(0, since)) < leaveWait {
		return true
	}
	n.fatal(n.removedError())
	return true
}

// seal orders an entry that changes nothing. A member's log says of a change of members
// that it holds only when something came after it: a last one that was killed before
// would ask those for their votes that are gone.
func (c *copyOf) seal(ctx context.Context) error {
	at := c.part.Position()
	_, err := c.order(ctx, &order.Request{Settings: &entry.Settings{Version: max(at.Settings, 1), KeyRetentionMillis: at.KeyRetentionMillis}})
	if err != nil {
		return fmt.Errorf("order an entry after a change of members: %w", err)
	}
	return nil
}

func (n *Node) removedError() error {
	return fmt.Errorf("%w: its data folder %s can't be used again; to have it back, give it an empty folder and join it anew", ErrRemoved, n.folder.dir)
}

// reenter has this node follow the system group as the replica that it is entitled to:
// the one it was is taken out of the group. The data of that is wiped when the node has
// caught up.
func (n *Node) reenter(ctx context.Context) error {
	replica := n.entitled.Load()
	id := &n.folder.id
	if replica <= id.System {
		return nil
	}
	sys := n.systemCopy()
	ctx, cancel := context.WithTimeout(ctx, silenceWait)
	defer cancel()
	if err := sys.orderer.Load().Close(ctx); err != nil {
		n.cfg.Log.Info("some requests were not answered before the catalog's copy was replaced", "reason", err)
	}
	if err := n.host.StopGroup(ctx, systemShard); err != nil && !errors.Is(err, txlog.ErrNoGroup) {
		return fmt.Errorf("stop the catalog's copy: %w", err)
	}
	id.System = replica
	if err := n.folder.save(); err != nil {
		return err
	}
	n.cfg.Log.Info("this node follows the system group as another replica", "replica", replica)
	return n.startSystem()
}

// awayFor is how long a peer has been silent; since this node has watched it, where it
// never said anything.
func (s *statuses) awayFor(id txlog.NodeID) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.heard[id]; ok && time.Since(h.at) < staleAfter {
		delete(s.missed, id)
		return 0
	}
	if s.missed == nil {
		s.missed = map[txlog.NodeID]time.Time{}
	}
	since, ok := s.missed[id]
	if !ok {
		since = time.Now()
		s.missed[id] = since
	}
	return time.Since(since)
}

// replica is which replica of a group a peer last said that it runs.
func (s *statuses) replica(id txlog.NodeID, group string) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.heard[id].report.Groups[group].Replica
}

// inquire asks the peers in turn what their catalog has on this node.
func (n *Node) inquire() {
	tick := time.NewTicker(inquireEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
		if nodes := n.catalog.Load().nodes; len(nodes) > 0 {
			if row := nodes[i%len(nodes)]; row.id != n.id {
				n.askStatus(row.id)
			}
		}
	}
}
