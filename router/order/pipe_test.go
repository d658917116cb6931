package order

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

// pipe is one end of a connection in memory.
type pipe struct {
	in, out chan []byte
	over    chan struct{}
	once    *sync.Once
	held    [][]byte
	mute    bool // what is written disappears, as behind a broken switch
}

func newPipe() (a, b *pipe) {
	x, y, over, once := make(chan []byte, 64), make(chan []byte, 64), make(chan struct{}), &sync.Once{}
	return &pipe{in: x, out: y, over: over, once: once}, &pipe{in: y, out: x, over: over, once: once}
}

func (p *pipe) WriteFrame(b []byte) error {
	p.held = append(p.held, slices.Clone(b))
	return nil
}

func (p *pipe) Flush() error {
	for _, b := range p.held {
		if p.mute {
			continue
		}
		select {
		case p.out <- b:
		case <-p.over:
			return io.ErrClosedPipe
		}
	}
	p.held = p.held[:0]
	return nil
}

func (p *pipe) ReadFrame() ([]byte, error) {
	select {
	case b := <-p.in:
		return b, nil
	case <-p.over:
		return nil, io.EOF
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.over) })
	return nil
}

// room is a group of orderers with their goroutines, connected by pipes. Its log
// commits what the leader proposes after a round.
type room struct {
	mu     sync.Mutex
	leader uint64
	term   uint64
	nodes  map[uint64]*roomNode
	round  time.Duration
	serial chan func()
	stop   chan struct{}
	ended  sync.WaitGroup
	mute   bool
	dials  int
}

type roomNode struct {
	room    *room
	id      uint64
	o       *Orderer
	s       *Switch
	lost    atomic.Bool // what it proposes comes to nothing
	results []outcome.Verdict
}

func newRoom(t testing.TB, nodes int, round time.Duration, change func(*Config)) *room {
	r := &room{nodes: map[uint64]*roomNode{}, round: round, serial: make(chan func(), 64), stop: make(chan struct{})}
	for id := uint64(1); id <= uint64(nodes); id++ {
		n := &roomNode{room: r, id: id, s: NewSwitch()}
		cfg := Config{Group: "bank", Self: id, Session: 0xB0 + id, Log: n, Peers: n}
		if change != nil {
			change(&cfg)
		}
		o, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		n.o = o
		n.s.Add(o)
		r.nodes[id] = n
	}
	r.ended.Add(1)
	go r.apply()
	return r
}

// apply is the goroutine of the log: a round, then the verdicts.
func (r *room) apply() {
	defer r.ended.Done()
	for {
		select {
		case f := <-r.serial:
			if r.round > 0 {
				<-time.After(r.round)
			}
			f()
		case <-r.stop:
			return
		}
	}
}

func (r *room) elect(leader uint64) {
	r.mu.Lock()
	r.leader = leader
	r.term++
	r.mu.Unlock()
	for id := uint64(1); id <= uint64(len(r.nodes)); id++ {
		r.nodes[id].o.LeaderChanged()
	}
}

// breakLinks ends all connections to primaries.
func (r *room) breakLinks() {
	for _, n := range r.nodes {
		n.o.mu.Lock()
		for _, l := range n.o.links {
			l.shut()
		}
		n.o.mu.Unlock()
	}
}

func (r *room) close(t testing.TB) {
	for id := uint64(1); id <= uint64(len(r.nodes)); id++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if err := r.nodes[id].o.Close(ctx); err != nil {
			t.Errorf("closing node %d: %v", id, err)
		}
		cancel()
	}
	close(r.stop)
	r.ended.Wait()
}

func (n *roomNode) Leader() (uint64, uint64, bool) {
	n.room.mu.Lock()
	defer n.room.mu.Unlock()
	return n.room.leader, n.room.term, n.room.leader != 0
}

func (n *roomNode) Watch(func()) func() { return func() {} }

func (n *roomNode) Propose(cmd []byte, done func(Result)) error {
	if leader, _, _ := n.Leader(); leader != n.id {
		return errors.New("not the leader")
	}
	var r entry.Reader
	if _, err := r.Reset(cmd); err != nil {
		return err
	}
	b, err := r.Batch()
	if err != nil {
		return err
	}
	count, sequence := 0, b.Sequence
	var it entry.Item
	for r.Next(&it) {
		count++
	}
	n.room.serial <- func() {
		if n.lost.Load() {
			return
		}
		n.results = n.results[:0]
		for range count {
			n.results = append(n.results, outcome.Verdict{Kind: outcome.Executed, Outcome: outcome.Outcome{Committed: true, Revision: 1, Result: []byte(`{"from":70,"to":130}`)}})
		}
		n.o.Applied(sequence, n.results)
	}
	return nil
}

func (n *roomNode) Dial(ctx context.Context, node uint64) (Conn, error) {
	to := n.room.nodes[node]
	n.room.mu.Lock()
	n.room.dials++
	mute := n.room.mute
	n.room.mu.Unlock()
	a, b := newPipe()
	b.mute = mute
	n.room.ended.Add(1)
	go func() {
		defer n.room.ended.Done()
		_ = to.s.Serve(n.id, b)
	}()
	return a, nil
}
