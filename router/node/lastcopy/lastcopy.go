package lastcopy

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Copy is a group's copy or witness on a node.
type Copy struct {
	Node    uint64
	Name    string // of the node
	Witness bool
	// Away: it was replaced by a witness, and its node has not come back.
	Away bool
	// Leaving: it is on its way out.
	Leaving bool
	// Member and Votes are as the group's members have it.
	Member, Votes bool
	// Silent is for how long its node has not been heard of; 0 while it answers.
	Silent time.Duration
}

// Candidate is a node that could take a witness.
type Candidate struct {
	Node uint64
	Name string
	Zone string
	Held int // copies of any group that it has
}

// Group is a group as it is.
type Group struct {
	// Serve is whether copies are replaced at all, ReplaceAfter how long a node is
	// silent before its copy is.
	Serve        bool
	ReplaceAfter time.Duration
	Copies       []Copy
	Free         []Candidate
	// Zones tells in which zone nodes are, for those that have copies.
	Zones map[uint64]string
}

// Action is what a step does.
type Action string

// The actions.
const (
	Nothing  Action = ""
	Return   Action = "return"   // a copy that was replaced joins again, under a new replica id
	Exchange Action = "exchange" // a witness that is away makes room for another
	Drop     Action = "drop"     // a witness that is not needed any more goes
	Replace  Action = "replace"  // a copy that is away is replaced by a witness
	Add      Action = "add"      // a witness that makes the number of voters odd
)

// Step is what is due. Node has the copy that it is about, On takes a witness.
type Step struct {
	Do       Action
	Node, On uint64
	Why      string
}

// Next names the step that is due.
func Next(g *Group) Step {
	for _, c := range g.Copies {
		if c.Away && c.Silent == 0 && !c.Member { // as long as it is one its data must stay
			return Step{Do: Return, Node: c.Node, Why: fmt.Sprintf("node %s is back", c.Name)}
		}
	}
	if g.underWay() {
		return Step{}
	}
	for _, next := range []func() Step{g.exchange, g.drop, g.replace, g.add} {
		if s := next(); s.Do != Nothing {
			return s
		}
	}
	return Step{}
}

// underWay tells whether the last step is still being taken. Copies that join are not
// waited for: that may take hours.
func (g *Group) underWay() bool {
	return slices.ContainsFunc(g.Copies, func(c Copy) bool {
		return (c.Away || c.Leaving) && c.Member || c.Witness && !c.Leaving && !c.Votes
	})
}

func (g *Group) count(is func(c *Copy) bool) (n int) {
	for i := range g.Copies {
		if is(&g.Copies[i]) {
			n++
		}
	}
	return n
}

func (g *Group) witnesses() int {
	return g.count(func(c *Copy) bool { return c.Witness && !c.Leaving })
}

// voters counts the copies with data that vote, away those that were replaced, and
// joining those that wait for their vote.
func (g *Group) voters() int {
	return g.count(func(c *Copy) bool { return !c.Witness && !c.Leaving && !c.Away && c.Votes })
}
func (g *Group) away() int { return g.count(func(c *Copy) bool { return c.Away && !c.Leaving }) }
func (g *Group) joining() int {
	return g.count(func(c *Copy) bool { return !c.Witness && !c.Leaving && !c.Away && !c.Votes })
}

// odd is the least number of witnesses, at least so many, with which the number of
// voters is odd.
func odd(voters, least int) int {
	if (voters+least)%2 == 0 {
		return least + 1
	}
	return least
}

func (g *Group) exchange() Step {
	on, free := g.place()
	if !g.Serve || !free {
		return Step{}
	}
	for _, c := range g.Copies {
		if c.Witness && !c.Leaving && c.Silent >= g.ReplaceAfter {
			return Step{Do: Exchange, Node: c.Node, On: on.Node, Why: fmt.Sprintf("the witness on node %s has been away for %s: one on node %s takes its place", c.Name, c.Silent.Round(time.Second), on.Name)}
		}
	}
	return Step{}
}

func (g *Group) drop() Step {
	// A copy that joins had a witness in its place: that one stays until the copy votes.
	if g.witnesses() <= odd(g.voters(), g.away()+g.joining()) {
		return Step{}
	}
	var found *Copy
	for i := range g.Copies {
		c := &g.Copies[i]
		if c.Witness && !c.Leaving && (found == nil || c.Silent > found.Silent || c.Silent == found.Silent && c.Name > found.Name) {
			found = c
		}
	}
	return Step{Do: Drop, Node: found.Node, Why: fmt.Sprintf("%d copies vote: the witness on node %s is not needed", g.voters(), found.Name)}
}

func (g *Group) replace() Step {
	on, free := g.place()
	if !g.Serve || !free || g.voters() < 2 {
		return Step{}
	}
	var longest *Copy
	for i := range g.Copies {
		c := &g.Copies[i]
		if !c.Witness && !c.Leaving && !c.Away && c.Votes && c.Silent >= g.ReplaceAfter && (longest == nil || c.Silent > longest.Silent) {
			longest = c
		}
	}
	if longest == nil {
		return Step{}
	}
	return Step{Do: Replace, Node: longest.Node, On: on.Node, Why: fmt.Sprintf("the copy on node %s has been away for %s: a witness on node %s takes its place", longest.Name, longest.Silent.Round(time.Second), on.Name)}
}

func (g *Group) add() Step {
	on, free := g.place()
	if !g.Serve || !free || g.witnesses() >= odd(g.voters(), g.away()) {
		return Step{}
	}
	return Step{Do: Add, On: on.Node, Why: fmt.Sprintf("%d voters survive the loss of no more than %d do: a witness on node %s makes them odd", g.voters()+g.witnesses(), g.voters()+g.witnesses()-1, on.Name)}
}

// place chooses the node for a witness: in the zone that has the fewest of the group's,
// then the one with the fewest copies, then by name.
func (g *Group) place() (Candidate, bool) {
	if len(g.Free) == 0 {
		return Candidate{}, false
	}
	zones := map[string]int{}
	for _, c := range g.Copies {
		if c.Member && !c.Away && !c.Leaving {
			zones[g.Zones[c.Node]]++
		}
	}
	return slices.MinFunc(g.Free, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(zones[a.Zone], zones[b.Zone]), cmp.Compare(a.Held, b.Held), cmp.Compare(a.Name, b.Name))
	}), true
}
