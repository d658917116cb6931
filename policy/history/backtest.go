package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"lockstep/policy"
)

// Report is what a set of policies would have done.
type Report struct {
	From  time.Time    `json:"from"`
	To    time.Time    `json:"to"`
	Tasks []TaskReport `json:"tasks"`
	Notes []string     `json:"notes,omitempty"`
}

// TaskReport lays the two side by side for one task of one group.
type TaskReport struct {
	Group    string   `json:"group"`
	Task     string   `json:"task"`
	Policies []string `json:"policies"` // those that decided, in the order in which they first did

	// Unrecorded: no assignment of it was recorded, as of readers; there is nothing
	// to compare with.
	Unrecorded bool `json:"unrecorded,omitempty"`

	Recorded Side `json:"recorded"`
	Tried    Side `json:"tried"`

	// Differences are the times in which the holders differ.
	Differences []Difference `json:"differences"`
	Differing   Span         `json:"differing"`
}

// Side is one course of things.
type Side struct {
	Moves       int             `json:"moves"`   // from one node to another
	Vacant      Span            `json:"vacant"`  // time without any holder
	OnNode      map[string]Span `json:"on_node"` // time each node held it; of several holders each counts
	Assignments []Assignment    `json:"assignments"`
}

// Assignment is who held a task from then on.
type Assignment struct {
	At      time.Time    `json:"at"`
	Holders []string     `json:"holders"`
	Cause   policy.Cause `json:"cause,omitempty"`
	Why     string       `json:"why,omitempty"`
}

// Difference is a time in which the two courses differ.
type Difference struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Recorded []string  `json:"recorded"`
	Tried    []string  `json:"tried"`
	Why      string    `json:"why"` // of the course tried
}

// Span is a duration that is written as text.
type Span time.Duration

// MarshalText writes it as 1h30m0s.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Span) String() string { return time.Duration(s).Round(time.Millisecond).String() }

// Backtest plays a recording back against a set: what it would have done in the
// place of what was done. tasks are those that it is tried on, recorded or not;
// empty: all that were recorded.
func Backtest(rec *Recording, set *policy.Set, tasks []string) (*Report, error) {
	r := &Report{Tasks: []TaskReport{}}
	if len(rec.Records) == 0 {
		return nil, fmt.Errorf("the recording is empty")
	}
	r.From, r.To = rec.Records[0].At, rec.Records[len(rec.Records)-1].At
	if rec.Torn {
		r.Notes = append(r.Notes, "the last line was cut off, and is left out")
	}
	for _, group := range groupsOf(rec) {
		records := slices.DeleteFunc(slices.Clone(rec.Records), func(x Record) bool { return x.Group != group })
		recorded := tasksOf(records)
		these := tasks
		if len(tasks) == 0 {
			these = recorded
		}
		for _, task := range these {
			p := player{group: group, task: task, set: set, nodes: map[string]*policy.Candidate{}, heldLast: lastHolders{}, triedLast: lastHolders{}}
			p.unrecorded = !slices.Contains(recorded, task)
			t, err := p.play(records)
			if err != nil {
				return nil, fmt.Errorf("the task %s of the group %s: %w", task, group, err)
			}
			r.Tasks = append(r.Tasks, *t)
		}
	}
	if len(r.Tasks) == 0 {
		r.Notes = append(r.Notes, "no assignment of any task was recorded")
	}
	return r, nil
}

func groupsOf(rec *Recording) []string {
	names := map[string]bool{}
	for i := range rec.Records {
		names[rec.Records[i].Group] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func tasksOf(records []Record) []string {
	names := map[string]bool{}
	for i := range records {
		if task := records[i].Task; task != "" && len(names) < MaxTasks {
			names[task] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// player walks through the records of one group for one task.
type player struct {
	group, task string
	set         *policy.Set
	labels      map[string]string // of the group
	taskLabels  map[string]string
	nodes       map[string]*policy.Candidate
	known       bool // status was recorded since the beginning
	unrecorded  bool // no assignment was

	now      time.Time
	recorded []string        // holders by slot
	tried    []policy.Holder // likewise
	since    []time.Time     // when each of tried was assigned
	why      string

	heldLast, triedLast lastHolders
	recheck             time.Time // hold ends; zero: nothing waits
	timed               bool      // the policy that decides looks at the time

	steps  int
	report TaskReport
	open   *Difference
}

// lastHolders are who held each slot last, vacancies passed over.
type lastHolders map[int]string

// moved notes a holder, and tells whether it is another node than before.
func (l lastHolders) moved(slot int, holder string) bool {
	was := l[slot]
	if holder != "" {
		l[slot] = holder
	}
	return was != "" && holder != "" && was != holder
}

func (p *player) play(records []Record) (*TaskReport, error) {
	p.report = TaskReport{Group: p.group, Task: p.task, Policies: []string{}, Differences: []Difference{},
		Recorded: Side{OnNode: map[string]Span{}, Assignments: []Assignment{}}, Tried: Side{OnNode: map[string]Span{}, Assignments: []Assignment{}}}
	p.now, p.report.Unrecorded = records[0].At, p.unrecorded
	for i := 0; i < len(records); {
		at := records[i].At
		if err := p.until(at); err != nil {
			return nil, err
		}
		for ; i < len(records) && records[i].At.Equal(at); i++ {
			p.take(&records[i])
		}
		if err := p.decide(); err != nil {
			return nil, err
		}
	}
	p.differ() // closes what is open
	if p.open != nil {
		p.close()
	}
	return &p.report, nil
}

// until lets time go by, with what the policy would do meanwhile.
func (p *player) until(end time.Time) error {
	for p.known {
		next := end
		if p.timed {
			if minute := p.now.Truncate(TimeStep).Add(TimeStep); minute.Before(next) {
				next = minute
			}
		}
		if !p.recheck.IsZero() && p.recheck.After(p.now) && p.recheck.Before(next) {
			next = p.recheck
		}
		if !next.Before(end) {
			break
		}
		p.pass(next)
		if err := p.decide(); err != nil {
			return err
		}
	}
	p.pass(end)
	return nil
}

// pass counts the time up to an instant on both sides.
func (p *player) pass(to time.Time) {
	by := Span(to.Sub(p.now))
	p.now = to
	if by <= 0 || !p.known {
		return
	}
	if !p.unrecorded {
		p.report.Recorded.hold(p.recorded, by)
	}
	p.report.Tried.hold(names(p.tried), by)
	if p.open != nil {
		p.report.Differing += by
	}
}

func (s *Side) hold(holders []string, by Span) {
	vacant := true
	for _, h := range holders {
		if h != "" {
			s.OnNode[h] += by
			vacant = false
		}
	}
	if vacant {
		s.Vacant += by
	}
}

// take learns what a record says.
func (p *player) take(r *Record) {
	switch {
	case r.Begin:
		p.labels, p.known, p.open = r.Labels, false, p.closed()
		clear(p.nodes)
	case r.Nodes != nil:
		for name, c := range r.Nodes {
			if c == nil {
				delete(p.nodes, name)
			} else {
				p.nodes[name] = c
			}
		}
	case r.Task == p.task:
		p.assigned(r)
	}
	p.known = len(p.nodes) > 0 && (p.recorded != nil || p.unrecorded)
}

func (p *player) closed() *Difference {
	if p.open != nil {
		p.close()
	}
	return nil
}

// assigned notes what was done. The course tried begins with it.
func (p *player) assigned(r *Record) {
	if r.Labels != nil {
		p.taskLabels = r.Labels
	}
	first := p.recorded == nil
	for len(p.recorded) <= r.Slot {
		p.recorded = append(p.recorded, "")
	}
	was := p.recorded[r.Slot]
	if p.recorded[r.Slot] = r.Holder; was == r.Holder && !first {
		return
	}
	if p.heldLast.moved(r.Slot, r.Holder) {
		p.report.Recorded.Moves++
	}
	p.report.Recorded.add(Assignment{At: r.At, Holders: slices.Clone(p.recorded), Cause: r.Cause, Why: r.Why})
	if first {
		p.triedLast.moved(0, r.Holder)
		p.tried, p.since = []policy.Holder{{Node: r.Holder}}, []time.Time{r.At}
		p.report.Tried.add(Assignment{At: r.At, Holders: []string{r.Holder}, Cause: r.Cause, Why: "as it was when the recording begins"})
	}
}

func (s *Side) add(a Assignment) {
	if len(s.Assignments) < MaxAssignments {
		s.Assignments = append(s.Assignments, a)
	}
}

func names(holders []policy.Holder) []string {
	list := make([]string, len(holders))
	for i, h := range holders {
		list[i] = h.Node
	}
	return list
}

// decide asks the set, and does what it decides.
func (p *player) decide() error {
	if !p.known {
		return nil
	}
	if p.steps++; p.steps > MaxSteps {
		return fmt.Errorf("it would take more than %d decisions; cut the recording into parts", MaxSteps)
	}
	in := p.input()
	d := p.set.Decide(in)
	if !slices.Contains(p.report.Policies, d.Policy) {
		p.report.Policies = append(p.report.Policies, d.Policy)
	}
	p.timed, p.recheck = p.set.Deciding(in).LooksAtTime(), time.Time{}
	if d.Recheck > 0 {
		p.recheck = p.now.Add(d.Recheck)
	}
	p.why = d.Reason()
	changed := Assignment{At: p.now}
	holders := make([]policy.Holder, d.Count)
	since := make([]time.Time, d.Count)
	for i := range d.Slots {
		s := &d.Slots[i]
		if i < d.Count {
			if holders[i].Node, since[i] = s.Node, p.now; !s.Changes() && i < len(p.since) {
				since[i] = p.since[i]
			}
		}
		if s.Changes() {
			changed.Cause, changed.Why = s.Cause, s.Why
			if p.triedLast.moved(i, s.Node) {
				p.report.Tried.Moves++
			}
		}
	}
	p.tried, p.since = holders, since
	if d.Changes() {
		changed.Holders = names(holders)
		p.report.Tried.add(changed)
	}
	p.differ()
	return nil
}

// input is the status as it was, with the holders as they would have been.
func (p *player) input() *policy.Input {
	in := &policy.Input{Now: p.now, Group: policy.Group{Name: p.group, Labels: p.labels}, Task: policy.Task{Name: p.task, Labels: p.taskLabels}}
	for i, h := range p.tried {
		h.Held = p.now.Sub(p.since[i])
		in.Holders = append(in.Holders, h)
	}
	leader := ""
	if p.task == policy.TaskPrimary && len(p.tried) > 0 {
		leader = p.tried[0].Node
	}
	for _, name := range slices.Sorted(maps.Keys(p.nodes)) {
		c := *p.nodes[name]
		if c.Partition != nil && leader != "" {
			part := *c.Partition
			switch {
			case name == leader && part.Role == policy.RoleSubscriber:
				part.Role = policy.RolePrimary
			case name != leader && part.Role == policy.RolePrimary:
				part.Role = policy.RoleSubscriber
			}
			c.Partition = &part
		}
		in.Candidates = append(in.Candidates, c)
	}
	in.Recount()
	return in
}

// differ opens, goes on with or closes a time of difference.
func (p *player) differ() {
	tried := names(p.tried)
	same := sameHolders(p.recorded, tried)
	if p.open != nil && (same || !sameHolders(p.open.Recorded, p.recorded) || !sameHolders(p.open.Tried, tried)) {
		p.close()
	}
	if p.open == nil && !same && p.known && !p.unrecorded {
		p.open = &Difference{From: p.now, Recorded: slices.Clone(p.recorded), Tried: tried, Why: p.why}
	}
}

func (p *player) close() {
	if p.open.To = p.now; p.open.To.After(p.open.From) && len(p.report.Differences) < MaxAssignments {
		p.report.Differences = append(p.report.Differences, *p.open)
	}
	p.open = nil
}

// sameHolders tells whether the same nodes hold a task, whatever their slots.
func sameHolders(a, b []string) bool {
	return slices.Equal(held(a), held(b))
}

func held(holders []string) []string {
	list := slices.DeleteFunc(slices.Clone(holders), func(h string) bool { return h == "" })
	slices.SortFunc(list, func(x, y string) int { return cmp.Or(strings.Compare(x, y)) })
	return list
}
