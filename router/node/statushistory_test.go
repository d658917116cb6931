package node_test

import (
	"strings"
	"testing"
	"time"

	"lockstep/policy"
	"lockstep/policy/history"
)

// "policy back-testing: run a new policy over the recorded history of status and
// assignments": whoever led a group has recorded its part, and any node gives the whole.
func TestHistoryOfAGroup(t *testing.T) {
	nodes := zoned(t)
	n1, n2, n3 := nodes[0], nodes[1], nodes[2]
	recorded := func(m *member, what ...string) *history.Recording {
		t.Helper()
		for limit := time.Now().Add(patience); ; wait(t) {
			text := m.must("GET", "/v1/groups/bank/history?since=1h", "")
			all := true
			for _, w := range what {
				all = all && strings.Contains(text, w)
			}
			if all {
				rec, err := history.Read(strings.NewReader(text))
				if err != nil {
					t.Fatal(err)
				}
				return rec
			}
			if time.Now().After(limit) {
				t.Fatalf("%q is not recorded: %s", what, text)
			}
		}
	}
	first := recorded(n3, `"begin":true`, `"n3":{"status":"available"`, `"task":"primary","holder":"n1"`)
	for limit := time.Now().Add(patience); !strings.Contains(n1.must("GET", "/v1/groups/bank", ""), `"primary":"n2"`); wait(t) {
		_ = n2.Lead(t.Context(), "bank")
		if time.Now().After(limit) {
			t.Fatal("n2 never leads the bank")
		}
	}
	rec := recorded(n3, `"task":"primary","holder":"n1"`, `"task":"primary","holder":"n2"`)
	if len(rec.Records) <= len(first.Records) {
		t.Errorf("%d records after %d", len(rec.Records), len(first.Records))
	}
	// It can be played back.
	compiler, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	p, problems := compiler.Read([]byte(`{"policy": "far", "task": "primary", "prefer": [{"expr": "node.labels.zone == 'us'"}]}`))
	if problems != nil {
		t.Fatal(problems)
	}
	set, err := compiler.NewSet(p)
	if err != nil {
		t.Fatal(err)
	}
	report, err := history.Backtest(rec, set, []string{"primary"})
	if err != nil || len(report.Tasks) != 1 || report.Tasks[0].Recorded.Moves == 0 || report.Tasks[0].Tried.OnNode["n3"] == 0 {
		t.Errorf("%+v %v", report, err)
	}
	// What is gone by is not told, and a node that is away is named.
	n1.refuses("GET", "/v1/groups/bank/history?since=yesterday", "", 400, "malformed", "1h30m")
	n1.refuses("GET", "/v1/groups/nowhere/history", "", 404, "unknown_group", "nowhere")
	n3.stop()
	if _, head, _ := n1.ask("GET", "/v1/groups/bank/history", "", nil); head.Get("Lockstep-Missing") != "n3" {
		t.Errorf("missing are %q", head.Get("Lockstep-Missing"))
	}
}
