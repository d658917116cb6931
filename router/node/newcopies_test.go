package node_test

import (
	"slices"
	"strings"
	"testing"
)

// "task: copy" (interface.md) is "where new copies go": a group that is made with a number
// of copies has them where a policy for copy wants them, and so has the copy that a drain
// moves; what a policy refuses is refused, with the policy's name.
func TestNewCopiesGoByPolicy(t *testing.T) {
	nodes := cluster(t, 4, 0)
	n1 := nodes[0]
	policy := func(body string) {
		t.Helper()
		n1.must("PUT", "/v1/policies/places", `{"policy": "places", "task": "copy", `+body+`}`)
	}
	policy(`"prefer": [{"expr": "node.name == 'n4' || node.name == 'n2'", "weight": 5}, {"expr": "group.labels.app == 'shop' && node.name == 'n3'", "weight": 9}]`)
	n1.must("POST", "/v1/groups", `{"name": "orders", "copies": 2}`)
	if got := n1.copies("orders"); !slices.Equal(got, []string{"n2", "n4"}) {
		t.Errorf("orders is on %v, not where the policy wants it", got)
	}
	nodes[2].must("POST", "/v1/groups", `{"name": "carts", "copies": 1, "labels": {"app": "shop"}}`)
	if got := n1.copies("carts"); !slices.Equal(got, []string{"n3"}) {
		t.Errorf("carts is on %v, not where the policy wants groups with its label", got)
	}
	policy(`"require": ["node.name != 'n1'"]`)
	if status, _, text := n1.ask("POST", "/v1/groups", "application/json", []byte(`{"name": "more", "copies": 4}`)); status != 409 ||
		!strings.Contains(text, `"code":"too_few_nodes"`) || !strings.Contains(text, "the policy places refuses n1: require fails: node.name != 'n1'") {
		t.Errorf("a copy where the policy wants none: %d %s", status, text)
	}
	n1.must("POST", "/v1/nodes/n2/drain", `{"partitions": true}`)
	if got := n1.copies("orders"); !slices.Equal(got, []string{"n3", "n4"}) {
		t.Errorf("drained, orders is on %v: n1 may have no copy", got)
	}
}
