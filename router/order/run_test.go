package order

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"lockstep/engine/entry"
)

// start submits a request and returns where its answer and the time of it come.
func start(o *Orderer, timeout time.Duration) chan Answer {
	done := make(chan Answer, 2)
	r := &Request{Deadline: time.Now().Add(timeout), Done: func(a Answer) { done <- a }}
	r.Item.Params = []byte{1}
	o.Submit(r)
	return done
}

// bubble runs a test in fake time with a group of three.
func bubble(t *testing.T, change func(*Config), f func(t *testing.T, r *room)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, 3, time.Millisecond, change)
		defer r.close(t)
		f(t, r)
	})
}

func want(t *testing.T, done chan Answer, err error, within time.Duration) {
	t.Helper()
	begin := time.Now()
	a := <-done
	if !errors.Is(a.Err, err) {
		t.Fatalf("answered %v, want %v", a.Err, err)
	}
	if took := time.Since(begin); took > within {
		t.Fatalf("answered after %s, want within %s", took, within)
	}
	synctest.Wait()
	select {
	case a := <-done:
		t.Fatalf("answered again: %+v", a)
	default:
	}
}

// "As soon as a slot in the pipeline is free (no timer delay when idle)"
// (architecture.md, The way of a transaction): one round, no more, from any node.
func TestIdleNoDelay(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		r.elect(1)
		for range 3 {
			want(t, start(r.nodes[1].o, time.Second), nil, time.Millisecond)
			want(t, start(r.nodes[2].o, time.Second), nil, time.Millisecond)
			<-time.After(time.Hour)
		}
	})
}

// "Watch for leader changes, and propose again at once under the same id"
// (goals.md): an answer comes one round after the next primary is known.
func TestFailoverIsImmediate(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		r.elect(1)
		r.nodes[1].lost.Store(true) // takes requests and proposes them, and nothing comes of it
		var waiting []chan Answer
		for range 100 {
			waiting = append(waiting, start(r.nodes[2].o, 10*time.Second), start(r.nodes[3].o, 10*time.Second))
		}
		<-time.After(100 * time.Millisecond)
		r.elect(3)
		for _, done := range waiting {
			want(t, done, nil, 3*time.Millisecond)
		}
	})
}

// A planned handover: what is in flight is finished first, nothing is proposed
// after that, and what came in meanwhile, from any node, is answered one round
// after the next primary is known. Resuming instead proposes it at once.
func TestPauseHoldsWhatComes(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		r.elect(1)
		before := start(r.nodes[1].o, time.Second)
		resume, err := r.nodes[1].o.Pause(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want(t, before, nil, 0)
		held := []chan Answer{start(r.nodes[1].o, time.Second), start(r.nodes[2].o, time.Second), start(r.nodes[3].o, time.Second)}
		<-time.After(50 * time.Millisecond)
		if s := r.nodes[1].o.Stats(); s.InFlight != 0 || s.Waiting != 3 {
			t.Fatalf("paused, the primary has %+v", s)
		}
		r.elect(3)
		for _, done := range held {
			want(t, done, nil, 2*time.Millisecond)
		}
		resume()
		r.elect(1)
		if resume, err = r.nodes[1].o.Pause(t.Context()); err != nil {
			t.Fatal(err)
		}
		held = []chan Answer{start(r.nodes[1].o, time.Second), start(r.nodes[2].o, time.Second)}
		<-time.After(50 * time.Millisecond)
		resume()
		for _, done := range held {
			want(t, done, nil, 2*time.Millisecond)
		}
	})
}

// Whoever pauses waits no longer than it wants to, and what was waited for goes on.
func TestPauseGivesUp(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		r.elect(1)
		r.nodes[1].lost.Store(true)
		stuck := start(r.nodes[1].o, 100*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := r.nodes[1].o.Pause(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Pause: %v", err)
		}
		r.nodes[1].lost.Store(false)
		want(t, start(r.nodes[1].o, time.Second), nil, 2*DefaultTick)
		want(t, stuck, ErrOutcomeUnknown, 200*time.Millisecond)
	})
}

// A connection that swallows everything is given up after Config.Silence, and
// what it was sent goes over another: the leader itself never changed.
func TestSilentConnection(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		r.mute = true
		r.elect(1)
		done := start(r.nodes[2].o, 10*time.Second)
		synctest.Wait()
		r.mu.Lock()
		r.mute = false
		r.mu.Unlock()
		want(t, done, nil, DefaultSilence+50*time.Millisecond)
		if r.dials != 2 {
			t.Fatalf("dialled %d times", r.dials)
		}
	})
}

// A slow log is no silent connection: pings are answered.
func TestSlowPrimaryKeepsConnection(t *testing.T) {
	bubble(t, func(c *Config) { c.Stall = time.Minute }, func(t *testing.T, r *room) {
		r.round = 4 * time.Second
		r.elect(1)
		want(t, start(r.nodes[2].o, 10*time.Second), nil, 4*time.Second)
		if r.dials != 1 {
			t.Fatalf("dialled %d times", r.dials)
		}
	})
}

// "No call ever hangs past it" (interface.md, Errors), whatever happens.
func TestDeadlines(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		want(t, start(r.nodes[2].o, 0), ErrDeadline, 0)
		want(t, start(r.nodes[2].o, 300*time.Millisecond), ErrNoPrimary, 300*time.Millisecond)
		r.nodes[1].lost.Store(true)
		r.elect(1)
		want(t, start(r.nodes[1].o, 40*time.Second), ErrOutcomeUnknown, 40*time.Second)
	})
}

// Many clients at all nodes while the primary moves every few rounds and
// connections break: everybody gets a verdict. (Run with -race.)
func TestMovingPrimary(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		r.elect(1)
		const clients, calls = 48, 40
		ended := make(chan error, clients)
		for i := range clients {
			o := r.nodes[uint64(i%3+1)].o
			go func() {
				c := newCaller()
				for range calls {
					if a := c.call(o); a.Err != nil {
						ended <- a.Err
						return
					}
				}
				ended <- nil
			}()
		}
		left := clients
		for moves := uint64(1); left > 0; {
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
				left--
			case <-time.After(7 * time.Millisecond):
				if moves < 30 {
					r.breakLinks()
				}
				moves++
				r.elect(moves%3 + 1)
			}
		}
	})
}

// Draining: what is under way is finished, what is new is refused.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, 3, time.Millisecond, nil)
		defer r.close(t)
		r.elect(1)
		before := []chan Answer{start(r.nodes[2].o, time.Second), start(r.nodes[1].o, time.Second)}
		r.nodes[2].o.Drain()
		r.nodes[1].o.Drain()
		want(t, start(r.nodes[2].o, time.Second), ErrDraining, 0)
		// n2's may reach n1 after n1 began to drain: then it waits for another primary.
		synctest.Wait()
		r.elect(3)
		for _, done := range before {
			want(t, done, nil, 20*time.Millisecond)
		}
		r.nodes[3].lost.Store(true)
		stuck := start(r.nodes[3].o, time.Minute)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := r.nodes[3].o.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("closed with %v", err)
		}
		want(t, stuck, ErrOutcomeUnknown, 0)
		want(t, start(r.nodes[3].o, time.Second), ErrDraining, 0)
	})
}

// An idle group costs nothing: its clock stands still.
func TestClockRests(t *testing.T) {
	bubble(t, nil, func(t *testing.T, r *room) {
		r.elect(1)
		want(t, start(r.nodes[1].o, time.Second), nil, time.Millisecond)
		<-time.After(time.Second)
		synctest.Wait()
		o := r.nodes[1].o
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.ticking {
			t.Fatal("the clock ticks with nothing under way")
		}
	})
}

// A peer that names a group without a copy here learns why it is refused.
func TestUnknownGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newPipe()
		ended := make(chan error, 1)
		go func() { ended <- NewSwitch().Serve(7, b) }()
		_ = a.WriteFrame(append([]byte{wireVersion}, "orders"...))
		_ = a.Flush()
		frame, err := a.ReadFrame()
		if err != nil || frame[0] != frameGoodbye || string(frame[1:]) != `group "orders" has no copy here` {
			t.Fatalf("read %q, %v", frame, err)
		}
		if <-ended == nil {
			t.Fatal("the connection ended without a reason")
		}
	})
}

// "Never below the window": no two of this router's ids under way are further
// apart than the replicated state can tell (transactions.md, Exactly once).
func TestCountersKeepWithinWindow(t *testing.T) {
	var c counters
	for range counterSpan {
		if _, ok := c.take(); !ok {
			t.Fatal("refused within the span")
		}
	}
	for n := uint64(2); n <= counterSpan; n++ {
		c.release(n)
	}
	if n, ok := c.take(); ok {
		t.Fatalf("%d was given while 1 is under way", n)
	}
	if !c.busy(1) || c.busy(2) || c.busy(counterSpan+1) {
		t.Fatal("busy tells something else")
	}
	c.release(1)
	if n, ok := c.take(); !ok || n != counterSpan+1 {
		t.Fatalf("got %d, %t", n, ok)
	}
}

// An id of the form that this router gives, but never gave, is refused: it would
// move the window past every id under way.
func TestForgedID(t *testing.T) {
	s := newSim(3, nil)
	s.elect(0)
	var got error
	r := &Request{Deadline: s.now.Add(time.Second), Done: func(a Answer) { got = a.Err }}
	r.Item.ID = entry.ID{Session: 0xA0, Counter: 1 << 40}
	s.nodes[0].o.Submit(r)
	if !errors.Is(got, ErrUnknownID) {
		t.Fatalf("answered %v", got)
	}
}

// Entries close at their bounds: "at 4 MiB or at a summed cost bound".
func TestEntryBounds(t *testing.T) {
	s := newSim(1, func(c *Config) { c.Pipeline, c.BatchBytes, c.BatchCost = 1, 1000, 100 })
	s.elect(0)
	answers := 0
	submit := func(bytes int, cost uint64) {
		r := &Request{Deadline: s.now.Add(time.Minute), SchemaVersion: 1, Cost: cost, Done: func(Answer) { answers++ }}
		r.Item.Params = make([]byte, bytes)
		s.nodes[0].o.Submit(r)
	}
	submit(1, 1) // goes at once
	for range 4 {
		submit(300, 1) // 428 each with its overhead: two an entry
	}
	submit(5000, 1) // alone: an entry has at least one
	for range 3 {
		submit(1, 50) // two an entry
	}
	submit(1, 500)
	var sizes []int
	for len(s.open) > 0 {
		e := s.open[0]
		s.open = s.open[1:]
		sizes = append(sizes, countItems(t, e.cmd))
		s.nodes[0].o.proposed(e.sequence, Committed)
		s.nodes[0].o.Applied(e.sequence, make([]verdict, sizes[len(sizes)-1]))
	}
	if got, want := sizes, []int{1, 2, 2, 1, 2, 1, 1}; !equal(got, want) || answers != 10 {
		t.Fatalf("entries of %v, want %v; %d answers", got, want, answers)
	}
}
