package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"lockstep/router/node/plan"
)

// sample is five nodes in three zones, and a group of three.
func sample() *plan.Cluster {
	c := &plan.Cluster{}
	for i, zone := range []string{"a", "a", "b", "b", "c"} {
		c.Nodes = append(c.Nodes, plan.Node{ID: uint64(i + 1), Name: "n" + string(rune('1'+i)), Zone: zone, Available: true})
	}
	g := plan.Group{Name: "bank"}
	for _, id := range []uint64{1, 2, 3} {
		g.Copies = append(g.Copies, plan.Copy{Node: id, Votes: true, Available: true})
	}
	c.Groups = []plan.Group{g}
	return c
}

// "Refused, with the reason: whatever would lose the quorum or the last copy", and
// what can't be a place for a copy.
func TestRefusals(t *testing.T) {
	away := func(ids ...uint64) func(*plan.Cluster) {
		return func(c *plan.Cluster) {
			for _, id := range ids {
				c.Nodes[id-1].Available = false
				for i := range c.Groups[0].Copies {
					if c.Groups[0].Copies[i].Node == id {
						c.Groups[0].Copies[i].Available = false
					}
				}
			}
		}
	}
	add := func(node string) func(*plan.Cluster) *plan.Refusal {
		return func(c *plan.Cluster) *plan.Refusal { return c.Add("bank", node) }
	}
	remove := func(node string) func(*plan.Cluster) *plan.Refusal {
		return func(c *plan.Cluster) *plan.Refusal { return c.TakeOut("bank", node) }
	}
	move := func(from, to string) func(*plan.Cluster) *plan.Refusal {
		return func(c *plan.Cluster) *plan.Refusal { return c.Move("bank", from, to) }
	}
	for _, c := range []struct {
		name  string
		state func(*plan.Cluster)
		do    func(*plan.Cluster) *plan.Refusal
		code  string // empty: it may be done
		text  string
	}{
		{"add", nil, add("n4"), "", ""},
		{"add again", nil, add("n3"), "", ""},
		{"add where one leaves", func(c *plan.Cluster) { c.Groups[0].Copies[2].Leaving = true }, add("n3"), plan.AlreadyExists, "wait"},
		{"add at a stranger", nil, add("n9"), plan.NotFound, `"n9"`},
		{"add at a node that is away", away(4), add("n4"), plan.Unavailable, "start it"},
		{"add at a drained node", func(c *plan.Cluster) { c.Nodes[3].Draining = true }, add("n4"), plan.Draining, "lockstep node undrain n4"},
		{"add at a node that goes", func(c *plan.Cluster) { c.Nodes[3].Leaving = true }, add("n4"), plan.Draining, "removed"},
		{"add at another group's node", func(c *plan.Cluster) { c.Nodes[3].Dedicated = "orders" }, add("n4"), plan.Dedicated, "orders"},
		{"add at its own node", func(c *plan.Cluster) { c.Nodes[3].Dedicated = "bank" }, add("n4"), "", ""},
		{"add where a witness is", func(c *plan.Cluster) { c.Groups[0].Copies[2].Witness = true }, add("n3"), plan.AlreadyExists, "lockstep group settings bank last_copy=stop"},
		{"move to a witness", func(c *plan.Cluster) { c.Groups[0].Copies[2].Witness = true }, move("n1", "n3"), plan.AlreadyExists, "a witness of group bank"},
		{"remove a witness", func(c *plan.Cluster) { c.Groups[0].Copies[2].Witness = true }, remove("n3"), plan.InUse, "come and go by themselves"},
		{"remove a witness that goes", func(c *plan.Cluster) {
			c.Groups[0].Copies[2].Witness, c.Groups[0].Copies[2].Leaving = true, true
		}, remove("n3"), "", ""},
		{"keep a node for a group that there is not", nil, func(c *plan.Cluster) *plan.Refusal { return c.Dedicate("n5", "nope") }, plan.UnknownGroup, "lockstep group create nope"},
		{"keep a node for its group", nil, func(c *plan.Cluster) *plan.Refusal { return c.Dedicate("n3", "bank") }, "", ""},
		{"remove", nil, remove("n1"), "", ""},
		{"remove one that is away", away(1), remove("n1"), "", ""},
		{"remove what is not there", nil, remove("n4"), plan.NotFound, "no copy"},
		{"remove one while another is away", away(3), remove("n1"), plan.NoMajority, "bring back n3"},
		{"remove without a majority", away(2, 3), remove("n3"), plan.NoMajority, "1 of the 3"},
		{"remove the last that answers", away(2, 3), remove("n1"), plan.LastCopy, "bring back n2, n3"},
		{"remove the last", func(c *plan.Cluster) { c.Groups[0].Copies = c.Groups[0].Copies[:1] }, remove("n1"), plan.LastCopy, "lockstep group delete bank"},
		{"remove one beside a witness", func(c *plan.Cluster) {
			c.Groups[0].Copies[1].Witness, c.Groups[0].Copies[2].Witness = true, true
		}, remove("n1"), plan.LastCopy, "complete"},
		{"remove one that joins", func(c *plan.Cluster) { c.Groups[0].Copies[2].Votes = false }, remove("n3"), "", ""},
		{"remove beside one that joins", func(c *plan.Cluster) {
			c.Groups[0].Copies = c.Groups[0].Copies[1:]
			c.Groups[0].Copies[1].Votes = false
		}, remove("n2"), plan.LastCopy, "last"},
		{"move", nil, move("n1", "n5"), "", ""},
		{"move to itself", nil, move("n1", "n1"), plan.AlreadyExists, "already"},
		{"move to another copy", nil, move("n1", "n2"), plan.AlreadyExists, "lockstep partition remove bank n1"},
		{"move again", func(c *plan.Cluster) {
			c.Groups[0].Copies = append(c.Groups[0].Copies, plan.Copy{Node: 4, Available: true, Replaces: 1})
		}, move("n1", "n4"), "", ""},
		{"move again, when the old one leaves", func(c *plan.Cluster) {
			c.Groups[0].Copies[0].Leaving = true
			c.Groups[0].Copies = append(c.Groups[0].Copies, plan.Copy{Node: 4, Available: true, Votes: true})
		}, move("n1", "n4"), "", ""},
		{"moved before", func(c *plan.Cluster) { c.Groups[0].Copies[0].Node = 4 }, move("n1", "n4"), "", ""},
		{"move what is not there", nil, move("n4", "n5"), plan.NotFound, "no copy on node n4"},
		{"move without a majority", away(2, 3), move("n1", "n5"), plan.NoMajority, "lockstep group recover"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := sample()
			if c.state != nil {
				c.state(cluster)
			}
			r := c.do(cluster)
			switch {
			case r == nil && c.code == "":
			case r == nil:
				t.Errorf("it is not refused, and should be: %s", c.code)
			case r.Code != c.code || !strings.Contains(r.Detail, c.text):
				t.Errorf("refused with %s: %s", r.Code, r.Detail)
			}
		})
	}
}

// Copies go where a group has fewest in a zone, then where there are fewest, then by
// name; never where they may not.
func TestPlaces(t *testing.T) {
	c := sample()
	if n, r := c.Place("bank", 1); r != nil || n.Name != "n5" {
		t.Errorf("the copy goes to %s (%v)", n.Name, r)
	}
	c.Nodes[4].Draining = true
	if n, r := c.Place("bank", 3); r != nil || n.Name != "n4" {
		t.Errorf("the copy goes to %s (%v)", n.Name, r)
	}
	c.Nodes[3].Available = false
	if _, r := c.Place("bank", 3); r == nil || r.Code != plan.TooFewNodes {
		t.Errorf("it has a place: %v", r)
	}
	c = sample()
	chosen, r := c.New("orders", 3)
	var names []string
	for _, n := range chosen {
		names = append(names, n.Name)
	}
	if got := strings.Join(names, " "); r != nil || got != "n4 n5 n1" {
		t.Errorf("a new group's copies go to %s (%v)", got, r)
	}
	if _, r := c.New("orders", 6); r == nil || r.Code != plan.TooFewNodes {
		t.Errorf("six copies have a place: %v", r)
	}
}

// "A policy for the task copy tells where new copies go": a score comes before the spread
// over zones, which decides among equals; who is refused gets none, and is told of.
func TestPlacesByPolicy(t *testing.T) {
	c := sample()
	scores, refused := map[uint64]float64{4: 5}, map[uint64]string{}
	var asked []string
	c.Rank = func(g *plan.Group, from uint64) plan.Ranking {
		asked = append(asked, fmt.Sprintf("%s %d from %d", g.Name, len(g.Copies), from))
		return plan.Ranking{Policy: "there", Scores: scores, Refused: refused}
	}
	if n, r := c.Place("bank", 1); r != nil || n.Name != "n4" {
		t.Errorf("the copy goes to %s (%v), not where it is wanted most", n.Name, r)
	}
	scores[5] = 5
	if n, r := c.Place("bank", 1); r != nil || n.Name != "n5" {
		t.Errorf("of two with one score it goes to %s (%v), not to the zone without one", n.Name, r)
	}
	refused[5] = "require fails: node.labels.disk == 'ssd'"
	if n, r := c.Place("bank", 1); r != nil || n.Name != "n4" {
		t.Errorf("the copy goes to %s (%v), where it may not", n.Name, r)
	}
	refused[4] = "require fails: node.labels.disk == 'ssd'"
	if r := c.Drain("n1", true); r == nil || r.Code != plan.TooFewNodes || !strings.Contains(r.Detail, "the policy there refuses n4: require fails: node.labels.disk == 'ssd'; n5: ") {
		t.Errorf("a drain has a place: %v", r)
	}
	asked = nil
	if _, r := c.New("orders", 4); r == nil || !strings.Contains(r.Detail, "3 of the cluster's 5") || !strings.Contains(r.Detail, "the policy there refuses n4") {
		t.Errorf("four copies have a place: %v", r)
	}
	if got := strings.Join(asked, ", "); got != "orders 0 from 0, orders 1 from 0, orders 2 from 0, orders 3 from 0" {
		t.Errorf("the policies were asked with %s", got)
	}
}
