package txlog

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"

	"lockstep/txlog/peer"
)

// transportFactory makes the library's messages ride on the peer network.
type transportFactory struct {
	peers      *peer.Network
	service    byte
	deployment uint64
	log        *slog.Logger
	lost       func(NodeID)                     // told of a peer that was connected and is gone
	made       func(*transport)                 // told of what Create made
	witness    func(shard, replica uint64) bool // whether that is one of this host
	withheld   *withholding
}

var _ config.TransportFactory = (*transportFactory)(nil)

// Create is called once for a host.
func (f *transportFactory) Create(_ config.NodeHostConfig, messages raftio.MessageHandler, chunks raftio.ChunkHandler) raftio.ITransport {
	t := &transport{transportFactory: *f, messages: messages, chunks: chunks, links: map[*link]struct{}{}}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	f.made(t)
	return t
}

// Validate judges what the library calls an address: a target.
func (f *transportFactory) Validate(target string) bool {
	_, ok := parseTarget(target)
	return ok
}

// transport carries messages on one service of the network and snapshot streams on the next, so that a stream
// never delays a message.
type transport struct {
	transportFactory
	messages raftio.MessageHandler
	chunks   raftio.ChunkHandler
	ctx      context.Context
	cancel   context.CancelFunc
	serving  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	links  map[*link]struct{}
}

var _ raftio.ITransport = (*transport)(nil)

func (t *transport) Name() string { return "lockstep-peer" }

func (t *transport) Start() error {
	t.peers.Handle(t.service, t.guarded(t.receiveMessages))
	t.peers.Handle(t.service+1, t.guarded(t.receiveChunks))
	return nil
}

// Close ends all connections and waits until nothing is handed to the library any more.
func (t *transport) Close() error {
	t.mu.Lock()
	t.closed = true
	links := make([]*link, 0, len(t.links))
	for l := range t.links {
		links = append(links, l)
	}
	t.mu.Unlock()
	t.cancel()
	t.peers.Unhandle(t.service)
	t.peers.Unhandle(t.service + 1)
	for _, l := range links {
		l.Close()
	}
	t.serving.Wait()
	return nil
}

// guarded counts a handler in unless the transport is closed, so that Close can wait for it.
func (t *transport) guarded(handle peer.Handler) peer.Handler {
	return func(from uint64, c *peer.Conn) {
		if !t.begin() {
			return
		}
		defer t.serving.Done()
		stop := context.AfterFunc(t.ctx, func() { _ = c.Close() })
		defer stop()
		handle(from, c)
	}
}

func (t *transport) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.serving.Add(1)
	return true
}

// receiveMessages hands a peer's messages to the library, batch by batch.
func (t *transport) receiveMessages(from uint64, c *peer.Conn) {
	t.heard(NodeID(from))
	source := NodeID(from).target()
	var buf []byte
	for {
		frame, err := c.ReadFrameInto(buf)
		if err != nil {
			return
		}
		if cap(frame) <= maxRaftFrame {
			buf = frame // the library copies what it keeps
		}
		batch, dropped, err := decodeBatch(frame)
		dropped += t.keepFull(&batch)
		t.withheld.heard(batch.Requests)
		if err != nil || dropped > 0 {
			t.log.Warn("useless raft messages from a peer", "node", NodeID(from), "messages", dropped, "error", err)
		}
		if err != nil {
			return
		}
		batch.SourceAddress = source
		if len(batch.Requests) > 0 && !t.deliver(batch) {
			return
		}
		for _, m := range batch.Requests {
			if m.Type == raftpb.TimeoutNow && batch.DeploymentId == t.deployment {
				t.timeoutNow(m, time.Millisecond)
			}
		}
	}
}

// keepFull leaves out entries of index and term alone where they are not for a witness: a copy with data would
// take them for entries that change nothing.
func (t *transport) keepFull(batch *raftpb.MessageBatch) (dropped int) {
	all := len(batch.Requests)
	batch.Requests = slices.DeleteFunc(batch.Requests, func(m raftpb.Message) bool {
		return bare(m.Entries) && !t.witness(m.ShardID, m.To)
	})
	return all - len(batch.Requests)
}

// deliver hands a batch over. Should the library panic over it on this goroutine, the connection ends instead.
func (t *transport) deliver(batch raftpb.MessageBatch) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			t.log.Error("the raft library refused messages from a peer", "reason", r)
		}
	}()
	t.messages(batch)
	return true
}

// The answers to a chunk.
const (
	chunkTaken   byte = 1
	chunkRefused byte = 2
)

// receiveChunks hands the pieces of a snapshot stream to the library and answers each. A disk that is full or
// broken makes the library panic here; that must stop the process, so it isn't caught.
func (t *transport) receiveChunks(from uint64, c *peer.Conn) {
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return
		}
		chunk, err := decodeChunk(frame)
		if err != nil {
			t.log.Warn("useless piece of a snapshot from a peer", "node", NodeID(from), "error", err)
			return
		}
		if chunk.Witness && !t.witness(chunk.ShardID, chunk.ReplicaID) {
			t.log.Error("a witness's snapshot was sent to a copy with data, which would lose that: it is refused", "group", chunk.ShardID, "replica", chunk.ReplicaID, "node", NodeID(from))
			_ = c.Send([]byte{chunkRefused})
			return
		}
		if !t.chunks(chunk) {
			_ = c.Send([]byte{chunkRefused})
			return
		}
		if err := c.Send([]byte{chunkTaken}); err != nil {
			return
		}
	}
}

// GetConnection answers a connection for messages. It never fails: the library would not try the peer again
// for up to a second, while a peer that was restarted is wanted at once. See link.
func (t *transport) GetConnection(_ context.Context, target string) (raftio.IConnection, error) {
	node, ok := parseTarget(target)
	if !ok {
		return nil, errUnknownReplica
	}
	l := &link{transport: t, node: node, more: make(chan struct{}, 1), behind: map[replicaKey]int{}}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, peer.ErrClosed
	}
	t.links[l] = struct{}{}
	return l, nil
}

// heard lets links to a node try again at once: it has just dialled us, so it is there.
func (t *transport) heard(node NodeID) {
	var links []*link
	t.mu.Lock()
	for l := range t.links {
		if l.node == node {
			links = append(links, l)
		}
	}
	t.mu.Unlock() // a link that dials holds its own lock when it asks for this one
	for _, l := range links {
		l.mu.Lock()
		l.wait, l.next = 0, time.Time{}
		l.mu.Unlock()
	}
}

// GetSnapshotConnection dials a connection for one snapshot stream.
func (t *transport) GetSnapshotConnection(ctx context.Context, target string) (raftio.ISnapshotConnection, error) {
	node, ok := parseTarget(target)
	if !ok {
		return nil, errUnknownReplica
	}
	c, err := t.peers.Dial(ctx, uint64(node), t.service+1)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(t.ctx, func() { _ = c.Close() })
	return &stream{conn: c, stop: stop}, nil
}

// link is the way to one peer for messages. While there is no connection it drops them, which Raft is built
// for, and dials in the background.
type link struct {
	transport *transport
	node      NodeID
	buf       []byte // the sender's

	mu      sync.Mutex
	conn    *peer.Conn
	dialing chan struct{} // closed when dialling is over; nil while nobody dials
	reached bool          // there was a connection before
	closed  bool
	wait    time.Duration
	next    time.Time // not to be dialled before

	held      []heldBack         // for witnesses, see withholding
	behind    map[replicaKey]int // how many are in held or being sent, by receiver
	releasing bool
	more      chan struct{}
}

// SendMessageBatch is called by one goroutine of the library for each link. It writes and flushes at once: what
// comes meanwhile is the next batch.
func (l *link) SendMessageBatch(batch raftpb.MessageBatch) error {
	conn := l.connection()
	if conn == nil {
		return nil
	}
	l.withhold(&batch)
	if len(batch.Requests) == 0 {
		return nil
	}
	err := divide(batch, func(part raftpb.MessageBatch) error {
		l.buf = slices.Grow(l.buf[:0], part.SizeUpperLimit())[:part.SizeUpperLimit()]
		n, err := part.MarshalTo(l.buf)
		if err != nil {
			return err
		}
		return conn.Send(l.buf[:n])
	})
	if cap(l.buf) > maxRaftFrame {
		l.buf = nil
	}
	if err != nil {
		l.transport.log.Debug("raft messages to a peer were lost", "node", l.node, "error", err)
		_ = conn.Close() // its reader notices
	}
	return nil
}

// connection answers the connection, nil while there is none. It waits a little for one that is being dialled:
// followers have no reason to talk to each other before the one asks for the other's vote, and that should not
// be lost.
func (l *link) connection() *peer.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil && l.dialing == nil && !l.closed && !time.Now().Before(l.next) && l.transport.begin() {
		l.dialing = make(chan struct{})
		go l.run()
	}
	if dialing := l.dialing; l.conn == nil && dialing != nil {
		l.mu.Unlock()
		wait := time.NewTimer(dialPatience)
		select {
		case <-dialing:
		case <-wait.C:
		}
		wait.Stop()
		l.mu.Lock()
	}
	return l.conn
}

// run dials and then waits for the connection's end, so that it is noticed at once and not by a lost message.
// When it ends it dials again at once: a peer that refuses now is gone.
func (l *link) run() {
	defer l.transport.serving.Done()
	for {
		conn := l.dial()
		if conn == nil {
			return
		}
		_, _ = conn.ReadFrame() // peers send nothing back: it ends with the connection
		_ = conn.Close()
		l.mu.Lock()
		l.conn = nil
		again := !l.closed
		if again {
			l.dialing = make(chan struct{})
		}
		l.mu.Unlock()
		if !again {
			return
		}
	}
}

// dial answers the connection that it made the link's, or nil.
func (l *link) dial() *peer.Conn {
	ctx, cancel := context.WithTimeout(l.transport.ctx, dialWait)
	conn, err := l.transport.peers.Dial(ctx, uint64(l.node), l.transport.service)
	cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.dialing)
	l.dialing = nil
	if err != nil {
		l.wait = min(max(2*l.wait, redialMin), redialMax)
		l.next = time.Now().Add(l.wait)
		if l.reached && gone(err) && !l.closed {
			l.reached = false
			l.transport.lost(l.node)
		}
		l.transport.log.Debug("a peer cannot be reached", "node", l.node, "error", err)
		return nil
	}
	if l.closed {
		_ = conn.Close()
		return nil
	}
	l.conn, l.wait, l.reached = conn, 0, true
	return conn
}

// Close ends the link.
func (l *link) Close() {
	l.mu.Lock()
	l.closed = true
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_ = conn.Close()
	}
	l.transport.mu.Lock()
	delete(l.transport.links, l)
	l.transport.mu.Unlock()
}

// stream sends one snapshot. The receiver answers each chunk; a few may be on their way.
type stream struct {
	conn *peer.Conn
	stop func() bool
	open int // chunks without an answer
	buf  []byte
}

// streamWindow is how many chunks of 2 MiB may be without an answer.
const streamWindow = 8

var errChunkRefused = errors.New("the receiver refused a piece of the snapshot")

func (s *stream) SendChunk(chunk raftpb.Chunk) error {
	s.buf = slices.Grow(s.buf[:0], chunk.Size())[:chunk.Size()]
	n, err := chunk.MarshalTo(s.buf)
	if err != nil {
		return err
	}
	if err := s.conn.Send(s.buf[:n]); err != nil {
		return err
	}
	s.open++
	room := streamWindow
	if chunk.IsLastChunk() {
		room = 0
	}
	for s.open > room {
		_ = s.conn.SetReadDeadline(time.Now().Add(chunkWait))
		answer, err := s.conn.ReadFrame()
		if err != nil {
			return err
		}
		if len(answer) != 1 || answer[0] != chunkTaken {
			return errChunkRefused
		}
		s.open--
	}
	return nil
}

func (s *stream) Close() {
	s.stop()
	_ = s.conn.Close()
}

// chunkWait bounds the wait for the answer to a chunk: the receiver has to write it to its disk.
const chunkWait = 30 * time.Second
