package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ExportOptions say what to record of a group.
type ExportOptions struct {
	// From is "start", for the group's beginning, "now", for its present state, or
	// empty for start where the log still reaches back so far, else now.
	From string
	// Follow is for how long what happens is recorded as well, as a duration such as
	// 30s; empty: not at all.
	Follow string
}

// Export opens a recording of a group: its bytes as the server writes them, to be
// closed. Servers are asked in turn until one begins; a recording that breaks off
// afterwards is not begun again, and its reader finds that it was cut. The context
// bounds the whole of it, and needs no deadline.
func (c *Client) Export(ctx context.Context, group string, o ExportOptions) (io.ReadCloser, error) {
	r := &call{method: http.MethodGet, path: groupPath(group, "export"), query: url.Values{}}
	if o.From != "" {
		r.query.Set("from", o.From)
	}
	if o.Follow != "" {
		r.query.Set("follow", o.Follow)
	}
	var t tries
	for first := int(c.current.Load()); t.attempts < exportRounds*len(c.servers); {
		n := (first + t.attempts) % len(c.servers)
		body, err := c.open(ctx, c.servers[n], r)
		t.attempts++
		if err == nil {
			c.current.Store(int64(n))
			return body, nil
		}
		if !t.note(r, err) {
			return nil, t.settle(r, err)
		}
		if c.cfg.OnRetry != nil {
			c.cfg.OnRetry(c.servers[n], err)
		}
		if t.attempts%len(c.servers) == 0 && !sleep(ctx, max(jitter(longestPause), t.wait)) {
			break
		}
	}
	return nil, t.failure(c, r)
}

// open sends the request and returns a 2xx answer's body.
func (c *Client) open(ctx context.Context, server string, r *call) (io.ReadCloser, error) {
	req, err := c.request(ctx, server, r)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, server+r.path, unwrapURL(err))
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, fmt.Errorf("%s %s: reading the answer: %w", r.method, server+r.path, err)
	}
	return nil, problemOf(server, resp.StatusCode, resp.Header, body)
}
