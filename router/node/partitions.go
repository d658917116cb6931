package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lockstep/router"
	"lockstep/router/node/plan"
	"lockstep/txlog"
)

// codeStale is how procedures of the catalog end that were judged by what has
// changed meanwhile: it is judged anew.
const codeStale = "stale"

// judged is the cluster as package plan sees it.
func (n *Node) judged(cat *catalog) *plan.Cluster {
	c := &plan.Cluster{}
	for _, row := range cat.nodes {
		c.Nodes = append(c.Nodes, plan.Node{
			ID: uint64(row.id), Name: row.name, Zone: row.labels["zone"], Available: row.id == n.id || n.statuses.reachable(row.id),
			Draining: row.state != "", Leaving: row.leaving, Dedicated: row.dedicated,
		})
	}
	c.Catalog = n.judgedCatalog(cat)
	for _, g := range cat.groups {
		group := plan.Group{Name: g.name}
		voters := n.votersOf(cat, g)
		for _, p := range cat.copies(g.name) {
			if p.away {
				continue // its place is a witness's
			}
			report, ok := n.reportOf(p.node)
			group.Copies = append(group.Copies, plan.Copy{
				Node: uint64(p.node), Witness: p.kind == kindWitness, Leaving: p.leaving, Replaces: uint64(p.replaces),
				Votes:     slices.Contains(voters, p.replica),
				Available: ok && report.Groups[g.name].Diverged == nil,
			})
		}
		c.Groups = append(c.Groups, group)
	}
	return c
}

// judgedCatalog is the system group as package plan sees it; nothing where nobody says
// that it leads it.
func (n *Node) judgedCatalog(cat *catalog) []plan.Copy {
	var out []plan.Copy
	voters := n.votersOfCatalog()
	for _, row := range cat.nodes {
		out = append(out, plan.Copy{Node: uint64(row.id), Votes: slices.Contains(voters, row.replica), Available: row.id == n.id || n.statuses.reachable(row.id)})
	}
	return out
}

// votersOfCatalog are the replicas that vote in the system group, as its leader says; nil
// where nobody says that it leads it.
func (n *Node) votersOfCatalog() (voters []uint64) {
	var term uint64
	for _, row := range n.catalog.Load().nodes {
		r, ok := n.reportOf(row.id)
		if sys := r.Groups[systemGroup]; ok && sys.Voters != nil && sys.Term >= term {
			voters, term = sys.Voters, sys.Term
		}
	}
	return voters
}

// votersOf are the replicas of a group that vote, as its primary says. Where it has
// none all copies are taken to: that is the careful way, and nothing can be changed.
func (n *Node) votersOf(cat *catalog, g groupRow) []uint64 {
	voters := n.reportedVoters(cat, g)
	if voters == nil {
		for _, p := range cat.copies(g.name) {
			voters = append(voters, p.replica)
		}
	}
	return voters
}

// reportedVoters are the replicas that vote, as a primary said lately; nil where none
// did.
func (n *Node) reportedVoters(cat *catalog, g groupRow) []uint64 {
	var voters []uint64
	var term uint64
	for _, p := range cat.copies(g.name) {
		if r, ok := n.reportOf(p.node); ok && r.Groups[g.name].Voters != nil && r.Groups[g.name].Term >= term {
			voters, term = r.Groups[g.name].Voters, r.Groups[g.name].Term
		}
	}
	return voters
}

// hear asks every node that was silent lately for its status: who has just joined,
// or was started, is not taken for one that is away.
func (n *Node) hear(cat *catalog) {
	var asking sync.WaitGroup
	for _, row := range cat.nodes {
		if row.id != n.id && !n.statuses.reachable(row.id) {
			asking.Go(func() { n.askStatus(row.id) })
		}
	}
	asking.Wait()
}

// change judges a change of the catalog and makes it; what has changed between the
// two is judged anew. decide returns the transaction, or nil where nothing is to be
// done.
func (n *Node) change(ctx context.Context, decide func(cat *catalog) (doc map[string]any, err error)) (changed bool, err error) {
	if err := n.CatchUp(ctx); err != nil {
		return false, err
	}
	n.hear(n.catalog.Load())
	for range changeAttempts {
		doc, err := decide(n.catalog.Load())
		if err != nil || doc == nil {
			return false, problemOf(err)
		}
		raw, err := json.Marshal(doc)
		if err != nil {
			return false, err
		}
		_, err = n.systemCopy().execute(ctx, raw)
		n.refresh()
		var p *router.Problem
		switch {
		case err == nil:
			return true, nil
		case !errors.As(err, &p) || p.Code != codeStale && p.Code != "not_found" && p.Code != "already_exists":
			return false, err
		}
	}
	return false, &router.Problem{Code: "change_in_progress", Detail: "others keep changing the same nodes and copies: try again"}
}

// call is a transaction that calls a procedure of the catalog.
func call(procedure string, params map[string]any) map[string]any {
	return map[string]any{"procedure": procedure, "params": params}
}

// problemOf makes a refusal what clients are told.
func problemOf(err error) error {
	var r *plan.Refusal
	if errors.As(err, &r) {
		return &router.Problem{Code: r.Code, Detail: r.Detail}
	}
	return err
}

// orNil is an error only where there is one: a nil *Refusal is none.
func orNil(r *plan.Refusal) error {
	if r == nil {
		return nil
	}
	return r
}

// Partitions lists a group's copies.
func (n *Node) Partitions(group string) ([]router.PartitionStatus, error) {
	cat := n.catalog.Load()
	g, ok := cat.group(group)
	if !ok {
		return nil, &router.Problem{Code: "unknown_group", Group: group, Detail: fmt.Sprintf("there is no group %q", group)}
	}
	return n.groupStatus(cat, g).Partitions, nil
}

// AddPartition puts a copy of a group on a node.
func (n *Node) AddPartition(ctx context.Context, group string, spec router.PartitionSpec, wait bool) (router.PartitionStatus, bool, error) {
	created, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		if err := orNil(judgeAdd(n.judged(cat), group, spec)); err != nil {
			return nil, err
		}
		at, _ := cat.named(spec.Node)
		if p, ok := cat.partition(group, at.id); ok && !p.leaving {
			return nil, nil
		}
		if len(cat.wished(group)) >= maxCopies {
			return nil, &router.Problem{Code: "invalid", Group: group, Detail: fmt.Sprintf("a group has 1 to %d copies", maxCopies)}
		}
		replaces := ""
		if old, ok := cat.named(spec.Replaces); ok {
			replaces = old.id.String()
		}
		return call("add_partition", map[string]any{"group": group, "node": at.id.String(), "kind": kindData, "replaces": replaces, "from": spec.From}), nil
	})
	if err != nil {
		return router.PartitionStatus{}, false, err
	}
	status := func() (s router.PartitionStatus, done bool) { return n.addedStatus(group, spec) }
	if s, _ := status(); !wait {
		return s, created, nil
	}
	s, err := await(ctx, n, status)
	if err != nil {
		detail := "the copy is not in place yet"
		if p := s.Progress; p != nil {
			detail = fmt.Sprintf("the copy has revision %d of %d", p.Revision, p.Of)
		}
		cat := n.catalog.Load()
		if g, ok := cat.group(group); ok && n.reportedVoters(cat, g) == nil {
			detail += ", and group " + group + " has no primary that could let it in: bring back nodes that are away (lockstep status), or see lockstep group recover"
		}
		return s, created, &router.Problem{Code: "outcome_unknown", Group: group, Detail: detail + "; it goes on, and asking again waits for its end"}
	}
	return s, created, nil
}

func judgeAdd(c *plan.Cluster, group string, spec router.PartitionSpec) *plan.Refusal {
	switch {
	case spec.Replaces != "":
		return c.Move(group, spec.Replaces, spec.Node)
	case spec.From != "":
		return c.Across(spec.From, group, spec.Node)
	}
	return c.Add(group, spec.Node)
}

// addedStatus is a copy that was asked for, and whether all of it is in place: only a
// primary can tell that it votes, which it does once it has caught up.
func (n *Node) addedStatus(group string, spec router.PartitionSpec) (s router.PartitionStatus, done bool) {
	cat := n.catalog.Load()
	at, _ := cat.named(spec.Node)
	g, ok := cat.group(group)
	p, there := cat.partition(group, at.id)
	if !ok || !there {
		return s, false
	}
	for _, s = range n.groupStatus(cat, g).Partitions {
		if s.Node == spec.Node {
			break
		}
	}
	_, source := cat.partition(spec.From, at.id)
	old, _ := cat.named(spec.Replaces)
	_, replaced := cat.partition(group, old.id)
	return s, s.Status == "available" && s.Role != "joining" && slices.Contains(n.reportedVoters(cat, g), p.replica) && !source && !replaced
}

// await asks again and again until something is done, or the context ends.
func await[T any](ctx context.Context, n *Node, is func() (T, bool)) (T, error) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		v, done := is()
		if done {
			return v, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return v, ctx.Err()
		case <-n.ctx.Done():
			return v, n.ctx.Err()
		}
	}
}

// RemovePartition takes a node's copy out of its group.
func (n *Node) RemovePartition(ctx context.Context, group, node string, wait bool) (router.Removal, error) {
	var shard uint64
	var at txlog.NodeID
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		if err := orNil(n.judged(cat).TakeOut(group, node)); err != nil {
			return nil, err
		}
		row, _ := cat.named(node)
		g, _ := cat.group(group)
		p, _ := cat.partition(group, row.id)
		if at, shard = row.id, g.shard; p.leaving {
			return nil, nil
		}
		return call("leave_partition", map[string]any{"group": group, "node": row.id.String()}), nil
	})
	if err != nil {
		return router.Removal{}, err
	}
	r := router.Removal{Group: group, Node: node, Status: "removing"}
	if !wait {
		return r, nil
	}
	return n.awaitRemoved(ctx, r, shard, []txlog.NodeID{at})
}

// DeleteGroup takes a group away with all its copies.
func (n *Node) DeleteGroup(ctx context.Context, group string, wait bool) (router.Removal, error) {
	var shard uint64
	var at []txlog.NodeID
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		g, ok := cat.group(group)
		if !ok {
			return nil, &router.Problem{Code: "unknown_group", Group: group, Detail: fmt.Sprintf("there is no group %q", group)}
		}
		at, shard = nil, g.shard
		for _, p := range cat.copies(group) {
			at = append(at, p.node)
		}
		return call("delete_group", map[string]any{"group": group, "shard": shard}), nil
	})
	if err != nil {
		return router.Removal{}, err
	}
	n.cfg.Log.Info("a group was deleted", "group", group, "shard", shard)
	r := router.Removal{Group: group, Status: "removing"}
	if !wait {
		return r, nil
	}
	return n.awaitRemoved(ctx, r, shard, at)
}

// awaitRemoved waits until the nodes that answer have wiped their copies of a shard.
// Those that are away do so when they are back.
func (n *Node) awaitRemoved(ctx context.Context, r router.Removal, shard uint64, at []txlog.NodeID) (router.Removal, error) {
	waiting, err := await(ctx, n, func() (waiting []string, done bool) {
		cat := n.catalog.Load()
		done = true
		for _, id := range at {
			_, still := cat.partition(r.Group, id)
			g, exists := cat.group(r.Group)
			still = still && exists && g.shard == shard
			report, ok := n.reportOf(id)
			if still || !ok || report.Catalog < cat.revision || slices.Contains(report.Kept, shard) {
				waiting = append(waiting, cat.nodeName(id))
				done = done && !still && !ok
			}
		}
		return waiting, done
	})
	if err != nil {
		return r, &router.Problem{Code: "outcome_unknown", Group: r.Group, Detail: fmt.Sprintf("not all copies are gone yet (%v); it goes on, and asking again waits for its end", waiting)}
	}
	r.Status, r.Waiting = "removed", waiting
	return r, nil
}
