package tasks

import (
	"fmt"
	"time"
)

// slot is one task at its holder: what is wanted, and what is.
type slot struct {
	key    Key
	wanted *Held  // nil: this node holds it no longer
	lost   string // why not, as far as that is known
	run    *run   // the command that runs; nil: none does
	hook   hook

	phase    Phase
	detail   string
	since    time.Time // of the phase
	restarts int
	failures int       // in a row, for the pause
	notUntil time.Time // no start before
	finished bool      // the command has ended for good
	exit     string
	health   string
}

// run is a command that was started and has not ended.
type run struct {
	id      uint64
	held    Held
	began   time.Time
	pid     int
	ending  string    // why it was told to end; empty: it was not
	killAt  time.Time // when it is killed; zero: it was, or it is not ending
	probeAt time.Time // of the next health check; zero: one is under way, or none is wanted
	unwell  int       // checks in a row that failed
}

// assigned begins anew: another epoch, or another definition.
func (s *slot) assigned(now time.Time) {
	s.restarts, s.failures, s.finished = 0, 0, false
	s.notUntil, s.exit, s.health = time.Time{}, "", ""
	s.hook.failures, s.hook.notUntil = 0, time.Time{}
}

func (s *slot) enter(now time.Time, p Phase, detail string) {
	if s.phase != p {
		s.phase, s.since = p, now
	}
	s.detail = detail
}

// settleRun takes the steps that are due about a task's command.
func (m *Machine) settleRun(now time.Time, s *slot) {
	if s.run != nil {
		m.settleRunning(now, s)
		return
	}
	switch w := s.wanted; {
	case w == nil:
	case m.refuse(w.Definition) != nil:
		s.enter(now, PhaseRefused, m.refuse(w.Definition).Error())
	case !w.acts():
		s.enter(now, PhaseWatched, "")
	case len(w.Definition.Run) == 0: // a webhook
	case s.finished:
		s.enter(now, PhaseFinished, "restart is "+w.Definition.Restart)
	case !m.leased(now, s.key.Group):
		s.enter(now, PhasePaused, "no majority of the group can be reached from this node")
	case now.Before(s.notUntil):
		s.enter(now, PhaseWaiting, "")
	default:
		m.start(now, s)
	}
}

func (m *Machine) start(now time.Time, s *slot) {
	r := &run{id: m.number(), held: *s.wanted, began: now}
	if h := r.held.Definition.Health; h != nil {
		r.probeAt = now.Add(timeOf(h.Delay, h.interval()))
	}
	s.run, s.health = r, ""
	s.enter(now, PhaseRunning, "")
	m.do(Effect{Start: &Start{Run: r.id, Held: r.held}})
}

// settleRunning ends a command that should not run, and checks one that should.
func (m *Machine) settleRunning(now time.Time, s *slot) {
	r := s.run
	if r.ending == "" {
		if why, grace := m.mustEnd(now, s); why != "" {
			r.ending, r.killAt, r.probeAt = why, now.Add(grace), time.Time{}
			s.enter(now, PhaseStopping, why)
			m.do(Effect{Signal: &Signal{Run: r.id}})
		}
	} else if grace := m.times.LeaseStop; r.killAt.After(now.Add(grace)) && !m.leased(now, s.key.Group) {
		r.killAt = now.Add(grace) // it has no more time than that
	}
	if !r.killAt.IsZero() && !now.Before(r.killAt) {
		r.killAt = time.Time{}
		m.do(Effect{Signal: &Signal{Run: r.id, Kill: true}})
	}
	if !r.probeAt.IsZero() && !now.Before(r.probeAt) {
		r.probeAt = time.Time{}
		m.do(Effect{Probe: &Probe{Run: r.id, Held: r.held, Timeout: r.held.Definition.Health.timeout()}})
	}
}

// mustEnd tells why a command must end, and how long it may take.
func (m *Machine) mustEnd(now time.Time, s *slot) (why string, grace time.Duration) {
	r := s.run
	grace = r.held.Definition.stopTimeout()
	switch {
	case s.wanted == nil:
		return "the task is held no longer (" + s.lost + ")", grace
	case s.wanted.Epoch != r.held.Epoch:
		return fmt.Sprintf("the task was assigned anew, under epoch %d", s.wanted.Epoch), grace
	case s.wanted.Version != r.held.Version:
		return "the task was defined anew", grace
	case !m.leased(now, s.key.Group):
		return "no majority of the group can be reached from this node", min(grace, m.times.LeaseStop)
	case r.held.Definition.Health != nil && r.unwell >= r.held.Definition.Health.failures():
		return "it is not healthy", grace
	}
	return "", 0
}

// ended takes note of a command's end, and decides when it is started again.
func (m *Machine) ended(now time.Time, s *slot, how string) {
	r := s.run
	s.run = nil
	s.exit = how
	if how == "" {
		s.exit = "exit code 0"
	}
	if s.wanted == nil || !s.wanted.same(&r.held) {
		return
	}
	own := r.ending == ""
	if own && !r.held.Definition.restarts(how != "") {
		s.finished = true
		return
	}
	s.restarts++
	if !own && r.unwell == 0 {
		return // it was told to end, for no fault of its own
	}
	if now.Sub(r.began) >= m.times.Steady {
		s.failures = 0
	}
	s.failures++
	s.notUntil = now.Add(m.pause(s.failures))
}

func (s *slot) probed(now time.Time, how string) {
	r := s.run
	if r.ending != "" {
		return
	}
	h := r.held.Definition.Health
	r.probeAt = now.Add(h.interval())
	if how == "" {
		r.unwell, s.health, s.detail = 0, "healthy", ""
		return
	}
	r.unwell++
	s.health = "unhealthy"
	s.detail = fmt.Sprintf("health check failed (%d of %d): %s", r.unwell, h.failures(), how)
}

// deadlines are the times at which something about the task is due.
func (s *slot) deadlines(m *Machine) []time.Time {
	due := []time.Time{s.hook.due()}
	if r := s.run; r != nil {
		due = append(due, r.killAt, r.probeAt)
		if r.ending == "" {
			due = append(due, m.lease(s.key.Group))
		}
	} else if s.wanted != nil {
		due = append(due, s.notUntil)
	}
	if s.hook.told != nil && s.wanted != nil {
		due = append(due, m.lease(s.key.Group))
	}
	return due
}

func (s *slot) state() State {
	out := State{
		Group: s.key.Group, Task: s.key.Task, Phase: s.phase, Detail: s.detail, Since: s.since,
		Restarts: s.restarts, Exit: s.exit, Health: s.health,
	}
	if s.wanted != nil {
		out.Epoch = s.wanted.Epoch
	}
	if s.run != nil {
		out.PID, out.Epoch = s.run.pid, s.run.held.Epoch
	} else if s.phase == PhaseWaiting {
		out.Next = s.notUntil
	}
	if h := &s.hook; h.told != nil && h.call == 0 && !h.answered {
		out.Next = h.notUntil
	}
	if h := &s.hook; h.told != nil && !h.giveUp.IsZero() {
		out.Epoch = h.told.Epoch
	}
	return out
}

func (h *Health) interval() time.Duration { return timeOf(h.Interval, defaultInterval) }
func (h *Health) timeout() time.Duration  { return timeOf(h.Timeout, defaultTimeout) }

func (h *Health) failures() int {
	if h.Failures == 0 {
		return defaultFailures
	}
	return h.Failures
}
