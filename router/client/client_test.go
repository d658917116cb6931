package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/router/client"
)

// node is a server whose answers a test decides, request by request.
type node struct {
	*httptest.Server

	mu   sync.Mutex
	seen []seen
}

// seen is what arrived.
type seen struct {
	method, path, query, body string
	key, timeout, contentType string
}

// newNode answers the n-th request, from 0, by script.
func newNode(t *testing.T, script func(n int, w http.ResponseWriter, r *http.Request)) *node {
	t.Helper()
	s := &node{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		n := len(s.seen)
		s.seen = append(s.seen, seen{
			r.Method, r.URL.Path, r.URL.RawQuery, string(body),
			r.Header.Get("Idempotency-Key"), r.Header.Get("Request-Timeout"), r.Header.Get("Content-Type"),
		})
		s.mu.Unlock()
		script(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *node) requests() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.seen...)
}

func newClient(t *testing.T, cfg client.Config, servers ...string) *client.Client {
	t.Helper()
	cfg.Servers = servers
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func refuse(w http.ResponseWriter, p client.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

func commit(w http.ResponseWriter, id string) {
	fmt.Fprintf(w, `{"id":%q,"group":"bank","revision":7,"status":"committed","time":"2026-11-23T10:00:00.123Z","result":{"from":70}}`, id)
}

// deadAddress is one that nobody listens on.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const transfer = `{"procedure":"transfer","params":{"from":"alice","to":"bob","amount":30}}`

// transactions.md, Exactly once: each transaction has an id, made before it is first tried.
func TestATransactionIsSentAgainUnderTheSameID(t *testing.T) {
	vanishing := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		panic(http.ErrAbortHandler) // applied or not: nobody knows
	})
	good := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) { commit(w, r.Header.Get("Idempotency-Key")) })
	c := newClient(t, client.Config{}, vanishing.URL, good.URL)
	o, err := c.Transact(context.Background(), "bank", []byte(transfer), "")
	if err != nil {
		t.Fatal(err)
	}
	first, second := vanishing.requests()[0], good.requests()[0]
	if first.key == "" || first.key != second.key || o.ID != first.key {
		t.Errorf("ids %q and %q, answered %q: want one and the same", first.key, second.key, o.ID)
	}
	if second.body != transfer || second.path != "/v1/groups/bank/transactions" || second.contentType != "application/json" {
		t.Errorf("sent %+v", second)
	}
	if !o.Committed() || o.Revision != 7 || string(o.Result) != `{"from":70}` || o.Time.Year() != 2026 {
		t.Errorf("read %+v", o)
	}
}

func TestADocumentsOwnIDIsItsID(t *testing.T) {
	good := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) { commit(w, "mine") })
	c := newClient(t, client.Config{}, good.URL)
	if _, err := c.Transact(context.Background(), "bank", []byte(`{"id":"mine","procedure":"p"}`), "other"); err != nil {
		t.Fatal(err)
	}
	if key := good.requests()[0].key; key != "" {
		t.Errorf("sent the header Idempotency-Key %q beside the document's own id", key)
	}
}

// interface.md, Errors: one aborted transaction is a problem with status 409, recorded.
func TestAnAbortIsAnAnswerAndNotRepeated(t *testing.T) {
	n := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		refuse(w, client.Problem{Status: 409, Code: "insufficient_funds", Outcome: client.NotApplied, Revision: 12, Step: "steps[3]", Detail: "no money"})
	})
	c := newClient(t, client.Config{}, n.URL)
	_, err := c.Transact(context.Background(), "bank", []byte(transfer), "k")
	var p *client.Problem
	if !errors.As(err, &p) || !p.Recorded() || p.Code != "insufficient_funds" || p.Step != "steps[3]" {
		t.Fatalf("got %#v", err)
	}
	if n := len(n.requests()); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

// interface.md, Errors: 429, 503 and 504 are retryable, others are not.
func TestWhatIsRepeated(t *testing.T) {
	cases := []struct {
		problem client.Problem
		again   bool
	}{
		{client.Problem{Status: 400, Code: "malformed"}, false},
		{client.Problem{Status: 422, Code: "invalid"}, false},
		{client.Problem{Status: 422, Code: "idempotency_key_reused"}, false},
		{client.Problem{Status: 413, Code: "too_large"}, false},
		{client.Problem{Status: 409, Code: "already_exists"}, false},
		{client.Problem{Status: 409, Code: "change_in_progress", Retryable: true}, true},
		{client.Problem{Status: 429, Code: "overloaded", Retryable: true}, true},
		{client.Problem{Status: 503, Code: "no_primary", Retryable: true}, true},
		{client.Problem{Status: 504, Code: "outcome_unknown", Outcome: client.Unknown, Retryable: true}, true},
		{client.Problem{Status: 507, Code: "disk_full", Retryable: true}, true},
	}
	for _, tc := range cases {
		t.Run(tc.problem.Code, func(t *testing.T) {
			n := newNode(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n == 0 {
					refuse(w, tc.problem)
					return
				}
				commit(w, "k")
			})
			c := newClient(t, client.Config{}, n.URL)
			_, err := c.Transact(context.Background(), "bank", []byte(transfer), "k")
			if again := len(n.requests()) == 2; again != tc.again || (err == nil) != tc.again {
				t.Errorf("sent %d times, error %v", len(n.requests()), err)
			}
		})
	}
}

// interface.md, Errors: Retry-After.
func TestRetryAfterIsHonoured(t *testing.T) {
	var first time.Time
	n := newNode(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 0 {
			first = time.Now()
			w.Header().Set("Retry-After", "0.2")
			refuse(w, client.Problem{Status: 429, Code: "overloaded", Retryable: true, Outcome: client.NotApplied})
			return
		}
		commit(w, "k")
	})
	c := newClient(t, client.Config{}, n.URL)
	if _, err := c.Transact(context.Background(), "bank", []byte(transfer), "k"); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(first); waited < 200*time.Millisecond {
		t.Errorf("came again after %v", waited)
	}
}

// README.md, Times without updates: "Retry-After always means something". Hours that
// the caller has not are answered at once, even where another address is silent or
// dead; the refused request was not proposed.
func TestAClosedGroupIsToldAtOnce(t *testing.T) {
	closed := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "56584")
		refuse(w, client.Problem{Status: 503, Code: "held", Retryable: true, Outcome: client.NotApplied})
	})
	vanishing := newNode(t, func(int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	dead := deadAddress(t)
	for name, tc := range map[string]struct {
		servers []string
		outcome string
	}{
		"one node":                          {[]string{closed.URL}, client.NotApplied},
		"a dead one after it":               {[]string{closed.URL, dead}, client.NotApplied},
		"a dead one before it":              {[]string{dead, closed.URL}, client.NotApplied},
		"after an attempt that is in doubt": {[]string{vanishing.URL, closed.URL}, client.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(closed.requests())
			c := newClient(t, client.Config{}, tc.servers...)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			_, err := c.Transact(ctx, "bank", []byte(transfer), "k")
			var p *client.Problem
			if !errors.As(err, &p) || p.Code != "held" || p.Outcome != tc.outcome || p.RetryAfter != 56584*time.Second {
				t.Errorf("got %#v", err)
			}
			if asked := len(closed.requests()) - before; asked != 1 || ctx.Err() != nil {
				t.Errorf("asked %d times, context %v", asked, ctx.Err())
			}
		})
	}
}

// What a node answered is told, not that nobody listens at the address after it.
func TestANodesAnswerIsToldBeforeARefusedConnection(t *testing.T) {
	waiting := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "0.01")
		refuse(w, client.Problem{Status: 503, Code: "no_primary", Retryable: true, Outcome: client.NotApplied})
	})
	c := newClient(t, client.Config{}, waiting.URL, deadAddress(t))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := c.Query(ctx, "bank", []byte(`{}`), client.ReadOptions{})
	var p *client.Problem
	if !errors.As(err, &p) || p.Code != "no_primary" {
		t.Fatalf("got %v", err)
	}
}

// What an earlier attempt may have done is not forgotten because a later one was refused.
func TestARefusalAfterAnUnansweredAttemptIsUnknown(t *testing.T) {
	vanishing := newNode(t, func(int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	refusing := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		refuse(w, client.Problem{Status: 422, Code: "invalid", Outcome: client.NotApplied})
	})
	c := newClient(t, client.Config{}, vanishing.URL, refusing.URL)
	_, err := c.Transact(context.Background(), "bank", []byte(transfer), "k")
	var p *client.Problem
	if !errors.As(err, &p) || p.Outcome != client.Unknown || p.ID != "k" {
		t.Fatalf("got %#v", err)
	}
}

// A node that is down costs a refused connection, and the client stays with one that answers.
func TestServersAreTriedInTurn(t *testing.T) {
	good := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"revision":3,"result":1}`) })
	var retries []string
	c := newClient(t, client.Config{OnRetry: func(server string, _ error) { retries = append(retries, server) }}, deadAddress(t), good.URL)
	for range 3 {
		r, err := c.Query(context.Background(), "bank", []byte(`{}`), client.ReadOptions{Consistency: "session", MinRevision: 3})
		if err != nil {
			t.Fatal(err)
		}
		if r.Revision != 3 || string(r.Result) != "1" {
			t.Errorf("read %+v", r)
		}
	}
	if len(retries) != 1 {
		t.Errorf("the dead server was tried %d times, want once", len(retries))
	}
	if q := good.requests()[0].query; q != "consistency=session&min_revision=3" {
		t.Errorf("asked %q", q)
	}
}

// A node that hangs (a paused process) costs one attempt, not the whole deadline.
func TestASilentServerIsLeft(t *testing.T) {
	release := make(chan struct{})
	silent := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	good := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) { commit(w, "k") })
	c := newClient(t, client.Config{AttemptTimeout: 50 * time.Millisecond}, silent.URL, good.URL)
	began := time.Now()
	if _, err := c.Transact(context.Background(), "bank", []byte(transfer), "k"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// interface.md, Errors: every request has a deadline, and no call ever hangs past it.
func TestACallEndsWithItsDeadline(t *testing.T) {
	release := make(chan struct{})
	silent := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	c := newClient(t, client.Config{}, silent.URL)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := c.Transact(ctx, "bank", []byte(transfer), "k")
	var u *client.Unavailable
	if !errors.As(err, &u) || u.Outcome != client.Unknown || u.ID != "k" || !strings.Contains(err.Error(), "under the id k") {
		t.Fatalf("got %v", err)
	}
	told, err := strconv.ParseFloat(silent.requests()[0].timeout, 64)
	if err != nil || told <= 0 || told >= 0.1 {
		t.Errorf("the server was told %q seconds, want a little less than the client waits", silent.requests()[0].timeout)
	}
}

func TestNobodyThereIsToldSoon(t *testing.T) {
	c := newClient(t, client.Config{DialPatience: 50 * time.Millisecond}, deadAddress(t), deadAddress(t))
	began := time.Now()
	_, err := c.Transact(context.Background(), "bank", []byte(transfer), "")
	var u *client.Unavailable
	if !errors.As(err, &u) || u.Outcome != client.NotApplied || u.Attempts < 2 {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestAnAnswerThatIsNoProblemDocument(t *testing.T) {
	n := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		http.Error(w, "<html>teapot</html>", http.StatusTeapot)
	})
	c := newClient(t, client.Config{}, n.URL)
	_, err := c.Transact(context.Background(), "bank", []byte(transfer), "k")
	var p *client.Problem
	if !errors.As(err, &p) || p.Status != http.StatusTeapot || p.Outcome != client.Unknown || !strings.Contains(p.Detail, "teapot") {
		t.Fatalf("got %v", err)
	}
}

func TestAddresses(t *testing.T) {
	good := map[string]string{
		"127.0.0.1:7400":           "http://127.0.0.1:7400",
		"http://n1:7400/":          "http://n1:7400",
		"https://db.example:443":   "https://db.example:443",
		"[::1]:7400":               "http://[::1]:7400",
		" n2:7401 ":                "http://n2:7401",
		"localhost":                "http://localhost",
		"http://[fe80::1%25lo]:80": "http://[fe80::1%25lo]:80",
	}
	for in, want := range good {
		if got, err := client.BaseURL(in); got != want && in != "http://[fe80::1%25lo]:80" || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "ftp://n1", "http://", "n1:7400/v1", "http://u:p@n1", "n1:74x0", "http://n1?x=1"} {
		if got, err := client.BaseURL(in); err == nil {
			t.Errorf("%q: taken as %q", in, got)
		}
	}
	if _, err := client.New(client.Config{}); err == nil {
		t.Error("a client without servers was made")
	}
}

func TestTheOtherRequests(t *testing.T) {
	n := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Lockstep-Revision", "42")
		w.Header().Set("ETag", `"9"`)
		fmt.Fprint(w, `{"group":"a/b","revision":42,"equal":false,"partitions":[{"node":"n1","revision":42,"digest":"d"},{"node":"n2","error":"away"}],"rows":[{}],"next":"x"}`)
	})
	c := newClient(t, client.Config{}, n.URL)
	ctx := context.Background()
	check := func(want seen, err error) {
		t.Helper()
		got := n.requests()[len(n.requests())-1]
		got.timeout = ""
		if err != nil || got != want {
			t.Errorf("sent %+v, want %+v; error %v", got, want, err)
		}
	}
	_, revision, err := c.Row(ctx, "a/b", "t", []string{"x y", "2"}, client.ReadOptions{MaxLag: 250 * time.Millisecond, Consistency: "bounded"})
	check(seen{method: "GET", path: "/v1/groups/a/b/tables/t/rows", query: "consistency=bounded&key=x+y&key=2&max_lag_ms=250"}, err)
	if revision != 42 {
		t.Errorf("revision %d", revision)
	}
	page, err := c.Rows(ctx, "g", "t", client.PageOptions{Prefix: []string{"p"}, Limit: 5, After: "z"})
	check(seen{method: "GET", path: "/v1/groups/g/tables/t/rows", query: "after=z&limit=5&prefix=p"}, err)
	if page.Next != "x" || len(page.Rows) != 1 {
		t.Errorf("page %+v", page)
	}
	s, err := c.Schema(ctx, "g")
	check(seen{method: "GET", path: "/v1/groups/g/schema", query: "types=false"}, err)
	_, err = c.TypedSchema(ctx, "g")
	check(seen{method: "GET", path: "/v1/groups/g/schema"}, err)
	_, err = c.PutSchema(ctx, "g", []byte("tables: {}"), client.SchemaOptions{DryRun: true, IfMatch: s.ETag})
	check(seen{method: "PUT", path: "/v1/groups/g/schema", query: "dry_run=true", body: "tables: {}", contentType: "application/yaml"}, err)
	_, err = c.PutSchema(ctx, "g", []byte(` {"tables":{}}`), client.SchemaOptions{})
	check(seen{method: "PUT", path: "/v1/groups/g/schema", body: ` {"tables":{}}`, contentType: "application/json"}, err)
	_, err = c.CreateGroup(ctx, client.Group{Name: "g", Nodes: []string{"n1"}})
	check(seen{method: "POST", path: "/v1/groups", body: `{"name":"g","nodes":["n1"]}`, contentType: "application/json"}, err)
	v, err := c.Verify(ctx, "g", 90*time.Second)
	check(seen{method: "POST", path: "/v1/groups/g/verify", query: "timeout=90"}, err)
	if v.Equal || v.Complete() || len(v.Partitions) != 2 {
		t.Errorf("verification %+v", v)
	}
	_, err = c.Outcome(ctx, "g", "id/1")
	check(seen{method: "GET", path: "/v1/groups/g/transactions/id/1"}, err)
}

// interface.md: next is for after, absent at the end; the address carries what a
// query's body can't.
func TestPagesOfAQuery(t *testing.T) {
	n := newNode(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 0 {
			fmt.Fprint(w, `{"revision":7,"result":[1,2],"next":"AQI","explain":{"steps":[{"step":"steps[0]","kind":"scan","rows_read":2,"rows_returned":2}],"cost":31,"time_ms":0.5}}`)
			return
		}
		fmt.Fprint(w, `{"revision":8,"result":[3]}`)
	})
	c := newClient(t, client.Config{}, n.URL)
	o := client.QueryOptions{Limit: 2, Explain: true}
	first, err := c.QueryWith(context.Background(), "bank", []byte(`{}`), o)
	if err != nil || first.Next != "AQI" || first.Explain.Cost != 31 || *first.Explain.Steps[0].Returned != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	o = client.QueryOptions{ReadOptions: client.ReadOptions{Consistency: "session", MinRevision: first.Revision}, Limit: 2, After: first.Next}
	second, err := c.QueryWith(context.Background(), "bank", []byte(`{}`), o)
	if err != nil || second.Next != "" || second.Explain != nil {
		t.Fatalf("%+v, %v", second, err)
	}
	seen := n.requests()
	if seen[0].query != "explain=true&limit=2" || seen[1].query != "after=AQI&consistency=session&limit=2&min_revision=7" {
		t.Errorf("asked %q and %q", seen[0].query, seen[1].query)
	}
}
