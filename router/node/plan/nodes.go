package plan

import "strings"

// copiesOn are the groups that have a copy on a node which does not leave already.
func (c *Cluster) copiesOn(node uint64) (groups []*Group, names []string) {
	for i := range c.Groups {
		if o := c.Groups[i].on(node); o != nil && !o.Leaving {
			groups, names = append(groups, &c.Groups[i]), append(names, c.Groups[i].Name)
		}
	}
	return groups, names
}

// Drain judges that a node gives up its primaries, and with evacuate its copies.
func (c *Cluster) Drain(node string, evacuate bool) *Refusal {
	n, r := c.node(node)
	if r != nil {
		return r
	}
	groups, _ := c.copiesOn(n.ID)
	for _, g := range groups {
		if evacuate {
			if c.replaced(g, n.ID) {
				continue
			}
			if _, r := c.Place(g.Name, n.ID); r != nil {
				return r
			}
			continue
		}
		if !c.others(g, n.ID) {
			return refuse(LastCopy, "nobody could be primary of group %s without node %s: lockstep node drain %s --partitions moves its copy to another node, or lockstep partition add %s NODE adds one", g.Name, node, node, g.Name)
		}
	}
	return nil
}

// replaced tells whether another copy takes the place of the one on a node.
func (c *Cluster) replaced(g *Group, node uint64) bool {
	for _, o := range g.Copies {
		if o.Replaces == node && !o.Leaving {
			return true
		}
	}
	return false
}

// others tells whether a group could have its primary on another node.
func (c *Cluster) others(g *Group, node uint64) bool {
	for _, o := range g.Copies {
		if at := c.byID(o.Node); o.Node != node && o.Votes && !o.Witness && !o.Leaving && o.Available && !at.Draining {
			return true
		}
	}
	return false
}

// RemoveNode judges that a node goes for good, with the copies that it still has.
func (c *Cluster) RemoveNode(node string, force bool) *Refusal {
	n, r := c.node(node)
	if r != nil {
		return r
	}
	if n.Leaving {
		return nil
	}
	if len(c.Nodes) == 1 {
		return refuse(LastCopy, "node %s is the last of the cluster: to end the cluster, stop it and remove its data folder", node)
	}
	groups, names := c.copiesOn(n.ID)
	if len(groups) > 0 && n.Available && !n.Draining && !force {
		return refuse(InUse, "node %s has copies of %s: lockstep node drain %s --partitions moves them to other nodes, lockstep node replace %s --with NODE to that one; --force removes them with the node", node, strings.Join(names, ", "), node, node)
	}
	for _, g := range groups {
		if r := c.without(g, n.ID); r != nil {
			return r
		}
	}
	return c.withoutCatalog(n)
}

// withoutCatalog judges the catalog's voters without a node.
func (c *Cluster) withoutCatalog(n *Node) *Refusal {
	voters, live := 0, 0
	for _, o := range c.Catalog {
		if !o.Votes || o.Node == n.ID {
			continue
		}
		voters++
		if o.Available {
			live++
		}
	}
	if voters > 0 && 2*live <= voters {
		return refuse(NoMajority, "without node %s only %d of the catalog's %d voting copies would answer, which is no majority: bring back nodes that are away first", n.Name, live, voters)
	}
	return nil
}

// ReplaceNode judges that one node takes all copies of another, which then goes.
func (c *Cluster) ReplaceNode(node, with string) *Refusal {
	n, r := c.node(node)
	if r != nil {
		return r
	}
	next, r := c.node(with)
	if r != nil {
		return r
	}
	if n == next {
		return refuse(InUse, "node %s can't take its own place: name another", node)
	}
	groups, _ := c.copiesOn(n.ID)
	for _, g := range groups {
		if c.replaced(g, n.ID) {
			continue
		}
		if g.on(next.ID) != nil {
			return refuse(InUse, "node %s has a copy of group %s itself, and can't have that of %s as well: choose another node, or lockstep partition remove %s %s", with, g.Name, node, g.Name, node)
		}
		if r := c.fit(g, next); r != nil && (r.Code != Dedicated || next.Dedicated != n.Dedicated) {
			return r
		}
		if r := c.majority(g); r != nil {
			return r
		}
	}
	if next.Leaving || next.Draining {
		return c.fit(&Group{}, next)
	}
	return c.withoutCatalog(n)
}

// Dedicate judges that a node is kept for one group, which exists.
func (c *Cluster) Dedicate(node, group string) *Refusal {
	n, r := c.node(node)
	if r != nil || group == "" {
		return r
	}
	if _, r := c.group(group); r != nil && n.Dedicated != group {
		return refuse(UnknownGroup, "%s: make it first (lockstep group create %s), or see lockstep group list", r.Detail, group)
	}
	groups, _ := c.copiesOn(n.ID)
	for _, g := range groups {
		if g.Name != group {
			return refuse(InUse, "node %s has a copy of group %s, so it can't be kept for %s: lockstep partition move %s --from %s --to NODE first", node, g.Name, group, g.Name, node)
		}
	}
	return nil
}
