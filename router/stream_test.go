package router

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/engine/outcome"
	"lockstep/router/order"
)

// lateOrder answers transactions on a goroutine of its own, in batches, as a
// log does, and counts how many were under way at most.
type lateOrder struct {
	mu      sync.Mutex
	waiting []*order.Request
	under   atomic.Int64
	most    atomic.Int64
	wake    chan struct{}
}

func newLateOrder(t testing.TB, bank *fakeGroup) *lateOrder {
	l := &lateOrder{wake: make(chan struct{}, 1)}
	bank.submit = func(r *order.Request) bool {
		if n := l.under.Add(1); n > l.most.Load() {
			l.most.Store(n)
		}
		l.mu.Lock()
		l.waiting = append(l.waiting, r)
		l.mu.Unlock()
		select {
		case l.wake <- struct{}{}:
		default:
		}
		return true
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for revision := uint64(10); ; {
			select {
			case <-stop:
				return
			case <-l.wake:
			}
			l.mu.Lock()
			batch := l.waiting
			l.waiting = nil
			l.mu.Unlock()
			// Backwards: the order in which outcomes come is not that of the lines.
			for i := len(batch) - 1; i >= 0; i-- {
				r := batch[i]
				revision++
				l.under.Add(-1)
				o := outcome.Outcome{ID: r.Item.ID, Revision: revision, Committed: true, Result: []byte("null")}
				r.Done(order.Answer{Verdict: outcome.Verdict{Kind: outcome.Executed, Outcome: o}})
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return l
}

// A stream of any length flows with bounded memory, and answers keep the order
// sent (interface.md, Errors; goals.md, Memory). Held at once, the lines of this
// one and what is made of them would take several times what is allowed.
func TestLongStreamTakesBoundedMemory(t *testing.T) {
	lines := 200_000
	if raceEnabled {
		lines = 20_000
	}
	bank := newBank(t)
	late := newLateOrder(t, bank)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	in, out := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(out, 64<<10)
		for i := range lines {
			fmt.Fprintf(w, `{"id":"%d","procedure":"transfer","params":{"from":"alice","to":"bob","amount":1}}`+"\n", i)
		}
		_ = w.Flush()
		_ = out.Close()
	}()
	req, err := http.NewRequest("POST", "http://lockstep"+transactionsPath, in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	c := clientOf(t, ln)
	c.Timeout = time.Minute
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answers := bufio.NewScanner(resp.Body)
	var peak uint64
	n := 0
	for ; answers.Scan(); n++ {
		if want := fmt.Sprintf(`{"id":"%d",`, n); !strings.HasPrefix(answers.Text(), want) {
			t.Fatalf("answer %d is %s", n, answers.Text())
		}
		if n%10_000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if answers.Err() != nil || n != lines {
		t.Fatalf("%d answers of %d: %v", n, lines, answers.Err())
	}
	if most := late.most.Load(); most > maxStreamLines {
		t.Errorf("%d lines were under way at once, more than %d", most, maxStreamLines)
	}
	if peak > 48<<20 {
		t.Errorf("the heap reached %d MiB", peak>>20)
	}
}

// Answers stream back as they finish: a client that sends a line and waits for
// its answer before it sends the next gets it.
func TestStreamAnswersBeforeTheNextLine(t *testing.T) {
	bank := newBank(t)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	for _, path := range []string{transactionsPath, transactionsPath + "?ordered=true"} {
		in, out := io.Pipe()
		req, _ := http.NewRequest("POST", "http://lockstep"+path, in)
		req.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := clientOf(t, ln).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answers := bufio.NewReader(resp.Body)
		for range 3 {
			if _, err := io.WriteString(out, transferOfOne+"\n"); err != nil {
				t.Fatal(err)
			}
			line, err := answers.ReadString('\n')
			if err != nil || !strings.Contains(line, `"committed"`) {
				t.Fatalf("%q %v", line, err)
			}
		}
		_ = out.Close()
		if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
			t.Errorf("%q %v", rest, err)
		}
		_ = resp.Body.Close()
	}
}

// With ?ordered=true a line is proposed only after the one before it has its
// outcome (interface.md, Errors).
func TestOrderedStreamProposesOneAtATime(t *testing.T) {
	bank := newBank(t)
	late := newLateOrder(t, bank)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	body := strings.Repeat(transferOfOne+"\n", 50)
	_, _, answer := send(t, clientOf(t, ln), "POST", transactionsPath+"?ordered=true", body, "Content-Type", "application/x-ndjson")
	if n := strings.Count(answer, "\n"); n != 50 {
		t.Errorf("%d answers", n)
	}
	if most := late.most.Load(); most != 1 {
		t.Errorf("%d lines were under way at once", most)
	}
}

// A stream is slowed down by a full queue, not refused line by line: it has
// somewhere to wait.
func TestStreamWaitsForAFullQueue(t *testing.T) {
	bank := newBank(t)
	var tries atomic.Int64
	bank.submit = func(r *order.Request) bool {
		if tries.Add(1)%3 == 0 {
			return false
		}
		r.Done(order.Answer{Err: order.ErrOverloaded})
		return true
	}
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	c := clientOf(t, ln)
	_, _, answer := send(t, c, "POST", transactionsPath, strings.Repeat(transferOfOne+"\n", 20), "Content-Type", "application/x-ndjson")
	if n := strings.Count(answer, `"committed"`); n != 20 {
		t.Errorf("%d of 20 lines committed:\n%s", n, answer)
	}
	bank.submit = scriptedOrder("overloaded")
	_, _, answer = send(t, c, "POST", transactionsPath+"?timeout=0.02", transferOfOne, "Content-Type", "application/x-ndjson")
	if !strings.Contains(answer, `"code":"overloaded"`) {
		t.Errorf("at the deadline: %s", answer)
	}
}

// A line over the limit is refused and passed over; the stream goes on
// (interface.md, Errors: one bad line does not end the stream).
func TestOverlongLine(t *testing.T) {
	bank := newBank(t)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	body := transferOfOne + "\n" + `{"x":"` + strings.Repeat("x", 5<<20) + `"}` + "\n" + transferOfOne
	_, _, answer := send(t, clientOf(t, ln), "POST", transactionsPath, body, "Content-Type", "application/x-ndjson")
	lines := strings.Split(strings.TrimSpace(answer), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], `"too_large"`) || !strings.Contains(lines[2], `"committed"`) {
		t.Errorf("%s", answer)
	}
}

// Several streams follow each other on one connection: what one leaves unread
// is not taken for the next request.
func TestStreamsShareAConnection(t *testing.T) {
	bank := newBank(t)
	_, ln := startServer(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	conn := dial(t, ln)
	answers := bufio.NewReader(conn)
	for range 3 {
		body := "{bad\n" + strings.Repeat(transferOfOne+"\n", 400)
		fmt.Fprintf(conn, "POST %s?ordered=true HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: %d\r\n\r\n%s", transactionsPath, len(body), body)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || strings.Count(string(text), "\n") != 1 || !strings.Contains(string(text), "malformed") {
			t.Fatalf("%s %v", text, err)
		}
	}
}

// A client that vanishes, in the middle of a line or of its answers, leaves
// nothing behind: the test's end checks for goroutines that stay.
func TestClientVanishesDuringStream(t *testing.T) {
	bank := newBank(t)
	newLateOrder(t, bank)
	s, addr := startLoopback(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	for _, lines := range []int{0, 3, 5000} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n", transactionsPath)
		for range lines {
			fmt.Fprintf(conn, "%x\r\n%s\n\r\n", len(transferOfOne)+1, transferOfOne)
		}
		fmt.Fprintf(conn, "20\r\n{\"procedure\":")
		_ = conn.Close()
	}
	eventually(t, func() bool { return s.metrics.inFlight.Load() == 0 })
}

// A client that reads no answers is not read from, and let go when a write has
// waited for WriteTimeout.
func TestClientThatDoesNotRead(t *testing.T) {
	bank := newBank(t)
	late := newLateOrder(t, bank)
	_, addr := startLoopback(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}}, func(c *Config) { c.WriteTimeout = 200 * time.Millisecond })
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 1000000000\r\n\r\n", transactionsPath)
	block := []byte(strings.Repeat(transferOfOne+"\n", 1000))
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
	var sent int
	for err == nil {
		var n int
		n, err = conn.Write(block)
		sent += n
	}
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		t.Fatalf("the server still holds the connection after %d bytes", sent)
	}
	if most := late.most.Load(); most > maxStreamLines {
		t.Errorf("%d lines under way", most)
	}
}

// A stream may pause, but must not stand still: after StreamIdle it ends with a
// line that says so.
func TestStreamThatStandsStill(t *testing.T) {
	bank := newBank(t)
	_, addr := startLoopback(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}}, func(c *Config) { c.StreamIdle = 50 * time.Millisecond })
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\n\r\n", transactionsPath, len(transferOfOne)+1, transferOfOne)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err != nil || len(lines) != 2 || !strings.Contains(lines[0], "committed") || !strings.Contains(lines[1], "deadline_exceeded") {
		t.Errorf("%s %v", text, err)
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, true func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for range 2500 {
		if true() {
			return
		}
		<-tick.C
	}
	t.Fatal("it did not come about in 5 s")
}

// A node that stops gives the answers that are due, and tells a stream that
// would go on for ever where to go on elsewhere.
func TestShutdownEndsStreams(t *testing.T) {
	bank := newBank(t)
	s, addr := startLoopback(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	conn := connect(t, addr)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\n\r\n", transactionsPath, len(transferOfOne)+1, transferOfOne)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(resp.Body)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "committed") {
		t.Fatalf("%s %v", line, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(answers)
	if err != nil || !strings.Contains(string(rest), `"code":"draining"`) || !strings.Contains(string(rest), "from line 2") {
		t.Errorf("%s %v", rest, err)
	}
}

// Who waits for a schema change that takes hours does not hold up a node's stop.
func TestShutdownEndsAWaitForASchemaChange(t *testing.T) {
	bank := newBank(t)
	bank.schemaWait = make(chan struct{})
	s, addr := startLoopback(t, &fakeCluster{groups: map[string]*fakeGroup{"bank": bank}})
	conn := connect(t, addr)
	fmt.Fprint(conn, "PUT /v1/groups/bank/schema HTTP/1.1\r\nHost: x\r\nContent-Type: application/yaml\r\nContent-Length: 10\r\n\r\ntables: {}")
	<-bank.schemaWait
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"code":"outcome_unknown"`) {
		t.Errorf("%s %v", body, err)
	}
}
