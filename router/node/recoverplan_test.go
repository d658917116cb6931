package node

import (
	"errors"
	"strings"
	"testing"

	"lockstep/router"
	"lockstep/txlog"
)

// "Rebuilds it from the best surviving copy": the one that an election would choose, the
// higher term of the last entry, then the higher index; never one that differs from the
// others, or has just begun to join, or a witness.
func TestThePlanOfARecovery(t *testing.T) {
	const a, b, c, w = txlog.NodeID(1), txlog.NodeID(2), txlog.NodeID(3), txlog.NodeID(4)
	cat := &catalog{}
	for id, name := range map[txlog.NodeID]string{a: "a", b: "b", c: "c", w: "w"} {
		cat.nodes = append(cat.nodes, nodeRow{id: id, name: name})
		row := partitionRow{group: "g", node: id, replica: uint64(id), kind: kindData}
		if id == w {
			row.kind = kindWitness
		}
		cat.partitions = append(cat.partitions, row)
	}
	g := groupRow{name: "g", shard: 7}
	has := func(id txlog.NodeID, term, index, revision uint64) recoverAnswer {
		return recoverAnswer{Open: true, Shard: 7, Replica: uint64(id), Applied: index - 1, LastTerm: term, LastIndex: index, Revision: revision}
	}
	differs, joins, elsewhere, leads := has(b, 9, 99, 99), has(b, 9, 99, 99), has(b, 9, 99, 99), has(b, 3, 20, 15)
	differs.Diverged, joins.Applied, elsewhere.Shard, leads.Majority = true, 0, 6, true
	witness := recoverAnswer{Heard: map[string]heardCopy{c.String(): {Revision: 30}}}
	for _, k := range []struct {
		name    string
		answers map[txlog.NodeID]recoverAnswer
		node    string
		refused string
	}{
		{"the higher term", map[txlog.NodeID]recoverAnswer{a: has(a, 2, 50, 40), b: has(b, 3, 20, 15)}, "b", ""},
		{"the longer log", map[txlog.NodeID]recoverAnswer{a: has(a, 3, 21, 15), b: has(b, 3, 20, 15)}, "a", ""},
		{"one that differs", map[txlog.NodeID]recoverAnswer{a: has(a, 2, 9, 5), b: differs}, "a", ""},
		{"one that joins", map[txlog.NodeID]recoverAnswer{a: has(a, 2, 9, 5), b: joins}, "a", ""},
		{"one of a former shard", map[txlog.NodeID]recoverAnswer{a: has(a, 2, 9, 5), b: elsewhere}, "a", ""},
		{"a majority", map[txlog.NodeID]recoverAnswer{a: has(a, 2, 9, 5), b: leads}, "", "quorum_present"},
		{"a witness alone", map[txlog.NodeID]recoverAnswer{w: witness}, "", "no_copy"},
	} {
		p, err := recoveryOf(cat, g, k.answers)
		var refused *router.Problem
		switch {
		case k.refused != "":
			if !errors.As(err, &refused) || refused.Code != k.refused {
				t.Errorf("%s: %+v %v", k.name, p, err)
			}
		case err != nil || p.Node != k.node:
			t.Errorf("%s: %+v %v", k.name, p, err)
		}
	}
	p, err := recoveryOf(cat, g, map[txlog.NodeID]recoverAnswer{a: has(a, 3, 21, 15), w: witness})
	if err != nil || len(p.MayBeLost) != 1 || p.MayBeLost[0] != (router.LostRevisions{Node: "c", From: 16, To: 30}) || p.Unapplied != 1 || !strings.Contains(p.Warnings[0], "b, c") {
		t.Errorf("what may be lost: %+v %v", p, err)
	}
	other, err := recoveryOf(cat, g, map[txlog.NodeID]recoverAnswer{a: has(a, 3, 22, 15), w: witness})
	if err != nil || other.Token == p.Token {
		t.Errorf("another log has the same token: %v", err)
	}
	g.origin = &origin{node: a}
	var refused *router.Problem
	if _, err := recoveryOf(cat, g, map[txlog.NodeID]recoverAnswer{w: witness}); !errors.As(err, &refused) || !strings.Contains(refused.Detail, "rebuilt from the copy on node a") {
		t.Errorf("while it is rebuilt: %v", err)
	}
}
