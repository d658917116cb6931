package supervision

import "time"

// Beat is one heartbeat, as its sender made it for one receiver.
type Beat struct {
	From string

	// Boot is another one for each process; Sequence grows within one. What is
	// not newer than what was heard is passed over.
	Boot, Sequence uint64

	// Hears are the members that the sender hears or has heard, itself and the
	// receiver's silence included.
	Hears []Hearing

	// Stalled is how long the sender itself was stopped, not long ago; 0: it was
	// not.
	Stalled time.Duration
}

// Hearing is what the sender of a heartbeat hears of another member.
type Hearing struct {
	Node string
	Age  time.Duration // since it was last heard

	// HearsYou: that member's last heartbeat said that it hears the receiver.
	HearsYou bool
}

// Beat makes the heartbeat for a member. Sequence and Boot are the caller's.
func (w *Watch) Beat(now time.Duration, to string) Beat {
	now = w.pass(now)
	b := Beat{From: w.self, Hears: make([]Hearing, 0, len(w.order))}
	for _, name := range w.order {
		m := w.members[name]
		if name == w.self || !m.everHeard {
			continue
		}
		h := Hearing{Node: name, Age: now - m.heard}
		if name != to {
			h.HearsYou = m.says[to].fresh(now, w.cfg.Timeout)
		}
		b.Hears = append(b.Hears, h)
	}
	if w.stalled >= w.cfg.Timeout && now-w.stalledAt < StallKept {
		b.Stalled = w.stalled
	}
	return b
}

// said is what a member said of whom it hears: when it last heard them, by our
// time.
type said struct {
	at       time.Duration
	known    bool
	hearsYou bool // that one hears us
}

func (s said) fresh(now, within time.Duration) bool { return s.known && now-s.at < within }

// Heard takes a heartbeat in. It is not an event by itself: Tick judges.
func (w *Watch) Heard(now time.Duration, b *Beat) {
	now = w.pass(now)
	m := w.members[b.From]
	if m == nil || b.From == w.self {
		return
	}
	if m.everHeard && m.boot == b.Boot && b.Sequence <= m.sequence {
		return
	}
	if m.everHeard && m.boot != b.Boot {
		m.restarted, m.hearsUs = now, now // a new process has heard nobody yet
	}
	gap := now - m.heard
	switch {
	case !m.everHeard:
		m.streak, m.hearsUs = 1, now // it has had no chance to hear us before
	case gap >= w.cfg.Timeout:
		m.streak = 1
	case now-m.counted >= w.cfg.Interval/2: // a burst of what was queued counts once
		m.streak = min(m.streak+1, MaxConfirm)
	}
	if m.streak == 1 || now-m.counted >= w.cfg.Interval/2 {
		m.counted = now
	}
	if m.late++; !m.everHeard || gap < w.cfg.Timeout {
		m.late = 0
	}
	m.gap = gap
	m.everHeard, m.heard, m.boot, m.sequence = true, now, b.Boot, b.Sequence
	m.reach = ReachUnknown
	if b.Stalled > 0 {
		m.stalled, m.stalledAt = b.Stalled, now
	}
	w.listen(now, m, b.Hears)
}

// listen notes whom a member hears.
func (w *Watch) listen(now time.Duration, m *member, hears []Hearing) {
	clear(m.says)
	for _, h := range hears {
		switch {
		case h.Node == w.self:
			if at := now - max(h.Age, 0); at > m.hearsUs {
				m.hearsUs = at
			}
		case w.members[h.Node] != nil && h.Node != m.name:
			m.says[h.Node] = said{at: now - max(h.Age, 0), known: true, hearsYou: h.HearsYou}
		}
	}
}

// Reach is what trying to connect to a node showed, beside its heartbeats.
type Reach uint8

// What a connection may show.
const (
	ReachUnknown Reach = iota
	ReachRefused       // its machine answers that nobody listens there
	ReachTaken         // a connection is taken: its machine is up
	ReachNone          // no answer at all
)

// Reached notes what trying to connect to a node showed. It changes no status,
// and makes reasons say more.
func (w *Watch) Reached(now time.Duration, node string, r Reach) {
	w.pass(now)
	if m := w.members[node]; m != nil {
		m.reach = r
	}
}
