package tasks

import "time"

// hook is what a webhook was told of a task.
type hook struct {
	// told is the assignment that it was told of, or may have been: a call that
	// failed may have arrived. nil: it knows that the task is not held here.
	told     *Held
	answered bool   // it has answered to that
	call     uint64 // the call under way; 0: none is
	event    string // that the call is of
	failures int    // in a row
	notUntil time.Time
	giveUp   time.Time // when it is no longer tried to tell of the loss
}

// settleHook makes what a webhook was told agree with what is held: first that the
// former assignment has ended, then that there is another.
func (m *Machine) settleHook(now time.Time, s *slot) {
	h := &s.hook
	if h.call != 0 {
		return
	}
	w := s.wanted
	if w != nil && (w.Definition.Webhook == "" || m.refuse(w.Definition) != nil) {
		w = nil
	}
	paused := w != nil && !m.leased(now, s.key.Group)
	if paused {
		s.enter(now, PhasePaused, "no majority of the group can be reached from this node")
		w = nil
	}
	if h.told != nil && !h.told.same(w) {
		m.settleLoss(now, s, paused)
		if h.told != nil || h.call != 0 {
			return
		}
	}
	if !h.giveUp.IsZero() { // it may have heard of a loss that is none any more
		h.giveUp, h.answered = time.Time{}, false
	}
	if w == nil || h.told != nil && h.answered || now.Before(h.notUntil) {
		return
	}
	held := *w
	h.told, h.answered = &held, false
	if s.phase != PhaseCalling {
		s.enter(now, PhaseCalling, "")
	}
	m.call(s, EventAssigned, held.Reason)
}

// settleLoss tells a webhook that what it was told of has ended, for a while.
func (m *Machine) settleLoss(now time.Time, s *slot, paused bool) {
	h := &s.hook
	if h.giveUp.IsZero() {
		h.giveUp, h.failures, h.notUntil = now.Add(m.times.TellLoss), 0, time.Time{}
	}
	switch {
	case !now.Before(h.giveUp):
		s.hook = hook{}
	case !now.Before(h.notUntil):
		reason := s.lost
		if paused {
			reason = "recovery"
		}
		if s.wanted != nil && !paused {
			reason = s.wanted.Reason
		}
		if s.phase != PhaseStopping {
			s.enter(now, PhaseStopping, "")
		}
		m.call(s, EventReleased, reason)
	}
}

func (m *Machine) call(s *slot, event, reason string) {
	s.hook.call, s.hook.event = m.number(), event
	m.do(Effect{Call: &Call{Call: s.hook.call, Held: *s.hook.told, Event: event, Reason: reason}})
}

// called takes note of a webhook's answer.
func (m *Machine) called(now time.Time, s *slot, how string) {
	h := &s.hook
	event := h.event
	h.call, h.event = 0, ""
	switch {
	case how != "":
		h.failures++
		h.notUntil = now.Add(m.pause(h.failures))
		s.detail = how
	case event == EventReleased:
		s.hook = hook{}
	default:
		h.answered, h.failures, h.notUntil = true, 0, time.Time{}
		s.enter(now, PhaseTold, "")
	}
}

// due is when the webhook is called again, or given up; zero: nothing waits.
func (h *hook) due() time.Time {
	switch {
	case h.call != 0 || h.told == nil:
		return time.Time{}
	case !h.giveUp.IsZero():
		if h.notUntil.IsZero() || h.giveUp.Before(h.notUntil) {
			return h.giveUp
		}
		return h.notUntil
	case !h.answered:
		return h.notUntil
	}
	return time.Time{}
}
