package router

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// wire takes requests from one front to another, as nodes do.
type wire struct {
	to    *Server
	calls atomic.Int64
	err   error
	after bool // the error comes after the other node has done its work
	seen  []byte
}

func (w *wire) Forward(_ context.Context, _ string, request []byte) ([]byte, error) {
	w.calls.Add(1)
	w.seen = bytes.Clone(request)
	if w.err != nil && !w.after {
		return nil, w.err
	}
	answer, err := w.to.ServeForwarded(request)
	if w.err != nil {
		return nil, w.err
	}
	return answer, err
}

// twoNodes are a node without a copy of the bank and one with it.
func twoNodes(t *testing.T) (*http.Client, *wire, *fakeGroup) {
	t.Helper()
	bank := newBank(t)
	there, _ := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	w := &wire{to: there}
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": nil}}, func(c *Config) { c.Forwarder = w })
	return clientOf(t, ln), w, bank
}

// Any node takes any request: it answers, or forwards to a node that can
// (interface.md, HTTP).
func TestNodeWithoutCopyForwards(t *testing.T) {
	c, w, _ := twoNodes(t)
	status, h, body := send(t, c, "POST", transactionsPath+"?timeout=5", transferOfOne, "Idempotency-Key", `"k 1"`, "X-Request-Id", "r7", "traceparent", "00-aa-bb-01")
	if status != 200 || !strings.Contains(body, `{"id":"k 1","group":"bank","revision":4`) {
		t.Fatalf("%d %s", status, body)
	}
	if h.Get("Lockstep-Revision") != "4" || h.Get("Lockstep-Key-Window") == "" || h.Get("X-Request-Id") != "r7" {
		t.Errorf("headers %v", h)
	}
	if req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(w.seen))); err != nil || req.Header.Get("Traceparent") != "00-aa-bb-01" ||
		req.Header.Get("X-Request-Id") != "r7" || req.URL.RawQuery != "" || req.Header.Get("Request-Timeout") == "" {
		t.Errorf("%s %v", w.seen, err)
	}
	for path, want := range map[string]string{
		"/v1/groups/bank/tables/accounts/rows?key=alice": `"balance":100`,
		"/v1/groups/bank/tables/accounts/rows?key=x":     `"not_found"`,
		"/v1/groups/bank/schema":                         `"procedures"`,
		"/v1/groups/bank/transactions/k%201":             `"committed"`,
	} {
		if _, _, body := send(t, c, "GET", path, ""); !strings.Contains(body, want) {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// A request that was forwarded once is answered or refused, never sent on: two
// nodes that take each other for the one with the copy don't play ball.
func TestForwardedIsNeverForwardedAgain(t *testing.T) {
	w := &wire{}
	there, _ := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": nil}}, func(c *Config) { c.Forwarder = w })
	w.to = there
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": nil}}, func(c *Config) { c.Forwarder = w })
	for _, kind := range []string{"application/json", "application/x-ndjson"} {
		_, _, body := send(t, clientOf(t, ln), "POST", transactionsPath, transferOfOne, "Content-Type", kind)
		if !strings.Contains(body, `"code":"no_primary"`) {
			t.Errorf("%s: %s", kind, body)
		}
	}
	if n := w.calls.Load(); n != 2 {
		t.Errorf("%d requests were forwarded, want 2", n)
	}
}

// Where the other node's answer is lost, the outcome is unknown, and the client
// is told the id under which the same document settles it.
func TestLostAnswerOfAnotherNode(t *testing.T) {
	for _, kind := range []string{"application/json", "application/x-ndjson"} {
		t.Run(kind, func(t *testing.T) {
			c, w, bank := twoNodes(t)
			w.err, w.after = errors.New("connection reset"), true
			_, _, body := send(t, c, "POST", transactionsPath, transferOfOne, "Content-Type", kind)
			if !strings.Contains(body, `"code":"outcome_unknown"`) {
				t.Fatal(body)
			}
			_, rest, _ := strings.Cut(body, `"id":"`)
			id, _, _ := strings.Cut(rest, `"`)
			w.err = nil
			_, _, again := send(t, c, "POST", transactionsPath, transferOfOne, "Idempotency-Key", id)
			if !strings.Contains(again, `"revision":4,`) || bank.revision != 4 {
				t.Errorf("%s; the group is at %d", again, bank.revision)
			}
			w.err, w.after = fmt.Errorf("dial: %w", ErrNotForwarded), false
			_, _, body = send(t, c, "POST", transactionsPath, transferOfOne, "Content-Type", kind)
			if !strings.Contains(body, `"code":"no_primary"`) || !strings.Contains(body, `"not_applied"`) {
				t.Error(body)
			}
		})
	}
}

// A stream to a node without a copy goes on in pieces, and its answers come in
// the order of the lines.
func TestStreamIsForwardedInPieces(t *testing.T) {
	c, w, _ := twoNodes(t)
	var body strings.Builder
	const lines = 3*forwardLines + 7
	for i := range lines {
		fmt.Fprintf(&body, `{"id":"%d",%s`+"\n", i, transferOfOne[1:])
	}
	_, _, text := send(t, c, "POST", transactionsPath, body.String(), "Content-Type", "application/x-ndjson")
	answers := strings.Split(strings.TrimSpace(text), "\n")
	for i, a := range answers {
		if !strings.HasPrefix(a, fmt.Sprintf(`{"id":"%d",`, i)) {
			t.Fatalf("answer %d: %s", i, a)
		}
	}
	if len(answers) != lines || w.calls.Load() < 4 {
		t.Errorf("%d answers in %d pieces", len(answers), w.calls.Load())
	}
	bad := transferOfOne + "\n{bad\n" + transferOfOne
	_, _, text = send(t, c, "POST", transactionsPath+"?ordered=true", bad, "Content-Type", "application/x-ndjson")
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "malformed") {
		t.Errorf("an ordered stream: %s", text)
	}
}

// A read that can't be served in time tries another copy (architecture.md,
// Reads), then answers 503 behind.
func TestReadTriesAnotherCopy(t *testing.T) {
	fresh := newBank(t)
	fresh.revision = 50
	there, _ := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": fresh}})
	w := &wire{to: there}
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(t)}}, func(c *Config) { c.Forwarder = w })
	c := clientOf(t, ln)
	path := "/v1/groups/bank/tables/accounts/rows?key=alice&consistency=session&timeout=0.2&min_revision="
	if status, h, body := send(t, c, "GET", path+"50", ""); status != 200 || h.Get("Lockstep-Revision") != "50" {
		t.Errorf("%d %s", status, body)
	}
	begun := time.Now()
	if status, _, body := send(t, c, "GET", path+"51", ""); status != 503 || !strings.Contains(body, `"behind"`) {
		t.Errorf("%d %s", status, body)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
