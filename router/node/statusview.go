package node

import (
	"fmt"
	"strings"
	"time"

	"lockstep/engine/partition"
	"lockstep/policy/supervision"
	"lockstep/router"
	"lockstep/txlog"
)

// taskReport is a task as the primary's node tells of it in its heartbeats.
type taskReport struct {
	Task   string       `json:"task"`
	Holder txlog.NodeID `json:"holder"`
	Epoch  uint64       `json:"epoch"`
	Since  int64        `json:"since_ms"`
	Reason string       `json:"reason"`
	Why    string       `json:"why,omitempty"`
}

func reportTasks(tasks partition.Tasks) []taskReport {
	out := make([]taskReport, 0, min(len(tasks.List), reportedTasks))
	for i := range tasks.List {
		if len(out) == reportedTasks {
			break
		}
		t := &tasks.List[i]
		out = append(out, taskReport{t.Name, txlog.NodeID(t.Holder), t.Epoch, t.SinceMillis, t.Reason.String(), t.Text})
	}
	return out
}

// Status is the whole cluster as this node has heard of it.
func (n *Node) Status() router.ClusterStatus {
	cat := n.catalog.Load()
	s := router.ClusterStatus{Cluster: n.folder.id.Group, Node: n.cfg.Name, Groups: n.Groups()}
	states := n.states(systemGroup)
	for _, row := range cat.nodes {
		s.Nodes = append(s.Nodes, n.nodeStatus(row, states))
	}
	s.Troubles = router.Diagnose(&s)
	return s
}

// nodeStatus is what is known of one node.
func (n *Node) nodeStatus(row nodeRow, states map[string]supervision.Status) router.NodeStatus {
	s := router.NodeStatus{Name: row.name, HTTP: row.http, Version: row.version, Status: string(supervision.Unavailable)}
	s.Labels, s.OS, s.Arch, s.Dedicated = row.labels, row.os, row.arch, row.dedicated
	if w, ok := states[row.name]; ok {
		s.Status, s.Code, s.Reason = string(w.State), string(w.Code), w.Text
		s.Since, s.HeartbeatAgeMillis = n.pulse.board.At(w.Since), w.Age.Milliseconds()
	}
	r, ok := n.reportOf(row.id)
	if !ok {
		// Somebody said that nobody listens there, before its silence is long enough.
		if s.Status == string(supervision.Available) {
			s.Status = string(supervision.Suspect)
		}
		return s
	}
	s.Version, s.UptimeSeconds, s.Holds = r.Version, r.UptimeSeconds, r.Holds
	s.CPU, s.MemoryFree, s.DiskFree = &r.CPU, &r.MemoryFree, &r.DiskFree
	if r.Status == "draining" && s.Status == string(supervision.Available) {
		s.Status, s.Reason = r.Status, "it is stopping"
	}
	return s
}

// addState adds what a copy's node is taken for; answers: it says so itself, lately.
func (n *Node) addState(s *router.PartitionStatus, group string, answers bool) {
	w, ok := n.stateOf(group, s.Node)
	if !ok || s.Status == "diverged" {
		return
	}
	switch {
	case w.State == supervision.Unavailable, w.State == supervision.Suspect && s.Status == "available":
		s.Status, s.Reason = string(w.State), w.Text
	case !answers && w.State == supervision.Suspect:
		s.Reason = w.Text
	case !answers:
		s.Reason = "the copy is not open"
	}
}

// addHealth says how a group is; at is what its primary's copy reports.
func (n *Node) addHealth(cat *catalog, s *router.GroupStatus, at copyReport) {
	var away []string
	there := 0
	for _, p := range s.Partitions {
		if p.Status == "available" || p.Status == "suspect" {
			there++ // a suspect one may still vote
		}
		if p.Status != "available" {
			away = append(away, fmt.Sprintf("%s is %s", p.Node, p.Status))
		}
	}
	s.Wanted, s.WantedWhy = at.Wanted, at.WantedWhy
	for _, t := range at.Tasks {
		s.Tasks = append(s.Tasks, router.TaskBrief{Task: t.Task, Holder: n.holderName(cat, t.Holder), Epoch: t.Epoch,
			Since: time.UnixMilli(t.Since).UTC(), Reason: t.Reason, Why: t.Why})
	}
	switch {
	case s.Held != "":
		s.GroupHealth.Status, s.Reason = router.HealthHeld, "its copies differ and no majority agrees"
	case 2*there <= len(s.Partitions):
		s.GroupHealth.Status = router.HealthNoQuorum
		s.Reason = fmt.Sprintf("%d of its %d copies are there; %s", there, len(s.Partitions), strings.Join(away, ", "))
	case s.Primary == "" || primaryAway(s):
		s.GroupHealth.Status, s.Reason = router.HealthNoPrimary, strings.Join(away, ", ")
		if len(away) == 0 {
			s.Reason = "its copies answer, and none of them leads"
		}
	case len(away) > 0:
		s.GroupHealth.Status, s.Reason = router.HealthDegraded, strings.Join(away, ", ")
	default:
		s.GroupHealth.Status = router.HealthAvailable
	}
}

// holderName is a holder as users know it; empty: nobody.
func (n *Node) holderName(cat *catalog, id txlog.NodeID) string {
	if id == 0 {
		return ""
	}
	return cat.nodeName(id)
}

// primaryAway tells whether the primary last heard of is not there.
func primaryAway(s *router.GroupStatus) bool {
	for _, p := range s.Partitions {
		if p.Node == s.Primary {
			return p.Status == "unavailable"
		}
	}
	return true
}
