package supervision

import (
	"fmt"
	"strings"
	"time"
)

// Code says in a word why a node is what it is.
type Code string

// The codes.
const (
	CodeHeard     Code = "heard"     // its heartbeats come
	CodeSelf      Code = "self"      // it is the node that watches
	CodeWatching  Code = "watching"  // not heard yet, and not watched for long
	CodeSilent    Code = "silent"    // no heartbeats, and nobody else tells otherwise
	CodeDown      Code = "down"      // nobody listens at its address
	CodeStopped   Code = "stopped"   // its machine answers, its process does not
	CodePartial   Code = "partial"   // others hear it, we do not
	CodeOneWay    Code = "one_way"   // it hears us, we do not hear it
	CodeDeaf      Code = "deaf"      // we hear it, it does not hear us
	CodeAlone     Code = "alone"     // we hear nobody
	CodeSlow      Code = "slow"      // its heartbeats come late
	CodeReturning Code = "returning" // heard again, not often enough yet
	CodeRequested Code = "requested" // an operator asked for it
)

// Status is what is known of one node.
type Status struct {
	Node  string
	State State
	Code  Code
	Text  string        // why, in words
	Since time.Duration // by the caller's clock: when the state began
	Age   time.Duration // since its last heartbeat; 0 of the node that watches
	Flaps int           // how often it went and came, of late
	Heard bool          // it was ever heard
}

// Status gives every member's status, by name, as of the last Tick.
func (w *Watch) Status(now time.Duration) []Status {
	now = w.pass(now)
	list := make([]Status, 0, len(w.order))
	for _, name := range w.order {
		m := w.members[name]
		s := Status{Node: name, State: m.state(), Since: m.since, Flaps: m.flaps, Heard: m.everHeard || name == w.self}
		if name != w.self {
			s.Age = now - m.heard
		}
		s.Code, s.Text = w.reason(now, m)
		list = append(list, s)
	}
	return list
}

// reason tells why a node is in its state.
func (w *Watch) reason(now time.Duration, m *member) (Code, string) {
	code, text := w.health(now, m)
	if m.state() == m.wished && m.wished != "" {
		asked := "an operator asked for it"
		if m.health != Available {
			asked += "; " + text
		}
		return CodeRequested, asked
	}
	return code, text
}

func (w *Watch) health(now time.Duration, m *member) (Code, string) {
	silent, deaf := now-m.heard, m.deaf()
	switch {
	case m.name == w.self:
		return CodeSelf, "it watches the others"
	case silent >= w.cfg.Timeout:
		return w.silence(now, m, silent)
	case deaf >= w.cfg.Timeout:
		return CodeDeaf, fmt.Sprintf("we hear it, but it has not heard us for %s: the network from here to there", short(deaf))
	case !m.everHeard:
		return CodeWatching, "not heard yet, watched for " + short(now-m.joined)
	case m.health == Available:
		return CodeHeard, "heard " + short(silent) + " ago"
	case m.late > 1:
		return w.slow(now, m)
	}
	return CodeReturning, fmt.Sprintf("heard again, %d of %d heartbeats in a row%s", m.streak, m.confirm, w.pause(now, m))
}

// slow tells of a node whose heartbeats come, one after the other too late.
func (w *Watch) slow(now time.Duration, m *member) (Code, string) {
	return CodeSlow, fmt.Sprintf("slow: the last heartbeats came %s apart, every %s is wanted%s", short(m.gap), w.cfg.Interval, w.pause(now, m))
}

// pause tells what a node said or showed of its own interruption.
func (w *Watch) pause(now time.Duration, m *member) string {
	switch {
	case m.restarted > 0 && now-m.restarted < StallKept:
		return "; it was restarted"
	case m.stalled > 0 && now-m.stalledAt < StallKept:
		return "; it was stopped for " + short(m.stalled)
	}
	return ""
}

// silence tells what may be behind a silence.
func (w *Watch) silence(now time.Duration, m *member, silent time.Duration) (Code, string) {
	if !m.everHeard && m.health != Unavailable {
		return CodeWatching, "not heard yet, watched for " + short(now-m.joined)
	}
	if m.late > 1 && m.health == Suspect {
		return w.slow(now, m)
	}
	text := fmt.Sprintf("no heartbeat for %s, timeout %s × %d", short(silent), w.cfg.Timeout, w.cfg.Retries)
	if hearers := w.hearers(now, m); len(hearers) > 0 {
		for _, name := range hearers {
			if w.members[name].says[m.name].hearsYou {
				return CodeOneWay, fmt.Sprintf("%s; %s hears us but we do not hear it (%s hears both): the network from there to here", text, m.name, name)
			}
		}
		return CodePartial, fmt.Sprintf("%s; %s it, we do not: the network between us", text, some(hearers, "hears", "hear"))
	}
	if w.alone(now) {
		return CodeAlone, fmt.Sprintf("%s; we hear none of the %d others: the fault may be here", text, w.others())
	}
	switch m.reach {
	case ReachRefused:
		return CodeDown, text + "; nobody listens at its address: its process has ended"
	case ReachTaken:
		return CodeStopped, text + "; its machine takes connections: the process is stopped or starved"
	}
	if also := w.silentFor(now, m); len(also) > 0 {
		return CodeSilent, fmt.Sprintf("%s; %s not hear it either", text, some(also, "does", "do"))
	}
	return CodeSilent, text
}

// silentFor are the members that we hear and that do not hear a node either.
func (w *Watch) silentFor(now time.Duration, m *member) (names []string) {
	for _, name := range w.order {
		o := w.members[name]
		if o != m && name != w.self && o.everHeard && now-o.heard < w.cfg.Timeout && !o.says[m.name].fresh(now, w.cfg.Timeout) {
			names = append(names, name)
		}
	}
	return names
}

func (w *Watch) others() int {
	if w.members[w.self] != nil {
		return len(w.members) - 1
	}
	return len(w.members)
}

// maxNamed is how many nodes a reason names.
const maxNamed = 3

// some names nodes, with the verb that fits their number.
func some(names []string, one, many string) string {
	switch n := len(names); {
	case n == 1:
		return names[0] + " " + one
	case n > maxNamed:
		return fmt.Sprintf("%s and %d more %s", strings.Join(names[:maxNamed], ", "), n-maxNamed, many)
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " " + many
}

// short writes a span as people read it.
func short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
