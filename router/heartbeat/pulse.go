package heartbeat

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"lockstep/policy/supervision"
)

// Conn is a connection of frames between two nodes.
type Conn interface {
	WriteFrame(b []byte) error
	Flush() error
	// ReadFrameInto waits for a frame; it may use buf's memory.
	ReadFrameInto(buf []byte) ([]byte, error)
	SetReadDeadline(t time.Time) error
	Close() error
}

// Peer is a node that heartbeats are sent to.
type Peer struct {
	ID    uint64
	Name  string
	Every time.Duration // between two of them
}

// Config of a Pulse.
type Config struct {
	// Boot is another number for each process, never zero.
	Boot uint64
	// Board judges.
	Board *Board
	// Dial connects to a peer's Serve.
	Dial func(ctx context.Context, node uint64) (Conn, error)
	// Refused tells of Dial's error whether the peer's machine said that nobody
	// listens there.
	Refused func(error) bool
	// Report is what this node says of itself. It is asked before each heartbeat, and
	// should be cheap; what it returns is never changed.
	Report func() []byte
	// Heard is told what a node said of itself, and a nil report where it said that
	// nothing has changed. The bytes are valid until it returns.
	Heard func(from uint64, report []byte)
	// Gone is told that nobody listens at a peer's address.
	Gone func(node uint64)
	// Changed is told each change of what a node is taken for.
	Changed func(Event)
	// Log hears of what can't be read; nil: nobody does.
	Log *slog.Logger
}

// Validate names the field that is missing.
func (c *Config) Validate() error {
	for _, f := range []struct {
		name    string
		missing bool
	}{
		{"Boot", c.Boot == 0}, {"Board", c.Board == nil}, {"Dial", c.Dial == nil}, {"Refused", c.Refused == nil},
		{"Report", c.Report == nil}, {"Heard", c.Heard == nil}, {"Gone", c.Gone == nil}, {"Changed", c.Changed == nil},
	} {
		if f.missing {
			return fmt.Errorf("heartbeat: %s is missing: give it, all fields but Log are needed", f.name)
		}
	}
	return nil
}

// Pulse sends heartbeats and takes them in.
type Pulse struct {
	cfg      Config
	sequence atomic.Uint64

	mu    sync.Mutex
	peers map[uint64]*sender
	over  bool

	work   sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc
}

// New starts to judge; SetPeers starts to send.
func New(cfg Config) (*Pulse, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pulse{cfg: cfg, peers: map[uint64]*sender{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.judge)
	return p, nil
}

// Close ends all of it.
func (p *Pulse) Close() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.cancel()
	p.work.Wait()
}

func (p *Pulse) judge() {
	for {
		for _, e := range p.cfg.Board.Tick() {
			p.cfg.Changed(e)
		}
		if !p.sleep(p.cfg.Board.pause()) {
			return
		}
	}
}

func (p *Pulse) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.ctx.Done():
		return false
	}
}

// sender is one peer's.
type sender struct {
	peer atomic.Pointer[Peer]
	stop context.CancelFunc
}

// SetPeers says whom heartbeats are sent to from now on.
func (p *Pulse) SetPeers(peers []Peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	wanted := map[uint64]bool{}
	for _, peer := range peers {
		wanted[peer.ID] = true
		s := p.peers[peer.ID]
		if s == nil {
			s = &sender{}
			ctx, cancel := context.WithCancel(p.ctx)
			s.stop = cancel
			s.peer.Store(&peer)
			p.peers[peer.ID] = s
			p.work.Go(func() { p.send(ctx, s) })
		}
		s.peer.Store(&peer)
	}
	for id, s := range p.peers {
		if !wanted[id] {
			s.stop()
			delete(p.peers, id)
		}
	}
}

// send sends heartbeats to one peer until it is one no more.
func (p *Pulse) send(ctx context.Context, s *sender) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	var to outgoing
	defer to.close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		peer := *s.peer.Load()
		pause := peer.Every
		if !p.beat(ctx, &peer, &to) {
			pause = max(pause, dialPause)
		}
		tick.Reset(pause)
	}
}

// outgoing is the connection to a peer, and what was said on it.
type outgoing struct {
	conn   Conn
	report []byte // last sent on it
	sent   time.Time
	frame  []byte
}

func (o *outgoing) close() {
	if o.conn != nil {
		_ = o.conn.Close()
		o.conn, o.report = nil, nil
	}
}

// beat sends one heartbeat, dialling first where there is no connection.
func (p *Pulse) beat(ctx context.Context, peer *Peer, to *outgoing) bool {
	if to.conn == nil {
		dialing, cancel := context.WithTimeout(ctx, dialWait)
		conn, err := p.cfg.Dial(dialing, peer.ID)
		cancel()
		if err != nil {
			p.noteReach(ctx, peer, err)
			return false
		}
		to.conn = conn
		p.cfg.Board.Reached(peer.Name, supervision.ReachTaken)
	}
	b := p.cfg.Board.Beat(peer.Name)
	b.Boot, b.Sequence = p.cfg.Boot, p.sequence.Add(1)
	report := p.cfg.Report()
	send := report
	if now := time.Now(); bytes.Equal(report, to.report) && now.Sub(to.sent) < reportEvery {
		send = nil
	} else {
		to.report, to.sent = report, now
	}
	to.frame = appendFrame(to.frame[:0], &b, send)
	err := to.conn.WriteFrame(to.frame)
	if err == nil {
		err = to.conn.Flush()
	}
	if err != nil {
		to.close()
	}
	return err == nil
}

func (p *Pulse) noteReach(ctx context.Context, peer *Peer, err error) {
	switch {
	case ctx.Err() != nil: // it is a peer no more, or this node stops
	case p.cfg.Refused(err):
		p.cfg.Board.Reached(peer.Name, supervision.ReachRefused)
		p.cfg.Gone(peer.ID)
	default:
		p.cfg.Board.Reached(peer.Name, supervision.ReachNone)
	}
}

// Serve takes a peer's heartbeats in, on the caller's goroutine, until the
// connection ends.
func (p *Pulse) Serve(from uint64, conn Conn) {
	defer conn.Close()
	var buf []byte
	for p.ctx.Err() == nil {
		if conn.SetReadDeadline(time.Now().Add(quiet)) != nil {
			return
		}
		frame, err := conn.ReadFrameInto(buf)
		if err != nil {
			return
		}
		var b supervision.Beat
		report, err := decodeFrame(frame, &b)
		if err != nil {
			p.cfg.Log.Warn("a peer's heartbeat can't be read", "peer", fmt.Sprintf("%016x", from), "error", err)
			return
		}
		p.cfg.Board.Heard(&b)
		p.cfg.Heard(from, report)
		buf = frame[:0]
	}
}
