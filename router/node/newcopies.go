package node

import (
	"time"

	"lockstep/policy"
	"lockstep/router/node/plan"
	"lockstep/txlog"
)

// placing is the cluster as package plan sees it, where a node is to be chosen for a
// copy: the policies for the task copy rank the nodes (interface.md, "for task: copy
// (where new copies go) the candidates are nodes without one"). labels are of groups that
// the catalog does not have yet.
func (n *Node) placing(cat *catalog, labels map[string]string) *plan.Cluster {
	c := n.judged(cat)
	c.Rank = func(g *plan.Group, from uint64) plan.Ranking { return n.rankPlaces(cat, g, from, labels) }
	return c
}

// rankPlaces asks the policies where a group's next copy may go, and how well. The copy
// on from does not count: the new one is in its place.
func (n *Node) rankPlaces(cat *catalog, g *plan.Group, from uint64, labels map[string]string) plan.Ranking {
	in := n.placesInput(cat, g, from, labels)
	d, e := n.policySet().Explain(in)
	n.policies.count(d.Policy, g.Name, in.Task.Name, d.Failures)
	r := plan.Ranking{Policy: e.Policy, Scores: map[uint64]float64{}, Refused: map[uint64]string{}}
	for i := range e.Candidates {
		x := &e.Candidates[i]
		row, _ := cat.named(x.Node)
		if r.Scores[uint64(row.id)] = x.Score; !x.Eligible {
			r.Refused[uint64(row.id)] = x.Reason
		}
	}
	return r
}

// placesInput is what policies are asked with: all nodes, those with a copy too, for the
// size and the zones of the group are counted from them.
func (n *Node) placesInput(cat *catalog, g *plan.Group, from uint64, labels map[string]string) *policy.Input {
	if row, ok := cat.group(g.Name); ok {
		labels = row.labels
	}
	in := &policy.Input{Now: time.Now().UTC(), Group: policy.Group{Name: g.Name, Labels: labels}, Task: policy.Task{Name: policy.TaskCopy}}
	states := n.states(systemGroup)
	for _, row := range cat.nodes {
		x := n.candidate(row, states)
		for _, o := range g.Copies {
			if txlog.NodeID(o.Node) != row.id || o.Node == from || o.Leaving {
				continue
			}
			x.Partition = &policy.Partition{Role: policy.RoleSubscriber, Status: policy.Available}
			if o.Witness {
				x.Partition.Role = policy.RoleWitness
			}
		}
		in.Candidates = append(in.Candidates, x)
	}
	in.Recount()
	return in
}
