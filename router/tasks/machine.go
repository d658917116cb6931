package tasks

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Key names one holder's place of a task: a task with several holders has one for
// each ("sweep", "sweep#2").
type Key struct{ Group, Task string }

// Held is an assignment of this node's, as a group's log has it.
type Held struct {
	Key
	Epoch  uint64
	Reason string // normal, recovery, maintenance, shutdown
	// Definition is what the catalog says of the task, and Version which of its
	// versions that is.
	Definition *Definition
	Version    uint64
}

// Phase is how far a node is with a task that it holds.
type Phase string

// The phases of a task at its holder.
const (
	PhaseWatched  Phase = "watched"  // nothing to do: the application watches
	PhaseRefused  Phase = "refused"  // the node's configuration does not allow it
	PhasePaused   Phase = "paused"   // no majority of the group is in reach
	PhaseWaiting  Phase = "waiting"  // for the next start, after one that ended
	PhaseRunning  Phase = "running"  // the command runs
	PhaseStopping Phase = "stopping" // it was told to end
	PhaseFinished Phase = "finished" // it has ended and is not started again
	PhaseCalling  Phase = "calling"  // a webhook has not answered yet
	PhaseTold     Phase = "told"     // it has
)

// State is what a node tells of a task that it holds, or is about to let go.
type State struct {
	Group    string    `json:"group"`
	Task     string    `json:"task"`
	Epoch    uint64    `json:"epoch"`
	Phase    Phase     `json:"phase"`
	Detail   string    `json:"detail,omitempty"` // why, and what to do
	Since    time.Time `json:"since"`
	PID      int       `json:"pid,omitempty"`
	Restarts int       `json:"restarts,omitempty"` // since it was assigned
	Exit     string    `json:"exit,omitempty"`     // how the command ended last
	Next     time.Time `json:"next,omitzero"`      // when it is started or called again
	Health   string    `json:"health,omitempty"`   // healthy or unhealthy, as last checked
}

// Effect is something to do. Exactly one member is set.
type Effect struct {
	Start  *Start
	Signal *Signal
	Probe  *Probe
	Call   *Call
	Renew  *Renew
}

// Start starts a command.
type Start struct {
	Run  uint64 // a number of its own
	Held Held
}

// Signal ends a command: with SIGTERM, or with SIGKILL.
type Signal struct {
	Run  uint64
	Kill bool
}

// Probe checks the health of a command.
type Probe struct {
	Run     uint64
	Held    Held
	Timeout time.Duration
}

// Call tells a webhook that the task is held, or no longer held.
type Call struct {
	Call   uint64 // a number of its own
	Held   Held
	Event  string // assigned or released
	Reason string
}

// Events of a Call.
const (
	EventAssigned = "assigned"
	EventReleased = "released"
)

// Renew tells a command's keeper that a majority was reached.
type Renew struct{ Run uint64 }

// Machine makes what a node does agree with what it holds. It is pure: time is
// passed in and never goes back. It is used by one goroutine.
type Machine struct {
	times   Times
	refuse  func(*Definition) error
	slots   map[Key]*slot
	reached map[string]time.Time // by group: when a majority was known to be in reach
	last    uint64               // number of the last run or call
	effects []Effect
}

// NewMachine makes one. refuse tells why this node can't do what a task says; nil:
// it can.
func NewMachine(times Times, refuse func(*Definition) error) *Machine {
	return &Machine{times: times.withDefaults(), refuse: refuse, slots: map[Key]*slot{}, reached: map[string]time.Time{}}
}

func (t Times) withDefaults() Times {
	d := DefaultTimes()
	for _, f := range []struct{ field, value *time.Duration }{
		{&t.FirstPause, &d.FirstPause}, {&t.LongestPause, &d.LongestPause}, {&t.Steady, &d.Steady},
		{&t.Lease, &d.Lease}, {&t.LeaseStop, &d.LeaseStop}, {&t.TellLoss, &d.TellLoss},
	} {
		*f.field = cmp.Or(*f.field, *f.value)
	}
	return t
}

// Hold says what this node holds now, all of it. lost has the reason of what it
// held and holds no longer, as far as that is known.
func (m *Machine) Hold(now time.Time, held []Held, lost map[Key]string) {
	wanted := map[Key]*Held{}
	for i := range held {
		h := held[i]
		wanted[h.Key] = &h
		s := m.slots[h.Key]
		if s == nil {
			s = &slot{key: h.Key, since: now}
			m.slots[h.Key] = s
		}
		if s.wanted == nil || s.wanted.Epoch != h.Epoch || s.wanted.Version != h.Version {
			s.assigned(now)
		}
		s.wanted = &h
	}
	for key, s := range m.slots {
		if wanted[key] == nil {
			s.wanted = nil
			s.lost = cmp.Or(lost[key], s.lost, "normal")
		}
	}
	m.settle(now)
}

// Confirmed says that at a time a majority of a group was in reach.
func (m *Machine) Confirmed(now, at time.Time, group string) {
	if at.After(m.reached[group]) {
		m.reached[group] = at
	}
	for _, s := range m.inOrder() {
		if s.key.Group == group && s.run != nil {
			m.do(Effect{Renew: &Renew{Run: s.run.id}})
		}
	}
	m.settle(now)
}

// Started says which process a run is.
func (m *Machine) Started(now time.Time, run uint64, pid int) {
	if s := m.running(run); s != nil {
		s.run.pid = pid
	}
}

// Exited says that a run has ended, and how: empty for exit code 0.
func (m *Machine) Exited(now time.Time, run uint64, how string) {
	if s := m.running(run); s != nil {
		m.ended(now, s, how)
		m.settle(now)
	}
}

// Probed says how a health check went: empty where it was well.
func (m *Machine) Probed(now time.Time, run uint64, how string) {
	if s := m.running(run); s != nil {
		s.probed(now, how)
		m.settle(now)
	}
}

// Called says how a webhook answered: empty for 2xx.
func (m *Machine) Called(now time.Time, call uint64, how string) {
	for _, s := range m.slots {
		if s.hook.call == call && call != 0 {
			m.called(now, s, how)
			m.settle(now)
			return
		}
	}
}

// Tick lets time pass.
func (m *Machine) Tick(now time.Time) { m.settle(now) }

// Effects takes what is to be done, in order.
func (m *Machine) Effects() []Effect {
	out := m.effects
	m.effects = nil
	return out
}

func (m *Machine) do(e Effect) { m.effects = append(m.effects, e) }

func (m *Machine) number() uint64 {
	m.last++
	return m.last
}

// Idle tells whether nothing runs and nobody is to be told anything.
func (m *Machine) Idle() bool { return len(m.slots) == 0 }

// Groups are those whose majority has to be in reach, by name.
func (m *Machine) Groups() []string {
	seen := map[string]bool{}
	for _, s := range m.slots {
		if s.run != nil || s.wanted != nil && s.wanted.acts() {
			seen[s.key.Group] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Next is when Tick has something to do; zero: never. What was due before now has
// been done, or waits for something else.
func (m *Machine) Next(now time.Time) time.Time {
	var next time.Time
	for _, s := range m.slots {
		for _, t := range s.deadlines(m) {
			if t.After(now) && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}

// States tells of every task, by group and name.
func (m *Machine) States() []State {
	out := make([]State, 0, len(m.slots))
	for _, s := range m.inOrder() {
		out = append(out, s.state())
	}
	return out
}

func (m *Machine) running(run uint64) *slot {
	for _, s := range m.slots {
		if s.run != nil && s.run.id == run {
			return s
		}
	}
	return nil
}

func (m *Machine) inOrder() []*slot {
	return slices.SortedFunc(maps.Values(m.slots), func(a, b *slot) int {
		return cmp.Or(cmp.Compare(a.key.Group, b.key.Group), cmp.Compare(a.key.Task, b.key.Task))
	})
}

// settle takes every step that is due.
func (m *Machine) settle(now time.Time) {
	for _, s := range m.inOrder() {
		m.settleRun(now, s)
		m.settleHook(now, s)
		if s.wanted == nil && s.run == nil && s.hook.told == nil {
			delete(m.slots, s.key)
		}
	}
}

// leased tells whether a majority of a group was in reach a moment ago.
func (m *Machine) leased(now time.Time, group string) bool {
	return now.Before(m.lease(group))
}

func (m *Machine) lease(group string) time.Time {
	if at := m.reached[group]; !at.IsZero() {
		return at.Add(m.times.Lease)
	}
	return time.Time{}
}

// pause is how long is waited after so many failures in a row.
func (m *Machine) pause(failures int) time.Duration {
	p := m.times.FirstPause
	for i := 1; i < failures && p < m.times.LongestPause; i++ {
		p *= 2
	}
	return min(p, m.times.LongestPause)
}

// acts tells whether the node has something to do for a task that it holds.
func (h *Held) acts() bool { return len(h.Definition.Run) > 0 || h.Definition.Webhook != "" }

// same tells whether two are one assignment of one definition.
func (h *Held) same(other *Held) bool {
	return other != nil && h.Epoch == other.Epoch && h.Version == other.Version
}
