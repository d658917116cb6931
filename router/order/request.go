package order

import (
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

// Answer is the end of a request: a verdict of the log, or why there is none.
type Answer struct {
	// Verdict counts where Err is nil. It belongs to the receiver.
	Verdict outcome.Verdict
	// Err is one of this package's errors.
	Err error
}

// Request is what shall be ordered: a transaction, or a change of the schema, a
// checkpoint or a verdict. From Submit until Done is called it and the bytes that it
// refers to belong to the Orderer; afterwards it may be used again. It must not
// be copied while it is under way.
type Request struct {
	// Item is the transaction. Without an id it gets one of this router's, which
	// can be read here in Done.
	Item entry.Item
	// SchemaVersion is what Item was typed against.
	SchemaVersion uint64
	// Cost is the most that Item may cost to execute, in the language's units;
	// zero counts as little.
	Cost uint64

	// Schema, if set, is ordered in Item's place. Origin and TimeMillis are
	// filled in where it is proposed. With IfMatch a refusal counts only if no
	// earlier attempt is in doubt, for that may be what it collided with.
	Schema *entry.Schema
	// Checkpoint or Verdict, if set, is ordered in Item's place.
	Checkpoint *entry.Checkpoint
	Verdict    *entry.Verdict
	// Backfill and Finish, if set, are ordered in Item's place: steps of a schema
	// change. One that comes twice does nothing the second time.
	Backfill *entry.Backfill
	Finish   *entry.Finish
	// Language, if set, is ordered in Item's place. Switching to what is spoken
	// already does nothing.
	Language *entry.Language
	// Settings, if set, is ordered in Item's place. What comes twice does nothing the
	// second time.
	Settings *entry.Settings
	// Assign, if set, is ordered in Item's place. An epoch is assigned once: one
	// that comes twice is fenced the second time.
	Assign *entry.Assign

	// Deadline is when an answer must be there.
	Deadline time.Time
	// Attempted says that an earlier attempt under the same id may have been
	// proposed, so that no refusal can be definite. Done finds it up to date:
	// whoever types a transaction anew after a StaleSchema verdict submits it
	// again with Item.ID and Attempted as they are.
	Attempted bool
	// Done is called exactly once, possibly before Submit returns, and often by
	// the goroutine that applies entries: it must not block.
	Done func(Answer)

	pend      *pending
	next      *Request // another waiter for the same pending, or the next answered
	prevDue   *Request // in the same slot of the wheel
	nextDue   *Request
	slot      int32 // of the wheel; -1: none
	dueMillis int64
	since     int64 // milliseconds at which it was accepted
	size      int
	in        *inbound // asked by a peer; Done is nil
	number    uint64   // the peer's
	answer    Answer
}

// pending is one transaction under way, with all who wait for it.
type pending struct {
	gen         uint32 // counts the uses of this object
	attempt     uint32 // counts the attempts of this use
	serial      uint64 // order of arrival
	kind        entry.Kind
	owner       *Request // the waiter whose bytes item refers to
	item        entry.Item
	raw         []byte // encoded form, if it came so; item has only its id then
	schema      uint64 // version it was typed against
	cost        uint64
	size        int
	conditional bool // a refusal may be the work of an attempt before
	doubt       int  // attempts begun minus those refused before anything was proposed
	keyed       bool // in Orderer.byID
	own         bool // holds a place in Orderer.counters

	flying     bool // the attempt is under way
	queue      *queue
	prev, next *pending

	first *Request
	tail  *Request
}

// ref names a pending and one of its attempts; it outlives both.
type ref struct {
	p            *pending
	gen, attempt uint32
}

func (p *pending) ref() ref { return ref{p, p.gen, p.attempt} }

// alive is the pending if it has not been answered, else nil.
func (r ref) alive() *pending {
	if r.p == nil || r.p.gen != r.gen {
		return nil
	}
	return r.p
}

// current tells whether the attempt is still the one under way.
func (r ref) current() bool { return r.p.flying && r.p.attempt == r.attempt }

// conditional tells whether a refusal of r may be the work of an attempt before.
func conditional(r *Request) bool {
	return r.Schema != nil && r.Schema.IfMatch != 0 || r.Assign != nil
}

// append appends the encoded form: an item, or a whole entry.
func (p *pending) append(dst []byte) []byte {
	if p.raw != nil {
		return append(dst, p.raw...)
	}
	return entry.AppendItem(dst, &p.item)
}

// takeFrom makes the pending refer to the bytes of r, one of its waiters.
func (p *pending) takeFrom(r *Request) {
	if p.queue != nil {
		p.queue.bytes += r.size - p.size
	}
	p.owner = r
	p.item, p.schema, p.cost, p.size = r.Item, r.SchemaVersion, r.Cost, r.size
}

// queue is a list of pendings, each of which is in one queue at most.
type queue struct {
	first, last *pending
	count       int
	bytes       int
}

func (q *queue) push(p *pending) {
	p.queue, p.prev, p.next = q, q.last, nil
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
	q.count++
	q.bytes += p.size
}

func (q *queue) pushFront(p *pending) {
	p.queue, p.prev, p.next = q, nil, q.first
	if q.first == nil {
		q.last = p
	} else {
		q.first.prev = p
	}
	q.first = p
	q.count++
	q.bytes += p.size
}

func (q *queue) remove(p *pending) {
	if p.prev == nil {
		q.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.queue, p.prev, p.next = nil, nil, nil
	q.count--
	q.bytes -= p.size
}
