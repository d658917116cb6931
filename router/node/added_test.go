package node_test

import (
	"strings"
	"testing"
	"time"

	"lockstep/router"
	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// A copy is in place when its primary says that it votes. Where the group has no
// primary nobody can tell, and it isn't said of a copy that has nothing.
func TestAnEmptyCopyIsNotInPlace(t *testing.T) {
	opened := make(chan struct{}, 1)
	nodes := cluster(t, 3, 0, func(cfg *node.Config) {
		name := cfg.Name
		node.Halt(cfg, func(step string) bool {
			if name == "n2" && step == "opened bank" {
				opened <- struct{}{}
			}
			return strings.HasPrefix(step, "let in to bank")
		})
	})
	n2, n3 := nodes[1], nodes[2]
	n2.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n3"]}`)
	n2.must("PUT", "/v1/groups/bank/schema", bank.Schema)
	n2.must("POST", "/v1/groups/bank/partitions?wait=false", `{"node": "n2"}`)
	select {
	case <-opened:
	case <-time.After(patience):
		t.Fatal("n2 never opens its copy")
	}
	n3.stop()
	n2.until("n3 is away", func(g router.GroupStatus) bool { return partitionOf(g, "n3").Status == "unavailable" })
	// Nor of one that is asked for now, of which no copy that answers has anything.
	if status, _, text := nodes[0].ask("POST", "/v1/groups/bank/partitions?timeout=2", "application/json", []byte(`{"node": "n1"}`)); status != 504 || !strings.Contains(text, "outcome_unknown") || !strings.Contains(text, "has no primary that could let it in") {
		t.Errorf("a copy of a group none of whose copies answers is added: %d %s", status, text)
	}
	status, _, text := n2.ask("POST", "/v1/groups/bank/partitions?timeout=2", "application/json", []byte(`{"node": "n2"}`))
	if !strings.Contains(text, "outcome_unknown") {
		t.Errorf("a copy that has nothing is said to be in place: %d %s", status, text)
	}
}
