package router

import (
	"context"
	"strings"
	"testing"
)

// "all three answer when the change is in place, or at once with 202 and a Location
// to follow when ?wait=false" (interface.md).
func TestPartitionsOverHTTP(t *testing.T) {
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(t)}})
	c1 := clientOf(t, ln)
	for _, c := range []struct {
		request, body string
		status        int
		answer        string
	}{
		{"GET /v1/groups/bank/partitions", "", 200, `"partitions":[{"node":"n1"`},
		{"GET /v1/groups/bank/partitions/n1", "", 200, `{"node":"n1"`},
		{"GET /v1/groups/bank/partitions/n2", "", 404, `"code":"not_found"`},
		{"POST /v1/groups/bank/partitions", `{"node": "n4"}`, 201, `"node":"n4"`},
		{"POST /v1/groups/bank/partitions", `{"node": "n1"}`, 200, `"node":"n1"`},
		{"POST /v1/groups/bank/partitions?wait=false", `{"node": "n4"}`, 202, `"node":"n4"`},
		{"POST /v1/groups/bank/partitions?wait=maybe", `{"node": "n4"}`, 400, `wait: write true or false`},
		{"POST /v1/groups/bank/partitions", `{"node": "n9"}`, 409, `"code":"node_draining"`},
		{"POST /v1/groups/bank/partitions", `{}`, 422, `/node: name the node`},
		{"POST /v1/groups/bank/partitions", `{"node": "n4", "from": "a", "replaces": "n1"}`, 422, `not both`},
		{"POST /v1/groups/bank/partitions", `{"knot": "n4"}`, 400, `unknown field`},
		{"DELETE /v1/groups/bank/partitions/n2", "", 200, `"status":"removed"`},
		{"DELETE /v1/groups/bank/partitions/n1", "", 409, `"code":"last_copy"`},
		{"DELETE /v1/groups/bank?wait=false", "", 202, `"status":"removed"`},
		{"DELETE /v1/groups/nobody", "", 404, `"code":"unknown_group"`},
		{"PUT /v1/groups/bank/partitions", "", 405, `GET, HEAD, POST`},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		status, header, body := send(t, c1, method, path, c.body)
		if status != c.status || !strings.Contains(body, c.answer) {
			t.Errorf("%s %s: %d %s", c.request, c.body, status, body)
		}
		if status == 202 && header.Get("Location") == "" {
			t.Errorf("%s: no Location", c.request)
		}
	}
}

func (c *fakeCluster) Partitions(group string) ([]PartitionStatus, error) {
	return []PartitionStatus{{Node: "n1", Role: "primary", Status: "available", Kind: "data"}}, nil
}

func (c *fakeCluster) AddPartition(_ context.Context, group string, spec PartitionSpec, wait bool) (PartitionStatus, bool, error) {
	switch spec.Node {
	case "n1":
		return PartitionStatus{Node: "n1", Role: "primary", Status: "available"}, false, nil
	case "n9":
		return PartitionStatus{}, false, &Problem{Code: "node_draining", Group: group, Detail: "node n9 is drained"}
	}
	return PartitionStatus{Node: spec.Node, Role: "joining", Replaces: spec.Replaces}, true, nil
}

func (c *fakeCluster) RemovePartition(_ context.Context, group, node string, wait bool) (Removal, error) {
	if node == "n1" {
		return Removal{}, &Problem{Code: "last_copy", Group: group, Detail: "it is the last"}
	}
	return Removal{Group: group, Node: node, Status: "removed"}, nil
}

func (c *fakeCluster) DeleteGroup(_ context.Context, group string, wait bool) (Removal, error) {
	return Removal{Group: group, Status: "removed"}, nil
}
