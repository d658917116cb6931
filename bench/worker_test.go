package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is a node that answers as its test wants, and keeps what it got.
type script struct {
	mu     sync.Mutex
	got    []string                                            // documents
	answer func(n int, id string) (line string, breakOff bool) // of the n-th document, from 0
}

func (s *script) take(doc string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.got)
	s.got = append(s.got, doc)
	_, rest, _ := strings.Cut(doc, `{"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return s.answer(n, id)
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	batch := r.Header.Get("Content-Type") == "application/x-ndjson"
	for lines.Scan() {
		line, breakOff := s.take(lines.Text())
		if breakOff {
			panic(http.ErrAbortHandler)
		}
		switch {
		case strings.HasPrefix(line, `{"type"`) && !batch:
			w.WriteHeader(http.StatusServiceUnavailable)
		case strings.HasPrefix(line, "WHOLE "):
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, line[len("WHOLE "):])
			return
		}
		fmt.Fprintln(w, line)
		w.(http.Flusher).Flush()
	}
}

func commitLine(id string, revision int) string {
	return fmt.Sprintf(`{"id":%q,"group":"g","revision":%d,"status":"committed","time":"2026-11-23T10:00:00Z","result":null}`, id, revision)
}

const (
	laterProblem   = `{"type":"/problems/no_primary","status":503,"code":"no_primary","outcome":"not_applied","retryable":true}`
	unknownProblem = `{"type":"/problems/outcome_unknown","status":504,"code":"outcome_unknown","outcome":"unknown","retryable":true}`
	refusedProblem = `{"type":"/problems/invalid","status":422,"code":"invalid","outcome":"not_applied","retryable":false}`
)

// scripted makes a crew of one worker on a node of a script.
func scripted(t *testing.T, answer func(n int, id string) (string, bool)) (*crew, *script) {
	t.Helper()
	s := &script{answer: answer}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	to, err := newServers([]string{server.URL}, "g", 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(to.close)
	return newCrew(&transfers{run: "run", seed: 1, accounts: 3}, to, 1), s
}

func (c *crew) send(t *testing.T, transactions, batch int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var b budget
	b.left.Store(int64(transactions))
	return c.run(ctx, batch, b.take)
}

// transactions.md, Exactly once: the same id again returns the outcome. What is in
// doubt is sent again, the same to the byte, and nothing else is.
func TestWhatIsInDoubtIsSentAgainUnderTheSameID(t *testing.T) {
	for _, batch := range []int{1, 3} {
		c, s := scripted(t, func(n int, id string) (string, bool) {
			switch n {
			case 1:
				return unknownProblem, false
			case 3:
				return "", true
			case 4:
				return laterProblem, false
			}
			return commitLine(id, n+1), false
		})
		if err := c.send(t, 6, batch); err != nil {
			t.Fatal(err)
		}
		sent := map[string]int{}
		for _, doc := range s.got {
			sent[doc]++
		}
		if len(sent) != 6 {
			t.Errorf("batch %d: %d documents, and 6 transactions: %v", batch, len(sent), s.got)
		}
		if c.tally.committed.Load() != 6 || c.tally.doubted.Load() != []int64{1: 2, 3: 1}[batch] || c.tally.resolved.Load() != c.tally.doubted.Load() {
			t.Errorf("batch %d: committed %d, doubted %d, resolved %d", batch, c.tally.committed.Load(), c.tally.doubted.Load(), c.tally.resolved.Load())
		}
		if int(c.tally.retries.Load()) < len(s.got)-6 {
			t.Errorf("batch %d: %d documents arrived, %d retries", batch, len(s.got), c.tally.retries.Load())
		}
		if check := checkResolved(c.book()); !check.OK {
			t.Errorf("batch %d: %+v", batch, check)
		}
		errs := c.tally.errors()
		if errs["outcome_unknown"] != 1 || errs["connection_broken"] != 1 || errs["no_primary"] != 1 {
			t.Errorf("batch %d: errors %v", batch, errs)
		}
	}
}

// What was answered before a connection broke is acknowledged, and is not sent
// again.
func TestLinesAnsweredBeforeABreakCount(t *testing.T) {
	c, s := scripted(t, func(n int, id string) (string, bool) { return commitLine(id, n+1), n == 2 })
	if err := c.send(t, 4, 4); err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, doc := range s.got {
		times[doc]++
	}
	if first := times[s.got[0]]; first != 1 {
		t.Errorf("an answered line was sent %d times", first)
	}
	if c.tally.committed.Load() != 4 || c.tally.doubted.Load() != 2 {
		t.Errorf("committed %d, doubted %d", c.tally.committed.Load(), c.tally.doubted.Load())
	}
}

// A problem in place of a stream of answers stands for each of its lines.
func TestAProblemForAWholeBatch(t *testing.T) {
	c, _ := scripted(t, func(n int, id string) (string, bool) {
		if n == 0 {
			return "WHOLE " + laterProblem, false
		}
		return commitLine(id, n+1), false
	})
	if err := c.send(t, 3, 3); err != nil {
		t.Fatal(err)
	}
	if c.tally.committed.Load() != 3 || c.tally.doubted.Load() != 0 || c.tally.errors()["no_primary"] != 3 {
		t.Errorf("committed %d, doubted %d, errors %v", c.tally.committed.Load(), c.tally.doubted.Load(), c.tally.errors())
	}
}

// A final refusal and an answer to another transaction end the run: a workload of
// correct documents must meet neither.
func TestWhatMustNotBeAnsweredEndsTheRun(t *testing.T) {
	for _, batch := range []int{1, 2} {
		for what, answer := range map[string]string{
			"was refused: invalid": refusedProblem,
			`is of id "other"`:     commitLine("other", 7),
			"is no document":       `{"id":`,
		} {
			c, _ := scripted(t, func(int, string) (string, bool) { return answer, false })
			err := c.send(t, batch, batch)
			if err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("batch %d: %v, and not: %s", batch, err, what)
			}
		}
	}
}

// A run that is interrupted ends, whatever the nodes do.
func TestAnInterruptedRunEnds(t *testing.T) {
	c, _ := scripted(t, func(int, string) (string, bool) { return laterProblem, false })
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("interrupted"))
	if err := c.run(ctx, 1, func(int) int { return 1 }); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("ended with %v", err)
	}
}

// interface.md, Errors: a client decides by outcome, code and retryable.
func TestReadingAnswers(t *testing.T) {
	for _, one := range []struct {
		doc  string
		want reply
		bad  bool
	}{
		{doc: commitLine("a", 12), want: reply{kind: committed, revision: 12}},
		{doc: `{"revision":12, "status":"committed", "id":"a", "group":"g"}`, want: reply{kind: committed, revision: 12, id: "a"}},
		{doc: `{"id":"a","group":"g","revision":4,"status":"aborted","code":"c"}`, want: reply{kind: aborted, revision: 4, id: "a", code: "c"}},
		{doc: `{"type":"/problems/aborted","status":409,"code":"c","outcome":"not_applied","retryable":false,"id":"a","revision":4}`, want: reply{kind: aborted, revision: 4, id: "a", code: "c"}},
		{doc: laterProblem, want: reply{kind: later, code: "no_primary"}},
		{doc: unknownProblem, want: reply{kind: unknown, code: "outcome_unknown"}},
		{doc: refusedProblem, want: reply{kind: refused, code: "invalid"}},
		{doc: commitLine("b", 12), bad: true},
		{doc: commitLine("a", 0), bad: true},
		{doc: `{"id":"a","group":"g","revision":12,"status":"committed","result":`, bad: true},
		{doc: ``, bad: true},
	} {
		got, err := readReply([]byte(one.doc), []byte("a"))
		if (err != nil) != one.bad || err == nil && got != one.want {
			t.Errorf("%s: %+v, %v", one.doc, got, err)
		}
	}
}

// A document and its id are the same each time, and ids and accounts are read back.
func TestDocumentsAreMadeAgain(t *testing.T) {
	load := newTransfers(3, 50)
	for number := range 200 {
		first, second := load.appendDocument(nil, 4, number), load.appendDocument(nil, 4, number)
		if !bytes.Equal(first, second) {
			t.Fatalf("%s and %s", first, second)
		}
		worker, n, ok := load.parseID(string(load.appendID(nil, 4, number)))
		if !ok || worker != 4 || n != number {
			t.Fatalf("read back %d %d %v", worker, n, ok)
		}
		d := load.draw(4, number)
		account, ok := load.parseAccount(string(load.appendAccount(nil, d.from)))
		if !ok || account != d.from || d.from == d.to || d.to < 0 || d.to >= 50 || d.amount < 1 || d.amount > maxAmount {
			t.Fatalf("drawn %+v, account %d %v", d, account, ok)
		}
	}
	for _, foreign := range []string{"", "x-1-2", load.run + "-open-3", load.run + "-1", load.run + "-h1-2"} {
		if _, _, ok := load.parseID(foreign); ok {
			t.Errorf("%q was read as a transfer's id", foreign)
		}
	}
}

// goals.md: the gap is the longest time between two commits anywhere in the client;
// one that is open when a fault comes counts from its beginning.
func TestGaps(t *testing.T) {
	g := newGapMeter()
	for _, at := range []int64{100, 150, 400, 410} {
		g.commitAt(at)
	}
	if g.gap() != 250 {
		t.Errorf("the longest gap is %d", g.gap())
	}
	g.reset()
	g.commitAt(500)
	g.commitAt(495) // another client, whose clock was read a moment before
	g.commitAt(520)
	if g.gap() != 90 || g.lastCommit() != 520 {
		t.Errorf("the longest gap is %d, the last commit at %d", g.gap(), g.lastCommit())
	}
	if m := median([]float64{5, 1, 9}); m != 5 {
		t.Errorf("median %v", m)
	}
	if m := median([]float64{4, 1, 9, 2}); m != 3 {
		t.Errorf("median %v", m)
	}
}

// goals.md, How to measure: warm-up is not counted.
func TestOnlyTheWindowIsMeasured(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	m := newMeter(at(2), at(12))
	m.record(at(0), at(1), 1)    // before
	m.record(at(1), at(3), 10)   // across the beginning: work of the window, its latency not
	m.record(at(3), at(3.5), 10) // within
	m.record(at(11), at(13), 10) // across the end
	if m.committed != 20 || m.latency.TotalCount() != 1 {
		t.Errorf("%d committed, %d latencies", m.committed, m.latency.TotalCount())
	}
	if got := millis(m.latency.ValueAtPercentile(50)); got < 499 || got > 501 {
		t.Errorf("p50 is %v ms", got)
	}
}

// A budget gives out what it has, and more only as long as it is told to.
func TestBudget(t *testing.T) {
	more := true
	b := budget{extra: func() bool { return more }}
	b.left.Store(5)
	if got := []int{b.take(3), b.take(3), b.take(3)}; fmt.Sprint(got) != "[3 2 3]" {
		t.Errorf("gave %v", got)
	}
	more = false
	if got := b.take(3); got != 0 {
		t.Errorf("gave %d", got)
	}
}
