package txlog

import (
	"slices"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4/raftpb"
)

// withholding keeps what is meant for witnesses back for a moment.
//
// A leader sends entries while it still writes them to its own disk (Raft thesis, 10.2.1). To a copy it may: what
// the copy has, it has whole. A witness has index and term alone. Were the leader killed before its write, two
// witnesses could hold the trace of an entry that exists nowhere, and being the majority, refuse their vote to
// every copy there is, for ever. So nothing goes to a witness before this host has it on disk.
//
// And a witness acknowledges sooner than a copy, for it has nothing to write but that trace. A group of two
// copies and a witness would then acknowledge most updates with one copy alone, and stand still when that one is
// lost, until it comes back. So a witness is told of an entry only when the copies that keep up have it; those
// that take longer than an election are not waited for again until they have caught up. This one is no promise,
// it only makes the rare case rare.
type withholding struct {
	grace time.Duration // how long a copy is waited for
	limit time.Duration // how long a message waits at the most

	mu      sync.Mutex
	saved   map[replicaKey]uint64    // this host's replicas: the last entry on disk
	copies  map[replicaKey]*follower // others', with data
	waiting bool                     // somebody waits for changed
	changed chan struct{}
}

// follower is a copy on another host that a leader of this host sends entries to.
type follower struct {
	term, acked uint64
	slow        bool
}

// heldBack is a message to a witness that is not sent yet, or to be sent after such a one.
type heldBack struct {
	message raftpb.Message
	since   time.Time
}

func newWithholding(grace time.Duration) *withholding {
	return &withholding{
		grace: grace, limit: max(leastHold, holdGraces*grace), saved: map[replicaKey]uint64{}, copies: map[replicaKey]*follower{}, changed: make(chan struct{}),
	}
}

// forWitness tells whether a message may be for a witness: it has entries that a witness is sent, and no others,
// and its receiver was never sent others in this term.
func (w *withholding) forWitness(m *raftpb.Message) bool {
	if m.Type != raftpb.Replicate || len(m.Entries) == 0 || slices.ContainsFunc(m.Entries, func(e raftpb.Entry) bool {
		return e.Type != raftpb.MetadataEntry && e.Type != raftpb.ConfigChangeEntry
	}) {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.copies[replicaKey{m.ShardID, m.To}]
	return f == nil || f.term != m.Term
}

// news wakes those who wait. w.mu is held.
func (w *withholding) news() {
	if w.waiting {
		w.waiting = false
		close(w.changed)
		w.changed = make(chan struct{})
	}
}

// wrote notes what is on this host's disk.
func (w *withholding) wrote(updates []raftpb.Update) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range updates {
		u := &updates[i]
		if n := len(u.EntriesToSave); n > 0 {
			w.saved[replicaKey{u.ShardID, u.ReplicaID}] = u.EntriesToSave[n-1].Index
		}
	}
	w.news()
}

// sent notes a message to a copy.
func (w *withholding) sent(m *raftpb.Message) {
	if m.Type != raftpb.Replicate || len(m.Entries) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	key := replicaKey{m.ShardID, m.To}
	if f := w.copies[key]; f == nil || f.term != m.Term {
		w.copies[key] = &follower{term: m.Term}
	}
}

// heard notes what a copy says that it has.
func (w *withholding) heard(messages []raftpb.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range messages {
		m := &messages[i]
		if m.Type != raftpb.ReplicateResp || m.Reject {
			continue
		}
		f := w.copies[replicaKey{m.ShardID, m.From}]
		if f == nil || f.term != m.Term || m.LogIndex <= f.acked {
			continue
		}
		f.acked = m.LogIndex
		if f.slow && f.acked+keepsUpEntries >= w.saved[replicaKey{m.ShardID, m.To}] {
			f.slow = false
		}
		w.news()
	}
}

// forget is for a replica whose log was removed.
func (w *withholding) forget(key replicaKey) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.saved, key)
}

// take answers the messages whose time has come, and the others; next is when to look again at the latest, and
// changed is closed when there is news before.
func (w *withholding) take(all []heldBack, now time.Time) (ready, rest []heldBack, next time.Time, changed <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next = now.Add(w.limit)
	blocked := map[replicaKey]bool{} // messages to one replica keep their order
	for _, h := range all {
		key := replicaKey{h.message.ShardID, h.message.To}
		if now.Sub(h.since) > w.limit {
			continue // stale: Raft sends it again if there is reason to
		}
		if blocked[key] || !w.mayGo(&h, now) {
			blocked[key] = true
			rest = append(rest, h)
			if over := h.since.Add(w.grace); over.After(now) && over.Before(next) {
				next = over
			}
			continue
		}
		ready = append(ready, h)
	}
	w.waiting = w.waiting || len(rest) > 0
	return ready, rest, next, w.changed
}

// mayGo: see withholding. w.mu is held.
func (w *withholding) mayGo(h *heldBack, now time.Time) bool {
	m := &h.message
	if len(m.Entries) == 0 {
		return true // it only had to stay behind others
	}
	last := m.Entries[len(m.Entries)-1].Index
	if saved, ok := w.saved[replicaKey{m.ShardID, m.From}]; !ok || saved < last {
		return false
	}
	for key, f := range w.copies {
		if key.shard != m.ShardID || f.term != m.Term || f.slow || f.acked >= last {
			continue
		}
		if now.Sub(h.since) < w.grace {
			return false
		}
		f.slow = true
	}
	return true
}

// withhold takes from a batch what is for witnesses and can't go yet, and puts it in the link's own queue, with
// what must stay behind it.
func (l *link) withhold(batch *raftpb.MessageBatch) {
	w := l.transport.withheld
	if !slices.ContainsFunc(batch.Requests, func(m raftpb.Message) bool { return m.Type == raftpb.Replicate }) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	kept := make([]raftpb.Message, 0, len(batch.Requests))
	for i := range batch.Requests {
		m := &batch.Requests[i]
		key := replicaKey{m.ShardID, m.To}
		if m.Type == raftpb.Replicate && (l.behind[key] > 0 || w.forWitness(m)) {
			if len(l.held) < maxHeldBack {
				h := heldBack{message: *m, since: now}
				h.message.Entries = slices.Clone(m.Entries) // the library uses the memory again
				l.held = append(l.held, h)
				l.behind[key]++
			}
			continue
		}
		w.sent(m)
		kept = append(kept, *m)
	}
	if len(kept) == len(batch.Requests) {
		return
	}
	batch.Requests = kept
	select {
	case l.more <- struct{}{}:
	default:
	}
	if !l.releasing && !l.closed && l.transport.begin() {
		l.releasing = true
		rest := *batch
		rest.Requests = nil
		go l.release(rest)
	}
}

// release sends what was withheld as its time comes, and ends when there is nothing left.
func (l *link) release(batch raftpb.MessageBatch) {
	defer l.transport.serving.Done()
	for {
		l.mu.Lock()
		if len(l.held) == 0 || l.closed {
			l.held, l.releasing = nil, false
			clear(l.behind)
			l.mu.Unlock()
			return
		}
		all, conn := l.held, l.conn
		ready, rest, next, changed := l.transport.withheld.take(all, time.Now())
		l.held = rest
		l.mu.Unlock()
		if len(ready) > 0 && conn != nil {
			batch.Requests = batch.Requests[:0]
			for _, h := range ready {
				batch.Requests = append(batch.Requests, h.message)
			}
			l.write(conn, batch)
		}
		if len(rest) < len(all) { // sent, or dropped
			l.mu.Lock()
			clear(l.behind)
			for _, h := range l.held {
				l.behind[replicaKey{h.message.ShardID, h.message.To}]++
			}
			l.mu.Unlock()
			continue
		}
		l.pause(next, changed)
		if l.transport.ctx.Err() != nil {
			return
		}
	}
}

// pause waits for news of what is withheld.
func (l *link) pause(until time.Time, changed <-chan struct{}) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-l.more:
	case <-timer.C:
	case <-l.transport.ctx.Done():
	}
}

// write sends a batch from a goroutine that is not the library's.
func (l *link) write(conn interface{ Send([]byte) error }, batch raftpb.MessageBatch) {
	_ = divide(batch, func(part raftpb.MessageBatch) error {
		frame, err := part.Marshal()
		if err != nil {
			return err
		}
		return conn.Send(frame)
	})
}
