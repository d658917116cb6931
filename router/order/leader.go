package order

import (
	"slices"

	"lockstep/engine/entry"
)

// view is what was last heard of the group's primary.
type view struct {
	node, term uint64
	ok         bool
}

// route is where requests go at present: into the log here, over a link, or
// (its zero value) nowhere.
type route struct {
	self bool
	link *link
}

// LeaderChanged looks at Log.Leader again. New has the log call it; it does no
// harm to call it more often.
func (o *Orderer) LeaderChanged() {
	var fx effects
	node, term, ok := o.cfg.Log.Leader()
	o.mu.Lock()
	o.see(view{node, term, ok}, &fx)
	o.mu.Unlock()
	o.perform(&fx)
}

// see takes in what the log says of its leader.
func (o *Orderer) see(next view, fx *effects) {
	if o.closed || next == o.view || (next.ok && next.term < o.view.term) {
		return
	}
	if !next.ok {
		if !o.view.ok {
			return
		}
		// The old primary may only have been out of reach for a moment: what it was
		// sent stays with it. What only waits here for peers goes back at once.
		o.view.ok = false
		o.setRoute(route{})
		o.turnAway(fx)
		return
	}
	changed := next.node != o.view.node || next.term != o.view.term
	o.view, o.blocked = next, false
	if next.node == o.cfg.Self {
		o.setRoute(route{self: true})
	} else {
		l := o.linkTo(next.node)
		l.blocked, l.retryAt, l.backoff = false, 0, 0
		o.setRoute(route{link: l})
	}
	if changed {
		o.recall(fx)
		o.lead(next)
	}
	o.kick(fx)
}

// lead lets what a new primary has to say go before all that waits.
func (o *Orderer) lead(next view) {
	if !o.route.self || o.cfg.Lead == nil || o.drain {
		return
	}
	r := o.cfg.Lead(next.term)
	if r == nil {
		return
	}
	kind, raw := rawForm(r)
	if o.held(kind) || kind == entry.KindBatch {
		r.Done(Answer{Err: ErrDiverged})
		return
	}
	now := o.now()
	r.pend, r.next, r.in, r.slot, r.since, r.dueMillis = nil, nil, nil, -1, now, o.millis(r.Deadline)
	r.size = itemOverhead + len(raw)
	p := o.newPending()
	p.kind, p.raw, p.conditional = kind, raw, conditional(r)
	p.takeFrom(r)
	o.join(p, r, now)
	o.waiting.pushFront(p)
}

func (o *Orderer) setRoute(r route) {
	o.route = r
	o.noteReach()
}

// noteReach keeps lostSince.
func (o *Orderer) noteReach() {
	if o.route.self || (o.route.link != nil && o.route.link.state == linkUp) {
		o.lostSince = -1
	} else if o.lostSince < 0 {
		o.lostSince = o.now()
	}
}

// recall takes everything unanswered back from where it was sent, to be sent
// again to the present primary. Answers that still come from there count.
func (o *Orderer) recall(fx *effects) {
	var all []ref
	for _, b := range o.batches {
		o.supersede(b)
		all = append(all, b.refs...)
	}
	for _, l := range o.links {
		for _, r := range l.sent {
			all = append(all, r)
		}
	}
	o.again(all, fx)
	if !o.route.self {
		o.turnAway(fx)
	}
}

// again puts what is still in the attempts refs back to the front of what waits,
// the oldest first.
func (o *Orderer) again(refs []ref, fx *effects) {
	back := make([]*pending, 0, len(refs))
	for _, r := range refs {
		if r.alive() != nil && r.current() {
			back = append(back, r.p)
		}
	}
	slices.SortFunc(back, func(a, b *pending) int {
		if a.serial > b.serial {
			return -1
		}
		return 1
	})
	for _, p := range back {
		o.goBack(p, fx)
	}
}

// goBack ends p's attempt, to begin another.
func (o *Orderer) goBack(p *pending, fx *effects) {
	p.flying = false
	if p.first.in != nil && !o.route.self {
		o.refuse(p, errNotPrimary, fx)
		return
	}
	o.stats.Again++
	o.waiting.pushFront(p)
}

// turnAway tells peers that this node is not primary, for all that waits here
// for them: a request makes one hop.
func (o *Orderer) turnAway(fx *effects) {
	for p := o.waiting.first; p != nil; {
		next := p.next
		if p.first.in != nil {
			o.refuse(p, errNotPrimary, fx)
		}
		p = next
	}
}
