package policy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/value"
)

// judged is what a policy makes of one candidate.
type judged struct {
	*Candidate
	excluded string // why it can't be chosen, whatever the policy says; or the require that fails
	score    float64
	failures int // of expressions, as long as it could be chosen

	require, prefer []evaluated // for an explanation alone
}

func (j *judged) eligible() bool { return j.excluded == "" }

// evaluated is what came of one expression.
type evaluated struct {
	value value.Value
	fault *lang.Fault
	share float64 // of prefer: the value cut to [0, 1]
}

// judge looks at every candidate, in the order of their names. Without explain it
// evaluates no more than the choice needs.
func (p *Policy) judge(in *Input, explain bool) []judged {
	list := make([]judged, len(in.Candidates))
	for i := range in.Candidates {
		list[i].Candidate = &in.Candidates[i]
	}
	slices.SortStableFunc(list, func(a, b judged) int { return strings.Compare(a.Node.Name, b.Node.Name) })
	f := lang.Frame{Meter: &lang.Meter{}}
	if p.reads != [slots]bool{} {
		f.Slots = make([]value.Value, slots)
		f.Slots[slotNow] = instant(in.Now)
		if p.reads[slotGroup] {
			f.Slots[slotGroup] = p.scopes.group(&in.Group)
		}
	}
	for i := range list {
		j := &list[i]
		j.excluded = p.exclusion(in, j.Candidate)
		if j.eligible() || explain {
			p.evaluate(in, j, &f, explain)
		}
	}
	return list
}

// exclusion is why a candidate may not be chosen whatever the expressions say
// (interface.md, Who may be chosen); empty where it may.
func (p *Policy) exclusion(in *Input, c *Candidate) string {
	switch n := &c.Node; {
	case n.Status == Draining:
		return "the node is being drained"
	case n.Status == Drained:
		return "the node is drained"
	case n.Status == Unavailable && !p.seesStatus:
		return "the node is unavailable"
	}
	if in.Task.Name == TaskCopy {
		switch {
		case c.Partition != nil:
			return "it has a copy already"
		case c.Node.Dedicated != "" && c.Node.Dedicated != in.Group.Name:
			return "the node is dedicated to the group " + c.Node.Dedicated
		}
		return ""
	}
	switch part := c.Partition; {
	case part == nil:
		return "it has no copy of the group"
	case part.Role == RoleWitness:
		return "it is a witness, without data"
	case part.Role == RoleJoining:
		return "its copy has no vote yet"
	case part.Diverged:
		return "its copy has diverged"
	case part.Status == Unavailable && !p.seesPartAnew && !p.seesStatus:
		return "its copy is unavailable"
	}
	return ""
}

// evaluate computes a candidate's expressions: all of them for an explanation,
// else up to the first require that fails.
func (p *Policy) evaluate(in *Input, j *judged, f *lang.Frame, explain bool) {
	if p.reads[slotNode] {
		f.Slots[slotNode] = p.scopes.node(&j.Node)
	}
	if p.reads[slotPartition] {
		f.Slots[slotPartition] = p.scopes.partition(j.Partition)
	}
	if p.reads[slotTask] {
		f.Slots[slotTask] = p.scopes.task(&in.Task, holderAs(in.Holders, j.Node.Name))
	}
	f.Meter.Used, f.Meter.Limit = 0, MaxCandidateCost
	for i, x := range p.require {
		v, fault := x.Eval(f)
		if explain {
			j.require = append(j.require, evaluated{value: v, fault: fault})
		}
		if j.eligible() && (fault != nil || v.Kind() != value.Bool) {
			j.failures++
		}
		if ok := fault == nil && v.Kind() == value.Bool && v.Bool(); !ok && j.eligible() {
			j.excluded = "require fails: " + p.Require[i]
			if fault != nil {
				j.excluded += " (" + fault.Message() + ")"
			}
		}
		if !explain && !j.eligible() {
			return
		}
	}
	for i, x := range p.prefer {
		v, fault := x.Eval(f)
		if j.eligible() && (fault != nil || v.Kind() != value.Bool && !v.IsNumber()) {
			j.failures++
		}
		share := 0.0
		if fault == nil {
			share = shareOf(v)
		}
		j.score = rounded(j.score + share*p.Prefer[i].Weight)
		if explain {
			j.prefer = append(j.prefer, evaluated{value: v, fault: fault, share: share})
		}
	}
}

// holderAs is what an expression sees of who holds the task: of several holders
// the candidate itself if it is one, else the first.
func holderAs(holders []Holder, candidate string) Holder {
	var first Holder
	for _, h := range holders {
		switch {
		case h.Node == "":
		case h.Node == candidate:
			return h
		case first.Node == "":
			first = h
		}
	}
	return first
}

// shareOf is what a value of prefer counts: bool 0 or 1, a number cut to [0, 1].
func shareOf(v value.Value) float64 {
	switch v.Kind() {
	case value.Bool:
		if v.Bool() {
			return 1
		}
	case value.Int:
		return float64(min(max(v.Int(), 0), 1))
	case value.Uint:
		return float64(min(v.Uint(), 1))
	case value.Double:
		return min(max(v.Double(), 0), 1)
	}
	return 0
}

// rounded drops what binary fractions add to a score far behind the point, so
// that 100 × 0.2 is 20, and a margin of 20 is reached by it.
func rounded(score float64) float64 { return math.Round(score*1e9) / 1e9 }

// rank gives those that may be chosen, the best first; ties break by name.
func rank(list []judged) []*judged {
	best := make([]*judged, 0, len(list))
	for i := range list {
		if list[i].eligible() {
			best = append(best, &list[i])
		}
	}
	slices.SortStableFunc(best, func(a, b *judged) int { return cmp.Compare(b.score, a.score) }) // by name already
	return best
}

func find(list []judged, node string) *judged {
	i, ok := slices.BinarySearchFunc(list, node, func(j judged, name string) int { return strings.Compare(j.Node.Name, name) })
	if !ok {
		return nil
	}
	return &list[i]
}

// nobody tells why there is no candidate, from what excludes each.
func nobody(list []judged) string {
	if len(list) == 0 {
		return "there is no node that could"
	}
	why := make([]string, 0, len(list))
	for i := range list {
		if i == maxReasons {
			why = append(why, fmt.Sprintf("and %d more", len(list)-i))
			break
		}
		why = append(why, list[i].Node.Name+": "+list[i].excluded)
	}
	return strings.Join(why, "; ")
}

// maxReasons is how many nodes a sentence tells of.
const maxReasons = 8
