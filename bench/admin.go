package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"lockstep/router/client"
)

// refusedError is a definite no of the cluster.
type refusedError struct {
	what   string
	status int
	text   string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("%s: %d %s: %s", e.what, e.status, http.StatusText(e.status), e.text)
}

// request sends an administrative request to one node after the other until one
// carries it out or refuses it: asking for what already is changes nothing, so that
// it may be sent again whenever no node answered.
func (c *Cluster) request(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	doc, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	var last error
	for pause := pollEvery; ; pause = min(2*pause, time.Second) {
		for _, server := range c.Servers() {
			answer, err := c.requestOf(ctx, server, method, path, doc)
			var refused *refusedError
			switch {
			case err == nil:
				return answer, nil
			case !errors.As(err, &refused):
			case method == http.MethodDelete && refused.status == http.StatusNotFound && last != nil:
				return nil, nil // an attempt that was not answered has done it
			default:
				return nil, err
			}
			last = err
		}
		if !rest(ctx, pause) {
			return nil, errors.Join(context.Cause(ctx), last)
		}
	}
}

// requestOf asks one node.
func (c *Cluster) requestOf(ctx context.Context, server, method, path string, doc []byte) (json.RawMessage, error) {
	what := method + " " + path
	base, err := client.BaseURL(server)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, adminTime+attemptGrace)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(doc))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Request-Timeout", strconv.FormatFloat(adminTime.Seconds(), 'f', -1, 64))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case resp.StatusCode < 300:
		return answer, nil
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusGatewayTimeout:
		return nil, fmt.Errorf("%s at %s: %s: %s", what, server, resp.Status, bytes.TrimSpace(answer))
	}
	return nil, &refusedError{what, resp.StatusCode, string(bytes.TrimSpace(answer))}
}
