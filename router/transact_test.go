package router

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/router/order"
)

const (
	transactionsPath = "/v1/groups/bank/transactions"
	transferOfOne    = `{"procedure":"transfer","params":{"from":"alice","to":"bob","amount":1}}`
)

// withDeposit is the bank's schema with one more procedure.
func withDeposit(t *testing.T, version uint64) *fakeCatalog {
	t.Helper()
	return catalogOf(t, bankSchema(t)+`
  deposit:
    params: {to: string}
    steps: []
`, version)
}

// A refusal that depends on the schema is given only by a schema at least as
// new as every change acknowledged before the request came (transactions.md,
// Exactly once): the copy here has not applied the change yet that made the
// procedure, which a client was told of by another node.
func TestRefusalBySchemaWaitsForAcknowledgedChange(t *testing.T) {
	bank := newBank(t)
	next := withDeposit(t, 8)
	var rounds atomic.Int64
	bank.readIndex = func(context.Context) (uint64, error) {
		rounds.Add(1)
		go bank.advance(func() { bank.schema, bank.applied, bank.revision = next, 9, 8 })
		return 9, nil
	}
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	status, _, body := send(t, c, "POST", transactionsPath, `{"procedure":"deposit","params":{"to":"bob"}}`)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if n := rounds.Load(); n != 1 {
		t.Errorf("%d rounds, want 1", n)
	}
	status, _, body = send(t, c, "POST", transactionsPath, `{"procedure":"withdraw","params":{"to":"bob"}}`)
	if status != 404 || !strings.Contains(body, "deposit, transfer") {
		t.Errorf("%d %s", status, body)
	}
}

// Where the copy can't find out whether its schema is the present one, it must
// not refuse by it: 503, and nothing happened.
func TestRefusalBySchemaNeedsQuorum(t *testing.T) {
	bank := newBank(t)
	bank.readIndex = func(context.Context) (uint64, error) { return 0, errors.New("no leader") }
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	status, _, body := send(t, clientOf(t, ln), "POST", transactionsPath+"?timeout=0.05", `{"procedure":"deposit","params":{}}`)
	if status != 503 || !strings.Contains(body, `"code":"no_quorum"`) || !strings.Contains(body, `"outcome":"not_applied"`) {
		t.Errorf("%d %s", status, body)
	}
}

// An entry typed against a schema that is no longer the present one is skipped;
// the document is typed anew and ordered again under the same id
// (transactions.md, Exactly once).
func TestStaleSchemaIsTypedAnewUnderTheSameID(t *testing.T) {
	for _, kind := range []string{"single", "stream"} {
		t.Run(kind, func(t *testing.T) {
			bank := newBank(t)
			next := withDeposit(t, 8)
			var mu sync.Mutex
			var ids []entry.ID
			var versions []uint64
			bank.submit = func(r *order.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				ids, versions = append(ids, r.Item.ID), append(versions, r.SchemaVersion)
				if r.SchemaVersion == 8 {
					return false
				}
				r.Done(order.Answer{Verdict: outcome.Verdict{Kind: outcome.StaleSchema}})
				return true
			}
			bank.readIndex = func(context.Context) (uint64, error) {
				go bank.advance(func() { bank.schema, bank.applied = next, 9 })
				return 9, nil
			}
			_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
			header := []string{"Content-Type", "application/json"}
			if kind == "stream" {
				header[1] = "application/x-ndjson"
			}
			status, _, body := send(t, clientOf(t, ln), "POST", transactionsPath, transferOfOne, header...)
			if status != 200 || !strings.Contains(body, `"committed"`) {
				t.Fatalf("%d %s", status, body)
			}
			if len(ids) != 2 || ids[0] != ids[1] || versions[0] != 1 || versions[1] != 8 {
				t.Errorf("submitted as %v against %v", ids, versions)
			}
		})
	}
}

// Every request has a deadline, and no call ever hangs past it (interface.md,
// Errors), even should the orderer never answer: then the outcome is unknown.
func TestSilentOrdererEndsInUnknownOutcome(t *testing.T) {
	bank := newBank(t)
	bank.submit = func(*order.Request) bool { return true }
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	for _, kind := range []string{"application/json", "application/x-ndjson"} {
		_, _, body := send(t, clientOf(t, ln), "POST", transactionsPath+"?timeout=0.03", transferOfOne, "Content-Type", kind)
		if !strings.Contains(body, `"code":"outcome_unknown"`) || !strings.Contains(body, `"id":"ls-`) {
			t.Errorf("%s: %s", kind, body)
		}
	}
}

// A second request with the key of one still running waits for the same outcome
// (interface.md, Errors): both are handed over, and the orderer joins them.
func TestTwoRequestsWithOneKeyGetOneOutcome(t *testing.T) {
	bank := newBank(t)
	both := make(chan *order.Request, 2)
	bank.submit = func(r *order.Request) bool { both <- r; return true }
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	answers := make(chan string, 2)
	for range 2 {
		go func() {
			_, _, body := send(t, c, "POST", transactionsPath, transferOfOne, "Idempotency-Key", "k")
			answers <- body
		}()
	}
	first, second := <-both, <-both
	v := bank.execute(&first.Item, first.SchemaVersion)
	first.Done(order.Answer{Verdict: v})
	second.Done(order.Answer{Verdict: v})
	if a, b := <-answers, <-answers; a != b || !strings.Contains(a, `"revision":4`) {
		t.Errorf("%s\n%s", a, b)
	}
}

// A panic in a handler would end the process (traps.md, 27): it becomes a
// problem, and the server goes on.
func TestPanicBecomesAProblem(t *testing.T) {
	bank := newBank(t)
	bank.submit = func(*order.Request) bool { panic("a fault") }
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	status, _, body := send(t, c, "POST", transactionsPath, transferOfOne)
	if status != 500 || !strings.Contains(body, `"outcome":"unknown"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ = send(t, c, "GET", "/healthz", ""); status != 200 {
		t.Errorf("after the panic: %d", status)
	}
}

// Linearizable without a quorum is 503 no_quorum (architecture.md, Reads), and
// said after a few seconds rather than at a far deadline.
func TestLinearizableReadWithoutQuorum(t *testing.T) {
	bank := newBank(t)
	bank.readIndex = func(ctx context.Context) (uint64, error) { <-ctx.Done(); return 0, ctx.Err() }
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}}, func(c *Config) { c.ReadPatience = 30 * time.Millisecond })
	c := clientOf(t, ln)
	path := "/v1/groups/bank/tables/accounts/rows?key=alice"
	if status, _, body := send(t, c, "GET", path, ""); status != 503 || !strings.Contains(body, `"code":"no_quorum"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, _, _ := send(t, c, "GET", path+"&consistency=local", ""); status != 200 {
		t.Errorf("a local read needs no quorum: %d", status)
	}
}

// A read that was given a min_revision waits until the copy has it
// (interface.md, session).
func TestSessionReadWaits(t *testing.T) {
	bank := newBank(t)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	got := make(chan string, 1)
	go func() {
		_, h, body := send(t, c, "GET", "/v1/groups/bank/tables/accounts/rows?key=alice&consistency=session&min_revision=5", "")
		got <- h.Get("Lockstep-Revision") + " " + body
	}()
	bank.advance(func() { bank.revision, bank.rows["alice"] = 4, 40 })
	bank.advance(func() { bank.revision, bank.rows["alice"] = 5, 50 })
	if answer := <-got; answer != `5 {"_revision":3,"balance":50,"id":"alice"}` {
		t.Error(answer)
	}
}

// The single path is what throughput hangs on: what it allocates is bounded
// here so that a change that costs much is seen.
func BenchmarkTransaction(b *testing.B) {
	bank := newBank(b)
	bank.submit = func(r *order.Request) bool {
		r.Done(order.Answer{Verdict: outcome.Verdict{Kind: outcome.Executed, Outcome: outcome.Outcome{ID: r.Item.ID, Committed: true, Result: []byte("1"), Revision: 9}}})
		return true
	}
	s, _ := startServer(b, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	ctx := postOf(transactionsPath, transferOfOne)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Response.Reset()
		s.handle(ctx, true)
	}
	if ctx.Response.StatusCode() != 200 {
		b.Fatal(string(ctx.Response.Body()))
	}
}
