package node_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lockstep/router"
	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// lost starts six nodes with the bank on the first three, which then loses two of them.
// The catalog keeps its majority.
func lost(t *testing.T, halt func(step string) bool) (nodes []*member, left *member) {
	nodes = cluster(t, 6, 0, func(cfg *node.Config) {
		if halt != nil {
			node.Halt(cfg, halt)
		}
	})
	n1 := nodes[0]
	n1.must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n4", "n5", "n6"]}`)
	n1.must("PUT", "/v1/groups/bank/schema", bank.Schema)
	for i := range 20 {
		n1.must("POST", "/v1/groups/bank/transactions", fmt.Sprintf(`{"procedure": "open", "params": {"id": "a%d", "owner": "A", "balance": 100}}`, i))
	}
	// What a plan says of a copy that is gone is what was last heard of it.
	n1.until("heard of what each copy has", func(g router.GroupStatus) bool {
		return len(g.Partitions) == 3 && !slices.ContainsFunc(g.Partitions, func(p router.PartitionStatus) bool { return p.Revision < 20 })
	})
	var stopping sync.WaitGroup
	for _, m := range nodes[4:] {
		stopping.Go(m.stop)
	}
	stopping.Wait()
	n1.until("no majority", func(g router.GroupStatus) bool { return g.Primary == "" })
	return nodes, nodes[3]
}

func (m *member) plan(group string) (p router.RecoveryPlan) {
	m.t.Helper()
	if err := json.Unmarshal([]byte(m.must("GET", "/v1/groups/"+group+"/recover", "")), &p); err != nil {
		m.t.Fatal(err)
	}
	return p
}

// The issue: "for a group that did lose its quorum: reads go on at any copy, marked as
// such, and lockstep group recover rebuilds it from the best surviving copy, after
// showing what may be lost and asking; audited"; architecture.md: "revisions and epochs
// skip a million, and tasks are assigned anew".
func TestAGroupIsRecoveredFromTheCopyThatIsLeft(t *testing.T) {
	nodes, n4 := lost(t, nil)
	n1, n5 := nodes[0], nodes[4]
	status, header, text := n4.ask("GET", "/v1/groups/bank/tables/accounts/rows?key=a7&consistency=local", "", nil)
	if status != 200 || header.Get("Lockstep-Majority") != "none" {
		t.Errorf("without a majority a read is answered with %d %v %s", status, header, text)
	}
	p := n1.plan("bank")
	if p.Node != "n4" || len(p.Copies) != 3 || len(p.Warnings) != 3 || p.Copies[1].Status != "unavailable" || p.Copies[1].Revision == 0 {
		t.Fatalf("the plan is %+v", p)
	}
	if status, _, text := n1.ask("POST", "/v1/groups/bank/recover", "application/json", []byte(`{"token": "another"}`)); status != 412 {
		t.Errorf("another plan: %d %s", status, text)
	}
	order := fmt.Sprintf(`{"token": %q, "by": "somebody"}`, p.Token)
	for range 2 { // asked for again it waits again
		var r router.RecoveryResult
		if err := json.Unmarshal([]byte(n1.must("POST", "/v1/groups/bank/recover", order)), &r); err != nil || r.Status != "recovered" || r.Node != "n4" || r.Incarnation != 1 || r.Revision < p.Revision+1_000_000 {
			t.Fatalf("%+v %v", r, err)
		}
	}
	if status, _, text := n1.ask("GET", "/v1/groups/bank/recover", "", nil); status != 409 || !strings.Contains(text, "quorum_present") {
		t.Errorf("recovered already: %d %s", status, text)
	}
	status, header, text = n1.ask("GET", "/v1/groups/bank/tables/accounts/rows?key=a7", "", nil)
	if status != 200 || header.Get("Lockstep-Majority") != "" {
		t.Errorf("afterwards a read is answered with %d %v %s", status, header, text)
	}
	n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "b", "owner": "B", "balance": 100}}`)
	// The others come back, and both at once would be a majority of the old group.
	for _, m := range nodes[4:] {
		m.start()
	}
	n1.until("all copies", func(g router.GroupStatus) bool {
		return g.Durability == "" && len(g.Partitions) == 3 && !strings.Contains(fmt.Sprint(g.Partitions), "joining") && g.Primary == "n4"
	})
	if r := n1.verify(); !r.Equal || len(r.Partitions) != 3 || r.Revision < 1_000_000 {
		t.Errorf("the copies are %+v", r)
	}
	n5.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "c", "owner": "C", "balance": 100}}`)
	for _, m := range nodes[4:] {
		if aside, err := filepath.Glob(filepath.Join(m.cfg.Data, "aside", "*")); err != nil || len(aside) != 1 {
			t.Errorf("%s has %v aside, %v", m.cfg.Name, aside, err)
		}
	}
	if by, plan := n5.Recoveries("bank"); len(by) != 1 || by[0] != "somebody" || !strings.Contains(plan[0], p.Token) {
		t.Errorf("the record has %v %v", by, plan)
	}
}

// Every step can be repeated: the node with the copy is stopped before each, and goes
// on when it is started again.
func TestARecoveryThatIsBrokenOff(t *testing.T) {
	var at atomic.Pointer[string]
	var met atomic.Int64
	none := ""
	at.Store(&none)
	nodes, n4 := lost(t, func(step string) bool {
		if stop := *at.Load(); stop == "" || step != stop {
			return false
		}
		met.Add(1)
		return true
	})
	n1 := nodes[0]
	steps := []string{"tail of bank", "begin bank", "move bank"}
	at.Store(&steps[0])
	p := n1.plan("bank")
	status, _, text := n1.ask("POST", "/v1/groups/bank/recover?timeout=8", "application/json", fmt.Appendf(nil, `{"token": %q}`, p.Token))
	if status != 504 {
		t.Fatalf("%d %s", status, text)
	}
	for _, step := range steps {
		at.Store(&step)
		met.Store(0)
		n1.until("about to "+step, func(router.GroupStatus) bool { return met.Load() > 0 })
		n4.stop()
		n4.start()
	}
	at.Store(&none)
	n1.must("POST", "/v1/groups/bank/recover", fmt.Sprintf(`{"token": %q}`, p.Token))
	n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "b", "owner": "B", "balance": 100}}`)
	if text := n1.must("GET", "/v1/groups/bank/tables/accounts/rows?limit=100", ""); strings.Count(text, `"owner":"A"`) != 20 {
		t.Errorf("of the accounts before there are %s", text)
	}
}
