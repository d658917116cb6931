package router

import (
	"context"
	"strings"
	"testing"
	"time"
)

// Nodes and join tokens, as interface.md has them, and what users of other systems
// expect beside that.
func TestNodesOverHTTP(t *testing.T) {
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(t)}})
	c1 := clientOf(t, ln)
	for _, c := range []struct {
		request, body string
		status        int
		answer        string
	}{
		{"GET /v1/nodes", "", 200, `"nodes":[{"name":"n1"`},
		{"GET /v1/nodes/n1", "", 200, `{"name":"n1"`},
		{"GET /v1/nodes/n2", "", 404, `"code":"not_found"`},
		{"POST /v1/nodes/n1/drain", "", 200, `"status":"draining"`},
		{"POST /v1/nodes/n1/drain?wait=false", `{"partitions": true}`, 202, `"evacuating":true`},
		{"POST /v1/nodes/n1/drain", `{"partition": true}`, 400, `unknown field`},
		{"POST /v1/nodes/n2/drain", "", 404, `"code":"not_found"`},
		{"POST /v1/nodes/n1/undrain", "", 200, `"status":"available"`},
		{"POST /v1/nodes/n1/replace", `{"with": "n6"}`, 200, `"successor":"n6"`},
		{"POST /v1/nodes/n1/replace", "", 422, `/with: name the node`},
		{"POST /v1/nodes/n1/explode", "", 404, `nothing at this path`},
		{"DELETE /v1/nodes/n1", "", 409, `"code":"node_in_use"`},
		{"DELETE /v1/nodes/n1?force=true", "", 200, `"status":"removed"`},
		{"PATCH /v1/nodes/n1", `{"dedicated": "orders", "labels": {"zone": "eu-1", "old": null}}`, 200, `"dedicated":"orders"`},
		{"PUT /v1/nodes/n1", "", 405, `GET, HEAD, DELETE, PATCH`},
		{"GET /v1/tokens", "", 200, `"required":true`},
		{"PUT /v1/tokens", `{"required": false}`, 200, `"tokens":[]`},
		{"PUT /v1/tokens", "", 422, `/required`},
		{"POST /v1/tokens", `{"ttl": "24h"}`, 201, `"token":"secret for 24h0m0s"`},
		{"POST /v1/tokens", `{"ttl": "soon"}`, 422, `/ttl`},
		{"DELETE /v1/tokens/t1", "", 200, `"status":"removed"`},
		{"DELETE /v1/tokens/t2", "", 404, `"code":"not_found"`},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		status, header, body := send(t, c1, method, path, c.body)
		if status != c.status || !strings.Contains(body, c.answer) {
			t.Errorf("%s %s: %d %s", c.request, c.body, status, body)
		}
		if (status == 201 || status == 202) && header.Get("Location") == "" {
			t.Errorf("%s: no Location", c.request)
		}
	}
}

func (c *fakeCluster) Nodes() []NodeDetail {
	return []NodeDetail{{Name: "n1", ID: "1", Status: "available", Primaries: []string{"bank"}, Partitions: []string{"bank"}}}
}

func (c *fakeCluster) detail(node, status string) (NodeDetail, error) {
	if node != "n1" {
		return NodeDetail{}, &Problem{Code: "not_found", Detail: "the cluster has no node " + node}
	}
	return NodeDetail{Name: node, Status: status}, nil
}

func (c *fakeCluster) DrainNode(_ context.Context, node string, partitions, wait bool) (NodeDetail, error) {
	d, err := c.detail(node, "draining")
	d.Evacuating = partitions
	return d, err
}

func (c *fakeCluster) UndrainNode(_ context.Context, node string) (NodeDetail, error) {
	return c.detail(node, "available")
}

func (c *fakeCluster) RemoveNode(_ context.Context, node string, force, wait bool) (NodeDetail, error) {
	if !force {
		return NodeDetail{}, &Problem{Code: "node_in_use", Detail: "node n1 has copies of bank"}
	}
	return c.detail(node, "removed")
}

func (c *fakeCluster) ReplaceNode(_ context.Context, node, with string, wait bool) (NodeDetail, error) {
	d, err := c.detail(node, "draining")
	d.Successor = with
	return d, err
}

func (c *fakeCluster) SetNode(_ context.Context, node string, change NodeChange) (NodeDetail, error) {
	d, err := c.detail(node, "available")
	if change.Dedicated != nil {
		d.Dedicated = *change.Dedicated
	}
	d.Labels = map[string]string{}
	for name, v := range change.Labels {
		if v != nil {
			d.Labels[name] = *v
		}
	}
	return d, err
}

func (c *fakeCluster) Tokens() TokenList { return TokenList{Required: true, Tokens: []TokenStatus{}} }

func (c *fakeCluster) CreateToken(_ context.Context, ttl time.Duration) (Token, error) {
	return Token{Token: "secret for " + ttl.String(), TokenStatus: TokenStatus{ID: "t1"}}, nil
}

func (c *fakeCluster) DeleteToken(_ context.Context, id string) error {
	if id != "t1" {
		return &Problem{Code: "not_found", Detail: "there is no join token " + id}
	}
	return nil
}

func (c *fakeCluster) RequireToken(context.Context, bool) error { return nil }
