package policy

import (
	"fmt"
	"time"
)

// Unsatisfied is a task that a policy could never place as the cluster is.
type Unsatisfied struct {
	Group, Task, Reason string
}

func (u Unsatisfied) String() string {
	return fmt.Sprintf("the task %s of the group %s: %s", u.Task, u.Group, u.Reason)
}

// Unsatisfied gives the tasks among inputs that the named policy would decide on
// and could not place even if every node were available, idle and up to date, at
// any hour of the week: for such a policy is refused when it is written, with
// the reason. Ask the set that the policy is to be part of.
func (s *Set) Unsatisfied(name string, inputs []*Input) (list []Unsatisfied) {
	for _, in := range inputs {
		p := s.decides(in)
		if p.Name != name || p.builtin || len(in.Candidates) == 0 {
			continue
		}
		if reason := p.unsatisfied(in); reason != "" {
			list = append(list, Unsatisfied{in.Group.Name, in.Task.Name, reason})
		}
	}
	return list
}

// unsatisfied tries the candidates as they are, but available, and then at their
// best; hour by hour where a policy looks at the time.
func (p *Policy) unsatisfied(in *Input) string {
	most, why := 0, ""
	tries := 1
	if p.reads[slotNow] {
		tries = 7 * 24
	}
	for i := range tries {
		possible := map[string]bool{}
		var list []judged
		for _, best := range []bool{false, true} {
			could := in.couldBe(best)
			could.Now = in.Now.Add(time.Duration(i) * time.Hour)
			list = p.judge(could, false)
			for _, j := range rank(list) {
				possible[j.Node.Name] = true
			}
		}
		if i == 0 || len(possible) > most {
			most, why = len(possible), nobody(list)
		}
		if most >= p.holders(in, 1) {
			return ""
		}
	}
	if most == 0 {
		return "no node could ever hold it, even if all were available (" + why + ")"
	}
	return fmt.Sprintf("%d holders are wanted, and only %d of %d nodes could ever hold it", p.holders(in, 1), most, len(in.Candidates))
}

// couldBe is the input with every node available, and at its best if asked for.
// What a node is does not change: labels, system, size.
func (in *Input) couldBe(best bool) *Input {
	out := in.Clone()
	for i := range out.Candidates {
		c := &out.Candidates[i]
		c.Node.Status, c.Node.HeartbeatAge = Available, 0
		if in.Task.Name == TaskCopy {
			c.Partition = nil
		}
		if best {
			c.Node.CPU, c.Node.MemoryFree, c.Node.DiskFree = 0, 1, 1
			c.Node.Uptime = MaxHold
			c.Node.Tasks, c.Node.Primaries, c.Node.Partitions = 0, 0, 0
		}
		p := c.Partition
		if p == nil {
			continue
		}
		p.Status, p.Diverged = Available, false
		if p.Role == RoleJoining {
			p.Role = RoleSubscriber
		}
		if best {
			p.Lag, p.LagTime = 0, 0
		}
	}
	out.Recount()
	return out
}
