package client_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"lockstep/router/client"
)

// group is a server's side of streams: it executes each id once, and misbehaves
// as told.
type group struct {
	*httptest.Server

	mu       sync.Mutex
	executed map[string]int // by id
	order    []string       // of first execution
	refused  map[string]bool
	lines    int

	// breaks is asked before each line is answered: whether to break the
	// connection, and whether after the line was executed.
	breaks func(line int) (brk, executed bool)
	// busy says whether this id is refused this time.
	busy func(id string, line int) bool
}

func newGroup(t *testing.T) *group {
	t.Helper()
	g := &group{executed: map[string]int{}, refused: map[string]bool{}}
	g.Server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(g.Close)
	return g
}

func (g *group) serve(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusOK)
	rc.Flush()
	for in := bufio.NewScanner(r.Body); in.Scan(); rc.Flush() {
		var doc struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(in.Bytes(), &doc) != nil {
			fmt.Fprintln(w, `{"type":"/problems/malformed","status":400,"code":"malformed","outcome":"not_applied","retryable":false}`)
			if r.URL.RawQuery == "ordered=true" {
				return
			}
			continue
		}
		if refused := g.line(w, doc.ID); refused && r.URL.RawQuery == "ordered=true" {
			return
		}
	}
}

func (g *group) line(w http.ResponseWriter, id string) (refused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines++
	if g.busy != nil && g.busy(id, g.lines) {
		fmt.Fprintf(w, `{"status":429,"code":"overloaded","outcome":"not_applied","retryable":true,"id":%q}`+"\n", id)
		return true
	}
	brk, executed := false, true
	if g.breaks != nil {
		if brk, executed = g.breaks(g.lines); !brk {
			executed = true
		}
	}
	if executed {
		if g.executed[id] == 0 {
			g.order = append(g.order, id)
		}
		g.executed[id] = 1
	}
	if brk {
		// net/http reads the rest of the body before it closes a connection.
		http.NewResponseController(w).SetReadDeadline(time.Now())
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, `{"id":%q,"group":"bank","revision":%d,"status":"committed","time":"2026-11-23T10:00:00Z","result":null}`+"\n", id, len(g.order))
	return false
}

// pour sends n lines with the ids 0, 1, … and gives the ids answered.
func pour(t *testing.T, s *client.Stream, n int) []string {
	t.Helper()
	go func() {
		defer s.CloseSend()
		for i := range n {
			if err := s.Send([]byte(fmt.Sprintf("{\"id\": \"%d\",\n \"procedure\": \"p\"}", i))); err != nil {
				return
			}
		}
	}()
	var ids []string
	for {
		l, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return ids
		}
		if err != nil {
			t.Fatalf("after %d answers: %v", len(ids), err)
		}
		if l.Outcome == nil {
			t.Fatalf("line %s: %s", l.ID, l.Raw)
		}
		ids = append(ids, l.ID)
	}
}

func checkAll(t *testing.T, g *group, ids []string, n int) {
	t.Helper()
	if len(ids) != n || len(g.executed) != n {
		t.Fatalf("%d answers, %d executed, want %d", len(ids), len(g.executed), n)
	}
	for i, id := range ids {
		if id != fmt.Sprint(i) {
			t.Fatalf("answer %d is of line %s: the order sent is not kept", i, id)
		}
	}
}

// interface.md: a stream of them, a line each, answered by a line each, in the order sent.
func TestAStreamIsAnsweredInTheOrderSent(t *testing.T) {
	g := newGroup(t)
	c := newClient(t, client.Config{}, g.URL)
	s := c.Stream(context.Background(), "bank", client.StreamOptions{Window: 100})
	defer s.Close()
	checkAll(t, g, pour(t, s, 5000), 5000)
}

// A line is answered while the stream is still open for more.
func TestAnswersComeAsTheyFinish(t *testing.T) {
	g := newGroup(t)
	c := newClient(t, client.Config{}, g.URL)
	s := c.Stream(context.Background(), "bank", client.StreamOptions{})
	defer s.Close()
	seen := map[string]bool{}
	for range 3 {
		if err := s.Send([]byte(`{"procedure":"p"}`)); err != nil {
			t.Fatal(err)
		}
		l, err := s.Recv()
		if err != nil || l.ID == "" || seen[l.ID] || l.Outcome.ID != l.ID {
			t.Fatalf("got %+v, %v", l, err)
		}
		seen[l.ID] = true
	}
}

// Whatever breaks, every line is executed once and answered once, in order.
func TestAStreamSurvivesBrokenConnections(t *testing.T) {
	g := newGroup(t)
	g.breaks = func(line int) (bool, bool) { return line%701 == 0, line%2 == 0 }
	c := newClient(t, client.Config{}, deadAddress(t), g.URL)
	s := c.Stream(context.Background(), "bank", client.StreamOptions{Window: 50})
	defer s.Close()
	checkAll(t, g, pour(t, s, 5000), 5000)
}

func TestLinesRefusedForTheMomentAreSentAgain(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprintf("ordered=%v", ordered), func(t *testing.T) {
			g := newGroup(t)
			g.busy = func(id string, line int) bool {
				if line%40 != 0 || g.refused[id] {
					return false
				}
				g.refused[id] = true
				return true
			}
			c := newClient(t, client.Config{}, g.URL)
			s := c.Stream(context.Background(), "bank", client.StreamOptions{Ordered: ordered})
			defer s.Close()
			checkAll(t, g, pour(t, s, 200), 200)
			for i, id := range g.order {
				if ordered && id != fmt.Sprint(i) {
					t.Fatalf("executed %s as number %d: an ordered stream was not kept in order", id, i)
				}
			}
		})
	}
}

// A line that meets a time without updates longer than the stream waits is answered so,
// and one whose earlier attempt is in doubt stays in doubt.
func TestLinesOfAClosedGroupAreAnswered(t *testing.T) {
	for _, broken := range []bool{false, true} {
		connections := 0
		closed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			connections++
			in := bufio.NewScanner(r.Body)
			in.Scan()
			if broken && connections == 1 {
				http.NewResponseController(w).SetReadDeadline(time.Now())
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Content-Type", "application/x-ndjson")
			fmt.Fprintf(w, `{"status":503,"code":"held","outcome":"not_applied","retryable":true,"opens_at":%q}`+"\n", time.Now().Add(time.Hour).Format(time.RFC3339))
		}))
		defer closed.Close()
		c := newClient(t, client.Config{Timeout: 5 * time.Second}, closed.URL)
		s := c.Stream(t.Context(), "bank", client.StreamOptions{})
		if err := s.Send([]byte(transfer)); err != nil {
			t.Fatal(err)
		}
		s.CloseSend()
		l, err := s.Recv()
		want := client.NotApplied
		if broken {
			want = client.Unknown
		}
		if err != nil || l.Problem == nil || l.Problem.Code != "held" || l.Problem.Outcome != want {
			t.Errorf("broken %v: got %+v, %v", broken, l, err)
		}
		s.Close()
	}
}

// interface.md: with ordered=true the stream ends at the first refusal.
func TestAnOrderedStreamEndsAtARefusal(t *testing.T) {
	g := newGroup(t)
	c := newClient(t, client.Config{}, g.URL)
	s := c.Stream(context.Background(), "bank", client.StreamOptions{Ordered: true})
	defer s.Close()
	for _, doc := range []string{`{"id":"a"}`, `nonsense`, `{"id":"b"}`} {
		if err := s.Send([]byte(doc)); err != nil && !errors.Is(err, client.ErrEnded) {
			t.Fatal(err)
		}
	}
	s.CloseSend()
	if l, err := s.Recv(); err != nil || l.ID != "a" {
		t.Fatalf("first: %+v, %v", l, err)
	}
	if l, err := s.Recv(); err != nil || l.Problem == nil || l.Problem.Code != "malformed" {
		t.Fatalf("second: %+v, %v", l, err)
	}
	if l, err := s.Recv(); !errors.Is(err, client.ErrEnded) {
		t.Fatalf("third: %+v, %v", l, err)
	}
}

// One bad line does not end the stream.
func TestABadLineIsAnsweredByAProblem(t *testing.T) {
	g := newGroup(t)
	c := newClient(t, client.Config{}, g.URL)
	s := c.Stream(context.Background(), "bank", client.StreamOptions{})
	defer s.Close()
	for _, doc := range []string{`nonsense`, `[1, 2]`, `{"id":"a"}`} {
		if err := s.Send([]byte(doc)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Send([]byte("broken {\n over lines")); err == nil {
		t.Error("a line with a line break that is no document was taken")
	}
	s.CloseSend()
	for _, want := range []string{"", "", "a"} {
		l, err := s.Recv()
		if err != nil || l.ID != want || (l.Problem == nil) != (want == "a") {
			t.Fatalf("got %+v, %v; want %q", l, err, want)
		}
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Fatalf("at the end: %v", err)
	}
	if err := s.Send([]byte(`{}`)); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestAStreamFailsWhenNobodyAnswers(t *testing.T) {
	release := make(chan struct{})
	silent := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {})
	silent.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	c := newClient(t, client.Config{Timeout: 200 * time.Millisecond}, silent.URL)
	s := c.Stream(context.Background(), "bank", client.StreamOptions{Stall: 40 * time.Millisecond})
	defer s.Close()
	if err := s.Send([]byte(`{"id":"a"}`)); err != nil {
		t.Fatal(err)
	}
	_, err := s.Recv()
	var u *client.Unavailable
	if !errors.As(err, &u) || u.Outcome != client.Unknown {
		t.Fatalf("got %v", err)
	}
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	g := newGroup(t)
	c := newClient(t, client.Config{}, g.URL)
	ctx, cancel := context.WithCancel(context.Background())
	s := c.Stream(ctx, "bank", client.StreamOptions{})
	defer s.Close()
	cancel()
	if _, err := s.Recv(); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := s.Send([]byte(`{}`)); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// A whole refusal (an unknown group) is the stream's own error.
func TestAStreamThatIsRefused(t *testing.T) {
	n := newNode(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		refuse(w, client.Problem{Status: 404, Code: "unknown_group", Outcome: client.NotApplied})
	})
	c := newClient(t, client.Config{}, n.URL)
	s := c.Stream(context.Background(), "bank", client.StreamOptions{})
	defer s.Close()
	if err := s.Send([]byte(`{"id":"a"}`)); err != nil {
		t.Fatal(err)
	}
	s.CloseSend()
	if _, err := s.Recv(); !client.HasCode(err, "unknown_group") {
		t.Fatalf("got %v", err)
	}
}
