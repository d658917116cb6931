package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// codeHeld is the problem of a group that takes no updates for now.
const codeHeld = "held"

// call is one request, as often as it has to be sent.
type call struct {
	method      string
	path        string // escaped
	query       url.Values
	header      http.Header
	body        []byte
	contentType string

	id    string // a transaction's, for errors
	write bool   // an unanswered attempt may have changed something
	long  bool   // one attempt may take all the time that is left
}

// answer is a 2xx.
type answer struct {
	server string
	status int
	header http.Header
	body   []byte
}

// tries is what has been learnt over the attempts of one call.
type tries struct {
	attempts  int
	ambiguous bool // an attempt may have been applied without our knowing
	reached   bool // a server could be connected to
	last      error
	problem   *Problem      // the last that a server answered
	wait      time.Duration // asked for by the last problem
}

// do makes attempts in turn until an answer, a refusal that repeating will not
// change, or the end of the time.
func (c *Client) do(ctx context.Context, r *call) (*answer, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	began := time.Now()
	pause := firstPause
	var t tries
	for first := int(c.current.Load()); ; {
		n := (first + t.attempts) % len(c.servers)
		a, err := c.attempt(ctx, c.servers[n], r)
		t.attempts++
		if err == nil {
			c.current.Store(int64(n))
			return a, nil
		}
		if !t.note(r, err) {
			c.current.Store(int64(n))
			return nil, t.settle(r, err)
		}
		if c.hopeless(&t, time.Since(began)) {
			return nil, t.failure(c, r)
		}
		if closedBeyond(ctx, err) {
			c.current.Store(int64(n))
			return nil, t.failure(c, r)
		}
		if c.cfg.OnRetry != nil {
			c.cfg.OnRetry(c.servers[n], err)
		}
		wait := time.Duration(0)
		if t.attempts%len(c.servers) == 0 {
			wait, pause = max(jitter(pause), t.wait), min(2*pause, longestPause)
			if beyond(ctx, t.wait) {
				return nil, t.failure(c, r) // the server says that nothing changes until then
			}
			t.wait = 0
		}
		if !sleep(ctx, wait) {
			return nil, t.failure(c, r)
		}
	}
}

// bounded gives ctx the client's own timeout where it has no deadline.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.cfg.Timeout)
}

// beyond says whether a wait ends after the time of ctx.
func beyond(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && wait > time.Until(deadline)
}

// closedBeyond says whether a node has answered that the whole group takes nothing
// until after the time of ctx: every other would answer the same, for it is a
// setting of the group. Other advice is a node's own, and another may do better.
func closedBeyond(ctx context.Context, err error) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == codeHeld && p.Outcome == NotApplied && beyond(ctx, p.RetryAfter)
}

// hopeless: nobody listens, nothing can have been applied, and it has been so
// for as long as the caller wants to see it tried.
func (c *Client) hopeless(t *tries, since time.Duration) bool {
	return !t.reached && !t.ambiguous && c.cfg.DialPatience >= 0 &&
		t.attempts >= len(c.servers) && since >= c.cfg.DialPatience
}

// note records a failed attempt and says whether another may do better.
func (t *tries) note(r *call, err error) (again bool) {
	t.last = err
	var p *Problem
	if errors.As(err, &p) {
		t.reached, t.problem = true, p
		t.wait = max(t.wait, p.RetryAfter)
		again = p.Retryable && !p.Recorded()
		if again && r.write && p.Outcome != NotApplied {
			t.ambiguous = true
		}
		return again
	}
	if !neverSent(err) {
		t.reached = true
		t.ambiguous = t.ambiguous || r.write
	}
	return true
}

// neverSent says whether err came before a byte of the request could leave.
func neverSent(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns)
}

// settle gives the final problem: what the last server knew, and what only the
// client knows of earlier attempts.
func (t *tries) settle(r *call, err error) error {
	var p *Problem
	if !t.ambiguous || !errors.As(err, &p) || p.Recorded() || p.Outcome == Unknown {
		return err
	}
	q := *p
	q.Outcome, q.ID = Unknown, r.id
	q.Detail += " (an earlier attempt may have been applied)"
	return &q
}

// failure is the error of a call whose time is up. What a node has said of the
// request tells more than that nobody listens at the address tried after it.
func (t *tries) failure(c *Client, r *call) error {
	var p *Problem
	if errors.As(t.last, &p) {
		return t.settle(r, t.last)
	}
	if t.problem != nil && neverSent(t.last) {
		return t.settle(r, t.problem)
	}
	outcome := NotApplied
	if t.ambiguous {
		outcome = Unknown
	}
	return &Unavailable{Servers: c.Servers(), Attempts: t.attempts, Outcome: outcome, ID: r.id, Last: t.last}
}

// attempt sends the request once.
func (c *Client) attempt(ctx context.Context, server string, r *call) (*answer, error) {
	limit := c.cfg.AttemptTimeout
	if r.long || len(c.servers) == 1 {
		limit = 0
	}
	ctx, asked, cancel := attemptTime(ctx, limit)
	defer cancel()
	req, err := c.request(ctx, server, r)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Request-Timeout", seconds(asked))
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, server+r.path, unwrapURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: reading the answer: %w", r.method, server+r.path, err)
	}
	if len(body) > maxAnswerBytes {
		return nil, &Problem{Status: resp.StatusCode, Code: "too_large", Outcome: Unknown, Server: server,
			Detail: fmt.Sprintf("the answer is larger than %d bytes: ask for less at once", maxAnswerBytes)}
	}
	if resp.StatusCode/100 != 2 {
		return nil, problemOf(server, resp.StatusCode, resp.Header, body)
	}
	return &answer{server: server, status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// attemptTime gives the time of one attempt: what the server is told, and a
// context that ends a little later.
func attemptTime(ctx context.Context, limit time.Duration) (context.Context, time.Duration, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	left := time.Until(deadline)
	asked := left - min(answerGrace, left/10)
	if limit > 0 && limit < asked {
		asked = limit
	}
	asked = max(asked, time.Millisecond)
	ctx, cancel := context.WithTimeout(ctx, asked+answerGrace)
	return ctx, asked, cancel
}

// seconds writes a duration as the Request-Timeout header has it.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Truncate(time.Millisecond).Seconds(), 'f', -1, 64)
}

func (c *Client) request(ctx context.Context, server string, r *call) (*http.Request, error) {
	target := server + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("client: making the request for %s: %w", target, err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.body != nil {
		req.Header.Set("Content-Type", r.contentType)
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	return req, nil
}

// unwrapURL takes net/http's own "Post \"url\":" off, for ours says it already.
func unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// sleep waits for d or the end of ctx, and says whether there is time left.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
