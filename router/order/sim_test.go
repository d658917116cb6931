package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

// sim is a group of three nodes in one goroutine: orderers without their
// goroutines, a log whose every step the test decides, an engine that executes
// an id once, and a network that loses connections. Time passes when told to.
type sim struct {
	now    time.Time
	nodes  []*simNode
	leader int // index, -1: none
	term   uint64
	engine simEngine
	open   []*simEntry // proposed, not yet committed
	log    []*simEntry // committed
	conns  []*simConn
	cut    map[[2]int]bool // connections that can't be
	trace  func(format string, args ...any)
}

type simNode struct {
	s       *sim
	index   int
	o       *Orderer
	view    view // what its log says of the leader; lags behind
	applied int  // entries of sim.log applied here
	dials   []*link
	refuse  error // of Propose
}

type simEntry struct {
	by       *simNode
	term     uint64
	cmd      []byte
	done     func(Result)
	sequence uint64
	verdicts []outcome.Verdict
}

// simConn is a connection from one node's link to another node.
type simConn struct {
	s        *sim
	from, to *simNode
	l        *link
	in       *inbound
	there    [][]byte // frames on their way to the primary
	back     [][]byte
	closed   bool // by either side
}

func (c *simConn) WriteFrame([]byte) error    { return nil }
func (c *simConn) Flush() error               { return nil }
func (c *simConn) ReadFrame() ([]byte, error) { return nil, errors.New("not used") }
func (c *simConn) Close() error               { c.closed = true; return nil }

// simEngine executes each id once, and skips what was typed against another
// schema than the present one, as the real one does.
type simEngine struct {
	schema   uint64
	revision uint64
	outcomes map[entry.ID]outcome.Outcome
	executed map[entry.ID]int
	proposed map[entry.ID]int // attempts that the log accepted and that may have an effect
	changes  int
}

func newSim(nodes int, change func(*Config)) *sim {
	s := &sim{
		now: time.Unix(1_800_000_000, 0), leader: -1, cut: map[[2]int]bool{},
		engine: simEngine{
			schema: 1, outcomes: map[entry.ID]outcome.Outcome{},
			executed: map[entry.ID]int{}, proposed: map[entry.ID]int{},
		},
		trace: func(string, ...any) {},
	}
	for i := range nodes {
		n := &simNode{s: s, index: i}
		cfg := Config{
			Group: "bank", Self: uint64(i + 1), Session: uint64(0xA0 + i), Log: n, Peers: n,
			Now: func() time.Time { return s.now }, Seed: func() [16]byte { return [16]byte{} },
		}
		if change != nil {
			change(&cfg)
		}
		o, err := newOrderer(cfg)
		if err != nil {
			panic(err)
		}
		o.spawn = func(l *link) { n.dials = append(n.dials, l) }
		n.o = o
		s.nodes = append(s.nodes, n)
	}
	return s
}

// Propose is the log of a node: it takes what this node believes it may propose.
func (n *simNode) Propose(cmd []byte, done func(Result)) error {
	if n.refuse != nil {
		return n.refuse
	}
	if !n.view.ok || n.view.node != n.o.cfg.Self {
		return errors.New("not the leader")
	}
	e := &simEntry{by: n, term: n.view.term, cmd: slices.Clone(cmd), done: done}
	var r entry.Reader
	kind, err := r.Reset(e.cmd)
	if err != nil {
		panic(err)
	}
	switch kind {
	case entry.KindBatch:
		b, err := r.Batch()
		if err != nil {
			panic(err)
		}
		e.sequence = b.Sequence
		var it entry.Item
		for r.Next(&it) {
			n.s.engine.proposed[it.ID]++
		}
		if r.Err() != nil {
			panic(r.Err())
		}
	case entry.KindSchema:
		c, err := r.Schema()
		if err != nil {
			panic(err)
		}
		e.sequence = c.Sequence
	case entry.KindCheckpoint:
		c, err := r.Checkpoint()
		if err != nil {
			panic(err)
		}
		e.sequence = c.Sequence
	}
	n.s.open = append(n.s.open, e)
	return nil
}

func (n *simNode) Leader() (uint64, uint64, bool) { return n.view.node, n.view.term, n.view.ok }
func (n *simNode) Watch(func()) func()            { return func() {} }
func (n *simNode) Dial(context.Context, uint64) (Conn, error) {
	panic("the simulation dials by itself")
}

// elect makes a node leader of a new term, or none; who has heard of it is told
// apart. The old leader's entries may still be committed before any of the new.
func (s *sim) elect(leader int, heard ...int) {
	if leader >= 0 {
		s.term++
		heard = append(heard, leader)
	}
	s.leader = leader
	for _, i := range heard {
		s.hear(i)
	}
}

// hear brings a node's view of the leader up to date.
func (s *sim) hear(i int) {
	n := s.nodes[i]
	n.view = view{uint64(s.leader + 1), s.term, s.leader >= 0}
	s.trace("n%d hears %+v", i+1, n.view)
	n.o.LeaderChanged()
}

// commit puts the i-th open entry into the log, if the leadership it was
// proposed under has not passed: then it is lost.
func (s *sim) commit(i int) {
	e := s.open[i]
	s.open = slices.Delete(s.open, i, i+1)
	if last := len(s.log) - 1; last >= 0 && s.log[last].term > e.term {
		s.trace("lost %d of n%d", e.sequence, e.by.index+1)
		return
	}
	s.engine.apply(e)
	s.log = append(s.log, e)
	s.trace("commit %d of n%d", e.sequence, e.by.index+1)
}

// drop says of an open entry that it was never proposed.
func (s *sim) drop(i int) {
	e := s.open[i]
	s.open = slices.Delete(s.open, i, i+1)
	var r entry.Reader
	if kind, _ := r.Reset(e.cmd); kind == entry.KindBatch {
		_, _ = r.Batch()
		var it entry.Item
		for r.Next(&it) {
			s.engine.proposed[it.ID]--
		}
	}
	s.trace("drop %d of n%d", e.sequence, e.by.index+1)
	e.done(Dropped)
}

// applyNext applies one more committed entry on a node.
func (s *sim) applyNext(i int) bool {
	n := s.nodes[i]
	if n.applied >= len(s.log) {
		return false
	}
	e := s.log[n.applied]
	n.applied++
	if e.by == n && e.verdicts != nil {
		n.o.Applied(e.sequence, e.verdicts)
	}
	return true
}

func (m *simEngine) apply(e *simEntry) {
	var r entry.Reader
	kind, _ := r.Reset(e.cmd)
	switch kind {
	case entry.KindSchema:
		c, _ := r.Schema()
		if c.IfMatch != 0 && c.IfMatch != m.schema {
			e.verdicts = []outcome.Verdict{{Kind: outcome.Executed, Outcome: outcome.Outcome{Code: "changed"}}}
			return
		}
		m.changes++
		m.schema++
		e.verdicts = []outcome.Verdict{{Kind: outcome.Executed, Outcome: outcome.Outcome{Committed: true, Revision: m.schema}}}
	case entry.KindCheckpoint:
		e.verdicts = []outcome.Verdict{{Kind: outcome.Executed, Outcome: outcome.Outcome{Committed: true}}}
	case entry.KindBatch:
		b, _ := r.Batch()
		var it entry.Item
		for r.Next(&it) {
			e.verdicts = append(e.verdicts, m.execute(&b, &it))
		}
	}
}

func (m *simEngine) execute(b *entry.Batch, it *entry.Item) outcome.Verdict {
	if len(it.Params) != 1 || it.Params[0] != it.Fingerprint[0] {
		panic("an item's bytes were used after their owner had them back")
	}
	id := it.ID
	id.Key = string([]byte(id.Key))
	if o, ok := m.outcomes[id]; ok {
		if o.Fingerprint != it.Fingerprint {
			return outcome.Verdict{Kind: outcome.KeyReused}
		}
		return outcome.Verdict{Kind: outcome.Duplicate, Outcome: o}
	}
	if b.SchemaVersion != m.schema {
		m.proposed[id]-- // the log has said that this attempt did nothing
		return outcome.Verdict{Kind: outcome.StaleSchema}
	}
	m.revision++
	m.executed[id]++
	o := outcome.Outcome{ID: id, Fingerprint: it.Fingerprint, Revision: m.revision, Committed: true, Result: fmt.Appendf(nil, "%d", m.revision)}
	m.outcomes[id] = o
	return outcome.Verdict{Kind: outcome.Executed, Outcome: o}
}

// dial lets one waiting link of a node connect, or fail.
func (s *sim) dial(i int) bool {
	n := s.nodes[i]
	if len(n.dials) == 0 {
		return false
	}
	l := n.dials[0]
	n.dials = n.dials[1:]
	to := s.nodes[l.node-1]
	if s.cut[[2]int{i, to.index}] {
		n.o.disconnected(l)
		return true
	}
	c := &simConn{s: s, from: n, to: to, l: l}
	c.in = to.o.newInbound(n.o.cfg.Self, c)
	if !n.o.connected(l, c) {
		panic("an orderer closed too early")
	}
	s.conns = append(s.conns, c)
	return true
}

// carry moves what a connection has one step: a frame written, or one delivered.
func (s *sim) carry(c *simConn) bool {
	moved := false
	if c.closed {
		s.sever(c)
		return true
	}
	for frame := c.from.o.nextFrame(c.l, nil); frame != nil; frame = c.from.o.nextFrame(c.l, nil) {
		c.there = append(c.there, frame)
		moved = true
	}
	frames, pong := c.in.take(nil)
	if pong {
		c.back = append(c.back, []byte{framePong})
		moved = true
	}
	c.back = append(c.back, frames...)
	moved = moved || len(frames) > 0
	return moved
}

func (s *sim) deliverThere(c *simConn) bool {
	if c.closed || len(c.there) == 0 {
		return false
	}
	frame := c.there[0]
	c.there = c.there[1:]
	if err := c.in.serve(frame); err != nil {
		panic(err)
	}
	return true
}

func (s *sim) deliverBack(c *simConn) bool {
	if c.closed || len(c.back) == 0 {
		return false
	}
	frame := c.back[0]
	c.back = c.back[1:]
	if err := c.from.o.receive(c.l, frame); err != nil {
		panic(err)
	}
	return true
}

// sever ends a connection; what was on its way is lost. What had reached the
// primary was served.
func (s *sim) sever(c *simConn) {
	i := slices.Index(s.conns, c)
	s.conns = slices.Delete(s.conns, i, i+1)
	s.trace("connection n%d to n%d ends", c.from.index+1, c.to.index+1)
	c.in.end()
	c.from.o.disconnected(c.l)
}

// pass lets time go by and every clock tick.
func (s *sim) pass(d time.Duration) {
	for ; d > 0; d -= DefaultTick {
		s.now = s.now.Add(min(d, DefaultTick))
		for _, n := range s.nodes {
			n.o.tick()
		}
	}
}

// flow lets everything run until nothing moves: a healthy cluster.
func (s *sim) flow() {
	for moved := true; moved; {
		moved = false
		for i := range s.nodes {
			moved = s.dial(i) || moved
		}
		for _, c := range slices.Clone(s.conns) {
			moved = s.carry(c) || moved
			moved = s.deliverThere(c) || moved
			moved = s.deliverBack(c) || moved
		}
		for len(s.open) > 0 {
			s.commit(0)
			moved = true
		}
		for i := range s.nodes {
			for s.applyNext(i) {
				moved = true
			}
		}
	}
}
