package node_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"lockstep/engine/lang"
	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// "The language version is recorded with the schema and switched through the
// log" (transactions.md, Determinism): refused while one copy's program does not
// know the version, done at one revision once all do; after it a program that
// does not know it refuses to start the copy, and says which to run.
func TestTheLanguageIsSwitchedWhenAllKnowIt(t *testing.T) {
	nodes := three(t)
	know := func(n *member, knows bool) {
		n.stop()
		node.KnowTrialLanguage(&n.cfg, knows)
		n.start()
		<-n.Ready()
	}
	know(nodes[0], true)
	know(nodes[1], true)
	path := fmt.Sprintf("/v1/groups/bank/schema?language=%d", lang.TrialVersion)
	status, _, text := nodes[0].ask(http.MethodPut, path, "application/yaml", []byte(bank.Schema))
	if status != 422 || !strings.Contains(text, "n3 did not say that they know it; upgrade and start them first") {
		t.Fatalf("a version that n3 does not know: %d %s", status, text)
	}
	status, _, text = nodes[2].ask(http.MethodPut, path, "application/yaml", []byte(bank.Schema))
	if status != 422 || !strings.Contains(text, "this program knows [1]") {
		t.Fatalf("a version that the asked node does not know: %d %s", status, text)
	}
	trial := `{"steps": [], "return": "trial(21) * 2"}`
	if status, _, text := nodes[1].ask(http.MethodPost, "/v1/groups/bank/transactions", "application/json", []byte(trial)); status != 422 {
		t.Fatalf("a function of the other version before the switch: %d %s", status, text)
	}
	know(nodes[2], true)
	before := nodes[0].must("GET", "/v1/groups/bank/schema?types=true", "")
	eventually(t, func() error {
		if status, _, text := nodes[0].ask(http.MethodPut, path, "application/yaml", []byte(bank.Schema)); status != 200 {
			return fmt.Errorf("the switch: %d %s", status, text)
		}
		return nil
	})
	nodes[1].must(http.MethodPut, path, bank.Schema) // asking for what already is
	back := "/v1/groups/bank/schema?language=1"
	if status, _, text := nodes[0].ask(http.MethodPut, back, "application/yaml", []byte("tables: {}")); status != 422 || !strings.Contains(text, "switch the language with the schema as it is") {
		t.Fatalf("another document with the switch: %d %s", status, text)
	}
	for _, n := range nodes {
		if text := n.must("POST", "/v1/groups/bank/transactions", trial); !strings.Contains(text, `"result":42`) {
			t.Fatalf("after the switch %s answers %s", n.cfg.Name, text)
		}
	}
	if r := nodes[0].verify(); !r.Equal {
		t.Fatalf("the copies differ: %+v", r)
	}
	if after := nodes[2].must("GET", "/v1/groups/bank/schema?types=true", ""); after == before || !strings.Contains(after, fmt.Sprintf(`"language":%d`, lang.TrialVersion)) {
		t.Fatalf("the schema does not tell the language: %s", after)
	}
	nodes[2].stop()
	node.KnowTrialLanguage(&nodes[2].cfg, false)
	nodes[2].start()
	select {
	case err := <-nodes[2].Failed():
		if !strings.Contains(err.Error(), "run a program that knows it") {
			t.Fatalf("a program that does not know the language: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("a program that does not know the language keeps running")
	}
}

// eventually tries until it works or patience ends.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	err := try()
	for ; err != nil && time.Now().Before(deadline); err = try() {
		<-tick.C
	}
	if err != nil {
		t.Fatal(err)
	}
}
