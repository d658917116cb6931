package txlog

import (
	"context"
	"fmt"
	"sync"

	"github.com/lni/dragonboat/v4/raftio"
)

// LeaderEvent is who leads a group, as this replica has heard.
type LeaderEvent struct {
	Term uint64
	// Replica leads; 0 when no leader is known.
	Replica uint64
	// Leader is the node it is on; 0 when no leader is known, or for a moment its node isn't.
	Leader NodeID
	// Self tells that it is this replica.
	Self bool
}

// Leader is the node that leads the group as far as this replica has heard. It is a hint: a leader that was cut
// off doesn't know yet.
func (g *Group) Leader() (node NodeID, term uint64, ok bool) {
	at := g.leaders.current()
	if at.Replica != 0 && at.Leader == 0 {
		at.Leader, _ = g.nodeOf(at.Replica)
	}
	return at.Leader, at.Term, at.Leader != 0
}

// IsLeader tells whether this replica leads, as far as it has heard.
func (g *Group) IsLeader() bool { return g.leaders.current().Self }

// Watch calls f with what is known now and then at every change, in order, on a goroutine of this package. The
// function that it answers ends that; f may still be running when it returns.
func (g *Group) Watch(f func(LeaderEvent)) (cancel func()) { return g.leaders.watch(f) }

func (g *Group) nodeOf(replica uint64) (NodeID, bool) {
	if replica == g.replica {
		return g.host.cfg.NodeID, true
	}
	return g.host.registry.node(g.id, replica)
}

// Transfer makes the replica on a node the leader: it asks, waits for the change, and asks again, until it is
// so or ctx ends. While the group hands over it drops proposals.
func (g *Group) Transfer(ctx context.Context, to NodeID) error {
	for {
		at, changed := g.leaders.wait()
		if at.Leader == to {
			return nil
		}
		replica, ok := g.replicaOn(to)
		if !ok {
			return fmt.Errorf("handing group %d over to node %s: %w: it has no replica there", g.id, to, ErrRefused)
		}
		if err := g.mayLead(ctx, replica); err != nil {
			return fmt.Errorf("handing group %d over to node %s: %w", g.id, to, err)
		}
		err := g.host.nh.RequestLeaderTransfer(g.id, replica)
		if err != nil && !retryable(err) {
			return fmt.Errorf("handing group %d over to node %s: %w", g.id, to, libraryError(err))
		}
		if !g.pause(ctx, changed, g.host.ticks(transferRoundTicks)) {
			return fmt.Errorf("handing group %d over to node %s: %w", g.id, to, g.readError(ctx, at))
		}
	}
}

// mayLead refuses a witness, which the library would be asked to make leader for ever. While nobody leads,
// nobody knows; then there is nobody to hand over either.
func (g *Group) mayLead(ctx context.Context, replica uint64) error {
	if !g.IsLeader() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.host.ticks(transferRoundTicks))
	defer cancel()
	members, err := g.Members(ctx)
	if err != nil {
		return nil // asked again in the next round
	}
	if m, ok := members.Find(replica); ok && m.Witness {
		return fmt.Errorf("%w: replica %d is a witness", ErrRefused, replica)
	}
	return nil
}

// replicaOn finds the group's replica on a node.
func (g *Group) replicaOn(node NodeID) (uint64, bool) {
	if node == g.host.cfg.NodeID {
		return g.replica, true
	}
	return g.host.registry.replica(g.id, node)
}

// leaderListener is a Host as the library's listener. The library calls it on its one goroutine for events, so
// it only notes (traps.md, 17).
type leaderListener Host

func (l *leaderListener) LeaderUpdated(info raftio.LeaderInfo) {
	h := (*Host)(l)
	h.mu.RLock()
	g := h.groups[info.ShardID]
	h.mu.RUnlock()
	if g == nil || g.replica != info.ReplicaID {
		return
	}
	e := LeaderEvent{Term: info.Term, Replica: info.LeaderID, Self: info.LeaderID == g.replica}
	if e.Replica != 0 {
		e.Leader, _ = g.nodeOf(e.Replica)
	}
	g.leaders.post(e)
}

// leaderFeed remembers the present leader and tells watchers of every change, each event to each watcher in
// order, on one goroutine.
type leaderFeed struct {
	mu       sync.Mutex
	now      LeaderEvent
	changed  chan struct{} // closed at the next event
	queue    []delivery
	wake     chan struct{}
	watchers map[*watcher]struct{}
	done     chan struct{}
	ended    sync.WaitGroup
	closing  sync.Once
}

type watcher struct{ call func(LeaderEvent) }

type delivery struct {
	event LeaderEvent
	to    *watcher
}

func newLeaderFeed() *leaderFeed {
	f := &leaderFeed{
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
		watchers: map[*watcher]struct{}{}, done: make(chan struct{}),
	}
	f.ended.Go(f.run)
	return f
}

func (f *leaderFeed) current() LeaderEvent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// wait answers the present leader and a channel that is closed at the next change.
func (f *leaderFeed) wait() (LeaderEvent, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now, f.changed
}

func (f *leaderFeed) post(e LeaderEvent) {
	f.mu.Lock()
	f.now = e
	close(f.changed)
	f.changed = make(chan struct{})
	for w := range f.watchers {
		f.queue = append(f.queue, delivery{e, w})
	}
	f.mu.Unlock()
	f.signal()
}

func (f *leaderFeed) watch(call func(LeaderEvent)) func() {
	w := &watcher{call}
	f.mu.Lock()
	f.watchers[w] = struct{}{}
	f.queue = append(f.queue, delivery{f.now, w})
	f.mu.Unlock()
	f.signal()
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.watchers, w)
	}
}

func (f *leaderFeed) signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *leaderFeed) run() {
	for {
		select {
		case <-f.wake:
		case <-f.done:
			return
		}
		for _, d := range f.take() {
			if closed(f.done) {
				return
			}
			f.mu.Lock()
			_, watching := f.watchers[d.to]
			f.mu.Unlock()
			if watching {
				d.to.call(d.event)
			}
		}
	}
}

func (f *leaderFeed) take() []delivery {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue := f.queue
	f.queue = nil
	return queue
}

// close ends the deliveries. It doesn't wait: a watcher may be the one that closes.
func (f *leaderFeed) close() { f.closing.Do(func() { close(f.done) }) }
