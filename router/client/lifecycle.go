package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Partition is a copy to be put on a node.
type Partition struct {
	Node     string `json:"node"`
	Replaces string `json:"replaces,omitempty"` // the node whose copy of the group leaves for it
	From     string `json:"from,omitempty"`     // another group, which the node leaves for it
}

// Partitions lists a group's copies; the document is the server's.
func (c *Client) Partitions(ctx context.Context, group string) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodGet, groupPath(group, "partitions"), nil, nil)
}

// Partition gives one copy of a group.
func (c *Client) Partition(ctx context.Context, group, node string) (*PartitionStatus, error) {
	doc, err := c.administer(ctx, http.MethodGet, groupPath(group, "partitions", node), nil, nil)
	if err != nil {
		return nil, err
	}
	p := &PartitionStatus{}
	if err := json.Unmarshal(doc, p); err != nil {
		return nil, fmt.Errorf("client: the answer is no copy of a group: %w", err)
	}
	return p, nil
}

// AddPartition puts a copy of a group on a node. With wait it answers when that is
// done; else at once, and it goes on.
func (c *Client) AddPartition(ctx context.Context, group string, p Partition, wait bool) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodPost, groupPath(group, "partitions"), waiting(wait), p)
}

// RemovePartition takes a node's copy out of its group, and wipes it.
func (c *Client) RemovePartition(ctx context.Context, group, node string, wait bool) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodDelete, groupPath(group, "partitions", node), waiting(wait), nil)
}

// DeleteGroup takes a group away with all its copies and data.
func (c *Client) DeleteGroup(ctx context.Context, group string, wait bool) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodDelete, groupPath(group), waiting(wait), nil)
}

func waiting(wait bool) url.Values {
	if wait {
		return nil
	}
	return url.Values{"wait": {"false"}}
}

// administer asks for a document, or for a change of the cluster, which can be asked
// for again.
func (c *Client) administer(ctx context.Context, method, path string, query url.Values, body any) (json.RawMessage, error) {
	r := &call{method: method, path: path, query: query}
	if method != http.MethodGet {
		r.write, r.long = true, true
	}
	if body != nil {
		var err error
		if r.body, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("client: writing the request: %w", err)
		}
		r.contentType = typeJSON
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// NodeChange is what to change about a node; what is nil stays.
type NodeChange struct {
	Dedicated *string            `json:"dedicated,omitempty"` // the only group that it is kept for; "": any
	Labels    map[string]*string `json:"labels,omitempty"`    // nil takes one away
}

func nodePath(node string, rest ...string) string {
	path := "/v1/nodes/" + url.PathEscape(node)
	for _, part := range rest {
		path += "/" + part
	}
	return path
}

// Nodes lists the nodes; the document is the server's.
func (c *Client) Nodes(ctx context.Context) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodGet, "/v1/nodes", nil, nil)
}

// Node gives one node's document.
func (c *Client) Node(ctx context.Context, node string) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodGet, nodePath(node), nil, nil)
}

// DrainNode takes a node out of service; with partitions its copies move to others.
func (c *Client) DrainNode(ctx context.Context, node string, partitions, wait bool) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodPost, nodePath(node, "drain"), waiting(wait), map[string]bool{"partitions": partitions})
}

// UndrainNode puts a node in service again.
func (c *Client) UndrainNode(ctx context.Context, node string) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodPost, nodePath(node, "undrain"), nil, nil)
}

// RemoveNode takes a node out of the cluster for good; with force also one in use.
func (c *Client) RemoveNode(ctx context.Context, node string, force, wait bool) (json.RawMessage, error) {
	q := url.Values{}
	if force {
		q.Set("force", "true")
	}
	if !wait {
		q.Set("wait", "false")
	}
	return c.administer(ctx, http.MethodDelete, nodePath(node), q, nil)
}

// ReplaceNode has another node take all copies of one, which then goes for good.
func (c *Client) ReplaceNode(ctx context.Context, node, with string, wait bool) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodPost, nodePath(node, "replace"), waiting(wait), map[string]string{"with": with})
}

// SetNode changes what is wished of a node.
func (c *Client) SetNode(ctx context.Context, node string, change NodeChange) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodPatch, nodePath(node), nil, change)
}

// NodeDetail is one computing system, as Nodes and Node have it.
type NodeDetail struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"`
	Status     string            `json:"status"` // available, unavailable, draining, drained or removed
	HTTP       string            `json:"http"`
	Raft       string            `json:"raft"`
	Version    string            `json:"version"`
	OS         string            `json:"os"`
	Arch       string            `json:"arch"`
	Labels     map[string]string `json:"labels"`
	Dedicated  string            `json:"dedicated"`
	Evacuating bool              `json:"evacuating"`
	Removing   bool              `json:"removing"`
	Successor  string            `json:"successor"`
	Catalog    string            `json:"catalog"` // leader, voter or follower
	Primaries  []string          `json:"primaries"`
	Partitions []string          `json:"partitions"`
	Blocked    []string          `json:"blocked"` // why draining does not get on
}

// Progress is how far a copy is that joins its group.
type Progress struct {
	Revision uint64 `json:"revision"` // what it has
	Of       uint64 `json:"of"`       // what the primary has
}
