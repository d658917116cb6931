package supervision

import (
	"fmt"
	"slices"
	"time"
)

// State is what a node is taken for.
type State string

// The states.
const (
	Available   State = "available"
	Suspect     State = "suspect"
	Unavailable State = "unavailable"
	Draining    State = "draining"
	Drained     State = "drained"
)

// Watch is one node's view of the members of one group. It is not safe for
// concurrent use.
type Watch struct {
	cfg     Config
	self    string
	members map[string]*member
	order   []string // names, ascending

	now       time.Duration // of the last call, as it was told
	began     time.Duration
	stalled   time.Duration // the last time that we ourselves were stopped, for so long
	stalledAt time.Duration
}

// member is what is known of one node.
type member struct {
	name   string
	wished State // Draining, Drained or empty
	health State // Available, Suspect or Unavailable
	shown  State // as it was last told
	since  time.Duration
	joined time.Duration // our watch of it began

	everHeard bool
	heard     time.Duration // last heartbeat; before the first, when the watch of it began
	counted   time.Duration // last heartbeat that counted for streak
	streak    int           // heartbeats in a row
	gap       time.Duration // between the last two
	late      int           // heartbeats in a row that came after a timeout
	hearsUs   time.Duration // when it last heard us
	boot      uint64
	sequence  uint64
	restarted time.Duration
	stalled   time.Duration // it told that it was stopped for so long
	stalledAt time.Duration
	says      map[string]said
	reach     Reach

	flaps   int           // how often it went, of late
	steady  time.Duration // since when it is available, for forgetting flaps
	confirm int           // heartbeats in a row that bring it back
}

// New begins a watch of a group's members, self among them or not.
func New(cfg Config, self string, members []string, now time.Duration) (*Watch, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	w := &Watch{cfg: cfg, self: self, members: map[string]*member{}, now: now, began: now}
	return w, w.SetMembers(now, members)
}

// SetMembers tells who is watched from now on. Those that stay keep their status.
func (w *Watch) SetMembers(now time.Duration, names []string) error {
	now = w.pass(now)
	if len(names) > MaxNodes {
		return fmt.Errorf("%d members; at most %d can be watched", len(names), MaxNodes)
	}
	for name := range w.members {
		if !slices.Contains(names, name) {
			delete(w.members, name)
		}
	}
	for _, name := range names {
		if w.members[name] == nil {
			w.members[name] = w.newcomer(name, now)
		}
	}
	w.order = w.order[:0]
	for name := range w.members {
		w.order = append(w.order, name)
	}
	slices.Sort(w.order)
	return nil
}

func (w *Watch) newcomer(name string, now time.Duration) *member {
	m := &member{name: name, health: Suspect, since: now, joined: now, heard: now, counted: now, hearsUs: now, confirm: 1, says: map[string]said{}}
	if name == w.self {
		m.health = Available
	}
	m.shown = m.health
	return m
}

// SetConfig changes the settings; the next Tick judges by them.
func (w *Watch) SetConfig(now time.Duration, cfg Config) error {
	w.pass(now)
	if err := cfg.Validate(); err != nil {
		return err
	}
	w.cfg = cfg
	return nil
}

// Config are the settings that hold.
func (w *Watch) Config() Config { return w.cfg }

// Wish notes what an operator asked of a node: Draining, Drained, or nothing
// (empty).
func (w *Watch) Wish(now time.Duration, node string, wished State) {
	w.pass(now)
	if m := w.members[node]; m != nil && (wished == "" || wished == Draining || wished == Drained) {
		m.wished = wished
	}
}

// pass lets time go by up to now. Time that we could not watch, for we were
// stopped or our clock jumped, is no node's silence: it is taken off everybody's.
func (w *Watch) pass(now time.Duration) time.Duration {
	if now <= w.now {
		return w.now // a clock that goes back stands still
	}
	gap := now - w.now
	w.now = now
	lost := gap - w.usual()
	if lost <= 0 {
		return now
	}
	w.stalled, w.stalledAt = gap, now
	for _, m := range w.members {
		m.heard += lost
		m.counted += lost
		m.hearsUs += lost
		m.steady += lost
		m.joined += lost
		for name, s := range m.says {
			s.at += lost
			m.says[name] = s
		}
	}
	w.began += lost
	return now
}

// usual is the most time between two calls that is taken to have been watched.
func (w *Watch) usual() time.Duration { return max(2*w.cfg.Interval, w.cfg.Timeout/2) }

// Settled tells that every member was heard, or that a full timeout × retries of
// this watch has passed: from then on its judgment is its own.
func (w *Watch) Settled(now time.Duration) bool {
	now = w.pass(now)
	if now-w.began >= w.cfg.limit() {
		return true
	}
	for _, m := range w.members {
		if m.name != w.self && !m.everHeard {
			return false
		}
	}
	return true
}

// Change is one node's change of status.
type Change struct {
	Node     string
	From, To State
	Code     Code
	Text     string
}

// Tick judges everybody, and gives the changes since the last call in the order
// of the nodes' names. Call it at least once an interval.
func (w *Watch) Tick(now time.Duration) []Change {
	now = w.pass(now)
	alone := w.alone(now)
	var changes []Change
	for _, name := range w.order {
		m := w.members[name]
		if name != w.self {
			w.judge(now, m, alone)
		}
		if shown := m.state(); shown != m.shown {
			code, text := w.reason(now, m)
			changes = append(changes, Change{Node: name, From: m.shown, To: shown, Code: code, Text: text})
			m.shown, m.since = shown, now
		}
	}
	return changes
}

// alone tells that we hear none of several others.
func (w *Watch) alone(now time.Duration) bool {
	others := 0
	for _, m := range w.members {
		if m.name == w.self {
			continue
		}
		if others++; now-m.heard < w.cfg.Timeout {
			return false
		}
	}
	return others > 1
}

// judge moves a node between the states of its health.
func (w *Watch) judge(now time.Duration, m *member, alone bool) {
	silent := now - m.heard
	limit := w.cfg.limit()
	if alone || len(w.hearers(now, m)) > 0 {
		limit *= PartialFactor
	}
	deaf := m.deaf()
	switch {
	case silent >= limit || deaf >= w.cfg.limit()*PartialFactor:
		w.leave(m)
		m.health, m.streak, m.confirm = Unavailable, 0, m.wanted(ConfirmUnavailable)
	case silent >= w.cfg.Timeout || deaf >= w.cfg.Timeout:
		if m.health == Available {
			w.leave(m)
			m.health, m.confirm = Suspect, m.wanted(ConfirmSuspect)
		} else if m.health == Unavailable && silent < w.cfg.Timeout {
			m.health = Suspect
		}
		m.streak = 0
	case m.health != Available && m.streak >= m.confirm:
		m.health, m.steady = Available, now
	case m.health == Unavailable:
		m.health = Suspect // heard again
	case m.health == Available && m.flaps > 0 && now-m.steady >= FlapWindow:
		m.flaps, m.steady = m.flaps-1, now
	}
}

// deaf is for how long a node had not heard us when it spoke last.
func (m *member) deaf() time.Duration { return m.heard - m.hearsUs }

// leave counts that a node is available no longer.
func (w *Watch) leave(m *member) {
	if m.health == Available {
		m.flaps = min(m.flaps+1, MaxFlaps)
	}
}

// wanted is how many heartbeats in a row bring a node back: twice as many with
// each time that it went.
func (m *member) wanted(base int) int {
	if !m.everHeard {
		return 1
	}
	return min(base<<max(m.flaps-1, 0), MaxConfirm)
}

// state is what a node is shown as.
func (m *member) state() State {
	if m.wished != "" && m.health != Unavailable {
		return m.wished
	}
	return m.health
}

// hearers are the members that we hear and that hear a node which we do not.
func (w *Watch) hearers(now time.Duration, m *member) (names []string) {
	if now-m.heard < w.cfg.Timeout {
		return nil
	}
	for _, name := range w.order {
		o := w.members[name]
		if o != m && name != w.self && o.everHeard && now-o.heard < w.cfg.Timeout && o.says[m.name].fresh(now, w.cfg.Timeout) {
			names = append(names, name)
		}
	}
	return names
}
