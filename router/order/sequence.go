package order

import (
	"errors"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

// batch is an entry that was handed to the log.
type batch struct {
	sequence uint64
	term     uint64
	at       int64 // milliseconds
	ghost    bool  // superseded: its requests go out again, but it may still be applied
	refs     []ref
}

// mayPropose tells whether an entry may go out now. The first one in flight may
// always; a further one must be worth its round, or a tick must have passed.
func (o *Orderer) mayPropose(tick bool) bool {
	if !o.route.self || o.blocked || o.paused > 0 || o.waiting.count == 0 || o.inFlight >= o.cfg.Pipeline || o.closed {
		return false
	}
	return o.inFlight == 0 || tick || worth(o.waiting.count, o.usual) || o.waiting.bytes >= o.maxBytes/2
}

// worth tells whether n transactions are at least half of the usual number,
// which is kept times 8.
func worth(n, usual int) bool { return n*16 >= usual }

// learn moves the usual number an eighth of the way to n.
func learn(usual *int, n int) { *usual += n - *usual/8 }

// pump proposes until nothing more may go out.
func (o *Orderer) pump() {
	for tick := false; o.proposeNext(tick); {
	}
}

// proposeNext proposes one entry, if one may go out.
func (o *Orderer) proposeNext(tick bool) bool {
	o.mu.Lock()
	if !o.mayPropose(tick) {
		o.mu.Unlock()
		return false
	}
	sequence, cmd := o.takeBatch()
	o.mu.Unlock()
	if cmd == nil {
		return false
	}
	err := o.cfg.Log.Propose(cmd, func(r Result) { o.proposed(sequence, r) })
	o.handedOver(sequence, cmd, err)
	return true
}

// takeBatch makes the next entry of what waits. cmd is nil if nothing does.
func (o *Orderer) takeBatch() (sequence uint64, cmd []byte) {
	now := o.cfg.Now()
	o.sequence++
	b := o.newBatch()
	b.sequence, b.term, b.at = o.sequence, o.view.term, o.millis(now)
	origin := entry.Origin{Proposer: o.cfg.Session, Sequence: b.sequence}
	kind, version, bytes := o.fillBatch(b)
	if len(b.refs) == 0 {
		o.recycleBatch(b)
		return 0, nil
	}
	if kind == entry.KindBatch {
		head := entry.Batch{Origin: origin, TimeMillis: now.UnixMilli(), Seed: o.cfg.Seed(), SchemaVersion: version}
		cmd = entry.AppendBatchHeader(o.entryRoom(bytes+itemOverhead), &head, len(b.refs))
		for i := range b.refs {
			cmd = b.refs[i].p.append(cmd)
		}
		learn(&o.usual, len(b.refs))
	} else {
		cmd = stamp(b.refs[0].p.raw, origin, now.UnixMilli())
	}
	o.batches[b.sequence] = b
	o.inFlight++
	o.stats.Batches++
	o.stats.Items += uint64(len(b.refs))
	return b.sequence, cmd
}

// fillBatch moves what fits into one entry from waiting into b.
func (o *Orderer) fillBatch(b *batch) (kind entry.Kind, version uint64, bytes int) {
	var cost uint64
	for p := o.waiting.first; p != nil; p = o.waiting.first {
		if o.abandoned(p) {
			continue
		}
		if len(b.refs) == 0 {
			kind, version = p.kind, p.schema
		} else if p.kind != kind || kind != entry.KindBatch || p.schema != version ||
			len(b.refs) >= o.fits || bytes+p.size > o.maxBytes || cost+p.cost > o.cfg.BatchCost {
			break
		}
		bytes += p.size
		cost += p.cost
		b.refs = append(b.refs, o.depart(p))
	}
	return kind, version, bytes
}

// abandoned drops p if only a peer waited for it and that peer's connection is
// gone: the peer has sent it elsewhere.
func (o *Orderer) abandoned(p *pending) bool {
	if p.first.in == nil || !p.first.in.gone {
		return false
	}
	r := p.first
	o.leave(r)
	o.recycleForeign(r)
	o.discard(p)
	return true
}

// depart begins an attempt.
func (o *Orderer) depart(p *pending) ref {
	o.waiting.remove(p)
	p.flying = true
	p.attempt++
	p.doubt++
	return p.ref()
}

// stamp fills in what the primary adds to an entry that is no batch. Every such
// entry was encoded here, or checked when a peer sent it; copies would pass over
// one that was not.
func stamp(raw []byte, origin entry.Origin, millis int64) []byte {
	cmd, err := entry.Restamp(nil, raw, origin, millis)
	if err != nil {
		return raw
	}
	return cmd
}

// Applied gives the verdicts on an entry that this router proposed, one for each
// of its transactions, after they were committed to the group's store. Their
// bytes are read during the call only; their strings are kept.
func (o *Orderer) Applied(sequence uint64, verdicts []outcome.Verdict) {
	var fx effects
	o.mu.Lock()
	b := o.batches[sequence]
	if b == nil {
		o.mu.Unlock()
		return
	}
	o.forget(b)
	if len(verdicts) != len(b.refs) {
		o.cfg.Logger.Error("an entry was applied with another number of verdicts than it has transactions; they are ordered again",
			"group", o.cfg.Group, "sequence", sequence, "verdicts", len(verdicts), "transactions", len(b.refs))
		o.again(b.refs, &fx)
	} else {
		o.settleBatch(b, verdicts, &fx)
	}
	o.recycleBatch(b)
	fx.pump = true
	o.mu.Unlock()
	o.perform(&fx)
}

func (o *Orderer) settleBatch(b *batch, verdicts []outcome.Verdict, fx *effects) {
	var deferred []ref
	for i := range b.refs {
		p := b.refs[i].alive()
		if p == nil {
			continue
		}
		v := &verdicts[i]
		if v.Kind == outcome.Deferred {
			p.doubt-- // this attempt has certainly done nothing
			deferred = append(deferred, b.refs[i])
			continue
		}
		if p.first.in == nil && len(v.Outcome.Result) > 0 {
			if fx.room == nil {
				fx.room = make([]byte, 0, resultBytes(verdicts[i:]))
			}
			from := len(fx.room)
			fx.room = append(fx.room, v.Outcome.Result...)
			own := *v
			own.Outcome.Result = fx.room[from:len(fx.room):len(fx.room)]
			v = &own
		}
		o.settle(p, v, fx)
	}
	o.fitEntries(len(b.refs), len(deferred))
	o.again(deferred, fx)
}

// fitEntries learns how many transactions of the present kind an entry can take:
// what is more comes back deferred. It tries for more in small steps, for what is
// deferred travels twice.
func (o *Orderer) fitEntries(count, deferred int) {
	switch {
	case deferred > 0:
		o.fits = max(count-deferred, 1)
	case count >= o.fits:
		o.fits = min(o.fits+o.fits/16+1, o.cfg.BatchItems)
	}
}

func resultBytes(verdicts []outcome.Verdict) (n int) {
	for i := range verdicts {
		n += len(verdicts[i].Outcome.Result)
	}
	return n
}

// forget takes b out of the books.
func (o *Orderer) forget(b *batch) {
	delete(o.batches, b.sequence)
	if !b.ghost {
		o.inFlight--
		o.noteLanding()
	}
}

// supersede frees the slot of b: its requests go out again, while it may still
// be applied.
func (o *Orderer) supersede(b *batch) {
	if !b.ghost {
		b.ghost = true
		o.inFlight--
		o.noteLanding()
	}
}

// proposed hears from the log about an entry that it had accepted.
func (o *Orderer) proposed(sequence uint64, result Result) {
	if result == Committed {
		return // Applied follows
	}
	var fx effects
	o.mu.Lock()
	if b := o.batches[sequence]; b != nil {
		o.blocked = o.blocked || !b.ghost
		if result == Dropped {
			o.undo(b, &fx)
		} else {
			o.supersede(b)
			o.again(b.refs, &fx)
		}
	}
	o.mu.Unlock()
	o.perform(&fx)
}

// handedOver takes the memory of an entry back after it was proposed, and the
// entry too if the log did not take it.
func (o *Orderer) handedOver(sequence uint64, cmd []byte, err error) {
	var fx effects
	o.mu.Lock()
	if cap(cmd) <= entriesKeptBytes && len(o.freeEntries) < entriesKept {
		o.freeEntries = append(o.freeEntries, cmd[:0])
	}
	b := o.batches[sequence]
	if err == nil || b == nil {
		o.mu.Unlock()
		return
	}
	if errors.Is(err, ErrLogTooLarge) {
		if len(b.refs) == 1 {
			if p := b.refs[0].alive(); p != nil {
				p.doubt--
				o.refuse(p, ErrTooLarge, &fx)
			}
		}
		o.maxBytes = max(o.maxBytes/2, 1)
	} else {
		o.blocked = true
	}
	o.undo(b, &fx)
	o.mu.Unlock()
	o.perform(&fx)
}

// undo takes back an entry that was certainly not proposed.
func (o *Orderer) undo(b *batch, fx *effects) {
	o.forget(b)
	for i := range b.refs {
		if p := b.refs[i].alive(); p != nil {
			p.doubt--
		}
	}
	o.again(b.refs, fx)
	o.recycleBatch(b)
}
