package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cause is why a task changes hands, as its holder is told (patent, paragraph
// 43); the fourth, shutdown, no policy decides.
type Cause string

// The causes.
const (
	Normal      Cause = "normal"      // the first holder, or a better one
	Recovery    Cause = "recovery"    // the holder failed
	Maintenance Cause = "maintenance" // the holder is drained
)

// Decision says who is to hold each slot of a task.
type Decision struct {
	Policy string // the one that decided
	Count  int    // holders wanted
	Slots  []Slot
	Best   []string // those that may be chosen, the best first, whatever hold and margin say

	// Recheck is after which time hold no longer stands in the way of a better
	// candidate; 0: nothing waits for that.
	Recheck time.Duration

	// Failures counts the expressions that failed while it was decided: require of
	// candidates that nothing else excluded, and prefer of those that were left.
	Failures int
}

// Slot is one holder of a task: the first is the task itself, the second task#2
// and so on.
type Slot struct {
	Node  string // who is to hold it; empty: nobody
	Was   string // who holds it
	Cause Cause  // of a change; empty where there is none
	Why   string // in words
}

// Changes tells whether the slot is to be assigned anew.
func (s *Slot) Changes() bool { return s.Node != s.Was }

// Choice is who is to hold the first slot; empty: nobody.
func (d *Decision) Choice() string {
	if len(d.Slots) == 0 {
		return ""
	}
	return d.Slots[0].Node
}

// Changes tells whether any slot is to be assigned anew.
func (d *Decision) Changes() bool {
	return slices.ContainsFunc(d.Slots, func(s Slot) bool { return s.Changes() })
}

// Reason is why the first slot is held as it is to be.
func (d *Decision) Reason() string {
	if len(d.Slots) == 0 {
		return ""
	}
	return d.Slots[0].Why
}

// Decide chooses the holders of a task: a pure function of the set and the
// input, whatever the order of the candidates. It is cheap enough to be asked
// several times a second: some microseconds where a policy has expressions, less
// where it has none.
func (s *Set) Decide(in *Input) *Decision {
	p := s.decides(in)
	return p.decide(in, p.judge(in, false))
}

// choosing is a decision under way.
type choosing struct {
	policy *Policy
	in     *Input
	list   []judged // by name
	ranked []*judged
	*Decision
}

func (p *Policy) decide(in *Input, list []judged) *Decision {
	c := choosing{policy: p, in: in, list: list, ranked: rank(list), Decision: &Decision{Policy: p.Name}}
	c.Best = make([]string, len(c.ranked))
	for i, j := range c.ranked {
		c.Best[i] = j.Node.Name
	}
	for i := range list {
		c.Failures += list[i].failures
	}
	c.Count = p.holders(in, len(c.ranked))
	c.Slots = make([]Slot, max(c.Count, len(in.Holders)))
	for i, h := range in.Holders {
		c.Slots[i].Was = h.Node
	}
	c.keep()
	c.fill()
	c.improve()
	c.release()
	return c.Decision
}

// holders is how many a task of the input is to have.
func (p *Policy) holders(in *Input, eligible int) int {
	switch {
	case !manyHolders(in.Task.Name):
		return 1
	case p.builtin && in.Task.Name == TaskReader:
		return max(eligible, 1) // reads go to every copy
	}
	return p.Count
}

// keep leaves the holders that may hold their slots, each node once.
func (c *choosing) keep() {
	for i := range c.Slots[:min(c.Count, len(c.in.Holders))] {
		s := &c.Slots[i]
		if j := find(c.list, s.Was); j != nil && j.eligible() && !c.holds(s.Was) {
			s.Node, s.Why = s.Was, c.policy.isBest(j, c.ranked)
		}
	}
}

func (c *choosing) holds(node string) bool {
	return slices.ContainsFunc(c.Slots, func(s Slot) bool { return s.Node == node })
}

// free is the best candidate that holds no slot.
func (c *choosing) free() *judged {
	for _, j := range c.ranked {
		if !c.holds(j.Node.Name) {
			return j
		}
	}
	return nil
}

// fill gives slots without a holder to the best candidates, at once: neither
// hold nor margin delays recovery or a drain.
func (c *choosing) fill() {
	for i := range c.Slots[:c.Count] {
		s := &c.Slots[i]
		if s.Node != "" {
			continue
		}
		cause, why := c.lost(s.Was)
		if j := c.free(); j != nil {
			s.Node, s.Cause, s.Why = j.Node.Name, cause, because(why, c.policy.isBest(j, c.ranked))
			continue
		}
		c.vacant(s, cause, why)
	}
}

// vacant leaves a slot to nobody. The primary is the Raft leader, always.
func (c *choosing) vacant(s *Slot, cause Cause, why string) {
	none := "no other node may hold it"
	if len(c.ranked) == 0 {
		none = "no node may hold it (" + nobody(c.list) + ")"
	}
	if c.in.Task.Name == TaskPrimary && s.Was != "" {
		s.Node, s.Why = s.Was, "the leader stays: "+none
		return
	}
	s.Why = because(why, "unassigned: "+none)
	if s.Was != "" {
		s.Cause = cause
	}
}

// lost is why a slot's holder may not keep it.
func (c *choosing) lost(holder string) (Cause, string) {
	if holder == "" {
		return Normal, ""
	}
	j := find(c.list, holder)
	switch {
	case j == nil:
		return Recovery, holder + " is no longer there"
	case j.Node.Status == Draining || j.Node.Status == Drained:
		return Maintenance, holder + ": " + j.excluded
	case j.eligible():
		return Normal, holder + " holds another slot"
	case j.Node.Status != Available || j.Partition == nil || j.Partition.Diverged || j.Partition.Status == Unavailable:
		return Recovery, holder + ": " + j.excluded
	}
	return Normal, holder + ": " + j.excluded
}

// improve gives slots to better candidates, as far as hold and margin let it: the
// worst holder first.
func (c *choosing) improve() {
	kept := make([]int, 0, c.Count)
	for i := range c.Slots[:c.Count] {
		s := &c.Slots[i]
		if j := find(c.list, s.Was); s.Node == s.Was && j != nil && j.eligible() {
			kept = append(kept, i)
		}
	}
	score := func(i int) float64 { return find(c.list, c.Slots[i].Was).score }
	slices.SortStableFunc(kept, func(a, b int) int {
		return cmp.Or(cmp.Compare(score(a), score(b)), strings.Compare(c.Slots[b].Was, c.Slots[a].Was))
	})
	for _, i := range kept {
		s, better := &c.Slots[i], c.free()
		if better == nil || better.score <= score(i) {
			return
		}
		scores := fmt.Sprintf("%s scores %s, %s %s", better.Node.Name, points(better.score), s.Was, points(score(i)))
		margin, left := c.policy.Margin, c.policy.Hold-c.in.Holders[i].Held
		switch {
		case rounded(better.score-score(i)) < margin:
			s.Why = fmt.Sprintf("%s, which is less than the margin of %s better", scores, points(margin))
		case left > 0:
			s.Why = fmt.Sprintf("%s, but it is held for %s of %s", scores, c.in.Holders[i].Held, c.policy.Hold)
			if c.Recheck == 0 || left < c.Recheck {
				c.Recheck = left
			}
		default:
			s.Node, s.Cause, s.Why = better.Node.Name, Normal, scores
		}
	}
}

// release takes slots back that are more than are wanted.
func (c *choosing) release() {
	for i := c.Count; i < len(c.Slots); i++ {
		if s := &c.Slots[i]; s.Was != "" {
			s.Cause, s.Why = Normal, fmt.Sprintf("%d holders are wanted", c.Count)
		}
	}
}

// isBest tells what a candidate has over the others.
func (p *Policy) isBest(j *judged, ranked []*judged) string {
	switch {
	case len(ranked) == 1:
		return j.Node.Name + " alone may hold it"
	case len(p.prefer) == 0:
		return j.Node.Name + " may hold it, and nothing is preferred"
	case ranked[0] == j && ranked[1].score < j.score:
		return fmt.Sprintf("%s scores highest, %s", j.Node.Name, points(j.score))
	}
	return fmt.Sprintf("%s scores %s", j.Node.Name, points(j.score))
}

func because(why, then string) string {
	if why == "" {
		return then
	}
	return why + "; " + then
}

// points writes a score.
func points(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
