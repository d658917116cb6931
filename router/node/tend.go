package node

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"lockstep/txlog"
)

// tendGroup brings a group's members closer to what the catalog says: who is not in
// it any more is taken out, who is new follows without a vote, and gets one when it
// has caught up. It returns the catalog's revision if all is as it says, else 0.
//
// The members are read before the catalog: a member that is missing there was
// replaced, for nobody becomes one who is not in the catalog first.
func (n *Node) tendGroup(c *copyOf, g *guard) (settled uint64, err error) {
	ctx, cancel := context.WithTimeout(n.ctx, tendWait)
	defer cancel()
	members, err := c.log.Members(ctx)
	if err != nil {
		return 0, err
	}
	n.noteVoters(g, members)
	if members.Version != g.sealed {
		if err := c.seal(ctx); err != nil {
			return 0, err
		}
		g.sealed = members.Version
	}
	cat := n.catalog.Load()
	if c.isIn(cat) && n.asWished(cat, c.name, &members) {
		return cat.revision, nil
	}
	if err := n.CatchUp(ctx); err != nil {
		return 0, err
	}
	if cat = n.catalog.Load(); !c.isIn(cat) {
		return 0, nil // the group is going
	}
	if n.asWished(cat, c.name, &members) {
		return cat.revision, nil
	}
	return 0, n.changeMembers(ctx, c, g, cat, &members)
}

// isIn tells whether the catalog's group of this name is the one that this is a copy
// of: one that was deleted and made again, or recovered, has another shard.
func (c *copyOf) isIn(cat *catalog) bool {
	row, ok := cat.group(c.name)
	return ok && row.shard == c.shard
}

func (n *Node) noteVoters(g *guard, members txlog.Membership) {
	n.guarding.Lock()
	defer n.guarding.Unlock()
	g.voters, g.members = g.voters[:0:0], members
	for _, m := range members.Members {
		if m.Voting {
			g.voters = append(g.voters, m.Replica)
		}
	}
}

// asWished tells whether exactly the catalog's copies are members, and vote, and none
// is to make room.
func (n *Node) asWished(cat *catalog, group string, members *txlog.Membership) bool {
	copies := slices.DeleteFunc(cat.copies(group), func(p partitionRow) bool { return p.away })
	return len(copies) == len(members.Members) && !slices.ContainsFunc(copies, func(p partitionRow) bool {
		m, ok := members.Find(p.replica)
		return !ok || !m.Voting || m.Node != p.node || p.leaving || p.replaces != 0
	})
}

// changeMembers takes the steps that are possible now. Voters are taken out one at
// a time. Where that would leave one alone, newcomers are waited for: a group that
// was left to one voter would be lost with it.
func (n *Node) changeMembers(ctx context.Context, c *copyOf, g *guard, cat *catalog, members *txlog.Membership) error {
	if out, err := n.makeRoom(ctx, c, cat, members); err != nil || out {
		return err
	}
	copies := cat.wished(c.name)
	var leaving []txlog.Member
	joining, voters := false, 0
	for _, m := range members.Members {
		wished := slices.ContainsFunc(copies, func(p partitionRow) bool { return p.replica == m.Replica })
		if m.Voting {
			voters++
		}
		switch {
		case wished:
			joining = joining || !m.Voting
		case m.Voting:
			leaving = append(leaving, m)
		default:
			if err := n.takeOut(ctx, c, m); err != nil {
				return err
			}
		}
	}
	if err := n.settleRows(ctx, c, cat, members); err != nil {
		return err
	}
	added, err := n.addMissing(ctx, c, copies, members)
	if err != nil || added {
		return err
	}
	if joining {
		if err := n.promote(ctx, c, g, cat, members); err != nil || voters <= 2 {
			return err
		}
	}
	return n.takeOutOne(ctx, c, members, leaving)
}

// takeOutOne takes one voter out of the group, those that are away first: those that
// are there can still vote on it. It was judged when it was asked for, and others may
// have failed since: where too few of the rest answer, this one stays until they do.
func (n *Node) takeOutOne(ctx context.Context, c *copyOf, members *txlog.Membership, leaving []txlog.Member) error {
	if len(leaving) == 0 || n.halted("take out of "+c.name) {
		return nil
	}
	slices.SortStableFunc(leaving, func(a, b txlog.Member) int {
		return place(n.statuses.reachable(a.Node) || a.Node == n.id) - place(n.statuses.reachable(b.Node) || b.Node == n.id)
	})
	if !n.majorityWithout(members, leaving[0].Replica) {
		return nil
	}
	if leaving[0].Node == n.id {
		return n.handOverGroup(ctx, c) // another primary takes this one out
	}
	return n.takeOut(ctx, c, leaving[0])
}

// majorityWithout tells whether most of a group's voters answer when one is left out.
func (n *Node) majorityWithout(members *txlog.Membership, replica uint64) bool {
	voters, live := 0, 0
	for _, m := range members.Members {
		if !m.Voting || m.Replica == replica {
			continue
		}
		voters++
		if m.Node == n.id || n.statuses.reachable(m.Node) {
			live++
		}
	}
	return 2*live > voters
}

// settleRows notes in the catalog what has come true of it: a copy that was to leave
// is no member, so that its node wipes it, and one in another's place votes, so that
// the other leaves.
func (n *Node) settleRows(ctx context.Context, c *copyOf, cat *catalog, members *txlog.Membership) error {
	for _, p := range cat.copies(c.name) {
		m, member := members.Find(p.replica)
		procedure := ""
		switch {
		case p.leaving && !member:
			procedure = "end_partition"
		case !p.leaving && p.replaces != 0 && member && m.Voting:
			procedure = "end_move"
		}
		if procedure == "" || n.halted(procedure+" "+c.name) {
			continue
		}
		doc, err := json.Marshal(call(procedure, map[string]any{"group": c.name, "node": p.node.String(), "replica": p.replica}))
		if err != nil {
			return err
		}
		if _, err := n.systemCopy().execute(ctx, doc); err != nil {
			return fmt.Errorf("note in the catalog that a copy has come or gone: %w", err)
		}
		n.refresh()
	}
	return nil
}

func place(later bool) int {
	if later {
		return 1
	}
	return 0
}

func (n *Node) takeOut(ctx context.Context, c *copyOf, m txlog.Member) error {
	if err := c.log.Remove(ctx, m.Replica); err != nil {
		return err
	}
	n.cfg.Log.Info("a copy was taken out of its group", "group", c.name, "replica", m.Replica, "at", n.catalog.Load().nodeName(m.Node))
	return nil
}

// addMissing lets in those whose node has no other replica in the group any more.
func (n *Node) addMissing(ctx context.Context, c *copyOf, copies []partitionRow, members *txlog.Membership) (added bool, err error) {
	for _, p := range copies {
		if slices.ContainsFunc(members.Members, func(m txlog.Member) bool { return m.Replica == p.replica || m.Node == p.node }) {
			continue
		}
		if slices.Contains(members.Removed, p.replica) {
			// It can't come back under that id.
			if _, err := n.replacePartition(ctx, n.systemCopy(), c.name, p.node, p.replica); err != nil {
				return added, err
			}
			continue
		}
		if n.halted("let in to " + c.name) {
			continue
		}
		if err := n.letIn(ctx, c, p); err != nil {
			return added, err
		}
		added = true
		n.cfg.Log.Info("a copy joins its group", "group", c.name, "replica", p.replica, "at", n.catalog.Load().nodeName(p.node))
	}
	return added, nil
}

// letIn makes a copy a member.
func (n *Node) letIn(ctx context.Context, c *copyOf, p partitionRow) error {
	if p.kind == kindWitness {
		return c.log.AddWitness(ctx, p.replica, p.node)
	}
	return c.log.AddNonVoting(ctx, p.replica, p.node)
}

// promote gives their vote to those who have reached what this copy had a while
// ago.
func (n *Node) promote(ctx context.Context, c *copyOf, g *guard, cat *catalog, members *txlog.Membership) error {
	sent := n.isSent(c, members)
	n.guarding.Lock()
	mark, marked := g.mark, g.marked
	g.mark, g.marked = c.part.Position().Revision, true
	if !marked || sent {
		g.waiting = time.Now()
	}
	alone := len(g.voters) == 1 && time.Since(g.waiting) > n.cfg.aloneWait
	n.guarding.Unlock()
	for _, m := range members.Members {
		report, ok := n.reportOf(m.Node)
		copied := report.Groups[c.name]
		if m.Voting || !marked || !ok || copied.Replica != m.Replica || copied.Diverged != nil {
			continue
		}
		if copied.Revision < mark {
			if alone && copied.Revision == 0 {
				return n.reopen(ctx, c)
			}
			continue
		}
		if n.halted("promote in " + c.name) {
			continue
		}
		if err := c.log.Promote(ctx, m.Replica, m.Node); err != nil {
			return fmt.Errorf("give the copy on node %s its vote: %w", cat.nodeName(m.Node), err)
		}
		n.cfg.Log.Info("a copy has its vote", "group", c.name, "replica", m.Replica, "at", cat.nodeName(m.Node))
		n.guarding.Lock()
		g.marked = false // the next one begins anew
		n.guarding.Unlock()
	}
	return nil
}

// reopen stops this node's copy of a group, which is opened again like any that is
// missing. It is for a primary that has become the only voter: reads that were being
// confirmed by the others then never are, and while the library remembers them it
// sends nobody without a vote a heartbeat, so that a newcomer may wait for ever.
func (n *Node) reopen(ctx context.Context, c *copyOf) error {
	n.mu.Lock()
	if n.copies[c.name] == c {
		delete(n.copies, c.name)
	}
	n.mu.Unlock()
	if err := c.orderer.Load().Close(ctx); err != nil {
		n.cfg.Log.Info("some requests were not answered before the copy was reopened", "group", c.name, "reason", err)
	}
	if err := n.host.StopGroup(ctx, c.shard); err != nil {
		return fmt.Errorf("reopen the copy: %w", err)
	}
	n.cfg.Log.Info("the only copy left that votes is opened anew", "group", c.name)
	return nil
}
