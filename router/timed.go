package router

import (
	"encoding/json"
	"time"

	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/router/order"
	"lockstep/router/windows"
)

// Timed is a group that may have times at which it refuses updates or heavy queries
// (patent, paragraph 59).
type Timed interface {
	// Windows are those times; nil: there are none.
	Windows() *windows.Windows
}

// shut refuses a transaction that comes at a time when the group takes none, and is
// not under way already. One that has an outcome is answered with it: so the copy
// must have caught up first.
func (c *call) shut(closure *windows.Closure, now time.Time) step {
	id := c.req.Item.ID
	if !c.keyed || c.front.Pending(id) {
		if c.keyed {
			return c.submit() // it joins the one that is under way
		}
		return c.refuse(closedNow(closure, windows.Updates, now))
	}
	if !c.caught {
		return mustCatch
	}
	v, err := c.front.View()
	if err != nil {
		return c.refuse(copyClosed(err))
	}
	defer v.Close()
	o, found, err := v.Outcome(id)
	switch {
	case err != nil:
		return c.refuse(readFailed(err))
	case !found:
		return c.refuse(closedNow(closure, windows.Updates, now))
	}
	kind := outcome.Duplicate
	if o.Fingerprint != c.req.Item.Fingerprint {
		kind = outcome.KeyReused
	}
	c.answer = order.Answer{Verdict: outcome.Verdict{Kind: kind, Outcome: o}}
	return ended
}

// submit hands the call over. Once it is, no window concerns it any more.
func (c *call) submit() step {
	c.begun = true
	c.front.Submit(&c.req)
	return ordering
}

// closedNow is the problem of a request that comes at a time when none are taken.
func closedNow(closure *windows.Closure, kind windows.Kind, now time.Time) *Problem {
	what := "transactions"
	if kind == windows.HeavyQueries {
		what = "queries that use more than a transaction may"
	}
	opens := closure.Opens.UTC().Format(time.RFC3339)
	return &Problem{
		Code:   "held",
		Detail: "the group takes no " + what + " at this time (" + closure.Window + "): they are taken again at " + opens,
		window: closure.Window, opens: opens,
		retryAfter: (closure.Opens.Sub(now) + time.Second - 1).Truncate(time.Second),
	}
}

// wrongWindows is what is wrong with the update windows among a new group's settings.
func wrongWindows(settings map[string]any) *Problem {
	setting, ok := settings["update_windows"]
	if !ok {
		return nil
	}
	raw, err := json.Marshal(setting)
	if err != nil {
		return &Problem{Code: "malformed", Detail: err.Error()}
	}
	_, problems := windows.Parse(raw)
	if problems == nil {
		return nil
	}
	p := invalidAt("/settings/update_windows"+problems[0].Pointer, problems[0].Detail)
	for _, more := range problems[1:] {
		p.Errors = append(p.Errors, program.PointerDetail{Pointer: "/settings/update_windows" + more.Pointer, Detail: more.Detail})
	}
	return p
}
