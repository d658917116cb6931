package node

import (
	"log/slog"
	"strings"
	"testing"

	"lockstep/engine/lang"
	"lockstep/policy"
)

// A set is another one only where a policy is; one that can't be compiled is left out
// with the reason, and the others decide.
func TestStoredPolicies(t *testing.T) {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	n := &Node{env: env, cfg: Config{Log: slog.New(slog.DiscardHandler)}}
	if err := n.startPolicies(); err != nil {
		t.Fatal(err)
	}
	near := policyRow{"near", 3, `{"policy":"near","task":"primary","require":["node.labels.zone == 'eu-1'"]}`}
	later := policyRow{"later", 4, `{"policy":"later","task":"*","colour":"blue"}`}
	other := policyRow{"other", 5, `{"policy":"another","task":"*"}`}
	n.catalog.Store(&catalog{policies: []policyRow{later, near, other}})
	set, rows, list := n.compiledPolicies()
	if len(set.Policies()) != 1 || len(rows) != 3 || !strings.Contains(list[0].problem, "colour") || list[1].Policy == nil || !strings.Contains(list[2].problem, "another") {
		t.Fatalf("%v %+v", set.Policies(), list)
	}
	in := &policy.Input{Task: policy.Task{Name: "primary"}, Candidates: []policy.Candidate{
		{Node: policy.Node{Name: "n1", Status: policy.Available}, Partition: &policy.Partition{Role: policy.RoleSubscriber}},
		{Node: policy.Node{Name: "n2", Status: policy.Available, Labels: map[string]string{"zone": "eu-1"}}, Partition: &policy.Partition{Role: policy.RoleSubscriber}},
	}}
	if d := set.Decide(in); d.Choice() != "n2" || d.Policy != "near" {
		t.Errorf("%+v", d)
	}
	n.catalog.Store(&catalog{revision: 9, policies: []policyRow{later, near, other}})
	if n.policySet() != set {
		t.Error("another set of the same policies")
	}
	n.catalog.Store(&catalog{revision: 10, policies: []policyRow{later}})
	if again, _, more := n.compiledPolicies(); again == set || len(again.Policies()) != 0 || more[0] != list[0] {
		t.Error("the policy that is gone decides, or one was compiled again")
	}
}
