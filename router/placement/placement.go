package placement

import (
	"strconv"
	"strings"
	"time"

	"lockstep/policy"
)

// Task is a task that shall be held by somebody.
type Task struct {
	Name   string
	Labels map[string]string
}

// Held is one slot of a task, as the group's log has it.
type Held struct {
	Slot   string
	Holder string // a node's name; empty: nobody
	Since  time.Time
}

// Assign is an assignment that is to be ordered.
type Assign struct {
	Slot   string
	Holder string // empty: it is taken from its holder
	Cause  policy.Cause
	Why    string
}

// Wish is a primary that is wanted in place of the present one.
type Wish struct {
	Node  string
	Cause policy.Cause
	Why   string
}

// Plan is what has to be done.
type Plan struct {
	Assign  []Assign
	Primary *Wish  // nil: the primary stays
	Why     string // of the primary that stays
	Failed  []Failed
}

// Failed tells that expressions of a policy failed when it was asked about a task.
type Failed struct {
	Policy, Task string
	Expressions  int
}

// Make compares what is with what the policies choose. in has the time, the group and
// its candidates; leader is the node that leads, and since when; held are the slots of
// all tasks.
func Make(set *policy.Set, in *policy.Input, leader Held, tasks []Task, held []Held) Plan {
	var p Plan
	ask := *in
	ask.Task = policy.Task{Name: policy.TaskPrimary}
	ask.Holders = []policy.Holder{{Node: leader.Holder, Held: heldFor(in.Now, leader)}}
	d := set.Decide(&ask)
	p.note(&ask, d)
	p.Why = d.Reason()
	if len(d.Slots) > 0 && d.Slots[0].Changes() && d.Slots[0].Node != "" {
		p.Primary = &Wish{Node: d.Slots[0].Node, Cause: d.Slots[0].Cause, Why: d.Slots[0].Why}
	}
	for _, t := range tasks {
		p.place(set, in, t, held)
	}
	return p
}

func (p *Plan) note(in *policy.Input, d *policy.Decision) {
	if d.Failures > 0 {
		p.Failed = append(p.Failed, Failed{d.Policy, in.Task.Name, d.Failures})
	}
}

// place adds what has to be done for one task.
func (p *Plan) place(set *policy.Set, in *policy.Input, t Task, held []Held) {
	ask := *in
	ask.Task, ask.Holders = policy.Task{Name: t.Name, Labels: t.Labels}, Holders(in.Now, t.Name, held)
	d := set.Decide(&ask)
	p.note(&ask, d)
	for i, s := range d.Slots {
		if !s.Changes() {
			continue
		}
		cause := s.Cause
		if cause == "" {
			cause = policy.Normal
		}
		p.Assign = append(p.Assign, Assign{Slot: SlotName(t.Name, i), Holder: s.Node, Cause: cause, Why: s.Why})
	}
}

// Holders are the holders of a task by slot, as a policy wants them.
func Holders(now time.Time, task string, held []Held) (out []policy.Holder) {
	for _, h := range held {
		name, i := TaskOf(h.Slot)
		if name != task || i < 0 || i >= policy.MaxCount {
			continue
		}
		for len(out) <= i {
			out = append(out, policy.Holder{})
		}
		out[i] = policy.Holder{Node: h.Holder, Held: heldFor(now, h)}
	}
	return out
}

func heldFor(now time.Time, h Held) time.Duration { return max(now.Sub(h.Since), 0) }

// SlotName is the name in the log of a task's slot: the first is 0.
func SlotName(task string, slot int) string {
	if slot == 0 {
		return task
	}
	return task + "#" + strconv.Itoa(slot+1)
}

// TaskOf is the task of a slot's name, and which slot it is; -1: it is none.
func TaskOf(name string) (task string, slot int) {
	task, number, several := strings.Cut(name, "#")
	if !several {
		return task, 0
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 2 || SlotName(task, n-1) != name {
		return task, -1
	}
	return task, n - 1
}
