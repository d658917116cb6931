package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Tokens lists the join tokens, without what they are; the document is the server's.
func (c *Client) Tokens(ctx context.Context) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodGet, "/v1/tokens", nil, nil)
}

// CreateToken makes a join token, for a time or, where that is 0, for ever.
func (c *Client) CreateToken(ctx context.Context, ttl time.Duration) (json.RawMessage, error) {
	body := map[string]string{}
	if ttl > 0 {
		body["ttl"] = ttl.String()
	}
	return c.administer(ctx, http.MethodPost, "/v1/tokens", nil, body)
}

// DeleteToken takes a join token away.
func (c *Client) DeleteToken(ctx context.Context, id string) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodDelete, "/v1/tokens/"+url.PathEscape(id), nil, nil)
}

// RequireToken says whether nodes need a token to join.
func (c *Client) RequireToken(ctx context.Context, required bool) (json.RawMessage, error) {
	return c.administer(ctx, http.MethodPut, "/v1/tokens", nil, map[string]bool{"required": required})
}
