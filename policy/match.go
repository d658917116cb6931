package policy

import (
	"cmp"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/value"
)

// matchesTask tells whether a task's name is one that a pattern means: '*'
// stands for any text, '?' for any one character.
func matchesTask(pattern, task string) bool {
	star, again := -1, 0 // where to go on if what follows a star does not fit
	p, t := 0, 0
	for t < len(task) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, again = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == task[t]):
			p, t = p+1, t+1
		case star >= 0:
			again++
			p, t = star+1, again
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func isGlob(pattern string) bool { return strings.ContainsAny(pattern, "*?") }

// precedes orders policies by which decides (interface.md, Which policy): highest
// priority, then an exact task name before a glob (longer before shorter), one
// with groups before one without, then by name; what is built in comes last.
func precedes(a, b *Policy) int {
	return cmp.Or(
		order(!a.builtin, !b.builtin),
		cmp.Compare(b.Priority, a.Priority),
		order(!isGlob(a.Task), !isGlob(b.Task)),
		globLength(b)-globLength(a),
		order(a.Groups != "", b.Groups != ""),
		strings.Compare(a.Name, b.Name),
	)
}

func globLength(p *Policy) int {
	if isGlob(p.Task) {
		return len(p.Task)
	}
	return 0
}

// order puts true before false.
func order(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

// whyBefore tells what decided between two policies that both match.
func whyBefore(winner, loser *Policy) string {
	switch {
	case loser.builtin:
		return "it is built in, and comes last"
	case winner.Priority != loser.Priority:
		return "its priority is lower"
	case isGlob(winner.Task) != isGlob(loser.Task):
		return "its task is a glob, and the other names the task"
	case globLength(winner) != globLength(loser):
		return "its glob is shorter"
	case (winner.Groups != "") != (loser.Groups != ""):
		return "it has no groups, and the other has"
	}
	return "its name comes later"
}

// matches tells whether a policy is for a task of a group, and where it is not,
// why. A groups expression that fails does not match.
func (p *Policy) matches(in *Input) (why string, ok bool) {
	switch {
	case !p.Enabled:
		return "it is not enabled", false
	case !matchesTask(p.Task, in.Task.Name):
		return "it is for the task " + p.Task, false
	case in.Task.Name == TaskCopy && !p.takesCopy():
		return "it looks at the partition, which copy does not have", false
	case p.groups == nil:
		return "", true
	}
	f := lang.Frame{Slots: make([]value.Value, slots), Meter: &lang.Meter{Limit: MaxCandidateCost}}
	f.Slots[slotGroup] = p.scopes.group(&in.Group)
	v, fault := p.groups.Eval(&f)
	switch {
	case fault != nil:
		return "its groups fails: " + fault.Message(), false
	case v.Kind() != value.Bool:
		return "its groups is neither true nor false", false
	case !v.Bool():
		return "its groups does not mean this group", false
	}
	return "", true
}
