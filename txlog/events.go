package txlog

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/lni/dragonboat/v4/raftio"
)

// EventKind is what happened to a replica.
type EventKind string

// The kinds of events.
const (
	ReplicaReady      EventKind = "replica ready"
	ReplicaStopped    EventKind = "replica stopped"
	MembersChanged    EventKind = "members changed"
	SnapshotCreated   EventKind = "snapshot created"
	SnapshotReceived  EventKind = "snapshot received"
	SnapshotRecovered EventKind = "snapshot recovered"
	SendStarted       EventKind = "sending state started"
	SendCompleted     EventKind = "sending state completed"
	SendAborted       EventKind = "sending state aborted"
	LogCompacted      EventKind = "log compacted"
)

// Event is something that happened to a replica of this host.
type Event struct {
	Kind           EventKind
	Shard, Replica uint64
	// From is the other replica, where there is one.
	From uint64
	// Index is the index in the log, where there is one.
	Index uint64
}

// eventQueueOf takes events off the library's hands at once, for the library waits for its listener in the
// midst of its work, and hands them out on a goroutine of its own.
type eventQueueOf struct {
	call    func(Event)
	log     *slog.Logger
	queue   chan Event
	done    chan struct{}
	once    sync.Once
	dropped atomic.Uint64
}

var _ raftio.ISystemEventListener = (*eventQueueOf)(nil)

func newEventQueue(call func(Event), log *slog.Logger) *eventQueueOf {
	q := &eventQueueOf{call: call, log: log, queue: make(chan Event, eventQueue), done: make(chan struct{})}
	go q.run()
	return q
}

func (q *eventQueueOf) run() {
	for {
		select {
		case <-q.done:
			return
		case e := <-q.queue:
			q.log.Debug(string(e.Kind), "group", e.Shard, "replica", e.Replica, "from", e.From, "index", e.Index)
			if q.call != nil {
				q.call(e)
			}
		}
	}
}

func (q *eventQueueOf) close() { q.once.Do(func() { close(q.done) }) }

func (q *eventQueueOf) post(e Event) {
	select {
	case q.queue <- e:
	default:
		q.dropped.Add(1)
	}
}

func (q *eventQueueOf) node(kind EventKind, i raftio.NodeInfo) {
	q.post(Event{Kind: kind, Shard: i.ShardID, Replica: i.ReplicaID})
}

func (q *eventQueueOf) snapshot(kind EventKind, i raftio.SnapshotInfo) {
	q.post(Event{Kind: kind, Shard: i.ShardID, Replica: i.ReplicaID, From: i.From, Index: i.Index})
}

// The library's side.

func (q *eventQueueOf) NodeHostShuttingDown()                       {}
func (q *eventQueueOf) NodeDeleted(raftio.NodeInfo)                 {}
func (q *eventQueueOf) ConnectionEstablished(raftio.ConnectionInfo) {}
func (q *eventQueueOf) ConnectionFailed(raftio.ConnectionInfo)      {}
func (q *eventQueueOf) SnapshotCompacted(raftio.SnapshotInfo)       {}
func (q *eventQueueOf) LogDBCompacted(raftio.EntryInfo)             {}
func (q *eventQueueOf) NodeReady(i raftio.NodeInfo)                 { q.node(ReplicaReady, i) }
func (q *eventQueueOf) NodeUnloaded(i raftio.NodeInfo)              { q.node(ReplicaStopped, i) }
func (q *eventQueueOf) MembershipChanged(i raftio.NodeInfo)         { q.node(MembersChanged, i) }
func (q *eventQueueOf) SendSnapshotStarted(i raftio.SnapshotInfo)   { q.snapshot(SendStarted, i) }
func (q *eventQueueOf) SendSnapshotCompleted(i raftio.SnapshotInfo) { q.snapshot(SendCompleted, i) }
func (q *eventQueueOf) SendSnapshotAborted(i raftio.SnapshotInfo)   { q.snapshot(SendAborted, i) }
func (q *eventQueueOf) SnapshotReceived(i raftio.SnapshotInfo)      { q.snapshot(SnapshotReceived, i) }
func (q *eventQueueOf) SnapshotRecovered(i raftio.SnapshotInfo)     { q.snapshot(SnapshotRecovered, i) }
func (q *eventQueueOf) SnapshotCreated(i raftio.SnapshotInfo)       { q.snapshot(SnapshotCreated, i) }
func (q *eventQueueOf) LogCompacted(i raftio.EntryInfo) {
	q.post(Event{Kind: LogCompacted, Shard: i.ShardID, Replica: i.ReplicaID, Index: i.Index})
}
