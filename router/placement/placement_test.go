package placement_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lockstep/policy"
	"lockstep/router/placement"
)

// scene is a group that its supervisor looks at, again and again.
type scene struct {
	set    *policy.Set
	now    time.Time
	nodes  []policy.Candidate
	leader placement.Held
	log    []placement.Held
}

func newScene(t *testing.T, policies ...string) *scene {
	c, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	var list []*policy.Policy
	for _, text := range policies {
		p, problems := c.Read([]byte(text))
		if problems != nil {
			t.Fatal(problems)
		}
		list = append(list, p)
	}
	set, err := c.NewSet(list...)
	if err != nil {
		t.Fatal(err)
	}
	return &scene{set: set, now: time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)}
}

func (s *scene) add(names ...string) {
	for _, name := range names {
		s.nodes = append(s.nodes, policy.Candidate{
			Node:      policy.Node{Name: name, Status: policy.Available, MemoryFree: 1, DiskFree: 1},
			Partition: &policy.Partition{Role: policy.RoleSubscriber, Status: policy.Available},
		})
	}
}

func (s *scene) at(name string) *policy.Candidate {
	for i := range s.nodes {
		if s.nodes[i].Node.Name == name {
			return &s.nodes[i]
		}
	}
	return nil
}

// lead makes a node the leader, as an election does.
func (s *scene) lead(name string) {
	if before := s.at(s.leader.Holder); before != nil {
		before.Partition.Role = policy.RoleSubscriber
	}
	s.at(name).Partition.Role = policy.RolePrimary
	s.leader = placement.Held{Slot: "primary", Holder: name, Since: s.now}
}

// look lets time pass, and does what the plan says, in the log.
func (s *scene) look(after time.Duration, tasks ...string) string {
	s.now = s.now.Add(after)
	in := &policy.Input{Now: s.now, Group: policy.Group{Name: "bank"}, Candidates: s.nodes}
	in.Recount()
	var list []placement.Task
	for _, t := range tasks {
		list = append(list, placement.Task{Name: t})
	}
	plan := placement.Make(s.set, in, s.leader, list, s.log)
	var out []string
	for _, a := range plan.Assign {
		out = append(out, fmt.Sprintf("%s to %q, %s", a.Slot, a.Holder, a.Cause))
		found := false
		for i := range s.log {
			if s.log[i].Slot == a.Slot {
				s.log[i].Holder, s.log[i].Since, found = a.Holder, s.now, true
			}
		}
		if !found {
			s.log = append(s.log, placement.Held{Slot: a.Slot, Holder: a.Holder, Since: s.now})
		}
	}
	if w := plan.Primary; w != nil {
		out = append(out, fmt.Sprintf("primary is wanted at %s, %s", w.Node, w.Cause))
	}
	return strings.Join(out, "; ")
}

func (s *scene) expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, want)
	}
}

// FIG. 7 (patent, paragraphs 64 to 67): the primary fails and another takes over; the
// first returns and does not take the task back; a fourth joins meanwhile. What it held
// besides goes to others at once, and stays there too.
func TestFigure7(t *testing.T) {
	s := newScene(t)
	s.add("n1", "n2", "n3")
	s.lead("n1")
	s.expect(t, "the first look", s.look(0, "backup", "sweep"), `backup to "n2", normal; sweep to "n1", normal`)
	s.expect(t, "nothing has changed", s.look(time.Second, "backup", "sweep"), "")
	s.at("n1").Node.Status = policy.Suspect
	s.lead("n2") // Raft elects
	s.expect(t, "n1 is silent", s.look(300*time.Millisecond, "backup", "sweep"), "")
	s.at("n1").Node.Status = policy.Unavailable
	s.at("n1").Partition.Status = policy.Unavailable
	s.expect(t, "n1 is gone", s.look(600*time.Millisecond, "backup", "sweep"), `sweep to "n2", recovery`)
	s.add("n4")
	s.at("n4").Partition.Role = policy.RoleJoining
	s.expect(t, "n4 joins", s.look(time.Minute, "backup", "sweep"), "")
	s.at("n1").Node.Status, s.at("n1").Partition.Status = policy.Available, policy.Available
	s.at("n4").Partition.Role = policy.RoleSubscriber
	s.expect(t, "n1 is back", s.look(time.Hour, "backup", "sweep"), "")
}

// "A draining node is never chosen, and what it holds moves" with the reason, the
// primary too.
func TestADrainMovesAll(t *testing.T) {
	s := newScene(t)
	s.add("n1", "n2", "n3")
	s.lead("n1")
	s.look(0, "sweep")
	s.at("n1").Node.Status = policy.Draining
	s.expect(t, "n1 drains", s.look(time.Second, "sweep"), `sweep to "n2", maintenance; primary is wanted at n2, maintenance`)
	s.lead("n2")
	s.expect(t, "n2 leads", s.look(time.Second, "sweep"), "")
}

// Hold and margin: a load that goes up and down moves nothing; one that stays does,
// once. Several holders have a slot each.
func TestNothingFlaps(t *testing.T) {
	s := newScene(t, `{policy: by-load, task: "sweep*", prefer: [{expr: "1.0 - node.cpu", weight: 100}], hold: 30s, margin: 20}`,
		`{policy: two, task: mail, count: 2}`)
	s.add("n1", "n2", "n3")
	s.lead("n3")
	s.at("n2").Node.CPU, s.at("n3").Node.CPU = 0.1, 0.1
	s.expect(t, "at first", s.look(0, "sweep", "mail"), `sweep to "n1", normal; mail to "n1", normal; mail#2 to "n2", normal`)
	for i := range 100 {
		s.at("n1").Node.CPU = float64(i%2) * 0.25 // better by 15 at the most
		s.expect(t, "the load oscillates", s.look(time.Second, "sweep", "mail"), "")
	}
	s.at("n1").Node.CPU = 0.5
	s.expect(t, "the load stays", s.look(time.Second, "sweep", "mail"), `sweep to "n2", normal`)
	s.at("n2").Node.CPU = 0.9
	s.expect(t, "it is held", s.look(10*time.Second, "sweep", "mail"), "")
	s.expect(t, "held for long enough", s.look(20*time.Second, "sweep", "mail"), `sweep to "n3", normal`)
	s.at("n2").Node.Status = policy.Unavailable
	s.expect(t, "one of two holders is gone", s.look(time.Second, "sweep", "mail"), `mail#2 to "n3", recovery`)
}

// Slots' names are read as they are written, and nothing else is a slot.
func TestSlotNames(t *testing.T) {
	for slot := range 12 {
		name := placement.SlotName("a-task", slot)
		if task, i := placement.TaskOf(name); task != "a-task" || i != slot {
			t.Errorf("%s is slot %d of %s", name, i, task)
		}
	}
	for _, name := range []string{"a#1", "a#0", "a#x", "a#02", "a#-2", "a#"} {
		if _, i := placement.TaskOf(name); i >= 0 {
			t.Errorf("%s is slot %d", name, i)
		}
	}
}

// "A failing require excludes the candidate, a failing prefer counts 0, and both are shown
// in the explanation and a metric": a plan tells of them by policy and task.
func TestFailuresAreTold(t *testing.T) {
	s := newScene(t, `{"policy": "shares", "task": "mailer", "require": ["node.name != 'n3' || 1 / node.tasks == 1"], "prefer": [{"expr": "1 / node.tasks == 1", "weight": 1}]}`)
	s.add("n1", "n2", "n3")
	s.lead("n1")
	in := &policy.Input{Now: s.now, Group: policy.Group{Name: "bank"}, Candidates: s.nodes}
	plan := placement.Make(s.set, in, s.leader, []placement.Task{{Name: "verify"}, {Name: "mailer"}}, nil)
	if got := fmt.Sprint(plan.Failed); got != "[{shares mailer 3}]" { // the prefer of n1 and n2, the require of n3
		t.Errorf("the plan tells of %s", got)
	}
	s.at("n1").Node.Tasks, s.at("n2").Node.Tasks, s.at("n3").Node.Tasks = 1, 2, 1
	if plan := placement.Make(s.set, in, s.leader, []placement.Task{{Name: "mailer"}}, nil); plan.Failed != nil {
		t.Errorf("nothing fails, and the plan tells of %v", plan.Failed)
	}
}
