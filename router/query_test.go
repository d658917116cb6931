package router

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const queryPath = "/v1/groups/bank/query"

// heavyQuery goes on until it is stopped.
const heavyQuery = `{"steps":[],"params":{"spin":true}}`

// interface.md: every request has a deadline, and no call ever hangs past it. A
// query that runs is stopped, and says so.
func TestAQueryIsStoppedAtItsDeadline(t *testing.T) {
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(t)}})
	began := time.Now()
	status, _, body := send(t, clientOf(t, ln), "POST", queryPath+"?timeout=0.2&consistency=local", heavyQuery)
	took := time.Since(began)
	if status != 504 || !strings.Contains(body, `"code":"deadline_exceeded","outcome":"not_applied","retryable":true`) || !strings.Contains(body, "while the query ran") {
		t.Errorf("%d %s", status, body)
	}
	if took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// Heavy queries run a few at a time, so that the node's copies go on applying; the
// others wait until their deadline, and light ones never do.
func TestHeavyQueriesTakeTurns(t *testing.T) {
	s, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(t)}}, func(c *Config) { c.HeavyQueries = 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for range 2 {
		if p := s.heavy.enter(ctx); p != nil {
			t.Fatal(p)
		}
	}
	c := clientOf(t, ln)
	status, _, body := send(t, c, "POST", queryPath+"?timeout=0.2&consistency=local", heavyQuery)
	if status != 504 || !strings.Contains(body, "waited for other heavy ones") {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body := send(t, c, "POST", queryPath, `{"steps":[],"params":{"a":1}}`); status != 200 {
		t.Errorf("a light query: %d %s", status, body)
	}
	s.heavy.leave(time.Second)
	status, _, body = send(t, c, "POST", queryPath+"?timeout=0.2&consistency=local", heavyQuery)
	if status != 504 || !strings.Contains(body, "while the query ran") {
		t.Errorf("where there is a place: %d %s", status, body)
	}
	if len(s.heavy.slots) != 1 || s.heavy.waiting.Load() != 0 {
		t.Errorf("%d places taken, %d wait, when one is held", len(s.heavy.slots), s.heavy.waiting.Load())
	}
}

// What waits is bounded: beyond it queries are shed at once.
func TestTooManyHeavyQueriesAreShed(t *testing.T) {
	g := newHeavyGate(1)
	ctx, cancel := context.WithCancel(context.Background())
	if p := g.enter(ctx); p != nil {
		t.Fatal(p)
	}
	var all sync.WaitGroup
	shed := make(chan *Problem, maxHeavyWaiting+1)
	for range maxHeavyWaiting + 1 {
		all.Go(func() { shed <- g.enter(ctx) })
	}
	if p := <-shed; p == nil || p.Code != "overloaded" {
		t.Errorf("the one too many: %v", p)
	}
	cancel()
	all.Wait()
	for range maxHeavyWaiting {
		if p := <-shed; p == nil || p.Code != "deadline_exceeded" {
			t.Errorf("one that waited: %v", p)
		}
	}
}

// The explanation stands beside the result, and beside an abort's code.
func TestAQueryIsExplained(t *testing.T) {
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": newBank(t)}})
	c := clientOf(t, ln)
	for body, want := range map[string]int{`{"steps":[],"params":{"a":1}}`: 200, `{"steps":[],"params":{"abort":1}}`: 409} {
		status, _, text := send(t, c, "POST", queryPath+"?explain=true", body)
		if status != want || !strings.Contains(text, `"explain":{"steps":[{"step":"steps[0]","kind":"get","runs":1,"rows_read":0,"cost":0}]`) ||
			!strings.Contains(text, `"cost":44,`) || !strings.Contains(text, `"time_ms":`) {
			t.Errorf("%d %s", status, text)
		}
	}
	if status, _, text := send(t, c, "POST", queryPath, `{"steps":[],"params":{"a":1}}`); status != 200 || strings.Contains(text, "explain") {
		t.Errorf("not asked for: %d %s", status, text)
	}
}

// What the address says is checked before anything runs; a transaction is never
// mistaken for what only a query can be.
func TestQueryParametersAreChecked(t *testing.T) {
	bank := newBank(t)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	for path, want := range map[string]string{
		queryPath + "?explain=maybe":                                         "explain: write true or false",
		queryPath + "?limit=0":                                               "limit: write a whole number from 1 to 10000",
		queryPath + "?limit=10001":                                           "limit: write a whole number from 1 to 10000",
		transactionsPath + "?explain=true":                                   "explain is for queries",
		"/v1/groups/bank/tables/accounts/rows?key=alice&index=by_owner":      "key names one row",
		"/v1/groups/bank/tables/accounts/rows?index=by_owner&limit=10000000": "limit: write a whole number from 1 to 1000",
	} {
		method := http.MethodPost
		if strings.HasPrefix(path, "/v1/groups/bank/tables") {
			method = http.MethodGet
		}
		if status, _, body := send(t, c, method, path, `{"steps":[],"params":{"a":1}}`); status != 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if bank.submitted != 0 {
		t.Errorf("%d transactions were ordered", bank.submitted)
	}
}
