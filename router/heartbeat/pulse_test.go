package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/policy/supervision"
)

// wire is the network of a test's nodes, in memory: frames can be dropped in one
// direction, and nodes can be down.
type wire struct {
	mu    sync.Mutex
	nodes map[uint64]*nodeOf
	drop  map[[2]uint64]bool
	down  map[uint64]bool
}

type nodeOf struct {
	id    uint64
	name  string
	board *Board
	pulse *Pulse

	mu      sync.Mutex
	reports map[uint64]string // last heard of each
	told    int               // reports heard
	gone    map[uint64]bool
}

var errRefused = errors.New("nobody listens")

func (w *wire) is(m map[uint64]bool, id uint64) bool { w.mu.Lock(); defer w.mu.Unlock(); return m[id] }

func (w *wire) set(from, to uint64, drop bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop[[2]uint64{from, to}] = drop
}

func (w *wire) dial(from uint64) func(context.Context, uint64) (Conn, error) {
	return func(_ context.Context, to uint64) (Conn, error) {
		if w.is(w.down, to) || w.is(w.down, from) {
			return nil, errRefused
		}
		l := &line{wire: w, from: from, to: to, frames: make(chan []byte, 100), closed: make(chan struct{})}
		go w.nodes[to].pulse.Serve(from, l)
		return l, nil
	}
}

// line is a connection of frames in one direction.
type line struct {
	wire     *wire
	from, to uint64
	frames   chan []byte
	closed   chan struct{}
	once     sync.Once
}

func (l *line) WriteFrame(b []byte) error {
	if l.wire.is(l.wire.down, l.to) || l.wire.is(l.wire.down, l.from) {
		_ = l.Close()
		return io.ErrClosedPipe
	}
	l.wire.mu.Lock()
	lost := l.wire.drop[[2]uint64{l.from, l.to}]
	l.wire.mu.Unlock()
	if lost {
		return nil
	}
	select {
	case l.frames <- append([]byte(nil), b...):
		return nil
	case <-l.closed:
		return io.ErrClosedPipe
	}
}

func (l *line) Flush() error                    { return nil }
func (l *line) SetReadDeadline(time.Time) error { return nil }
func (l *line) Close() error                    { l.once.Do(func() { close(l.closed) }); return nil }

func (l *line) ReadFrameInto([]byte) ([]byte, error) {
	select {
	case b := <-l.frames:
		return b, nil
	case <-l.closed:
		return nil, io.EOF
	}
}

const (
	interval = 20 * time.Millisecond
	patience = 30 * time.Second
)

func newWire(t *testing.T, n int) *wire {
	w := &wire{nodes: map[uint64]*nodeOf{}, drop: map[[2]uint64]bool{}, down: map[uint64]bool{}}
	var peers []Peer
	var members []Member
	for id := uint64(1); id <= uint64(n); id++ {
		name := fmt.Sprintf("n%d", id)
		peers = append(peers, Peer{ID: id, Name: name, Every: interval})
		members = append(members, Member{Name: name})
		w.nodes[id] = &nodeOf{id: id, name: name, board: NewBoard(name, "system"), reports: map[uint64]string{}, gone: map[uint64]bool{}}
	}
	for id, node := range w.nodes {
		cfg := supervision.Config{Interval: interval, Timeout: 10 * interval, Retries: 2}
		if err := node.board.Set(map[string]Group{"system": {Config: cfg, Members: members}}); err != nil {
			t.Fatal(err)
		}
		p, err := New(Config{
			Boot: id, Board: node.board, Dial: w.dial(id), Refused: func(err error) bool { return errors.Is(err, errRefused) },
			Report: func() []byte { return []byte("I am " + node.name) }, Heard: node.heard,
			Gone:    func(id uint64) { node.mu.Lock(); node.gone[id] = true; node.mu.Unlock() },
			Changed: func(e Event) { t.Logf("%s: %s is %s: %s", node.name, e.Node, e.To, e.Text) },
		})
		if err != nil {
			t.Fatal(err)
		}
		node.pulse = p
		t.Cleanup(p.Close)
	}
	for id, node := range w.nodes {
		var others []Peer
		for _, p := range peers {
			if p.ID != id {
				others = append(others, p)
			}
		}
		node.pulse.SetPeers(others)
	}
	return w
}

func (n *nodeOf) heard(from uint64, report []byte) {
	if report == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reports[from], n.told = string(report), n.told+1
}

// until waits for what a node thinks of another.
func (w *wire) until(t *testing.T, at uint64, of string, want supervision.State, reason string) {
	t.Helper()
	var last string
	look := time.NewTicker(interval / 4)
	defer look.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-look.C {
		for _, s := range w.nodes[at].board.Status("system") {
			if s.Node != of {
				continue
			}
			if last = string(s.State) + ": " + s.Text; s.State == want && strings.Contains(s.Text, reason) {
				return
			}
		}
	}
	t.Fatalf("n%d does not find that %s is %s (%s); it is %s", at, of, want, reason, last)
}

// "status by periodic messages, time-outs, retry counts" (patent, paragraph 40):
// three nodes hear each other; a report is sent once while it stays the same; one
// dies, and is told from one that is only out of reach of one other.
func TestNodesHearEachOther(t *testing.T) {
	w := newWire(t, 3)
	for id := range w.nodes {
		for _, other := range []string{"n1", "n2", "n3"} {
			w.until(t, id, other, supervision.Available, "")
		}
	}
	one := w.nodes[1]
	one.mu.Lock()
	if one.reports[2] != "I am n2" || one.told > 4 {
		t.Errorf("n1 was told %d reports, %v", one.told, one.reports)
	}
	one.mu.Unlock()
	// One direction is lost: n3 can't be heard at n1, but hears it, and n2 hears both.
	w.set(3, 1, true)
	w.until(t, 1, "n3", supervision.Suspect, "n3 hears us but we do not hear it")
	w.until(t, 3, "n1", supervision.Suspect, "it has not heard us")
	w.until(t, 2, "n3", supervision.Available, "")
	w.set(3, 1, false)
	w.until(t, 1, "n3", supervision.Available, "")
	w.until(t, 3, "n1", supervision.Available, "")
	// A process that ended: nobody listens at its address.
	w.mu.Lock()
	w.down[3] = true
	w.mu.Unlock()
	w.until(t, 1, "n3", supervision.Unavailable, "nobody listens at its address: its process has ended")
	w.until(t, 2, "n3", supervision.Unavailable, "")
	one.mu.Lock()
	if !one.gone[3] {
		t.Error("n1 was not told at once that n3 is gone")
	}
	one.mu.Unlock()
	w.mu.Lock()
	w.down[3] = false
	w.mu.Unlock()
	w.until(t, 1, "n3", supervision.Available, "")
	w.until(t, 3, "n1", supervision.Available, "")
}

// A node that is a peer no more is sent nothing, and its status is forgotten.
func TestPeersChange(t *testing.T) {
	w := newWire(t, 3)
	w.until(t, 1, "n2", supervision.Available, "")
	cfg := supervision.Config{Interval: interval, Timeout: 10 * interval, Retries: 2}
	one := w.nodes[1]
	if err := one.board.Set(map[string]Group{"system": {Config: cfg, Members: []Member{{Name: "n1"}, {Name: "n2", Wished: supervision.Draining}}}}); err != nil {
		t.Fatal(err)
	}
	one.pulse.SetPeers([]Peer{{ID: 2, Name: "n2", Every: interval}})
	w.until(t, 1, "n2", supervision.Draining, "an operator asked for it")
	if got := len(one.board.Status("system")); got != 2 {
		t.Errorf("%d nodes are known, not 2", got)
	}
	w.until(t, 3, "n1", supervision.Unavailable, "")
	w.until(t, 2, "n1", supervision.Available, "")
	// Settings that can't be used leave those from before.
	bad := supervision.Config{Interval: interval, Timeout: interval, Retries: 2}
	if err := one.board.Set(map[string]Group{"system": {Config: bad, Members: []Member{{Name: "n1"}, {Name: "n2"}}}}); err == nil {
		t.Error("a timeout of one interval is taken")
	}
	w.until(t, 1, "n2", supervision.Available, "")
	if one.board.Status("other") != nil || one.board.Settled("other") {
		t.Error("a group that nobody has is watched")
	}
}
