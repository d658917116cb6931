package node_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/router/node"
)

// "partitions added (non-voting, streamed snapshot, promoted when caught up)": also to
// a group with one voter, whose snapshot takes longer, on its way and in being taken
// in, than a newcomer is waited for that gets nothing. The group goes on meanwhile.
func TestALargeSnapshotFromTheOnlyVoter(t *testing.T) {
	const alone = time.Second
	var opened atomic.Int32
	nodes := cluster(t, 2, 1, func(cfg *node.Config) {
		node.Slow(cfg, "bank", 5*alone/2, alone)
		name := cfg.Name
		node.Halt(cfg, func(step string) bool {
			if name == "n1" && step == "opened bank" {
				opened.Add(1)
			}
			return false
		})
	})
	n1, n2 := nodes[0], nodes[1]
	n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 1}}`)
	for range 40 {
		n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "deposit", "params": {"id": "a", "amount": 1}}`)
	}
	began := time.Now()
	text := n1.must("POST", "/v1/groups/bank/partitions?timeout=20", `{"node": "n2"}`)
	if !strings.Contains(text, `"role":"subscriber"`) {
		t.Errorf("the copy that was added is %s", text)
	}
	if took := time.Since(began); took < 5*alone {
		t.Errorf("it took %v: that was no snapshot", took)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("the group's only voter was opened %d times", n)
	}
	n2.must("GET", "/v1/groups/bank/tables/accounts/rows?key=a&consistency=local", "")
}
