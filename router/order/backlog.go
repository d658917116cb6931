package order

import "time"

// pace is how fast the requests of this node's clients are answered.
type pace struct {
	answered uint64  // ever
	at       int64   // when the rate was last looked at, milliseconds
	of       uint64  // answered then
	rate     float64 // a millisecond: a moving mean; 0: not known
}

// look moves the rate, once every while.
func (p *pace) look(now int64) {
	took := now - p.at
	if took < paceMillis {
		return
	}
	rate := float64(p.answered-p.of) / float64(took)
	if p.rate == 0 || took > paceStale {
		p.rate = rate
	} else {
		p.rate += (rate - p.rate) / 2
	}
	p.at, p.of = now, p.answered
}

// Backlog is how long what is under way here from this node's clients takes to be
// answered, at the present rate; 0 where that is not known, for nothing was
// answered lately.
func (o *Orderer) Backlog() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pace.rate <= 0 {
		return 0
	}
	millis := float64(o.requests) / o.pace.rate
	return time.Duration(min(millis, backlogMillis) * float64(time.Millisecond))
}
