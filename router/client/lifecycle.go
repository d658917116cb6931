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

// Progress is how far a copy is that joins its group.
type Progress struct {
	Revision uint64 `json:"revision"` // what it has
	Of       uint64 `json:"of"`       // what the primary has
}
