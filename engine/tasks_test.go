package engine

import (
	"fmt"
	"testing"
)

// "beyond it the one is forgotten that nobody has held for longest" (limits.go):
// a group has a bound of tasks, and those that are held are never forgotten.
func TestTasksAreBounded(t *testing.T) {
	var ts tasks
	epoch := uint64(0)
	assign := func(name string, holder uint64) bool {
		epoch++
		return ts.assign(name, Assignment{Holder: holder, Epoch: epoch})
	}
	for i := range maxTasks {
		if !assign(fmt.Sprintf("held-%04d", i), 1) {
			t.Fatalf("task %d was not taken", i)
		}
	}
	handedOut := ts.list
	if assign("one-more", 1) {
		t.Fatal("one more was taken although all are held")
	}
	for _, name := range []string{"held-0500", "held-0007"} {
		assign(name, 0)
	}
	if !assign("a", 1) || !assign("b", 1) || assign("c", 1) {
		t.Fatal("two tasks are free, and no more have to make room")
	}
	for _, gone := range []string{"held-0500", "held-0007"} {
		if _, ok := ts.find(gone); ok {
			t.Errorf("%s is still remembered", gone)
		}
	}
	if len(ts.list) != maxTasks || handedOut[0].Name != "held-0000" || len(handedOut) != maxTasks || len(handedOut[500].History) != 0 {
		t.Error("a list that was handed out has changed")
	}
	for i := range 3 * assignmentsKept {
		assign("a", uint64(i))
	}
	i, _ := ts.find("a")
	if h := ts.list[i].History; len(h) != assignmentsKept-1 || h[len(h)-1].Epoch+1 != ts.list[i].Epoch || h[0].Epoch+assignmentsKept-1 != ts.list[i].Epoch {
		t.Errorf("of a are remembered %d assignments, from %d to %d", len(h)+1, h[0].Epoch, ts.list[i].Epoch)
	}
}
