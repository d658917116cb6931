package node

import (
	"fmt"
	"slices"
	"time"

	"lockstep/engine"
	"lockstep/policy"
	"lockstep/policy/supervision"
	"lockstep/router"
	"lockstep/router/placement"
	"lockstep/txlog"
)

// What policies are asked with: the nodes of a group and their copies, as this node
// has heard of them. What the group's leader knows is what counts, for it sees how far
// behind the others are, and its watch is the one that assignments go by.

// placementInput is what is known here of a task: its group, its holders and its
// candidates, which for copy are the nodes that have none.
func (n *Node) placementInput(group, task string) (policy.Input, error) {
	cat := n.catalog.Load()
	if _, ok := cat.group(group); !ok {
		return policy.Input{}, &router.Problem{Code: "unknown_group", Group: group, Detail: fmt.Sprintf("there is no group %q", group)}
	}
	var in *policy.Input
	var held []placement.Held
	if c := n.copy(group); c != nil && c.log != nil {
		in, held = n.groupInput(cat, c), n.heldSlots(cat, c.part.Tasks().List)
	} else {
		in, held = n.foreignInput(cat, group)
	}
	in.Task, in.Holders = policy.Task{Name: task}, placement.Holders(in.Now, task, held)
	switch task {
	case policy.TaskCopy:
		in.Candidates, in.Holders = n.newPlaces(cat, group), nil
	case policy.TaskPrimary:
		in.Holders = presentPrimary(in)
	}
	if row, ok := cat.task(task); ok && row.group == group {
		in.Task.Labels = row.definition.Labels
	}
	return *in, nil
}

// presentPrimary is the leader as the holder of primary, since it is recorded as such.
func presentPrimary(in *policy.Input) []policy.Holder {
	for _, x := range in.Candidates {
		if x.Partition == nil || x.Partition.Role != policy.RolePrimary {
			continue
		}
		h := policy.Holder{Node: x.Node.Name}
		for _, recorded := range in.Holders {
			if recorded.Node == h.Node {
				h.Held = recorded.Held
			}
		}
		return []policy.Holder{h}
	}
	return nil
}

// foreignInput is what is known of a group that has no copy here: what the nodes of
// its copies say.
func (n *Node) foreignInput(cat *catalog, group string) (*policy.Input, []placement.Held) {
	g, _ := cat.group(group)
	in := &policy.Input{Now: time.Now().UTC(), Group: policy.Group{Name: group, Labels: g.labels}}
	status := n.groupStatus(cat, g)
	leader, _ := cat.named(status.Primary)
	states := n.states(systemGroup)
	for _, p := range cat.copies(group) {
		if row, ok := cat.node(p.node); ok {
			x := n.candidate(row, states)
			x.Partition = n.candidatePart(p, leader.id, status.Revision)
			in.Candidates = append(in.Candidates, x)
		}
	}
	in.Recount()
	var held []placement.Held
	for _, t := range status.Tasks {
		held = append(held, placement.Held{Slot: t.Task, Holder: t.Holder, Since: t.Since})
	}
	return in, held
}

// newPlaces are the nodes without a copy of a group: where one could go.
func (n *Node) newPlaces(cat *catalog, group string) (out []policy.Candidate) {
	states := n.states(systemGroup)
	for _, row := range cat.nodes {
		if !slices.ContainsFunc(cat.copies(group), func(p partitionRow) bool { return p.node == row.id }) {
			out = append(out, n.candidate(row, states))
		}
	}
	return out
}

// heldSlots are the slots of a group's log, by the names of nodes.
func (n *Node) heldSlots(cat *catalog, list []engine.Task) []placement.Held {
	out := make([]placement.Held, 0, len(list))
	for i := range list {
		t := &list[i]
		out = append(out, placement.Held{Slot: t.Name, Holder: n.holderName(cat, txlog.NodeID(t.Holder)), Since: time.UnixMilli(t.SinceMillis)})
	}
	return out
}

// groupInput is what is known of the nodes of a group that has a copy here.
func (n *Node) groupInput(cat *catalog, c *copyOf) *policy.Input {
	g, _ := cat.group(c.name)
	in := &policy.Input{Now: time.Now().UTC(), Group: policy.Group{Name: c.name, Labels: g.labels}}
	states := n.states(c.name)
	leader, _, _ := c.log.Leader()
	own := c.part.Position().Revision
	for _, p := range cat.copies(c.name) {
		row, ok := cat.node(p.node)
		if !ok {
			continue
		}
		x := n.candidate(row, states)
		x.Partition = n.candidatePart(p, leader, own)
		if p.node != leader && x.Partition.Lag > 0 {
			x.Partition.LagTime = c.supervisor.behind(uint64(x.Partition.Revision))
		}
		in.Candidates = append(in.Candidates, x)
	}
	in.Recount()
	return in
}

// candidate is what is known of a node.
func (n *Node) candidate(row nodeRow, states map[string]supervision.Status) policy.Candidate {
	x := policy.Candidate{Node: policy.Node{
		Name: row.name, Status: policy.Unavailable, Labels: row.labels, Version: row.version, OS: row.os, Arch: row.arch,
		MemoryFree: 1, DiskFree: 1, Dedicated: row.dedicated,
	}}
	if s, ok := states[row.name]; ok {
		x.Node.Status, x.Node.HeartbeatAge = string(s.State), s.Age
	}
	r, ok := n.reportOf(row.id)
	if !ok {
		if x.Node.Status == policy.Available {
			x.Node.Status = policy.Suspect // somebody said that nobody listens there
		}
		return x
	}
	x.Node.CPU, x.Node.MemoryFree, x.Node.DiskFree = r.CPU, r.MemoryFree, r.DiskFree
	x.Node.Uptime = time.Duration(r.UptimeSeconds) * time.Second
	x.Node.Tasks, x.Node.Partitions = int64(len(r.Holds)), int64(len(r.Groups))
	for _, g := range r.Groups {
		if g.Leader == row.id.String() {
			x.Node.Primaries++
		}
	}
	if r.Status == "draining" && x.Node.Status == policy.Available {
		x.Node.Status = policy.Draining // its process is stopping
	}
	return x
}

// candidatePart is what is known of a copy; own is the revision of this node's.
func (n *Node) candidatePart(p partitionRow, leader txlog.NodeID, own uint64) *policy.Partition {
	part := &policy.Partition{Role: policy.RoleSubscriber, Status: policy.Unavailable}
	r, ok := n.reportOf(p.node)
	report, open := r.Groups[p.group]
	switch {
	case p.kind == kindWitness:
		part.Role, part.Status = policy.RoleWitness, policy.Available
		return part
	case p.node == leader:
		part.Role = policy.RolePrimary
	case p.leaving || !n.votes(p):
		part.Role = policy.RoleJoining
	}
	revision := n.statuses.revision(p.node, p.group)
	if ok && open {
		revision = report.Revision
		part.Status, part.Diverged = policy.Available, report.Diverged != nil
		part.ApplyRate, part.SizeBytes = report.ApplyRate, report.SizeBytes
	}
	part.Revision = int64(revision)
	if own > revision {
		part.Lag = int64(own - revision)
	}
	return part
}

// votes tells whether a copy has a vote, as far as its group's primary has said.
func (n *Node) votes(p partitionRow) bool {
	n.guarding.Lock()
	g := n.guards[p.group]
	var voters []uint64
	if g != nil {
		voters = g.voters
	}
	n.guarding.Unlock()
	return voters == nil || slices.Contains(voters, p.replica)
}
