package node_test

import (
	"strings"
	"testing"
	"time"

	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// A running cluster takes on the catalog of a later program when the first node of
// that leads it, and nodes of the program before go on with it.
func TestCatalogOfALaterProgram(t *testing.T) {
	all := []*member{newMember(t, "n1")}
	for _, name := range []string{"n2", "n3"} {
		all = append(all, newMember(t, name, all[0].cfg.Raft))
	}
	latest := all[0].cfg
	for _, m := range all {
		node.FirstCatalog(&m.cfg)
		m.start()
	}
	for _, m := range all {
		<-m.Ready()
	}
	all[0].must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n1", "n2", "n3"]}`)
	all[0].must("PUT", "/v1/groups/bank/schema", bank.Schema)
	if is, latest := all[0].CatalogVersion(); is >= latest {
		t.Fatalf("the catalog begins with version %d, the latest is %d", is, latest)
	}
	old := all[2]
	for _, m := range all[:2] {
		m.stop()
		node.LatestCatalog(&m.cfg, &latest)
		m.start()
		<-m.Ready()
	}
	for limit := time.Now().Add(patience); ; wait(t) {
		_ = all[0].LeadSystem(t.Context()) // asked again until a node of the later program leads
		if is, latest := all[0].CatalogVersion(); is == latest {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the catalog never is of the later program")
		}
	}
	// The node of the earlier one makes groups, takes transactions, and starts again.
	old.must("POST", "/v1/groups", `{"name": "other", "copies": 3}`)
	old.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	old.stop()
	old.start()
	<-old.Ready()
	if text := old.must("GET", "/v1/groups", ""); !strings.Contains(text, `"other"`) {
		t.Errorf("the groups are %s", text)
	}
	if r := old.verify(); !r.Equal {
		t.Errorf("the copies differ: %+v", r)
	}
}
