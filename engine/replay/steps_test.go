package replay

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// indexed is the bank with an index more, and a check more, for which every row is
// looked at.
const indexed = `
      by_balance: {columns: [balance]}
`

func withIndex(t *testing.T, check string) string {
	return string(change(t, "    checks:\n      - {expr: \"row.balance >= 0\", code: overdraft}\n",
		"    indexes:"+indexed+"    checks:\n      - {expr: \"row.balance >= 0\", code: overdraft}\n      - {expr: \""+check+"\", code: too_rich}\n"))
}

// stepped records a change in steps with transactions in between; at is told the
// revisions at which it was begun and finished.
func stepped(t *testing.T) (raw []byte, begun, finished uint64) {
	n := newNode(t)
	n.record(false)
	n.schema(bank)
	for i := range 60 {
		n.batch(n.open(fmt.Sprintf("a%d", i), 100))
	}
	begun = n.part.Position().Revision
	n.schema(withIndex(t, "row.balance < 1000"))
	steps := 0
	for n.step() {
		n.batch(n.transfer("a1", "a2", 3))
		steps++
	}
	if steps < 4 {
		t.Fatalf("the change took %d steps", steps)
	}
	finished = n.part.Position().Schema
	for i := range 20 {
		n.batch(n.transfer(fmt.Sprintf("a%d", i), "a59", 50))
	}
	return n.done(), begun, finished
}

// A change of schema in steps is replayed as it was, and may be rehearsed: at once,
// while it was under way, or after it.
func TestAChangeInSteps(t *testing.T) {
	raw, begun, finished := stepped(t)
	if r := replayOf(t, raw, Options{}); !r.Equal || r.SchemaChanges != 2 || r.Aborted != 3 {
		t.Fatalf("%+v", r)
	}
	// The same schema all along; the last transfers are refused by its check anyway.
	for _, at := range []uint64{begun, begun + 2, finished, finished + 5} {
		r := replayOf(t, raw, Options{Schema: []byte(withIndex(t, "row.balance < 1000")), At: at}).Rehearsal
		if !r.Equal || r.Transactions == 0 {
			t.Errorf("at %d: %+v", at, r)
		}
	}
	// Without the change nobody would have been refused; without its index as well.
	r := replayOf(t, raw, Options{Schema: []byte(bank), At: finished + 3}).Rehearsal
	if r.Different != 3 || r.Outcomes[0].Kind != "aborted: too_rich → committed" {
		t.Errorf("%+v", r)
	}
	// A check that rows break is refused, and says which.
	_, err := tryReplay(t, raw, Options{Schema: []byte(withIndex(t, "row.balance < 100")), At: begun})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "60 rows break it") || !strings.Contains(err.Error(), "too_rich") {
		t.Errorf("%v", err)
	}
}
