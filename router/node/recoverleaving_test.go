package node_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/router"
	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// "Rebuilds it from the best surviving copy": that copy has the group from then on, also
// where it was about to leave; another that was about to leave keeps its data aside.
func TestAGroupIsRecoveredFromACopyThatWasLeaving(t *testing.T) {
	var held atomic.Bool
	held.Store(true)
	nodes := cluster(t, 5, 0, func(cfg *node.Config) {
		node.Halt(cfg, func(step string) bool { return step == "take out of bank" && held.Load() })
	})
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	n1.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n2", "n3", "n4", "n5"]}`)
	n1.must("PUT", "/v1/groups/bank/schema", bank.Schema)
	for i := range 20 {
		n1.must("POST", "/v1/groups/bank/transactions", fmt.Sprintf(`{"procedure": "open", "params": {"id": "a%d", "owner": "A", "balance": 100}}`, i))
	}
	for _, m := range []*member{n2, n3} {
		if status, _, text := n1.ask("DELETE", "/v1/groups/bank/partitions/"+m.cfg.Name+"?timeout=1", "", nil); status != 504 {
			t.Fatalf("%s is to leave: %d %s", m.cfg.Name, status, text)
		}
	}
	nodes[3].stop()
	nodes[4].stop()
	n1.until("no majority", func(g router.GroupStatus) bool { return g.Primary == "" })
	held.Store(false)
	p := n1.plan("bank")
	from, other := n2, n3
	if p.Node == "n3" {
		from, other = n3, n2
	}
	n1.must("POST", "/v1/groups/bank/recover", fmt.Sprintf(`{"token": %q}`, p.Token))
	if text := from.must("GET", "/v1/groups/bank/tables/accounts/rows?limit=100", ""); strings.Count(text, `"owner":"A"`) != 20 {
		t.Errorf("of the accounts before there are %s", text)
	}
	n1.until("the other one has left", func(g router.GroupStatus) bool {
		aside, err := filepath.Glob(filepath.Join(other.cfg.Data, "aside", "*"))
		return err == nil && len(aside) == 1 && g.Primary == from.cfg.Name && partitionOf(g, other.cfg.Name).Node == ""
	})
	// "Deletes the group with its data", which what is aside is part of.
	n1.must("DELETE", "/v1/groups/bank", "")
	ended := time.Now().Add(patience)
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
		aside, err := filepath.Glob(filepath.Join(other.cfg.Data, "aside", "*"))
		if err == nil && len(aside) == 0 {
			break
		}
		if err != nil || time.Now().After(ended) {
			t.Fatalf("of a group that was deleted there is %v aside, %v", aside, err)
		}
	}
}
