package order

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"

	"pgregory.net/rapid"
)

// client is one request of a simulated client, and all answers it ever got.
type client struct {
	request  Request
	node     int
	deadline time.Time
	answers  []Answer
	at       time.Time // of the last answer
	retyped  bool
}

// world is the simulated cluster with its clients: a rapid state machine.
type world struct {
	s       *sim
	clients []*client
}

func (w *world) submit(node int, id entry.ID, fingerprint byte, timeout time.Duration, retype bool) *client {
	c := &client{node: node, deadline: w.s.now.Add(timeout), retyped: retype}
	c.request = Request{
		Item:          entry.Item{ID: id, Fingerprint: entry.Fingerprint{fingerprint}, Params: []byte{fingerprint}},
		SchemaVersion: w.s.engine.schema,
		Deadline:      c.deadline,
	}
	c.request.Done = func(a Answer) { w.answered(c, a) }
	w.clients = append(w.clients, c)
	w.s.nodes[node].o.Submit(&c.request)
	return c
}

// answered is what a router does: what was typed against an old schema is typed
// anew under the same id; all else is the client's answer.
func (w *world) answered(c *client, a Answer) {
	if a.Err == nil && a.Verdict.Kind == outcome.StaleSchema && c.retyped {
		c.request.SchemaVersion = w.s.engine.schema
		w.s.nodes[c.node].o.Submit(&c.request)
		return
	}
	c.answers = append(c.answers, a)
	c.at = w.s.now
	c.request.Item.Params[0] = 0xff // the bytes are the client's again
}

func (w *world) actions() map[string]func(*rapid.T) {
	s := w.s
	node := rapid.IntRange(0, len(s.nodes)-1)
	timeout := rapid.SampledFrom([]time.Duration{7 * time.Millisecond, 50 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second, 20 * time.Second})
	// onConn and onOpen are steps of one connection or one entry, if there is any.
	onConn := func(step func(*simConn)) func(*rapid.T) {
		return func(t *rapid.T) {
			if len(s.conns) > 0 {
				step(s.conns[rapid.IntRange(0, len(s.conns)-1).Draw(t, "connection")])
			}
		}
	}
	onOpen := func(step func(int)) func(*rapid.T) {
		return func(t *rapid.T) {
			if len(s.open) > 0 {
				step(rapid.IntRange(0, len(s.open)-1).Draw(t, "entry"))
			}
		}
	}
	return map[string]func(*rapid.T){
		"submit": func(t *rapid.T) {
			for range rapid.IntRange(1, 5).Draw(t, "count") {
				w.submit(node.Draw(t, "node"), entry.ID{}, 1, timeout.Draw(t, "timeout"), rapid.Bool().Draw(t, "retype"))
			}
		},
		"submit with a client's key": func(t *rapid.T) {
			key := fmt.Sprintf("key-%d", rapid.IntRange(0, 3).Draw(t, "key"))
			w.submit(node.Draw(t, "node"), entry.ID{Key: key}, byte(rapid.IntRange(1, 2).Draw(t, "document")), timeout.Draw(t, "timeout"), true)
		},
		"elect": func(t *rapid.T) {
			s.elect(node.Draw(t, "leader"), rapid.SliceOfN(node, 0, 2).Draw(t, "heard")...)
		},
		"lose the leader": func(t *rapid.T) { s.elect(-1, rapid.SliceOfN(node, 0, 3).Draw(t, "heard")...) },
		"hear":            func(t *rapid.T) { s.hear(node.Draw(t, "node")) },
		"commit":          onOpen(s.commit),
		"drop":            onOpen(s.drop),
		"forget silently": onOpen(func(i int) { s.open = append(s.open[:i:i], s.open[i+1:]...) }),
		"say unknown":     onOpen(func(i int) { s.open[i].done(Unknown) }),
		"apply":           func(t *rapid.T) { s.applyNext(node.Draw(t, "node")) },
		"log refuses": func(t *rapid.T) {
			n := s.nodes[node.Draw(t, "node")]
			if n.refuse = nil; rapid.Bool().Draw(t, "refuse") {
				n.refuse = errors.New("busy")
			}
		},
		"pause": func(t *rapid.T) { s.nodes[node.Draw(t, "node")].o.pause() },
		"resume": func(t *rapid.T) {
			if o := s.nodes[node.Draw(t, "node")].o; o.paused > 0 {
				o.resume()
			}
		},
		"dial":          func(t *rapid.T) { s.dial(node.Draw(t, "node")) },
		"write":         onConn(func(c *simConn) { s.carry(c) }),
		"deliver there": onConn(func(c *simConn) { s.deliverThere(c) }),
		"deliver back":  onConn(func(c *simConn) { s.deliverBack(c) }),
		"sever":         onConn(s.sever),
		"cut": func(t *rapid.T) {
			s.cut[[2]int{node.Draw(t, "from"), node.Draw(t, "to")}] = rapid.Bool().Draw(t, "cut")
		},
		"schema":   func(t *rapid.T) { s.engine.schema++ },
		"all well": func(t *rapid.T) { s.flow() },
		"pass": func(t *rapid.T) {
			s.pass(time.Duration(rapid.SampledFrom([]int{1, 5, 20, 100, 400, 1500}).Draw(t, "ms")) * time.Millisecond)
		},
		"": w.check,
	}
}

// check holds after every step.
func (w *world) check(t *rapid.T) {
	for id, n := range w.s.engine.executed {
		if n > 1 {
			t.Fatalf("%s was executed %d times", id, n)
		}
	}
	for i, c := range w.clients {
		if len(c.answers) > 1 {
			t.Fatalf("request %d was answered %d times: %+v", i, len(c.answers), c.answers)
		}
	}
	for _, n := range w.s.nodes {
		if err := n.o.audit(); err != nil {
			t.Fatalf("n%d: %v", n.index+1, err)
		}
	}
}

// heal ends all trouble. Whoever still waits has a verdict soon, and long before
// the deadline: nothing is stuck.
func (w *world) heal(t *rapid.T) {
	w.s.pass(DefaultTick) // what is due now is refused, not answered
	clear(w.s.cut)
	for _, n := range w.s.nodes {
		n.refuse = nil
		for n.o.paused > 0 {
			n.o.resume()
		}
	}
	w.s.elect(rapid.IntRange(0, len(w.s.nodes)-1).Draw(t, "last leader"), 0, 1, 2)
	fresh := w.submit(0, entry.ID{}, 1, 10*time.Second, true)
	for range 60 {
		w.s.flow()
		w.s.pass(DefaultTick)
	}
	if len(fresh.answers) == 1 && fresh.answers[0].Err != nil && !errors.Is(fresh.answers[0].Err, ErrOverloaded) {
		t.Fatalf("after all trouble a new request is answered %+v", fresh.answers)
	}
	for i, c := range w.clients {
		if len(c.answers) == 0 {
			t.Fatalf("after all trouble request %d of n%d still waits", i, c.node+1)
		}
	}
}

// finish lets the deadlines pass and judges every answer.
func (w *world) finish(t *rapid.T) {
	w.s.pass(21 * time.Second)
	definite := map[entry.ID]bool{}
	for i, c := range w.clients {
		id := c.request.Item.ID
		if len(c.answers) != 1 {
			t.Fatalf("request %d (%s) has %d answers after its deadline", i, id, len(c.answers))
		}
		a := c.answers[0]
		if late := c.at.Sub(c.deadline); late > DefaultTick && a.Err != nil {
			t.Fatalf("request %d was refused %s after its deadline", i, late)
		}
		w.judge(t, i, c, a)
		isDefinite := a.Err != nil && !errors.Is(a.Err, ErrOutcomeUnknown)
		if before, seen := definite[id]; seen {
			isDefinite = isDefinite && before
		}
		definite[id] = isDefinite
	}
	// Nobody can hear any more of what was proposed: a definite refusal of every
	// request under an id means that no log ever had it.
	for id, is := range definite {
		if is && w.s.engine.proposed[id] != 0 {
			t.Fatalf("%s was refused for certain, yet it was proposed", id)
		}
	}
	for _, n := range w.s.nodes {
		if s := n.o.Stats(); s.UnderWay != 0 || s.Foreign != 0 || s.Waiting != 0 {
			t.Fatalf("n%d still has %+v", n.index+1, s)
		}
	}
}

func (w *world) judge(t *rapid.T, i int, c *client, a Answer) {
	if a.Err != nil {
		return
	}
	id := c.request.Item.ID
	recorded, executed := w.s.engine.outcomes[id]
	switch a.Verdict.Kind {
	case outcome.Executed, outcome.Duplicate:
		o := a.Verdict.Outcome
		if !executed || o.ID != id || o.Revision != recorded.Revision || string(o.Result) != string(recorded.Result) || o.Fingerprint != c.request.Item.Fingerprint {
			t.Fatalf("request %d was answered %+v, the state has %+v", i, o, recorded)
		}
	case outcome.KeyReused:
		if !executed || recorded.Fingerprint == c.request.Item.Fingerprint {
			t.Fatalf("request %d: its key was not used with another document", i)
		}
	case outcome.StaleSchema:
		if c.retyped {
			t.Fatalf("request %d was not typed anew", i)
		}
		if executed && !c.request.Attempted {
			t.Fatalf("request %d was executed, and may be taken for one that never was", i)
		}
	default:
		t.Fatalf("request %d: verdict %d", i, a.Verdict.Kind)
	}
}

// audit recounts everything that is kept as a count.
func (o *Orderer) audit() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	flying, bytes := 0, 0
	for _, b := range o.batches {
		if !b.ghost {
			flying++
		}
	}
	if flying != o.inFlight {
		return fmt.Errorf("%d entries in flight are counted as %d", flying, o.inFlight)
	}
	count := 0
	for p := o.waiting.first; p != nil; p = p.next {
		count++
		bytes += p.size
		if p.flying || p.queue != &o.waiting || p.first == nil {
			return fmt.Errorf("waiting: %+v", p)
		}
	}
	if count != o.waiting.count || bytes != o.waiting.bytes {
		return fmt.Errorf("%d waiting with %d bytes are counted as %d with %d", count, bytes, o.waiting.count, o.waiting.bytes)
	}
	onWheel := 0
	for _, r := range o.wheel.slots {
		for ; r != nil; r = r.nextDue {
			onWheel++
			if r.pend == nil || r.pend.doubt < 0 {
				return fmt.Errorf("request %+v of %+v", r, r.pend)
			}
		}
	}
	if onWheel != o.wheel.count || onWheel != o.requests+o.foreign {
		return fmt.Errorf("%d requests are counted as %d, %d and %d", onWheel, o.wheel.count, o.requests, o.foreign)
	}
	return nil
}

// TestExactlyOnce: "the same id again returns it, after any failover"
// (transactions.md, Exactly once); "every request has a deadline, and no call
// ever hangs past it"; "no_primary … never proposed, nothing happened"
// (interface.md, Errors).
func TestExactlyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{s: newSim(3, func(c *Config) {
			c.Pipeline = rapid.IntRange(1, 3).Draw(t, "pipeline")
			c.Requests = rapid.SampledFrom([]int{4, 50}).Draw(t, "requests")
			c.Foreign = rapid.SampledFrom([]int{3, 50}).Draw(t, "foreign")
			c.BatchItems = rapid.SampledFrom([]int{1, 3, 100}).Draw(t, "items")
			c.Stall = 2 * time.Second
		})}
		t.Repeat(w.actions())
		if rapid.Bool().Draw(t, "heal") {
			w.heal(t)
		}
		w.finish(t)
	})
}
