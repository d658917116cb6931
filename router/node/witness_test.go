package node_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lockstep/router"
	"lockstep/router/node"
	"lockstep/testdata/bank"
)

// serving starts five nodes with the bank on the first three, which goes on serving
// down to its last copy. steps, where not nil, tells a node where to stop.
func serving(t *testing.T, halt func(step string) bool) []*member {
	nodes := cluster(t, 5, 0, func(cfg *node.Config) {
		if halt != nil {
			node.Halt(cfg, halt)
		}
	})
	nodes[0].must("POST", "/v1/groups", `{"name": "bank", "nodes": ["n1", "n2", "n3"], "settings": {"last_copy": "serve", "replace_after": "1s"}}`)
	nodes[0].must("PUT", "/v1/groups/bank/schema", bank.Schema)
	return nodes
}

func witnessesOf(g router.GroupStatus) (n int) {
	for _, p := range g.Partitions {
		if p.Role == "witness" && p.Status == "available" {
			n++
		}
	}
	return n
}

// refusesOfWitnesses asks of a group's witnesses what only copies do. Each is refused at
// once, and none waits until its deadline.
func refusesOfWitnesses(m *member) {
	m.t.Helper()
	for _, p := range m.group().Partitions {
		if p.Role != "witness" {
			continue
		}
		for _, ask := range []struct{ method, path, code, says string }{
			{"POST", "/primary", "invalid", "has a witness of the group"},
			{"POST", "/partitions", "already_exists", "can't have a copy beside it"},
			{"DELETE", "/partitions/" + p.Node, "node_in_use", "last_copy=stop"},
		} {
			_, _, text := m.ask(ask.method, "/v1/groups/bank"+ask.path, "application/json", []byte(`{"node": "`+p.Node+`"}`))
			if !strings.Contains(text, `"code":"`+ask.code+`"`) || !strings.Contains(text, ask.says) {
				m.t.Errorf("%s %s of a witness: %s", ask.method, ask.path, text)
			}
		}
	}
}

// Paragraphs 35 and 36: "as copies fail one after another, a group set to last_copy:
// serve replaces them by witnesses on other nodes where it has such nodes, so that one
// remaining copy still takes updates"; "a copy that was replaced and returns keeps its
// old data aside, rejoins under a new replica id, and the witness goes once it has
// caught up".
func TestDownToTheLastCopy(t *testing.T) {
	nodes := serving(t, nil)
	n1, n2, n3, n4 := nodes[0], nodes[1], nodes[2], nodes[3]
	l := startLoad(t, []*member{n1, n4, nodes[4]})
	l.through("n3 stops", func() {
		n3.stop()
		n1.until("a witness has the place of n3", func(g router.GroupStatus) bool { return witnessesOf(g) == 1 && g.Durability == "2 copies" })
	})
	l.through("n2 stops", func() {
		n2.stop()
		n1.until("a witness has the place of n2", func(g router.GroupStatus) bool { return witnessesOf(g) == 2 && g.Durability == "1 copy" })
	})
	l.through("one copy", func() {
		g := n4.until("n1 is primary", func(g router.GroupStatus) bool { return g.Primary == "n1" })
		for _, p := range g.Partitions {
			if p.Role == "witness" && (p.Kind != "witness" || p.Revision != 0) {
				t.Errorf("a witness is shown as %+v", p)
			}
		}
		if r := n1.verify(); !r.Equal || len(r.Partitions) != 1 {
			t.Errorf("the witnesses are verified: %+v", r)
		}
	})
	refusesOfWitnesses(n1)
	l.through("n2 comes back", func() {
		n2.start()
		n1.until("a witness has gone", func(g router.GroupStatus) bool { return witnessesOf(g) == 1 && g.Durability == "2 copies" })
	})
	l.through("n3 comes back", func() {
		n3.start()
		n1.until("no witness is left", func(g router.GroupStatus) bool { return len(g.Partitions) == 3 && g.Durability == "" })
	})
	for _, m := range []*member{n2, n3} {
		aside, err := filepath.Glob(filepath.Join(m.cfg.Data, "aside", "*"))
		if err != nil || len(aside) != 1 {
			t.Errorf("%s has %v aside, %v", m.cfg.Name, aside, err)
		}
	}
	for _, m := range nodes[3:] {
		m.until("its witness is wiped", func(router.GroupStatus) bool { return len(m.onDisk()) == 0 })
	}
	l.stop(n1)
}

// Every step can be repeated: the primary stops before each in turn, and another goes
// on with what it left.
func TestDownToTheLastCopyWithStepsThatAreBrokenOff(t *testing.T) {
	var at atomic.Pointer[string]
	var mu sync.Mutex
	met := map[string]bool{}
	halt := func(step string) {
		at.Store(&step)
	}
	nodes := serving(t, func(step string) bool {
		if stop := at.Load(); stop == nil || *stop == "" || !strings.HasPrefix(step, *stop) {
			return false
		}
		mu.Lock()
		met[*at.Load()] = true
		mu.Unlock()
		return true
	})
	n1, n3 := nodes[0], nodes[2]
	brokenOff := func(step string) {
		t.Helper()
		n1.until("about to "+step, func(router.GroupStatus) bool {
			mu.Lock()
			defer mu.Unlock()
			return met[step]
		})
		for _, m := range nodes[:2] { // the primary changes: what it knew is gone
			m.tryToLead()
		}
	}
	halt("replace")
	n3.stop()
	brokenOff("replace")
	halt("make room")
	brokenOff("make room")
	halt("let in")
	brokenOff("let in")
	halt("")
	n1.until("a witness has the place of n3", func(g router.GroupStatus) bool { return witnessesOf(g) == 1 })
	halt("return")
	n3.start()
	brokenOff("return")
	halt("stop bank")
	brokenOff("return")
	halt("promote")
	brokenOff("promote")
	halt("drop")
	brokenOff("drop")
	halt("take out")
	brokenOff("take out")
	halt("end_partition")
	brokenOff("end_partition")
	halt("")
	n1.until("no witness is left", func(g router.GroupStatus) bool { return len(g.Partitions) == 3 && g.Durability == "" })
	n1.must("POST", "/v1/groups/bank/transactions", `{"procedure": "open", "params": {"id": "a", "owner": "A", "balance": 100}}`)
	if r := n1.verify(); !r.Equal {
		t.Errorf("the copies differ: %+v", r)
	}
	if _, err := os.Stat(filepath.Join(n3.cfg.Data, "aside")); err != nil {
		t.Error(err)
	}
}

func TestSettingsOfTheLastCopyAreChecked(t *testing.T) {
	n1 := cluster(t, 1, 0)[0]
	for _, settings := range []string{`{"last_copy": "go"}`, `{"last_copy": "serve", "replace_after": "1ms"}`} {
		if status, _, text := n1.ask("POST", "/v1/groups", "application/json", []byte(`{"name": "bank", "copies": 1, "settings": `+settings+`}`)); status != 422 {
			t.Errorf("%s: %d %s", settings, status, text)
		}
	}
}
