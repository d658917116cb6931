package policy

import (
	"maps"
	"slices"
	"strings"
)

// Decider decides on one task of one group again and again, and evaluates nothing
// as long as nothing has changed that could matter: it compares what the policies
// look at with what it was. It is not safe for concurrent use.
type Decider struct {
	set      *Set
	policy   *Policy
	in       *Input
	decision *Decision
}

// Decide is Set.Decide. What it returns must not be changed; where it is what it
// returned before, nothing has changed.
func (d *Decider) Decide(set *Set, in *Input) *Decision {
	if d.set == set && d.holds(in) {
		return d.decision
	}
	d.set, d.policy, d.in = set, set.decides(in), in.Clone()
	d.decision = d.policy.decide(d.in, d.policy.judge(d.in, false))
	return d.decision
}

// holds tells whether the last decision would be made again.
func (d *Decider) holds(in *Input) bool {
	was, p := d.in, d.policy
	passed := in.Now.Sub(was.Now)
	switch {
	case p.LooksAtTime() || passed < 0 || d.decision.Recheck > 0 && passed >= d.decision.Recheck:
		return false
	case was.Task.Name != in.Task.Name || !maps.Equal(was.Task.Labels, in.Task.Labels) || !sameGroup(&was.Group, &in.Group):
		return false
	case len(was.Holders) != len(in.Holders) || len(was.Candidates) != len(in.Candidates):
		return false
	}
	for i := range in.Holders {
		if was.Holders[i].Node != in.Holders[i].Node || in.Holders[i].Held < was.Holders[i].Held {
			return false // another one, or assigned anew
		}
	}
	for i := range in.Candidates {
		if !p.alike(&was.Candidates[i], &in.Candidates[i]) {
			return false
		}
	}
	return true
}

func sameGroup(a, b *Group) bool {
	return a.Name == b.Name && a.Size == b.Size && a.Available == b.Available && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Zones, b.Zones)
}

// alike tells whether two candidates are the same in all that the policy looks at.
func (p *Policy) alike(a, b *Candidate) bool {
	x, y, m, n := a.Partition, b.Partition, &a.Node, &b.Node
	if m.Name != n.Name || m.Status != n.Status || m.Dedicated != n.Dedicated || (x == nil) != (y == nil) {
		return false
	}
	if x != nil && (x.Role != y.Role || x.Status != y.Status || x.Diverged != y.Diverged) {
		return false
	}
	if p.reads[slotNode] {
		if m.Version != n.Version || m.OS != n.OS || m.Arch != n.Arch || !maps.Equal(m.Labels, n.Labels) || m.Tasks != n.Tasks ||
			m.Primaries != n.Primaries || m.Partitions != n.Partitions || p.measures && (m.CPU != n.CPU || m.MemoryFree != n.MemoryFree ||
			m.DiskFree != n.DiskFree || m.HeartbeatAge != n.HeartbeatAge || m.Uptime != n.Uptime) {
			return false
		}
	}
	return !p.follows || x == nil || *x == *y
}

// notice notes which of a node's and a copy's figures the policy looks at, beside
// those that seldom change.
func (p *Policy) notice() {
	named := func(fields ...string) bool {
		return slices.ContainsFunc(slices.Concat(p.require, p.prefer), func(x *expression) bool {
			return slices.ContainsFunc(fields, x.names)
		})
	}
	p.measures = named("node.cpu", "node.memory_free", "node.disk_free", "node.heartbeat_age", "node.uptime")
	p.timed = named("now", "task.held_for")
	p.follows = named("partition.revision", "partition.lag", "partition.lag_time", "partition.apply_rate", "partition.size_bytes")
}

// names tells whether an expression reads a field, or the variable that has it
// whole.
func (x *expression) names(field string) bool {
	variable, _, _ := strings.Cut(field, ".")
	return slices.Contains(x.outline.Reads, variable) || x.outline.Names(field)
}
