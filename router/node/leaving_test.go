package node_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/router"
	"lockstep/router/node"
)

// "Refused, with the reason: whatever would lose the quorum or the last copy": what was
// right when it was asked for waits where it would do so by now. A copy goes on voting
// while the group would have no majority without it.
func TestACopyStaysWhileTheGroupNeedsIt(t *testing.T) {
	var held atomic.Bool
	var asked atomic.Int32
	held.Store(true)
	nodes := cluster(t, 3, 3, func(cfg *node.Config) {
		node.Halt(cfg, func(step string) bool {
			if step != "take out of bank" {
				return false
			}
			asked.Add(1)
			return held.Load()
		})
	})
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	n2.must("DELETE", "/v1/groups/bank/partitions/n1?wait=false", "")
	n3.stop()
	for _, m := range []*member{n1, n2} {
		m.until("n3 is away", func(g router.GroupStatus) bool {
			return partitionOf(g, "n3").Status == "unavailable" && g.Primary != "" && g.Primary != "n3"
		})
	}
	before := asked.Load()
	held.Store(false)
	for limit := time.Now().Add(10 * time.Second); asked.Load() < before+5; wait(t) {
		if time.Now().After(limit) {
			t.Fatal("nobody thinks of taking n1 out any more")
		}
	}
	n2.must("POST", "/v1/groups/bank/transactions?timeout=10", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 1}}`)
	if got := strings.Join(n2.copies("bank"), " "); got != "n1 n2 n3" {
		t.Errorf("the copies are on %s", got)
	}
	n3.start()
	n2.until("n1 is out", func(g router.GroupStatus) bool { return partitionOf(g, "n1").Node == "" })
	n2.must("POST", "/v1/groups/bank/transactions", `{"procedure": "deposit", "params": {"id": "a", "amount": 1}}`)
}
