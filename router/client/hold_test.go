package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/router/client"
)

// taskServer is a cluster with one task, "sweep" of the bank.
type taskServer struct {
	mu      sync.Mutex
	holder  string
	epoch   uint64
	reason  string
	silent  bool // answers nothing any more
	changed chan struct{}
}

func newTaskServer(t *testing.T) (*taskServer, *client.Client) {
	t.Helper()
	s := &taskServer{changed: make(chan struct{})}
	h := httptest.NewServer(s)
	t.Cleanup(h.Close)
	c, err := client.New(client.Config{Servers: []string{h.URL}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

func (s *taskServer) assign(holder, reason string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holder, s.reason = holder, reason
	s.epoch += 3 // one counter for all tasks of a group
	close(s.changed)
	s.changed = make(chan struct{})
	return s.epoch
}

func (s *taskServer) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

func (s *taskServer) ServeHTTP(w http.ResponseWriter, rq *http.Request) {
	s.mu.Lock()
	silent, epoch, changed := s.silent, s.epoch, s.changed
	s.mu.Unlock()
	switch {
	case silent:
		<-rq.Context().Done()
		return
	case strings.HasSuffix(rq.URL.Path, "/release"):
		var ask struct{ Epoch uint64 }
		if json.NewDecoder(rq.Body).Decode(&ask) != nil || ask.Epoch != epoch {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"code": "fenced", "outcome": "not_applied"}`))
			return
		}
		s.assign("", "normal")
	default:
		after, _ := strconv.ParseUint(rq.URL.Query().Get("after_epoch"), 10, 64)
		seconds, _ := strconv.ParseFloat(rq.Header.Get("Request-Timeout"), 64)
		if epoch <= after {
			select {
			case <-changed:
			case <-time.After(time.Duration(seconds * float64(time.Second))):
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status := "assigned"
	if s.holder == "" {
		status = "unassigned"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"task": "sweep", "group": "bank", "kind": "application", "status": status, "holder": s.holder, "epoch": s.epoch, "reason": s.reason,
		"payload": map[string]int{"every": 3}, "history": []any{},
	})
}

// working is what a call of work has seen.
type working struct {
	held *client.Held
	ctx  context.Context
	end  chan error
}

func hold(t *testing.T, c *client.Client, lease time.Duration) (works chan *working, over chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	works, over = make(chan *working), make(chan error, 1)
	go func() {
		over <- c.Hold(ctx, client.HoldOptions{Task: "sweep", Node: "n1", Lease: lease}, func(ctx context.Context, held *client.Held) error {
			w := &working{held: held, ctx: ctx, end: make(chan error)}
			works <- w
			select {
			case err := <-w.end:
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return works, over
}

// An application learns that it holds a task, with the reason and the epoch, and that
// it holds it no longer.
func TestHoldWorksWhileTheTaskIsHeld(t *testing.T) {
	s, c := newTaskServer(t)
	works, over := hold(t, c, 10*time.Second)
	s.assign("n2", "normal")
	first := s.assign("n1", "recovery")
	w := <-works
	if w.held.Epoch != first || w.held.Reason != "recovery" || w.held.Slot != "sweep" || string(w.held.Payload) != `{"every":3}` {
		t.Errorf("it was told %+v", w.held)
	}
	if step, _ := json.Marshal(w.held.Expect()); string(step) != `{"expect_task":{"epoch":6,"task":"sweep"}}` {
		t.Errorf("the step is %s", step)
	}
	s.assign("n2", "maintenance")
	<-w.ctx.Done()
	second := s.assign("n1", "normal")
	if w = <-works; w.held.Epoch != second {
		t.Errorf("it was told %+v", w.held)
	}
	// Assigned anew to the same node, it is another epoch: the work begins again.
	third := s.assign("n1", "normal")
	<-w.ctx.Done()
	if w = <-works; w.held.Epoch != third {
		t.Errorf("it was told %+v", w.held)
	}
	// Who ends gives the task back; and is called again when it comes back.
	w.end <- nil
	for {
		s.mu.Lock()
		holder, changed := s.holder, s.changed
		s.mu.Unlock()
		if holder == "" {
			break
		}
		<-changed
	}
	s.assign("n1", "normal")
	w = <-works
	failed := errors.New("the file is full")
	w.end <- failed
	if err := <-over; !errors.Is(err, failed) {
		t.Errorf("Hold returned %v", err)
	}
	if s.holder != "" {
		t.Error("the task was not given back")
	}
}

// Who hears nothing for a lease stops: another may hold the task by then.
func TestHoldEndsTheWorkInSilence(t *testing.T) {
	s, c := newTaskServer(t)
	works, _ := hold(t, c, 200*time.Millisecond)
	s.assign("n1", "normal")
	w := <-works
	s.silence()
	<-w.ctx.Done()
}
