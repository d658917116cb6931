package order

import (
	"context"
	"sync"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

// Orderer orders the requests of one group that come in at this node, and, where
// this node is the group's primary, those of its peers. It is safe for
// concurrent use.
type Orderer struct {
	cfg   Config
	start time.Time // zero of the millisecond clock below

	mu     sync.Mutex
	closed bool // nothing is answered any more: everything was
	drain  bool // new requests are refused
	empty  chan struct{}

	// Requests and what is known of them.
	requests     int // from this node's clients
	requestBytes int
	foreign      int // from peers
	foreignBytes int
	replyBytes   int // answers that peers have not taken yet
	serial       uint64
	byID         map[entry.ID]*pending // those with an id from outside, to join
	counters     counters
	waiting      queue

	// Where requests go.
	view      view
	route     route
	lostSince int64 // since when no primary is within reach, milliseconds; -1: one is

	// As primary.
	sequence uint64
	batches  map[uint64]*batch
	inFlight int
	usual    int           // items of a usual entry, times 8
	fits     int           // items that an entry can take, as far as is known
	blocked  bool          // the log refused: nothing goes out until a tick or another primary
	maxBytes int           // of an entry; shrinks if the log refuses entries for their size
	paused   int           // those who want nothing proposed
	landed   chan struct{} // closed when nothing is in flight; nil: nobody waits for that

	// To and from peers.
	links    map[uint64]*link
	inbounds map[*inbound]struct{}
	spawn    func(*link) // starts the goroutines of a link; tests put their own here

	// The clock.
	wheel   wheel
	ticking bool
	wake    chan struct{}
	unwatch func()
	stop    context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	freePendings []*pending
	freeForeign  []*Request
	freeBatches  []*batch
	freeEntries  [][]byte
	stats        Stats
	pace         pace
}

// Stats are counts since the start and sizes now.
type Stats struct {
	Waiting  int // requests that wait to go out
	UnderWay int // requests of this node's clients without an answer
	Foreign  int // requests of peers without an answer
	InFlight int // entries in flight

	Batches    uint64 // entries proposed
	Items      uint64 // transactions in them
	Forwarded  uint64 // transactions sent to another primary
	Frames     uint64 // frames they were sent in
	Again      uint64 // transactions that went back to be sent again
	Joined     uint64 // requests that joined one under way with the same id
	Overloaded uint64 // requests refused with ErrOverloaded
	Unknown    uint64 // requests answered with ErrOutcomeUnknown
}

// New starts an Orderer. It begins to propose as soon as its Log names a primary.
func New(cfg Config) (*Orderer, error) {
	o, err := newOrderer(cfg)
	if err != nil {
		return nil, err
	}
	o.spawn = o.startLink
	o.running.Add(1)
	go o.runClock()
	o.unwatch = cfg.Log.Watch(o.LeaderChanged)
	o.LeaderChanged()
	return o, nil
}

func newOrderer(cfg Config) (*Orderer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.defaults()
	o := &Orderer{
		cfg:      cfg,
		start:    cfg.Now(),
		empty:    make(chan struct{}),
		byID:     make(map[entry.ID]*pending),
		batches:  make(map[uint64]*batch),
		maxBytes: cfg.BatchBytes,
		fits:     cfg.BatchItems,
		links:    make(map[uint64]*link),
		inbounds: make(map[*inbound]struct{}),
		wake:     make(chan struct{}, 1),
	}
	o.wheel.tickMillis = max(cfg.Tick.Milliseconds(), 1)
	o.stop, o.cancel = context.WithCancel(context.Background())
	return o, nil
}

// effects is what follows from a change under the lock and happens after it is
// released: requests to call Done of, and entries to propose.
type effects struct {
	done *Request
	tail *Request
	pump bool
	room []byte // what is left of the memory for the results of one Applied
}

func (fx *effects) answer(r *Request, a Answer) {
	r.answer, r.next = a, nil
	if fx.tail == nil {
		fx.done = r
	} else {
		fx.tail.next = r
	}
	fx.tail = r
}

// perform proposes before it answers: the log works while clients are woken.
func (o *Orderer) perform(fx *effects) {
	if fx.pump {
		o.pump()
	}
	for r := fx.done; r != nil; {
		next, a := r.next, r.answer
		r.next, r.answer = nil, Answer{}
		r.Done(a)
		r = next
	}
}

// millis is the time since the start, on the monotonic clock.
func (o *Orderer) millis(t time.Time) int64 { return t.Sub(o.start).Milliseconds() }

func (o *Orderer) now() int64 { return o.millis(o.cfg.Now()) }

// Submit takes a request. Done is called once, also where it is refused.
func (o *Orderer) Submit(r *Request) {
	var fx effects
	now := o.now()
	o.mu.Lock()
	if err := o.admit(r, now); err != nil {
		if r.Attempted {
			err = ErrOutcomeUnknown
		}
		o.mu.Unlock()
		r.Done(Answer{Err: err})
		return
	}
	o.kick(&fx)
	o.mu.Unlock()
	o.perform(&fx)
}

// admit takes the request in or says why not.
func (o *Orderer) admit(r *Request, now int64) error {
	r.pend, r.next, r.in, r.slot, r.since = nil, nil, nil, -1, now
	r.dueMillis = o.millis(r.Deadline)
	if o.drain {
		return ErrDraining
	}
	if r.dueMillis <= now {
		return ErrDeadline
	}
	kind, raw := rawForm(r)
	if o.held(kind) {
		return ErrDiverged
	}
	r.size = itemOverhead + len(raw) + len(r.Item.ID.Key) + len(r.Item.Params) + len(r.Item.Source)
	if r.size > maxItem {
		return ErrTooLarge
	}
	if o.requests >= o.cfg.Requests || o.requestBytes+r.size > o.cfg.RequestBytes {
		o.stats.Overloaded++
		return ErrOverloaded
	}
	id := r.Item.ID
	if kind == entry.KindBatch && id.Session == o.cfg.Session && id.Counter > o.counters.last {
		return ErrUnknownID
	}
	if kind == entry.KindBatch && !id.IsZero() {
		if p := o.byID[id]; p != nil && p.item.Fingerprint == r.Item.Fingerprint {
			o.stats.Joined++
			o.join(p, r, now)
			return nil
		}
	}
	p := o.newPending()
	p.kind, p.raw = kind, raw
	if kind == entry.KindBatch {
		if id.IsZero() {
			counter, ok := o.counters.take()
			if !ok {
				o.recycle(p)
				o.stats.Overloaded++
				return ErrOverloaded
			}
			r.Item.ID = entry.ID{Session: o.cfg.Session, Counter: counter}
			p.own = true
		} else if o.byID[id] == nil {
			o.byID[id] = p
			p.keyed = true
		}
	} else {
		p.conditional = conditional(r)
	}
	p.takeFrom(r)
	o.join(p, r, now)
	o.waiting.push(p)
	return nil
}

// held tells whether the group takes no changes at present. What it is told by
// goes on, or it would never take any again.
func (o *Orderer) held(kind entry.Kind) bool {
	return o.cfg.Held != nil && kind != entry.KindCheckpoint && kind != entry.KindVerdict && o.cfg.Held()
}

// rawForm is the encoded form of what is no transaction.
func rawForm(r *Request) (entry.Kind, []byte) {
	switch {
	case r.Schema != nil:
		s := *r.Schema
		s.Origin, s.TimeMillis = entry.Origin{}, 0
		return entry.KindSchema, entry.AppendSchema(nil, &s)
	case r.Checkpoint != nil:
		c := *r.Checkpoint
		c.Origin, c.TimeMillis = entry.Origin{}, 0
		return entry.KindCheckpoint, entry.AppendCheckpoint(nil, &c)
	case r.Verdict != nil:
		v := *r.Verdict
		v.Origin, v.TimeMillis = entry.Origin{}, 0
		return entry.KindVerdict, entry.AppendVerdict(nil, &v)
	case r.Backfill != nil:
		b := *r.Backfill
		b.Origin, b.TimeMillis = entry.Origin{}, 0
		return entry.KindBackfill, entry.AppendBackfill(nil, &b)
	case r.Finish != nil:
		f := *r.Finish
		f.Origin, f.TimeMillis = entry.Origin{}, 0
		return entry.KindFinish, entry.AppendFinish(nil, &f)
	case r.Language != nil:
		l := *r.Language
		l.Origin, l.TimeMillis = entry.Origin{}, 0
		return entry.KindLanguage, entry.AppendLanguage(nil, &l)
	case r.Settings != nil:
		s := *r.Settings
		s.Origin, s.TimeMillis = entry.Origin{}, 0
		return entry.KindSettings, entry.AppendSettings(nil, &s)
	case r.Assign != nil:
		a := *r.Assign
		a.Origin, a.TimeMillis = entry.Origin{}, 0
		return entry.KindAssign, entry.AppendAssign(nil, &a)
	}
	return entry.KindBatch, nil
}

// join adds r to those who wait for p.
func (o *Orderer) join(p *pending, r *Request, now int64) {
	r.pend = p
	if p.tail == nil {
		p.first = r
	} else {
		p.tail.next = r
	}
	p.tail = r
	if r.Attempted {
		p.doubt++
	}
	if r.in != nil {
		o.foreign++
		o.foreignBytes += r.size
	} else {
		o.requests++
		o.requestBytes += r.size
	}
	o.wheel.add(r, now)
	o.wakeClock()
}

// kick lets out what may go out now.
func (o *Orderer) kick(fx *effects) {
	switch {
	case o.route.self:
		fx.pump = fx.pump || o.mayPropose(false)
	case o.route.link != nil:
		o.route.link.kick(o, false)
	}
}

// leave takes r out of the books: it is about to be answered.
func (o *Orderer) leave(r *Request) {
	o.wheel.remove(r)
	r.pend = nil
	if r.in != nil {
		o.foreign--
		o.foreignBytes -= r.size
	} else {
		o.requests--
		o.requestBytes -= r.size
		o.pace.answered++
	}
	if o.drain && o.requests+o.foreign == 0 {
		o.signalEmpty()
	}
}

// settle ends p with the log's verdict.
func (o *Orderer) settle(p *pending, v *outcome.Verdict, fx *effects) {
	p.doubt-- // the attempt of this verdict is no longer open
	if p.conditional && p.doubt > 0 && !v.Outcome.Committed {
		// Perhaps refused because an attempt before had already made the change.
		o.refuse(p, ErrOutcomeUnknown, fx)
		return
	}
	for r := p.first; r != nil; {
		next := r.next
		o.leave(r)
		r.Attempted = p.doubt > 0
		if r.in != nil {
			r.in.verdict(r.number, v)
			o.recycleForeign(r)
		} else {
			a := Answer{Verdict: *v}
			a.Verdict.Outcome.ID = p.item.ID
			fx.answer(r, a)
		}
		r = next
	}
	o.discard(p)
}

// refuse ends p without a verdict, by err where that is true of every attempt.
func (o *Orderer) refuse(p *pending, err error, fx *effects) {
	for r := p.first; r != nil; {
		next := r.next
		o.refuseOne(p, r, err, fx)
		r = next
	}
	o.discard(p)
}

func (o *Orderer) refuseOne(p *pending, r *Request, err error, fx *effects) {
	o.leave(r)
	if p.doubt > 0 {
		err = ErrOutcomeUnknown
	}
	r.Attempted = p.doubt > 0
	if r.in != nil {
		r.in.refusal(r.number, statusOf(err))
		o.recycleForeign(r)
		return
	}
	switch err {
	case ErrOutcomeUnknown:
		o.stats.Unknown++
	case ErrOverloaded:
		o.stats.Overloaded++
	}
	fx.answer(r, Answer{Err: err})
}

// discard forgets p, for whom nobody waits any more. References to it die.
func (o *Orderer) discard(p *pending) {
	if p.queue != nil {
		p.queue.remove(p)
	}
	if p.keyed {
		delete(o.byID, p.item.ID)
	}
	if p.own {
		o.counters.release(p.item.ID.Counter)
	}
	o.recycle(p)
}

// Pending tells whether a transaction with this id is under way at this node.
func (o *Orderer) Pending(id entry.ID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID[id] != nil {
		return true
	}
	return id.Key == "" && id.Session == o.cfg.Session && o.counters.busy(id.Counter)
}

// Stats reads the counts.
func (o *Orderer) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.stats
	s.Waiting = o.waiting.count
	s.UnderWay, s.Foreign, s.InFlight = o.requests, o.foreign, o.inFlight
	return s
}

// Drain refuses new requests with ErrDraining from here on.
func (o *Orderer) Drain() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.drain {
		return
	}
	o.drain = true
	if o.requests+o.foreign == 0 {
		o.signalEmpty()
	}
}

func (o *Orderer) signalEmpty() {
	select {
	case <-o.empty:
	default:
		close(o.empty)
	}
}

// Close refuses new requests, waits until those under way are answered or ctx
// ends, answers the rest as the rules allow, and stops. It returns ctx's error
// if there was a rest.
func (o *Orderer) Close(ctx context.Context) error {
	o.Drain()
	var err error
	select {
	case <-o.empty:
	case <-ctx.Done():
		err = ctx.Err()
	}
	var fx effects
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		o.refuseAll(&fx)
		for _, l := range o.links {
			l.shut()
		}
		for in := range o.inbounds {
			in.shut()
		}
	}
	o.mu.Unlock()
	o.cancel()
	fx.pump = false
	o.perform(&fx)
	if o.unwatch != nil {
		o.unwatch()
	}
	o.running.Wait()
	return err
}

// refuseAll ends everything that is under way.
func (o *Orderer) refuseAll(fx *effects) {
	for _, b := range o.batches {
		for _, r := range b.refs {
			if p := r.alive(); p != nil {
				o.refuse(p, ErrDraining, fx)
			}
		}
	}
	for _, l := range o.links {
		for _, r := range l.sent {
			if p := r.alive(); p != nil {
				o.refuse(p, ErrDraining, fx)
			}
		}
	}
	for o.waiting.first != nil {
		o.refuse(o.waiting.first, ErrDraining, fx)
	}
}
