package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// New chooses the nodes of a new group's copies.
func (c *Cluster) New(group string, copies int) ([]Node, *Refusal) {
	g := &Group{Name: group}
	var chosen []Node
	for len(chosen) < copies {
		n, refused := c.best(g, 0)
		if n == nil {
			return nil, refuse(TooFewNodes, "%d copies need as many nodes, and %d of the cluster's %d may have one: those that are away, draining or kept for another group may not%s", copies, len(chosen), len(c.Nodes), refused)
		}
		g.Copies = append(g.Copies, Copy{Node: n.ID})
		chosen = append(chosen, *n)
	}
	return chosen, nil
}

// On judges the nodes that somebody chose for a new group's copies.
func (c *Cluster) On(group string, nodes []string) ([]Node, *Refusal) {
	g := &Group{Name: group}
	var chosen []Node
	for _, name := range nodes {
		n, r := c.node(name)
		if r != nil {
			return nil, r
		}
		if r := c.fit(g, n); r != nil {
			return nil, r
		}
		chosen = append(chosen, *n)
	}
	return chosen, nil
}

// Place chooses where a group's copy on a node goes.
func (c *Cluster) Place(group string, from uint64) (Node, *Refusal) {
	g, r := c.group(group)
	if r != nil {
		return Node{}, r
	}
	n, refused := c.best(g, from)
	if n == nil {
		return Node{}, refuse(TooFewNodes, "no other node may have the copy of group %s that is on node %s: add a node, or remove the copy (lockstep partition remove %s %s)%s", group, c.byID(from).Name, group, c.byID(from).Name, refused)
	}
	return *n, nil
}

// best is the node that a group's next copy goes to, where the one on from does not
// count: where the policies want it most, then in the zone where the group has the fewest,
// then where the fewest copies of any group are, then by name. Nil: none may have it;
// refused tells of those that might, if policies let them.
func (c *Cluster) best(g *Group, from uint64) (best *Node, refused string) {
	var candidates []*Node
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if g.on(n.ID) == nil && c.fit(g, n) == nil {
			candidates = append(candidates, n)
		}
	}
	var ranking Ranking
	if c.Rank != nil && len(candidates) > 0 {
		ranking = c.Rank(g, from)
		candidates, refused = ranking.allowed(candidates)
	}
	if len(candidates) == 0 {
		return nil, refused
	}
	zones := map[string]int{}
	for _, o := range g.Copies {
		if o.Node != from && !o.Leaving {
			zones[c.byID(o.Node).Zone]++
		}
	}
	held := map[uint64]int{}
	for _, other := range c.Groups {
		for _, o := range other.Copies {
			held[o.Node]++
		}
	}
	return slices.MinFunc(candidates, func(a, b *Node) int {
		return cmp.Or(cmp.Compare(ranking.Scores[b.ID], ranking.Scores[a.ID]), cmp.Compare(zones[a.Zone], zones[b.Zone]), cmp.Compare(held[a.ID], held[b.ID]), cmp.Compare(a.Name, b.Name))
	}), ""
}

// maxReasons is how many nodes a refusal tells of.
const maxReasons = 8

// allowed leaves the nodes that the policies do not refuse, and tells of the others.
func (r *Ranking) allowed(nodes []*Node) (left []*Node, refused string) {
	var reasons []string
	for _, n := range nodes {
		why, not := r.Refused[n.ID]
		switch {
		case !not:
			left = append(left, n)
		case len(reasons) < maxReasons:
			reasons = append(reasons, n.Name+": "+why)
		}
	}
	if len(reasons) > 0 {
		refused = fmt.Sprintf("; the policy %s refuses %s (see lockstep policy get %s)", r.Policy, strings.Join(reasons, "; "), r.Policy)
	}
	return left, refused
}
