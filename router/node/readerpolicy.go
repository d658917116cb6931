package node

import (
	"time"

	"lockstep/policy"
	"lockstep/policy/supervision"
	"lockstep/router/spread"
	"lockstep/txlog"
)

// Readers are not assigned through the log: each router works out for itself which
// copies the policy reader chooses (interface.md), from what its node has heard.

// chosen are the nodes that the policies chose as readers of a group, since when.
type chosen map[string]time.Time

// keepChosen leaves in a set whom the policies choose, and answers who that is. Where
// no policy is about readers, and where one leaves none, all stay: a read is better
// served by any copy than by none.
func (n *Node) keepChosen(set *spread.Set, in *policy.Input, before chosen) chosen {
	policies := n.policySet()
	if policies.Deciding(in).Name == policy.DefaultPolicy {
		return nil
	}
	for name, since := range before {
		in.Holders = append(in.Holders, policy.Holder{Node: name, Held: in.Now.Sub(since)})
	}
	now := chosen{}
	d := policies.Decide(in)
	n.policies.count(d.Policy, in.Group.Name, in.Task.Name, d.Failures)
	for i := range d.Slots {
		if name := d.Slots[i].Node; name != "" {
			now[name] = in.Now
			if since, held := before[name]; held {
				now[name] = since
			}
		}
	}
	_, own := now[set.Own.Name]
	var others []spread.Copy
	for _, c := range set.Others {
		if _, is := now[c.Name]; is {
			others = append(others, c)
		}
	}
	if own = own && set.Own.Node != 0; !own && others == nil {
		return now
	}
	if set.Others = others; !own {
		set.Own = spread.Copy{}
	}
	return now
}

// readerInput is what policies are asked with about a group's readers.
func (n *Node) readerInput(now time.Time, cat *catalog, g groupRow, reports map[txlog.NodeID]nodeReport, states map[string]supervision.Status) *policy.Input {
	in := &policy.Input{Now: now, Group: policy.Group{Name: g.name, Labels: g.labels}, Task: policy.Task{Name: policy.TaskReader}}
	var ahead uint64
	var leader string
	var term uint64
	copies := cat.copies(g.name)
	for _, p := range copies {
		r := reports[p.node].Groups[g.name]
		ahead = max(ahead, r.Revision)
		if r.Term >= term && r.Leader != "" {
			leader, term = r.Leader, r.Term
		}
	}
	voters := votersHeard(copies, reports)
	for _, p := range copies {
		row, ok := cat.node(p.node)
		if !ok {
			continue
		}
		r, heard := reports[p.node]
		x := policy.Candidate{Node: policy.Node{
			Name: row.name, Status: policy.Unavailable, Labels: row.labels, Version: row.version, OS: row.os, Arch: row.arch,
			Dedicated: row.dedicated, CPU: r.CPU, MemoryFree: r.MemoryFree, DiskFree: r.DiskFree,
			Uptime: time.Duration(r.UptimeSeconds) * time.Second, Tasks: int64(len(r.Holds)), Partitions: int64(len(r.Groups)),
		}}
		if s, watched := states[row.name]; watched {
			x.Node.Status, x.Node.HeartbeatAge = string(s.State), s.Age
		}
		if r.Status == "draining" && x.Node.Status == policy.Available {
			x.Node.Status = policy.Draining // its process is stopping
		}
		for _, of := range r.Groups {
			if of.Leader == row.id.String() {
				x.Node.Primaries++
			}
		}
		part := &policy.Partition{Role: policy.RoleSubscriber, Status: policy.Unavailable}
		if copied, open := r.Groups[g.name]; heard && open {
			part.Status, part.Diverged = policy.Available, copied.Diverged != nil
			part.Revision, part.Lag = int64(copied.Revision), int64(ahead-copied.Revision)
			part.ApplyRate, part.SizeBytes = copied.ApplyRate, copied.SizeBytes
			if part.Lag > 0 && part.ApplyRate > 0 {
				part.LagTime = time.Duration(float64(part.Lag) / part.ApplyRate * float64(time.Second))
			}
		}
		switch {
		case p.kind == kindWitness:
			part.Role = policy.RoleWitness
		case row.id.String() == leader:
			part.Role = policy.RolePrimary
		case p.leaving || !votesAmong(voters, p):
			part.Role = policy.RoleJoining
		}
		x.Partition = part
		in.Candidates = append(in.Candidates, x)
	}
	in.Recount()
	return in
}
