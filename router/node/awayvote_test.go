package node_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"lockstep/router"
)

// "A copy that was replaced and returns keeps its old data aside, rejoins under a new
// replica id": as long as the old replica has its vote its data stays in its place, for
// what it voted on is nowhere else.
func TestACopyThatIsAwayKeepsItsDataWhileItHasItsVote(t *testing.T) {
	var held, met atomic.Bool
	held.Store(true)
	nodes := serving(t, func(step string) bool {
		if step == "make room in bank" && held.Load() {
			met.Store(true)
			return true
		}
		return false
	})
	n1, n3 := nodes[0], nodes[2]
	folder := n3.CopyFolder("bank")
	n3.stop()
	n1.until("n3 is to be taken out", func(router.GroupStatus) bool { return met.Load() })
	n3.start()
	<-n3.Ready() // what is to be wiped is by now
	if _, err := os.Stat(folder); err != nil {
		t.Errorf("the data of a copy that has its vote: %v", err)
	}
	held.Store(false)
	n1.until("n3 is back, and no witness is left", func(g router.GroupStatus) bool {
		return len(g.Partitions) == 3 && g.Durability == "" && witnessesOf(g) == 0
	})
	if aside, err := filepath.Glob(filepath.Join(n3.cfg.Data, "aside", "*")); err != nil || len(aside) != 1 {
		t.Errorf("aside are %v, %v", aside, err)
	}
}
