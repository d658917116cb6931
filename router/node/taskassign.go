package node

import (
	"context"
	"strconv"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/policy"
	"lockstep/router"
	"lockstep/txlog"
)

// assigner gives the tasks of the groups that this node leads to whom the policies
// choose. All that it decides on is what this node knows of the others.
type assigner struct {
	node *Node
	led  map[string]time.Time // groups that this node leads, and since when
}

// assignLoop is the work of the assigner.
func (n *Node) assignLoop() {
	a := &assigner{node: n, led: map[string]time.Time{}}
	tick := time.NewTicker(taskAssignEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			a.round(time.Now())
		case <-n.ctx.Done():
			return
		}
	}
}

func (a *assigner) round(now time.Time) {
	cat := a.node.catalog.Load()
	for _, g := range cat.groups {
		c := a.node.copy(g.name)
		if c == nil || c.log == nil || !c.log.IsLeader() || c.orderer.Load() == nil {
			delete(a.led, g.name)
			continue
		}
		if a.led[g.name].IsZero() {
			a.led[g.name] = now
		}
		for _, name := range assignable(cat, g.name) {
			if err := a.decide(now, cat, g, c, name); err != nil && a.node.ctx.Err() == nil {
				a.node.cfg.Log.Info("a task is not assigned yet", "group", g.name, "task", name, "reason", err)
			}
		}
	}
}

// assignable are the tasks of a group that are given to a node and logged: reader is
// worked out by each router, and primary is the leader's.
func assignable(cat *catalog, group string) []string {
	names := []string{policy.TaskBackup, policy.TaskVerify}
	for _, t := range cat.tasks {
		if t.group == group {
			names = append(names, t.name)
		}
	}
	return names
}

// decide has a task assigned as the policies choose, if that is not as it is.
func (a *assigner) decide(now time.Time, cat *catalog, g groupRow, c *copyOf, name string) error {
	at := places(c.part.Tasks(), name)
	for _, t := range at {
		if a.isStopping(cat, txlog.NodeID(t.Holder)) {
			return nil // it gives the task back itself, when its command has ended; or falls silent
		}
	}
	d := a.node.policySet().Decide(a.input(now, cat, g, name, at))
	for i := range d.Slots {
		s := &d.Slots[i]
		if !s.Changes() {
			continue
		}
		as := entry.Assign{Task: slotName(name, i), Reason: reasonOf(s, i, at), Text: s.Why[:min(len(s.Why), entry.MaxReasonBytes)]}
		if s.Node != "" {
			row, ok := cat.named(s.Node)
			if !ok {
				continue
			}
			as.Holder = uint64(row.id)
		}
		ctx, cancel := context.WithTimeout(a.node.ctx, assignWait)
		committed, err := a.node.assign(ctx, c, c.part.Tasks().Epoch, as)
		cancel()
		if err != nil {
			return err
		}
		if committed {
			a.node.cfg.Log.Info("a task was assigned", "group", g.name, "task", as.Task, "holder", s.Node, "reason", as.Reason.String(), "why", as.Text)
		}
	}
	return nil
}

func slotName(task string, i int) string {
	if i == 0 {
		return task
	}
	return task + "#" + strconv.Itoa(i+1)
}

// reasonOf is what the new holder is told. Who follows a holder that gave the task
// back is told why that one did.
func reasonOf(s *policy.Slot, i int, at []engine.Task) entry.Reason {
	if s.Cause == policy.Normal && s.Was == "" && i < len(at) && at[i].Holder == 0 && at[i].Reason == entry.ReasonShutdown {
		return entry.ReasonShutdown
	}
	switch s.Cause {
	case policy.Recovery:
		return entry.ReasonRecovery
	case policy.Maintenance:
		return entry.ReasonMaintenance
	}
	return entry.ReasonNormal
}

// isStopping tells whether a node says that it is about to end, by itself.
func (a *assigner) isStopping(cat *catalog, id txlog.NodeID) bool {
	row, ok := cat.node(id)
	if !ok || row.state != "" {
		return false
	}
	if id == a.node.id {
		return a.node.draining.Load()
	}
	report, heard := a.node.statuses.fresh(id)
	return heard && report.Status == "draining"
}

// input is what is known of a task, its group and the nodes.
func (a *assigner) input(now time.Time, cat *catalog, g groupRow, name string, at []engine.Task) *policy.Input {
	status := a.node.groupStatus(cat, g)
	in := &policy.Input{
		Now:   now,
		Group: policy.Group{Name: g.name, Labels: g.labels, Zones: map[string]int64{}},
		Task:  policy.Task{Name: name},
	}
	if row, ok := cat.task(name); ok {
		in.Task.Labels = row.definition.Labels
	}
	for _, t := range at {
		h := policy.Holder{Held: max(now.Sub(time.UnixMilli(t.SinceMillis)), 0)}
		if t.Holder != 0 {
			h.Node = cat.nodeName(txlog.NodeID(t.Holder))
		}
		in.Holders = append(in.Holders, h)
	}
	for _, row := range cat.nodes {
		c := policy.Candidate{Node: a.nodeOf(now, g.name, row)}
		for _, p := range status.Partitions {
			if p.Node == row.name {
				c.Partition = partitionOf(p, c.Node.Status)
			}
		}
		if p := c.Partition; p != nil && p.Role != policy.RoleWitness {
			in.Group.Size++
			in.Group.Zones[row.labels["zone"]]++
			if c.Node.Status == policy.Available {
				in.Group.Available++
			}
		}
		in.Candidates = append(in.Candidates, c)
	}
	return in
}

// nodeOf is what is known of a node. One that is silent counts as unavailable only
// once this node has led the group, and so watched, for as long as that takes.
func (a *assigner) nodeOf(now time.Time, group string, row nodeRow) policy.Node {
	out := policy.Node{
		Name: row.name, Status: policy.Available, Labels: row.labels, Version: row.version, OS: row.os, Arch: row.arch,
		MemoryFree: 1, DiskFree: 1, Dedicated: row.dedicated,
	}
	report, heard := a.node.statuses.fresh(row.id)
	switch {
	case row.state != "":
		out.Status = row.state
	case row.id == a.node.id && a.node.draining.Load(), heard && report.Status == "draining":
		out.Status = policy.Draining
	case row.id == a.node.id || heard:
	case now.Sub(a.led[group]) < staleAfter:
		out.Status = policy.Suspect
	default:
		out.Status = policy.Unavailable
	}
	return out
}

// partitionOf is what is known of a copy. One whose node is only suspect keeps what it
// holds.
func partitionOf(p router.PartitionStatus, node string) *policy.Partition {
	out := &policy.Partition{Role: p.Role, Status: p.Status, Revision: int64(p.Revision), Lag: int64(p.Lag), Diverged: p.Status == "diverged"}
	if p.Kind == kindWitness {
		out.Role = policy.RoleWitness
	}
	if p.Leaving {
		out.Role = policy.RoleJoining // it is not chosen any more
	}
	if node == policy.Suspect && p.Status == policy.Unavailable {
		out.Status = policy.Suspect
	}
	return out
}
