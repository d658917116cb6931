package router

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// NodeFacts are what a node says of itself, and what is wished of it.
type NodeFacts struct {
	// Reason says why Status is what it is, Code the same in a word (package
	// policy/supervision), Since when it became so.
	Reason string    `json:"reason,omitempty"`
	Code   string    `json:"code,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	// HeartbeatAgeMillis is how long ago it was last heard.
	HeartbeatAgeMillis int64             `json:"heartbeat_age_ms"`
	Labels             map[string]string `json:"labels,omitempty"`
	OS                 string            `json:"os,omitempty"`
	Arch               string            `json:"arch,omitempty"`
	UptimeSeconds      int64             `json:"uptime_seconds,omitempty"`
	// CPU, MemoryFree and DiskFree are shares of 1; nil while they are not known.
	CPU        *float64 `json:"cpu,omitempty"`
	MemoryFree *float64 `json:"memory_free,omitempty"`
	DiskFree   *float64 `json:"disk_free,omitempty"`
	// Dedicated is the group that the node is kept for; empty: any.
	Dedicated string `json:"dedicated,omitempty"`
	// Holds are the tasks that the node holds, as group/task.
	Holds []string `json:"holds,omitempty"`
}

// How a group is.
const (
	HealthAvailable = "available" // all its copies are there
	HealthDegraded  = "degraded"  // it works with fewer copies than it should have
	HealthNoPrimary = "no_primary"
	HealthNoQuorum  = "no_quorum" // no majority of its copies answers
	HealthHeld      = "held"      // its copies differ, and no majority agrees
)

// GroupHealth is how a group is, and what its tasks are.
type GroupHealth struct {
	Status string `json:"status,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Wanted is the node that the policies want as primary, where that is another
	// than the one that is, and WantedWhy says why it is not so.
	Wanted    string `json:"wanted,omitempty"`
	WantedWhy string `json:"wanted_why,omitempty"`
	// Tasks are those that were ever assigned.
	Tasks []TaskBrief `json:"tasks,omitempty"`
}

// TaskBrief is who holds a task.
type TaskBrief struct {
	Task   string    `json:"task"`
	Holder string    `json:"holder,omitempty"` // empty: nobody
	Epoch  uint64    `json:"epoch"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Why    string    `json:"why,omitempty"`
}

// Trouble is something that is wrong, what it affects, and what to do (patent,
// paragraph 39: find a failure's scope and the recovery procedure).
type Trouble struct {
	Severity string `json:"severity"` // critical: something is refused; warning; notice
	Node     string `json:"node,omitempty"`
	Group    string `json:"group,omitempty"`
	What     string `json:"what"`
	Affects  string `json:"affects,omitempty"`
	Do       string `json:"do,omitempty"`
}

// Severities of a Trouble.
const (
	Critical = "critical"
	Warning  = "warning"
	Notice   = "notice"
)

const (
	// laggingRevisions is from when on a copy's lag is worth a word: under load a
	// second's worth.
	laggingRevisions = 20_000
	// scarceDisk is the share of free disk below which a word is due: writes stop
	// when it is full.
	scarceDisk = 0.10
)

// Diagnose finds what is wrong with a cluster by its status, the worst first.
func Diagnose(s *ClusterStatus) []Trouble {
	var out []Trouble
	for i := range s.Groups {
		out = append(out, groupTroubles(&s.Groups[i])...)
	}
	for i := range s.Nodes {
		out = append(out, nodeTroubles(&s.Nodes[i], s)...)
	}
	rank := []string{Critical, Warning, Notice}
	slices.SortStableFunc(out, func(a, b Trouble) int {
		return slices.Index(rank, a.Severity) - slices.Index(rank, b.Severity)
	})
	return out
}

func groupTroubles(g *GroupStatus) (out []Trouble) {
	add := func(severity, what, affects, do string) {
		out = append(out, Trouble{Severity: severity, Group: g.Name, What: what, Affects: affects, Do: do})
	}
	var away []string
	for _, p := range g.Partitions {
		if p.Status == "unavailable" || p.Status == "suspect" {
			away = append(away, p.Node)
		}
		if p.Status == "available" && p.Lag > laggingRevisions {
			add(Warning, fmt.Sprintf("the copy of %s on %s is %d revisions behind", g.Name, p.Node, p.Lag),
				"reads there are old or wait, and it can't become primary", "look at that node's load and disk; it catches up by itself")
		}
	}
	switch g.Status {
	case HealthNoQuorum:
		add(Critical, fmt.Sprintf("the group %s has no majority: %s", g.Name, g.Reason),
			"updates are refused (503 no_primary) and linearizable reads (503 no_quorum); reads with consistency=local go on at the copies that are left",
			fmt.Sprintf("start %s again; if they are lost for good: lockstep group recover %s --plan shows what may be lost", strings.Join(away, ", "), g.Name))
	case HealthNoPrimary:
		add(Critical, fmt.Sprintf("the group %s has no primary: %s", g.Name, g.Reason), "updates wait, or are refused (503 no_primary)",
			fmt.Sprintf("wait a moment: the copies elect one; if there is none after half a minute: lockstep group recover %s --plan shows what can be done", g.Name))
	case HealthHeld:
		add(Critical, fmt.Sprintf("the group %s takes no changes", g.Name), "updates are refused (503 diverged)", g.Held)
	}
	if what, do := scarceCopies(g); what != "" {
		add(Notice, what, "what is acknowledged now is lost if these are lost", do)
	}
	if g.Wanted != "" {
		add(Notice, fmt.Sprintf("the policies want %s as primary of %s, and it is %s: %s", g.Wanted, g.Name, orNobody(g.Primary), g.WantedWhy), "", "")
	}
	for _, t := range g.Tasks {
		if t.Holder == "" && t.Why != "" && t.Reason != "shutdown" {
			add(Warning, fmt.Sprintf("nobody holds the task %s of %s: %s", t.Task, g.Name, t.Why), "what it does is not done",
				fmt.Sprintf("lockstep policy explain %s --group %s tells of each node why it can't", t.Task, g.Name))
		}
	}
	return out
}

// kindWitness is the kind of a member that votes and has no data: it is no copy.
const kindWitness = "witness"

// scarceCopies says that a group has fewer copies than it was made with, and no node
// comes back with one by itself: witnesses have their places, or nothing has. Empty:
// it is not so; a copy that is only away is told of with its node.
func scarceCopies(g *GroupStatus) (what, do string) {
	copies, witnesses := 0, 0
	var away []string
	for _, p := range g.Partitions {
		switch {
		case p.Kind == kindWitness:
			witnesses++
		case !p.Leaving:
			if copies++; p.Status != "available" {
				away = append(away, p.Node)
			}
		}
	}
	if g.Durability == "" || witnesses == 0 && copies >= g.Made {
		return "", ""
	}
	what = fmt.Sprintf("the group %s has %s", g.Name, g.Durability)
	if g.Made > 0 {
		what += fmt.Sprintf(", and was made with %d", g.Made)
	}
	do = fmt.Sprintf("lockstep partition add %s NODE gives it a copy on another node", g.Name)
	if len(away) > 0 {
		do = fmt.Sprintf("start %s again; or %s", strings.Join(away, ", "), do)
	}
	if witnesses > 0 {
		what += "; witnesses vote in the place of the others"
	}
	return what, do
}

func orNobody(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}

func nodeTroubles(n *NodeStatus, s *ClusterStatus) (out []Trouble) {
	add := func(severity, what, affects, do string) {
		out = append(out, Trouble{Severity: severity, Node: n.Name, What: what, Affects: affects, Do: do})
	}
	why := n.Name + " is " + n.Status
	if n.Reason != "" {
		why += ": " + n.Reason
	}
	switch n.Status {
	case "unavailable":
		add(Warning, why, affected(n.Name, s),
			fmt.Sprintf("start it again: it catches up by itself; if it is lost for good: lockstep node replace %s --with NODE", n.Name))
	case "suspect":
		add(Warning, why, affected(n.Name, s), "wait: it comes back, or is found unavailable")
	case "draining":
		add(Notice, why, "its tasks go elsewhere", "lockstep node undrain "+n.Name+" takes it back")
	case "drained":
		add(Notice, why, "it is given no tasks", "stop it, remove it, or take it back with lockstep node undrain "+n.Name)
	}
	if n.DiskFree != nil && *n.DiskFree < scarceDisk {
		add(Warning, fmt.Sprintf("the disk of %s has %.0f%% free", n.Name, *n.DiskFree*100), "when it is full, writes stop (507 disk_full)", "make room, or move copies elsewhere")
	}
	return out
}

// affected tells what a node's absence means.
func affected(name string, s *ClusterStatus) string {
	var parts []string
	for i := range s.Groups {
		g := &s.Groups[i]
		has, there, all := false, 0, 0
		for _, p := range g.Partitions {
			has = has || p.Node == name
			if p.Kind == kindWitness {
				continue
			}
			if all++; p.Status == "available" {
				there++
			}
		}
		if has {
			parts = append(parts, fmt.Sprintf("%s (%d of %d copies are there)", g.Name, there, all))
		}
	}
	if len(parts) == 0 {
		return "no group has a copy there"
	}
	const shown = 5
	if len(parts) > shown {
		parts = append(parts[:shown:shown], fmt.Sprintf("%d groups more", len(parts)-shown))
	}
	return strings.Join(parts, ", ")
}
