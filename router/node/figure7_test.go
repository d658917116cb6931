package node_test

import (
	"fmt"
	"strings"
	"testing"

	"lockstep/router"
)

// FIG. 7 of the patent (paragraphs 64 to 67) on four nodes: the primary goes and
// another takes over, the rest follow; a fourth joins meanwhile; the first returns, is
// brought up to date by the new primary, and does not take the task back. Then a policy
// moves the primary while updates go on. Everything that was acknowledged is there at the end, on equal copies.
func TestFigure7(t *testing.T) {
	nodes := three(t)
	n4 := newMember(t, "n4", nodes[0].cfg.Raft)
	by := map[string]*member{"n4": n4}
	for _, n := range nodes {
		by[n.cfg.Name] = n
	}
	opened := 0
	open := func(at *member) {
		t.Helper()
		opened++
		at.must("POST", "/v1/groups/bank/transactions", fmt.Sprintf(`{"procedure": "open", "params": {"id": "a%d", "owner": "A", "balance": 1}}`, opened))
	}
	led := func(s *router.ClusterStatus) string { return s.Groups[0].Primary }
	first := by[led(ptr(nodes[0].status()))]
	var witness *member
	for _, n := range nodes {
		if n != first {
			witness = n
		}
	}
	open(witness)
	first.stop()
	open(witness)
	s := witness.untilStatus("another leads, and is recorded", func(s *router.ClusterStatus) bool {
		return led(s) != "" && led(s) != first.cfg.Name && primaryOf(&s.Groups[0]).Holder == led(s)
	})
	second, epoch := led(&s), primaryOf(&s.Groups[0]).Epoch
	n4.cfg.Join = []string{witness.cfg.Raft}
	n4.start()
	witness.must("POST", "/v1/groups/bank/partitions", `{"node": "n4"}`)
	open(witness)
	first.start()
	s = witness.untilStatus("all four have all of it", func(s *router.ClusterStatus) bool {
		g := s.Groups[0]
		for _, p := range g.Partitions {
			if p.Status != "available" || p.Role == "joining" || p.Lag != 0 {
				return false
			}
		}
		return len(g.Partitions) == 4 && g.GroupHealth.Status == router.HealthAvailable
	})
	if p := primaryOf(&s.Groups[0]); led(&s) != second || p.Holder != second || p.Epoch != epoch {
		t.Errorf("%s led under epoch %d, and when the first was back %s did: %+v", second, epoch, led(&s), p)
	}
	// A policy wants n4.
	witness.must("PUT", "/v1/policies/to-four", `{"policy": "to-four", "task": "primary", "prefer": [{"expr": "node.name == 'n4'", "weight": 10}]}`)
	s = first.untilStatus("the policy is obeyed", func(s *router.ClusterStatus) bool {
		open(witness)
		return led(s) == "n4" && primaryOf(&s.Groups[0]).Holder == "n4"
	})
	if p := primaryOf(&s.Groups[0]); p.Reason != "normal" || !strings.Contains(p.Why, "n4 scores 10") {
		t.Errorf("n4 is recorded as %+v", p)
	}
	if r := witness.verify(); !r.Equal || len(r.Partitions) != 4 {
		t.Errorf("the copies differ: %+v", r)
	}
	for i := range opened {
		witness.must("GET", fmt.Sprintf("/v1/groups/bank/tables/accounts/rows?key=a%d", i+1), "")
	}
}

func ptr[T any](v T) *T { return &v }
