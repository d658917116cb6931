package client

import (
	"context"
	"encoding/json"
	"net/http"
)

// GroupSettings gives all settings of a group, the defaults too, as a JSON object.
func (c *Client) GroupSettings(ctx context.Context, group string) (json.RawMessage, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: groupPath(group, "settings")})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// PutGroupSettings changes the keys that a JSON object gives and leaves the rest; null
// takes a key back to its default. It gives all settings as they are then.
func (c *Client) PutGroupSettings(ctx context.Context, group string, change json.RawMessage) (json.RawMessage, error) {
	a, err := c.do(ctx, &call{
		method: http.MethodPut, path: groupPath(group, "settings"), body: change, contentType: typeJSON, write: true,
	})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}
