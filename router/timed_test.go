package router

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/router/windows"
)

// closedNowFor is a window that began an hour ago and ends in one.
func closedNowFor(t *testing.T, kind windows.Kind) *windows.Windows {
	t.Helper()
	now := time.Now().UTC()
	w, problems := windows.Parse(fmt.Appendf(nil, `[{"deny": %q, "from": %q, "to": %q, "name": "closing"}]`,
		kind, now.Add(-time.Hour).Format("15:04"), now.Add(time.Hour).Format("15:04")))
	if problems != nil {
		t.Fatal(problems)
	}
	return w
}

// Patent, paragraph 59: update windows. A transaction that comes at a time when none
// are taken is refused and told when to come again. One that is under way goes on, and
// the same id sent again is answered with its outcome.
func TestTransactionsWaitForTheirWindow(t *testing.T) {
	bank := newBank(t)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	keyed := func(id string, amount int) string {
		return fmt.Sprintf(`{"id":%q,"procedure":"transfer","params":{"from":"alice","to":"bob","amount":%d}}`, id, amount)
	}
	status, _, first := send(t, c, "POST", transactionsPath, keyed("before", 1))
	if status != 200 {
		t.Fatalf("before the window: %d %s", status, first)
	}
	bank.advance(func() { bank.windows = closedNowFor(t, windows.Updates) })
	for _, doc := range []string{transferOfOne, keyed("new", 1)} {
		status, h, body := send(t, c, "POST", transactionsPath, doc)
		var p struct {
			Code, Outcome, Window, Detail string
			Opens                         time.Time `json:"opens_at"`
			Retryable                     bool
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		seconds, err := strconv.Atoi(h.Get("Retry-After"))
		if status != 503 || p.Code != "held" || p.Outcome != "not_applied" || !p.Retryable || err != nil {
			t.Errorf("%s: %d %s", doc, status, body)
		}
		if left := time.Until(p.Opens); left > time.Hour || left < 58*time.Minute || seconds < int(left/time.Second) || seconds > int(left/time.Second)+2 {
			t.Errorf("it opens at %v, and Retry-After is %d", p.Opens, seconds)
		}
		if !strings.Contains(p.Window, "closing: updates are denied daily") || !strings.Contains(p.Detail, p.Window) {
			t.Errorf("the window is not named: %s", body)
		}
	}
	if status, _, body := send(t, c, "POST", transactionsPath, keyed("before", 1)); status != 200 || body != first {
		t.Errorf("sent again: %d %s", status, body)
	}
	if status, _, body := send(t, c, "POST", transactionsPath, keyed("before", 2)); status != 422 || !strings.Contains(body, "idempotency_key_reused") {
		t.Errorf("another document under its id: %d %s", status, body)
	}
	bank.advance(func() { bank.pending[entry.ParseID("going")] = true })
	if status, _, body := send(t, c, "POST", transactionsPath, keyed("going", 1)); status != 200 {
		t.Errorf("under way: %d %s", status, body)
	}
	lines := keyed("before", 1) + "\n" + keyed("line", 1) + "\n"
	_, _, body := send(t, c, "POST", transactionsPath, lines, "Content-Type", "application/x-ndjson")
	if got := strings.Split(body, "\n"); len(got) != 3 || !strings.Contains(got[0], `"committed"`) || !strings.Contains(got[1], `"code":"held"`) || !strings.Contains(got[1], `"opens_at"`) {
		t.Errorf("lines: %s", body)
	}
	// Reads are not updates.
	if status, _, body := send(t, c, "POST", queryPath, `{"steps":[],"params":{"a":1}}`); status != 200 {
		t.Errorf("a query: %d %s", status, body)
	}
	bank.advance(func() { bank.windows = nil })
	if status, _, body := send(t, c, "POST", transactionsPath, keyed("new", 1)); status != 200 {
		t.Errorf("after the window: %d %s", status, body)
	}
}

// A query is heavy once it has used what a transaction may: then the window concerns
// it, and light ones go on.
func TestHeavyQueriesWaitForTheirWindow(t *testing.T) {
	bank := newBank(t)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	bank.advance(func() { bank.windows = closedNowFor(t, windows.HeavyQueries) })
	status, h, body := send(t, c, "POST", queryPath+"?timeout=20&consistency=local", heavyQuery)
	if status != 503 || !strings.Contains(body, `"code":"held"`) || !strings.Contains(body, "queries that use more than a transaction may") || h.Get("Retry-After") == "" {
		t.Errorf("%d %s", status, body)
	}
	if status, _, body := send(t, c, "POST", queryPath, `{"steps":[],"params":{"a":1}}`); status != 200 {
		t.Errorf("a light query: %d %s", status, body)
	}
	if status, _, body := send(t, c, "POST", transactionsPath, transferOfOne); status != 200 {
		t.Errorf("a transaction: %d %s", status, body)
	}
}

// What can't be satisfied is refused when it is written, with the place.
func TestWindowsOfANewGroupAreChecked(t *testing.T) {
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{}, create: func(GroupSpec) (bool, error) { return true, nil }})
	c := clientOf(t, ln)
	for setting, want := range map[string]string{
		`[{"deny": "updates", "days": "mon-fry"}]`: `"pointer":"/settings/update_windows/0/days"`,
		`[{"deny": "updates"}]`:                    "at all times",
		`"never"`:                                  `"pointer":"/settings/update_windows"`,
	} {
		status, _, body := send(t, c, "POST", "/v1/groups", `{"name": "orders", "copies": 3, "settings": {"update_windows": `+setting+`}}`)
		if status != 422 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", setting, status, body)
		}
	}
	if status, _, body := send(t, c, "POST", "/v1/groups", `{"name": "orders", "copies": 3, "settings": {"update_windows": [{"allow": "updates", "days": "sat"}]}}`); status != 201 {
		t.Errorf("%d %s", status, body)
	}
}

// Retry-After is about what is in the way: a queue that is too long, by its length and
// its pace. Whole seconds in the header, milliseconds in the document where they say
// more.
func TestRetryAfterIsAboutTheQueue(t *testing.T) {
	bank := newBank(t)
	bank.submit = scriptedOrder("overloaded")
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	for _, q := range []struct {
		backlog time.Duration
		header  string
		millis  any
	}{
		{1500 * time.Millisecond, "2", 1500.0},
		{90 * time.Millisecond, "1", 90.0},
		{0, "1", nil}, // nothing is known: a second
		{time.Hour, "30", nil},
	} {
		bank.advance(func() { bank.backlog = q.backlog })
		status, h, body := send(t, c, "POST", transactionsPath, transferOfOne)
		var p map[string]any
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		if status != http.StatusTooManyRequests || h.Get("Retry-After") != q.header || p["retry_after_ms"] != q.millis {
			t.Errorf("a queue of %v: %d, Retry-After %q, %s", q.backlog, status, h.Get("Retry-After"), body)
		}
	}
}
