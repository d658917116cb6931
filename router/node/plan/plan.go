package plan

import (
	"fmt"
	"slices"
	"strings"
)

// Node is a computing system.
type Node struct {
	ID        uint64
	Name      string
	Zone      string // its label zone
	Available bool
	Draining  bool   // or drained
	Leaving   bool   // it goes for good
	Dedicated string // the only group that it is kept for; empty: any
}

// Copy is a group's copy on a node.
type Copy struct {
	Node      uint64
	Witness   bool // it votes and has no data
	Leaving   bool
	Votes     bool // it counts in majorities now
	Available bool
	Replaces  uint64 // the node whose copy leaves when this one votes; 0: none
}

// Group is a redundancy group.
type Group struct {
	Name   string
	Copies []Copy
}

// Cluster is all of it.
type Cluster struct {
	Nodes   []Node
	Groups  []Group
	Catalog []Copy // of the system group

	// Rank asks the policies where a group's next copy goes, in whose stead the one on
	// from is (0: none). Nil: all nodes are alike.
	Rank func(g *Group, from uint64) Ranking
}

// Ranking is what the policies say of the nodes that a group's next copy may go to.
type Ranking struct {
	Policy  string             // the one that decides
	Scores  map[uint64]float64 // by node: the highest comes first
	Refused map[uint64]string  // why a node may have none
}

// Refusal says why a change is not made, and what to do instead.
type Refusal struct {
	Code   string // as clients are told
	Detail string
}

func (r *Refusal) Error() string { return r.Detail }

// Codes of refusals.
const (
	UnknownGroup  = "unknown_group"
	NotFound      = "not_found"
	AlreadyExists = "already_exists"
	Unavailable   = "node_unavailable" // the node does not answer
	Draining      = "node_draining"
	Dedicated     = "node_dedicated"
	NoMajority    = "quorum_at_risk" // the group would have no majority that answers
	LastCopy      = "last_copy"
	TooFewNodes   = "too_few_nodes"
	InUse         = "node_in_use"
)

func refuse(code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

func (c *Cluster) group(name string) (*Group, *Refusal) {
	for i := range c.Groups {
		if c.Groups[i].Name == name {
			return &c.Groups[i], nil
		}
	}
	return nil, refuse(UnknownGroup, "there is no group %q", name)
}

func (c *Cluster) node(name string) (*Node, *Refusal) {
	for i := range c.Nodes {
		if c.Nodes[i].Name == name {
			return &c.Nodes[i], nil
		}
	}
	return nil, refuse(NotFound, "the cluster has no node %q", name)
}

func (c *Cluster) byID(id uint64) *Node {
	for i := range c.Nodes {
		if c.Nodes[i].ID == id {
			return &c.Nodes[i]
		}
	}
	return &Node{ID: id, Name: fmt.Sprintf("%016x", id)}
}

func (g *Group) on(node uint64) *Copy {
	for i := range g.Copies {
		if g.Copies[i].Node == node {
			return &g.Copies[i]
		}
	}
	return nil
}

// Add judges a new copy of a group on a node. It is not refused where that node has
// one already: that is what was asked for.
func (c *Cluster) Add(group, node string) *Refusal {
	g, r := c.group(group)
	if r != nil {
		return r
	}
	n, r := c.node(node)
	if r != nil {
		return r
	}
	if have := g.on(n.ID); have != nil {
		if have.Leaving {
			return refuse(AlreadyExists, "the copy of group %s on node %s is being removed: wait until it is gone (lockstep partition list %s), then add it anew", group, node, group)
		}
		return besideWitness(g, n)
	}
	return c.fit(g, n)
}

// besideWitness refuses a copy where the group has a witness.
func besideWitness(g *Group, n *Node) *Refusal {
	if have := g.on(n.ID); have == nil || !have.Witness || have.Leaving {
		return nil
	}
	return refuse(AlreadyExists, "node %s has a witness of group %s, and can't have a copy beside it: choose another node, or ask again when the witness is gone; %s", n.Name, g.Name, witnessGoes(g.Name))
}

// witnessGoes tells when witnesses go (package lastcopy).
func witnessGoes(group string) string {
	return fmt.Sprintf("witnesses come and go by themselves: one goes when the copies that are away are back and an odd number of copies vote without it, and after lockstep group settings %s last_copy=stop none comes", group)
}

// fit tells why a node may have no copy of a group.
func (c *Cluster) fit(g *Group, n *Node) *Refusal {
	switch {
	case n.Leaving:
		return refuse(Draining, "node %s is being removed from the cluster: choose another", n.Name)
	case n.Draining:
		return refuse(Draining, "node %s is drained or draining: lockstep node undrain %s, or choose another", n.Name, n.Name)
	case n.Dedicated != "" && n.Dedicated != g.Name:
		return refuse(Dedicated, "node %s is kept for group %s: choose another, or lockstep node set %s --dedicated ''", n.Name, n.Dedicated, n.Name)
	case !n.Available:
		return refuse(Unavailable, "node %s does not answer: start it, or choose another", n.Name)
	}
	return nil
}

// TakeOut judges that an operator has a node's copy leave its group: as Remove, but a
// witness would only come back on another node.
func (c *Cluster) TakeOut(group, node string) *Refusal {
	if g, r := c.group(group); r == nil {
		if n, r := c.node(node); r == nil {
			if have := g.on(n.ID); have != nil && have.Witness && !have.Leaving {
				return refuse(InUse, "node %s has a witness of group %s, not a copy, and it would only go to another node: %s", node, group, witnessGoes(group))
			}
		}
	}
	return c.Remove(group, node)
}

// Remove judges that a node's copy leaves its group.
func (c *Cluster) Remove(group, node string) *Refusal {
	g, r := c.group(group)
	if r != nil {
		return r
	}
	n, r := c.node(node)
	if r != nil {
		return r
	}
	if g.on(n.ID) == nil {
		return refuse(NotFound, "group %s has no copy on node %s", group, node)
	}
	if g.on(n.ID).Leaving {
		return nil
	}
	return c.without(g, n.ID)
}

// without judges a group from which the copy on a node is taken.
func (c *Cluster) without(g *Group, gone uint64) *Refusal {
	leaving := g.on(gone)
	name := c.byID(gone).Name
	if !leaving.Votes {
		if !slices.ContainsFunc(g.Copies, func(o Copy) bool { return o.Node != gone && !o.Witness && !o.Leaving }) {
			return refuse(LastCopy, "the copy on node %s is the last of group %s: lockstep group delete %s takes the whole group away", name, g.Name, g.Name)
		}
		return nil // nobody relies on it
	}
	data, voters, live := 0, 0, 0
	now, nowLive := 0, 0
	var away []string
	for _, o := range g.Copies {
		if !o.Votes {
			continue
		}
		now++
		if o.Available {
			nowLive++
		}
		if o.Node == gone || o.Leaving {
			continue
		}
		voters++
		if !o.Available {
			away = append(away, c.byID(o.Node).Name)
			continue
		}
		live++
		if !o.Witness {
			data++
		}
	}
	switch {
	case data == 0 && len(away) == 0:
		return refuse(LastCopy, "the copy on node %s is the last of group %s that is complete: add another first (lockstep partition add %s NODE), or lockstep group delete %s takes the whole group away", name, g.Name, g.Name, g.Name)
	case data == 0:
		return refuse(LastCopy, "without the copy on node %s group %s would have no complete copy that answers: bring back %s, or add another first (lockstep partition add %s NODE)", name, g.Name, strings.Join(away, ", "), g.Name)
	case 2*nowLive <= now:
		return refuse(NoMajority, "only %d of the %d voting copies of group %s answer, and a change of them needs a majority: bring back nodes that are away, or see lockstep group recover", nowLive, now, g.Name)
	case 2*live <= voters:
		return refuse(NoMajority, "without the copy on node %s only %d of the %d voting copies of group %s would answer, which is no majority: bring back %s, or add another copy first (lockstep partition add %s NODE)", name, live, voters, g.Name, strings.Join(away, ", "), g.Name)
	}
	return nil
}

// Move judges that a group's copy goes from one node to another: it is added there,
// and leaves when that one votes.
func (c *Cluster) Move(group, from, to string) *Refusal {
	g, r := c.group(group)
	if r != nil {
		return r
	}
	old, r := c.node(from)
	if r != nil {
		return r
	}
	next, r := c.node(to)
	if r != nil {
		return r
	}
	if r := besideWitness(g, next); r != nil && old != next {
		return r
	}
	have, there := g.on(old.ID), g.on(next.ID)
	switch {
	case old == next:
		return refuse(AlreadyExists, "the copy is on node %s already", to)
	case there != nil && !there.Leaving && (have == nil || have.Leaving || there.Replaces == old.ID):
		return nil // it is under way, or done
	case there != nil:
		return refuse(AlreadyExists, "node %s has a copy of group %s already: choose another node, or lockstep partition remove %s %s", to, group, group, from)
	case have == nil:
		return refuse(NotFound, "group %s has no copy on node %s", group, from)
	case have.Leaving:
		return refuse(NotFound, "the copy of group %s on node %s is being removed already: lockstep partition add %s %s", group, from, group, to)
	}
	if r := c.fit(g, next); r != nil {
		return r
	}
	return c.majority(g)
}

// majority refuses to begin what the group's present voters can't agree to.
func (c *Cluster) majority(g *Group) *Refusal {
	voters, live := 0, 0
	for _, o := range g.Copies {
		if o.Votes {
			voters++
			if o.Available {
				live++
			}
		}
	}
	if 2*live <= voters {
		return refuse(NoMajority, "only %d of the %d voting copies of group %s answer, and a change of them needs a majority: bring back nodes that are away, or see lockstep group recover", live, voters, g.Name)
	}
	return nil
}

// Across judges that a node leaves one group and joins another (claims 6 and 7).
func (c *Cluster) Across(from, to, node string) *Refusal {
	if from == to {
		return refuse(AlreadyExists, "name two groups: the one that node %s leaves, and the one that it joins", node)
	}
	source, r := c.group(from)
	if r != nil {
		return r
	}
	g, r := c.group(to)
	if r != nil {
		return r
	}
	n, r := c.node(node)
	if r != nil {
		return r
	}
	if r := besideWitness(g, n); r != nil {
		return r
	}
	old, there := source.on(n.ID), g.on(n.ID)
	switch {
	case there != nil && !there.Leaving && (old == nil || old.Leaving):
		return nil // it is under way, or done
	case there != nil:
		return refuse(AlreadyExists, "node %s has a copy of group %s already: lockstep partition remove %s %s", node, to, from, node)
	case old == nil:
		return refuse(NotFound, "group %s has no copy on node %s: lockstep partition add %s %s", from, node, to, node)
	}
	if r := c.fit(g, n); r != nil {
		return r
	}
	if r := c.majority(g); r != nil {
		return r
	}
	return c.Remove(from, node)
}
