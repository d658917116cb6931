package order

// Objects are used again under the lock that guards everything else, so that a
// transaction under way costs no allocation of its own.

func (o *Orderer) newPending() *pending {
	o.serial++
	n := len(o.freePendings)
	if n == 0 {
		return &pending{serial: o.serial}
	}
	p := o.freePendings[n-1]
	o.freePendings = o.freePendings[:n-1]
	p.serial = o.serial
	return p
}

// recycle makes every reference to p stale.
func (o *Orderer) recycle(p *pending) {
	*p = pending{gen: p.gen + 1}
	if len(o.freePendings) < freeObjects {
		o.freePendings = append(o.freePendings, p)
	}
}

func (o *Orderer) newForeign() *Request {
	n := len(o.freeForeign)
	if n == 0 {
		return &Request{}
	}
	r := o.freeForeign[n-1]
	o.freeForeign = o.freeForeign[:n-1]
	return r
}

func (o *Orderer) recycleForeign(r *Request) {
	*r = Request{}
	if len(o.freeForeign) < freeObjects {
		o.freeForeign = append(o.freeForeign, r)
	}
}

func (o *Orderer) newBatch() *batch {
	n := len(o.freeBatches)
	if n == 0 {
		return &batch{}
	}
	b := o.freeBatches[n-1]
	o.freeBatches = o.freeBatches[:n-1]
	return b
}

func (o *Orderer) recycleBatch(b *batch) {
	clear(b.refs)
	*b = batch{refs: b.refs[:0]}
	if len(o.freeBatches) < ghosts {
		o.freeBatches = append(o.freeBatches, b)
	}
}

// entryRoom is memory for an entry of up to so many bytes.
func (o *Orderer) entryRoom(bytes int) []byte {
	if n := len(o.freeEntries); n > 0 {
		room := o.freeEntries[n-1]
		o.freeEntries = o.freeEntries[:n-1]
		if cap(room) >= bytes {
			return room
		}
	}
	return make([]byte, 0, max(bytes, entryRoomMin))
}
