package policy

import (
	"maps"
	"slices"
	"time"
)

// Status of a node, as supervision finds it or as an operator wished it.
const (
	Available   = "available"
	Suspect     = "suspect"
	Unavailable = "unavailable"
	Draining    = "draining"
	Drained     = "drained"
)

// Roles of a partition.
const (
	RolePrimary    = "primary"    // the Raft leader's copy
	RoleSubscriber = "subscriber" // a voting copy that follows
	RoleJoining    = "joining"    // a copy without a vote that catches up
	RoleWitness    = "witness"    // a vote without data
)

// Tasks that are built in. Any other name is an application task.
const (
	TaskPrimary = "primary"
	TaskReader  = "reader"
	TaskBackup  = "backup"
	TaskVerify  = "verify"
	TaskCopy    = "copy" // where a new copy of the group goes
)

// KindApplication is the kind of a task that is not built in; the kind of one
// that is, is its name.
const KindApplication = "application"

// KindOf is the kind of a task by its name.
func KindOf(task string) string {
	switch task {
	case TaskPrimary, TaskReader, TaskBackup, TaskVerify, TaskCopy:
		return task
	}
	return KindApplication
}

// Node is what is known of a node. Shares are of 1.
type Node struct {
	Name   string
	Status string
	Labels map[string]string

	Version, OS, Arch string

	CPU, MemoryFree, DiskFree float64
	HeartbeatAge, Uptime      time.Duration

	Tasks, Primaries, Partitions int64 // held now, of all groups

	Dedicated string // the only group that may have copies here; empty: any
}

// Partition is what is known of a group's copy on a node.
type Partition struct {
	Role      string
	Status    string
	Revision  int64
	Lag       int64 // revisions behind the primary
	LagTime   time.Duration
	ApplyRate float64 // revisions a second
	SizeBytes int64
	Diverged  bool
}

// Group is what is known of a group.
type Group struct {
	Name      string
	Labels    map[string]string
	Size      int64            // data copies
	Available int64            // of these, on available nodes
	Zones     map[string]int64 // label zone to the data copies there
}

// Task is the task that is decided on.
type Task struct {
	Name   string
	Labels map[string]string
}

// Holder is who holds a slot of a task. A task with one holder has one slot.
type Holder struct {
	Node string        // empty: nobody
	Held time.Duration // for how long
}

// Candidate is a node that the task might be given to, or a holder that is no
// longer one.
type Candidate struct {
	Node      Node
	Partition *Partition // nil: no copy of the group there
}

// Input is everything that a decision is made of. It is only read.
type Input struct {
	Now        time.Time
	Group      Group
	Task       Task
	Holders    []Holder // by slot; of primary the leader
	Candidates []Candidate
}

// Clone is a copy that can be changed without changing the original's nodes.
func (in *Input) Clone() *Input {
	out := *in
	out.Holders = slices.Clone(in.Holders)
	out.Candidates = slices.Clone(in.Candidates)
	out.Group.Labels, out.Group.Zones = maps.Clone(in.Group.Labels), maps.Clone(in.Group.Zones)
	out.Task.Labels = maps.Clone(in.Task.Labels)
	for i := range out.Candidates {
		c := &out.Candidates[i]
		c.Node.Labels = maps.Clone(c.Node.Labels)
		if c.Partition != nil {
			p := *c.Partition
			c.Partition = &p
		}
	}
	return &out
}

// After is the input when so much time has passed, and nothing else.
func (in *Input) After(d time.Duration) *Input {
	out := in.Clone()
	out.Now = in.Now.Add(d)
	for i := range out.Holders {
		out.Holders[i].Held += d
	}
	return out
}

// Do is the input when what was decided is done: the holders are those decided
// on, and of primary the copies have their roles.
func (in *Input) Do(d *Decision) *Input {
	out := in.Clone()
	for len(out.Holders) < len(d.Slots) {
		out.Holders = append(out.Holders, Holder{})
	}
	for i := range d.Slots {
		if s := &d.Slots[i]; s.Changes() {
			out.Holders[i] = Holder{Node: s.Node}
		}
	}
	out.Holders = out.Holders[:min(d.Count, len(out.Holders))]
	if in.Task.Name == TaskPrimary {
		out.lead(d.Choice())
	}
	return out
}

// lead gives the primary's role to whom leads.
func (in *Input) lead(node string) {
	for i := range in.Candidates {
		c := &in.Candidates[i]
		switch p := c.Partition; {
		case p == nil:
		case c.Node.Name == node && p.Role == RoleSubscriber:
			p.Role = RolePrimary
		case c.Node.Name != node && p.Role == RolePrimary:
			p.Role = RoleSubscriber
		}
	}
}
