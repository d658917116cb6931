package node_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/router"
	"lockstep/router/node"
)

// A node that gets a copy of a group answers as it did before, through others, until
// the copy has been brought up to date: a request would wait for that, or until its
// deadline where the group does not let the copy in for a while.
func TestANodeThatGetsACopyGoesOnAnswering(t *testing.T) {
	var closed atomic.Bool
	closed.Store(true)
	opened := make(chan struct{})
	open := sync.OnceFunc(func() { close(opened) })
	nodes := cluster(t, 4, 3, func(cfg *node.Config) {
		name := cfg.Name
		node.Halt(cfg, func(step string) bool {
			if name == "n4" && step == "opened bank" {
				open()
			}
			return strings.HasPrefix(step, "let in") && closed.Load()
		})
	})
	n4 := nodes[3]
	n4.must("POST", "/v1/groups/bank/partitions?wait=false", `{"node": "n4"}`)
	select {
	case <-opened:
	case <-time.After(patience):
		t.Fatal("n4 never opens its copy")
	}
	began := time.Now()
	n4.must("POST", "/v1/groups/bank/transactions?timeout=10", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 1}}`)
	n4.must("GET", "/v1/groups/bank/tables/accounts/rows?key=a&timeout=10", "")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("answers took %v while the copy waited to be let in", took)
	}
	closed.Store(false)
	n4.until("its copy is there", func(g router.GroupStatus) bool {
		for _, p := range g.Partitions {
			if p.Node == "n4" {
				return p.Role == "subscriber" && p.Status == "available"
			}
		}
		return false
	})
	n4.must("GET", "/v1/groups/bank/tables/accounts/rows?key=a&consistency=local", "")
}
