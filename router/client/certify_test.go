package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"lockstep/router/client"
)

// conflictProblem is what a lost row is answered by.
func conflictProblem(revision int, after time.Duration) string {
	return fmt.Sprintf(`{"type":"/problems/aborted","status":409,"code":"conflict","outcome":"not_applied","retryable":false,"retry_after_ms":%d,"revision":%d,"step":"steps[0]","detail":"the row [\"a\"] of t was written by revision 8; revision 7 was expected"}`, after.Milliseconds(), revision)
}

// counterNode serves one row, and answers the n-th write by script: an empty text
// commits.
func counterNode(t *testing.T, write func(n int) (status int, body string)) *node {
	writes := 0
	return newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `{"_revision":7,"id":"a","n":41}`)
			return
		}
		writes++
		if status, body := write(writes); body != "" {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return
		}
		commit(w, r.Header.Get("Idempotency-Key"))
	})
}

func increment(a *client.Attempt) error {
	var row struct{ N int64 }
	if _, err := a.Row("t", &row, "a"); err != nil {
		return err
	}
	a.Update("t", map[string]any{"n": row.N + 1}, "a")
	return nil
}

// transactions.md, Two replication models: the client reads rows, each with its
// _revision, and submits the writes with an expect step for each row it relied on.
func TestWritesAreCertifiedByWhatWasRead(t *testing.T) {
	n := counterNode(t, func(int) (int, string) { return 0, "" })
	c := newClient(t, client.Config{}, n.URL)
	done, err := c.Certify(context.Background(), "bank", client.CertifyOptions{}, increment)
	if err != nil || !done.Committed() || done.Attempts != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	const want = `{"steps":[{"expect":{"key":["params.p0"],"revision":"params.p1","table":"t"}},` +
		`{"update":{"key":["params.p2"],"set":{"n":"params.p3"},"table":"t"}}],` +
		`"params":{"p0":"a","p1":"7","p2":"a","p3":"42"},"types":{"p1":"int","p3":"int"}}`
	if sent := n.requests()[1]; sent.body != want || sent.key != done.LastID {
		t.Errorf("sent under %s, want %s:\n%s\nwant\n%s", sent.key, done.LastID, sent.body, want)
	}
}

// A conflict is an outcome recorded under its id: who tries again reads again, at
// least as new as the conflict, and uses a new id, after the advised time.
func TestAConflictIsTriedAgainUnderANewID(t *testing.T) {
	const advice = 60 * time.Millisecond
	n := counterNode(t, func(n int) (int, string) {
		if n < 3 {
			return 409, conflictProblem(100+n, advice)
		}
		return 0, ""
	})
	c := newClient(t, client.Config{}, n.URL)
	began := time.Now()
	done, err := c.Certify(context.Background(), "bank", client.CertifyOptions{Read: client.ReadOptions{Consistency: "local"}}, increment)
	if err != nil || done.Attempts != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	if took := time.Since(began); took < 2*advice {
		t.Errorf("three attempts took %v, and %v was advised twice", took, advice)
	}
	var reads, ids []string
	for _, r := range n.requests() {
		if r.method == http.MethodGet {
			reads = append(reads, r.query)
		} else {
			ids = append(ids, r.key)
		}
	}
	want := []string{"consistency=local&key=a", "consistency=session&key=a&min_revision=101", "consistency=session&key=a&min_revision=102"}
	if fmt.Sprint(reads) != fmt.Sprint(want) {
		t.Errorf("read %v, want %v", reads, want)
	}
	if ids[0] == ids[1] || ids[1] == ids[2] || ids[0] == ids[2] {
		t.Errorf("ids %v", ids)
	}
}

// interface.md: outcome_unknown is sent again, the same document under the same id.
func TestAnUnknownOutcomeIsSettledUnderTheSameID(t *testing.T) {
	n := counterNode(t, func(n int) (int, string) {
		if n == 1 {
			return 504, `{"status":504,"code":"outcome_unknown","outcome":"unknown","retryable":true}`
		}
		return 0, ""
	})
	c := newClient(t, client.Config{}, n.URL)
	done, err := c.Certify(context.Background(), "bank", client.CertifyOptions{}, increment)
	if err != nil || done.Attempts != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	seen := n.requests()
	if len(seen) != 3 || seen[1].key != seen[2].key || seen[1].body != seen[2].body {
		t.Errorf("sent %+v", seen)
	}
}

// Attempts are bounded, by their number and by the context, and what was in the way
// is told. Nothing else than a conflict is tried again.
func TestACertifyEnds(t *testing.T) {
	n := counterNode(t, func(n int) (int, string) { return 409, conflictProblem(n, time.Millisecond) })
	c := newClient(t, client.Config{}, n.URL)
	_, err := c.Certify(context.Background(), "bank", client.CertifyOptions{Attempts: 4}, increment)
	var lost *client.Contended
	if !errors.As(err, &lost) || lost.Attempts != 4 || !client.HasCode(err, "conflict") || !strings.Contains(err.Error(), `the row ["a"] of t`) {
		t.Errorf("after all attempts: %v", err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	slow := client.CertifyOptions{Attempts: 1000, Backoff: func(int, *client.Problem) time.Duration { return time.Minute }}
	if _, err := c.Certify(ctx, "bank", slow, increment); !errors.As(err, &lost) || lost.Attempts != 1 {
		t.Errorf("when the context ends: %v", err)
	}

	mine := errors.New("no such luck")
	writes := len(n.requests())
	done, err := c.Certify(context.Background(), "bank", client.CertifyOptions{}, func(*client.Attempt) error { return mine })
	if !errors.Is(err, mine) || done.Attempts != 0 || len(n.requests()) != writes {
		t.Errorf("an error of the caller's: %+v, %v", done, err)
	}

	n = counterNode(t, func(int) (int, string) {
		return 409, `{"status":409,"code":"overdraft","outcome":"not_applied","revision":9}`
	})
	c = newClient(t, client.Config{}, n.URL)
	if done, err := c.Certify(context.Background(), "bank", client.CertifyOptions{}, increment); !client.HasCode(err, "overdraft") || done.Attempts != 1 {
		t.Errorf("another abort: %+v, %v", done, err)
	}
}

// A session that has seen nothing yet begins with what a copy has.
func TestASessionBeginsWithNothingSeen(t *testing.T) {
	n := counterNode(t, func(int) (int, string) { return 0, "" })
	c := newClient(t, client.Config{}, n.URL)
	if _, err := c.Certify(context.Background(), "bank", client.CertifyOptions{Read: client.ReadOptions{Consistency: "session"}}, increment); err != nil {
		t.Fatal(err)
	}
	if got := n.requests()[0].query; got != "consistency=session&key=a&min_revision=0" {
		t.Errorf("read %s", got)
	}
}

// Values go as params of the type that Go gives them, never as expressions.
func TestValuesAreParams(t *testing.T) {
	n := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			refuse(w, client.Problem{Status: 404, Code: "not_found", Outcome: client.NotApplied})
			return
		}
		commit(w, r.Header.Get("Idempotency-Key"))
	})
	c := newClient(t, client.Config{}, n.URL)
	_, err := c.Certify(context.Background(), "bank", client.CertifyOptions{}, func(a *client.Attempt) error {
		if revision, err := a.Row("t", nil, "x/y", -5, []byte{0xff, 0}); revision != 0 || err != nil {
			return fmt.Errorf("an absent row: revision %d, %w", revision, err)
		}
		a.Insert("t", map[string]any{
			"s": "tx.now", "i": 5, "u": uint64(1 << 63), "d": 1.5, "b": []byte("ab"), "n": nil, "j": []int{1},
			"t": time.Date(2026, 11, 23, 10, 0, 0, 5e6, time.UTC), "l": -1500 * time.Millisecond,
		})
		a.Upsert("t", map[string]any{"s": "x"})
		a.Delete("t", "x")
		a.Step(map[string]any{"require": map[string]any{"expr": a.Param(true)}})
		a.Return("1 + 1")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := n.requests()
	if seen[0].query != "key=x%2Fy&key=-5&key=_wA" {
		t.Errorf("read %s", seen[0].query)
	}
	var doc struct {
		Params, Types map[string]any
	}
	if err := json.Unmarshal([]byte(seen[1].body), &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, v := range doc.Params {
		got[fmt.Sprint(v)] = fmt.Sprint(doc.Types[name])
	}
	for value, kind := range map[string]string{
		"tx.now": "<nil>", "5": "int", "9223372036854775808": "uint", "1.5": "double", "YWI=": "bytes", "[1]": "json",
		"2026-11-23T10:00:00.005Z": "timestamp", "-1.5s": "duration", "0": "int", "true": "<nil>",
	} {
		if got[value] != kind {
			t.Errorf("%s is sent as %q, want %q", value, got[value], kind)
		}
	}
	if strings.Contains(seen[1].body, `"revision":0`) || !strings.HasSuffix(seen[1].body, `"return":"1 + 1"}`) {
		t.Errorf("sent %s", seen[1].body)
	}

	_, err = c.Certify(context.Background(), "bank", client.CertifyOptions{}, func(a *client.Attempt) error {
		_, err := a.Row("t", nil, 1.5)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "a key column can't be a float64") {
		t.Errorf("a key that can be none: %v", err)
	}
}
