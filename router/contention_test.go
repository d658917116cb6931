package router

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/router/order"
)

const (
	conflictOnAlice = `the row ["alice"] of accounts was written by revision 7; revision 5 was expected`
	conflictOnBob   = `the row ["bob"] of accounts is not there; revision 5 was expected`
)

// Whoever lost a row is given a turn of its own, one after the other, a
// transaction's time apart; turns on one row don't make another row wait.
func TestWhoLostARowIsGivenATurn(t *testing.T) {
	c, now := newContention(), time.Now()
	for range 100 {
		c.note(4 * time.Millisecond)
	}
	for i := 1; i <= 6; i++ {
		if d := c.turn("alice", 10, now); d != time.Duration(i)*4*time.Millisecond {
			t.Errorf("turn %d comes after %v", i, d)
		}
	}
	if d := c.turn("bob", 10, now); d != 4*time.Millisecond {
		t.Errorf("the first on another row waits %v", d)
	}
	if d := c.turn("alice", 10, now.Add(time.Hour)); d != 4*time.Millisecond {
		t.Errorf("when all turns are over the next one waits %v", d)
	}
	for range 10_000 {
		if d := c.turn("alice", 10, now); d > maxAdvice {
			t.Fatalf("%v is advised", d)
		}
	}
}

// A few transactions that took very long don't send everybody far away.
func TestTurnsFollowTheMedian(t *testing.T) {
	c := newContention()
	for i := range 2000 {
		took := 5 * time.Millisecond
		if i%10 == 0 {
			took = 3 * time.Second
		}
		c.note(took)
	}
	if d := c.turn("alice", 1, time.Now()); d < 4*time.Millisecond || d > 8*time.Millisecond {
		t.Errorf("a turn is %v long, where most transactions take 5 ms", d)
	}
}

// Three routers that serve a third of the clients each leave the turns of the
// others' free.
func TestTurnsLeaveRoomForOtherRouters(t *testing.T) {
	c, now := newContention(), time.Now()
	revision := uint64(1000)
	for range 20 {
		for range 50 {
			c.note(2 * time.Millisecond)
		}
		revision += 150
		now = now.Add(contentionLook)
		c.turn("alice", revision, now)
	}
	c.turn("alice", revision, now) // the row's queue: what is booked lies ahead
	if c.share < 2.9 || c.share > 3.1 {
		t.Errorf("of 150 revisions 50 were answered here, and the share is taken for 1 in %v", c.share)
	}
}

// The row is what conflicts are counted by: its message is the engine's, and a key
// that looks like the rest of a message changes nothing.
func TestConflictsNameTheirRow(t *testing.T) {
	for message, want := range map[string]string{
		conflictOnAlice: `the row ["alice"] of accounts`,
		conflictOnBob:   `the row ["bob"] of accounts`,
		`the row ["x was written by revision 1"] of t was written by revision 9; none was expected`: `the row ["x was written by revision 1"] of t`,
		"something else": "",
	} {
		if got := program.ConflictRow(message); got != want {
			t.Errorf("%s: row %q, want %q", message, got, want)
		}
	}
}

// A conflict's problem carries advice, and nothing else does: neither another abort,
// nor the recorded outcome, which is the same on every copy and for ever.
func TestAConflictCarriesAdvice(t *testing.T) {
	bank := newBank(t)
	bank.submit = func(r *order.Request) bool {
		o := outcome.Outcome{ID: r.Item.ID, Fingerprint: r.Item.Fingerprint, Revision: 9, Code: "conflict", Step: "steps[0]", Message: conflictOnAlice}
		if strings.Contains(r.Item.ID.String(), "other") {
			o.Code = "insufficient_funds"
		}
		bank.mu.Lock()
		bank.outcomes[r.Item.ID] = o
		bank.mu.Unlock()
		r.Done(order.Answer{Verdict: outcome.Verdict{Kind: outcome.Executed, Outcome: o}})
		return true
	}
	s, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	f, p := s.find("bank")
	if p != nil {
		t.Fatal(p.Detail)
	}
	// Transactions take so long that the turns are not over before all are given.
	f.contention.note(maxTurn)
	c := clientOf(t, ln)
	ask := func(method, path, body string) (map[string]any, http.Header) {
		_, h, text := send(t, c, method, path, body)
		var doc map[string]any
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return doc, h
	}
	var before float64
	for i := range 3 {
		doc, h := ask("POST", transactionsPath, fmt.Sprintf(`{"id":"k%d",%s`, i, transferOfOne[1:]))
		millis, _ := doc["retry_after_ms"].(float64)
		if millis <= before || h.Get("Retry-After") != "1" || doc["retryable"] != false || doc["detail"] != conflictOnAlice {
			t.Errorf("conflict %d: Retry-After %q, %v", i, h.Get("Retry-After"), doc)
		}
		before = millis
	}
	if doc, h := ask("POST", transactionsPath, `{"id":"other",`+transferOfOne[1:]); doc["retry_after_ms"] != nil || h.Get("Retry-After") != "" {
		t.Errorf("an abort that is no conflict: %q, %v", h.Get("Retry-After"), doc)
	}
	if doc, _ := ask("GET", transactionsPath+"/k1", ""); doc["status"] != "aborted" || doc["retry_after_ms"] != nil {
		t.Errorf("the recorded outcome: %v", doc)
	}
}

// What is answered from the record, as to a client that sends its transaction again,
// says nothing of how long a transaction takes, nor of this router's share of them.
func TestAnswersFromTheRecordAreNotCounted(t *testing.T) {
	bank := newBank(t)
	kind := outcome.Duplicate
	bank.submit = func(r *order.Request) bool {
		o := outcome.Outcome{ID: r.Item.ID, Fingerprint: r.Item.Fingerprint, Revision: 9, Committed: true}
		r.Done(order.Answer{Verdict: outcome.Verdict{Kind: kind, Outcome: o}})
		return true
	}
	s, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	f, p := s.find("bank")
	if p != nil {
		t.Fatal(p.Detail)
	}
	c := clientOf(t, ln)
	for i, want := range []uint64{0, 1} {
		if status, _, text := send(t, c, "POST", transactionsPath, fmt.Sprintf(`{"id":"k%d",%s`, i, transferOfOne[1:])); status != 200 {
			t.Fatalf("answered %d %s", status, text)
		}
		if n := f.contention.answered.Load(); n != want || (f.contention.took.Load() != 0) != (want == 1) {
			t.Errorf("after an answer of kind %d %d are counted, want %d", kind, n, want)
		}
		kind = outcome.Executed
	}
}
