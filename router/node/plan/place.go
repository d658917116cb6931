package plan

import (
	"cmp"
	"slices"
)

// New chooses the nodes of a new group's copies.
func (c *Cluster) New(group string, copies int) ([]Node, *Refusal) {
	g := &Group{Name: group}
	var chosen []Node
	for len(chosen) < copies {
		n := c.best(g, 0)
		if n == nil {
			return nil, refuse(TooFewNodes, "%d copies need as many nodes, and %d of the cluster's %d may have one: those that are away, draining or kept for another group may not", copies, len(chosen), len(c.Nodes))
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
	n := c.best(g, from)
	if n == nil {
		return Node{}, refuse(TooFewNodes, "no other node may have the copy of group %s that is on node %s: add a node, or remove the copy (lockstep partition remove %s %s)", group, c.byID(from).Name, group, c.byID(from).Name)
	}
	return *n, nil
}

// best is the node that a group's next copy goes to, where the one on from does not
// count: in the zone where it has the fewest, then where the fewest copies of any group
// are, then by name. Nil: none may have it.
func (c *Cluster) best(g *Group, from uint64) *Node {
	var candidates []*Node
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if g.on(n.ID) == nil && c.fit(g, n) == nil {
			candidates = append(candidates, n)
		}
	}
	if len(candidates) == 0 {
		return nil
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
		return cmp.Or(cmp.Compare(zones[a.Zone], zones[b.Zone]), cmp.Compare(held[a.ID], held[b.ID]), cmp.Compare(a.Name, b.Name))
	})
}
