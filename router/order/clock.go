package order

import "time"

// wheel sorts requests by the tick of their deadline. Its slots are lists
// through the requests themselves; all is done under the orderer's lock.
type wheel struct {
	tickMillis int64
	last       int64 // tick up to which everything due was taken out
	count      int
	slots      [wheelSlots]*Request
}

func (w *wheel) add(r *Request, now int64) {
	if w.count == 0 {
		w.last = max(w.last, now/w.tickMillis)
	}
	tick := max(r.dueMillis/w.tickMillis, w.last+1)
	slot := &w.slots[tick%wheelSlots]
	r.slot, r.prevDue, r.nextDue = int32(tick%wheelSlots), nil, *slot
	if *slot != nil {
		(*slot).prevDue = r
	}
	*slot = r
	w.count++
}

func (w *wheel) remove(r *Request) {
	if r.slot < 0 {
		return
	}
	if r.prevDue == nil {
		w.slots[r.slot] = r.nextDue
	} else {
		r.prevDue.nextDue = r.nextDue
	}
	if r.nextDue != nil {
		r.nextDue.prevDue = r.prevDue
	}
	r.slot, r.prevDue, r.nextDue = -1, nil, nil
	w.count--
}

// advance calls due for each request whose deadline is before the end of the
// tick that begins now, so that its answer is there in time. due removes it.
func (w *wheel) advance(now int64, due func(*Request)) {
	end := now/w.tickMillis + 1
	for tick := max(w.last+1, end-wheelSlots+1); tick <= end && w.count > 0; tick++ {
		for r := w.slots[tick%wheelSlots]; r != nil; {
			next := r.nextDue
			if r.dueMillis/w.tickMillis <= end {
				due(r)
			}
			r = next
		}
	}
	w.last = max(w.last, end)
}

// wakeClock starts the clock if it rests.
func (o *Orderer) wakeClock() {
	if o.ticking {
		return
	}
	o.ticking = true
	wake(o.wake)
}

// wake makes the goroutine that receives from c run once more.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// runClock ticks while there is something under way.
func (o *Orderer) runClock() {
	defer o.running.Done()
	for {
		select {
		case <-o.wake:
		case <-o.stop.Done():
			return
		}
		ticker := time.NewTicker(o.cfg.Tick)
		for idle := 0; !o.rest(idle); {
			select {
			case <-ticker.C:
			case <-o.stop.Done():
				ticker.Stop()
				return
			}
			if o.tick() {
				idle = 0
			} else {
				idle++
			}
		}
		ticker.Stop()
	}
}

// rest tells whether the clock may stop after so many idle ticks, and if so
// notes that it does.
func (o *Orderer) rest(idle int) bool {
	if idle < idleTicks {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.requests+o.foreign > 0 {
		return false
	}
	o.ticking = false
	return true
}

// tick does what is due by the clock. It returns whether anything is under way.
func (o *Orderer) tick() bool {
	var fx effects
	node, term, ok := o.cfg.Log.Leader()
	now := o.now()
	o.mu.Lock()
	o.see(view{node, term, ok}, &fx)
	o.wheel.advance(now, func(r *Request) { o.expire(r, &fx) })
	o.sweepBatches(now, &fx)
	for _, l := range o.links {
		l.look(o, now)
	}
	o.pace.look(now)
	o.blocked = false
	busy := o.requests+o.foreign > 0
	may := o.mayPropose(true)
	o.mu.Unlock()
	o.perform(&fx)
	if may {
		o.proposeNext(true)
		o.pump()
	}
	return busy
}

// expire answers r, whose deadline has come.
func (o *Orderer) expire(r *Request, fx *effects) {
	p := r.pend
	if p.first == r {
		p.first = r.next
		if p.first == nil {
			p.tail = nil
		}
	} else {
		before := p.first
		for before.next != r {
			before = before.next
		}
		before.next = r.next
		if p.tail == r {
			p.tail = before
		}
	}
	err := ErrDeadline
	if o.lostSince >= 0 && o.lostSince <= r.since {
		err = ErrNoPrimary
	}
	last := p.first == nil
	if !last && p.owner == r {
		p.takeFrom(p.first)
	}
	o.refuseOne(p, r, err, fx)
	if last {
		o.discard(p)
	}
}

// sweepBatches gives up entries of which nothing was heard, and forgets those
// given up long ago.
func (o *Orderer) sweepBatches(now int64, fx *effects) {
	for _, b := range o.batches {
		switch age := now - b.at; {
		case b.ghost && (age > ghostAge.Milliseconds() || len(o.batches) > ghosts):
			o.forget(b)
			o.recycleBatch(b)
		case !b.ghost && age > o.cfg.Stall.Milliseconds():
			o.cfg.Logger.Warn("nothing was heard of an entry; its transactions are proposed again",
				"group", o.cfg.Group, "sequence", b.sequence, "transactions", len(b.refs), "milliseconds", age)
			o.supersede(b)
			o.again(b.refs, fx)
		}
	}
}
