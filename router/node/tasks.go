package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/partition"
	"lockstep/engine/value"
	"lockstep/policy"
	"lockstep/router"
	"lockstep/router/order"
	"lockstep/router/tasks"
	"lockstep/txlog"
)

// A node tells of tasks, and keeps those of applications.
var _ router.Tasks = (*Node)(nil)

// taskRow is an application's task, as the catalog has it.
type taskRow struct {
	name, group string
	version     uint64 // the revision that wrote it
	definition  *tasks.Definition
	unreadable  error // why this program can't tell what the definition says
}

func (c *catalog) addTask(row value.Value) error {
	t := taskRow{name: text(row, "name"), group: text(row, "group"), version: uint64(number(row, "version"))}
	if t.definition, t.unreadable = tasks.Stored([]byte(text(row, "definition"))); t.unreadable != nil {
		t.definition = &tasks.Definition{} // nothing to run, and nothing else of the catalog is lost for it
	}
	c.tasks = append(c.tasks, t)
	return nil
}

// task finds an application's task; the tasks are in the order of their names.
func (c *catalog) task(name string) (taskRow, bool) {
	i, ok := slices.BinarySearchFunc(c.tasks, name, func(t taskRow, name string) int { return strings.Compare(t.name, name) })
	if !ok {
		return taskRow{}, false
	}
	return c.tasks[i], true
}

// TaskGroup finds the group of an application's task.
func (n *Node) TaskGroup(name string) (string, bool) {
	t, ok := n.catalog.Load().task(name)
	return t.group, ok
}

// Task tells of a task, from this node's copy of its group or another's.
func (n *Node) Task(ctx context.Context, group, name string, after *uint64) (router.TaskStatus, error) {
	var s router.TaskStatus
	if c := n.copy(group); c != nil {
		var err error
		if s, err = n.ownTask(ctx, c, name, after); err != nil {
			return s, err
		}
	} else if err := n.askTasks(ctx, group, taskQuestion{Op: "task", Group: group, Task: name, After: after}, &s); err != nil {
		return s, err
	}
	n.addRuns(&s)
	list := []router.TaskStatus{s}
	n.addExecutions(ctx, list)
	return list[0], nil
}

// addRuns adds the runs of verify and backup, and their schedule.
func (n *Node) addRuns(s *router.TaskStatus) {
	g, ok := n.catalog.Load().group(s.Group)
	if !ok || s.Task != policy.TaskVerify && s.Task != policy.TaskBackup {
		return
	}
	s.Schedule = n.scheduleOf(g, s.Task)
	if runs, err := n.runsOf(s.Group, s.Task); err == nil {
		s.Runs = runs
	}
}

// AllTasks tells of the tasks of a group, or of all.
func (n *Node) AllTasks(ctx context.Context, group string) ([]router.TaskStatus, error) {
	var out []router.TaskStatus
	for _, g := range n.catalog.Load().groups {
		if group != "" && g.name != group {
			continue
		}
		var list []router.TaskStatus
		if c := n.copy(g.name); c != nil {
			list = n.ownTasks(ctx, c)
		} else if err := n.askTasks(ctx, g.name, taskQuestion{Op: "list", Group: g.name}, &list); err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	n.addExecutions(ctx, out)
	return out, nil
}

// ownTasks are all tasks of a group: those that were ever assigned and may still be,
// and those that are defined.
func (n *Node) ownTasks(ctx context.Context, c *copyOf) []router.TaskStatus {
	stale := !n.freshen(ctx, c)
	cat, now := n.catalog.Load(), c.part.Tasks()
	var names []string
	for _, t := range now.List {
		if name := tasks.SlotOf(t.Name); tasks.BuiltIn(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, t := range cat.tasks {
		if t.group == c.name {
			names = append(names, t.name)
		}
	}
	var out []router.TaskStatus
	for _, name := range slices.Compact(names) {
		s := taskStatus(cat, c.name, name, now)
		s.Stale = stale
		n.addWhyNobody(&s)
		out = append(out, s)
	}
	return out
}

// ownTask tells of a task from this node's copy, and may wait for an assignment.
func (n *Node) ownTask(ctx context.Context, c *copyOf, name string, after *uint64) (router.TaskStatus, error) {
	stale := !n.freshen(ctx, c)
	for {
		now := c.part.Tasks()
		s := taskStatus(n.catalog.Load(), c.name, name, now)
		s.Stale = stale
		n.addWhyNobody(&s)
		if after == nil || lastEpoch(now, name) > *after {
			return s, nil
		}
		select {
		case <-now.Changed:
		case <-ctx.Done():
			return s, nil
		case <-c.part.Closed():
			return s, &router.Problem{Code: "starting", Group: c.name, Detail: "this node's copy of the group was closed"}
		}
	}
}

// addWhyNobody says why nobody holds a task that no node may hold, by what this node
// has heard of the others.
func (n *Node) addWhyNobody(s *router.TaskStatus) {
	if s.Status == "assigned" || s.Kind == policy.TaskPrimary || s.Kind == policy.TaskReader {
		return
	}
	in, err := n.placementInput(s.Group, s.Task)
	if err != nil {
		return
	}
	if d := n.policySet().Decide(&in); d.Choice() == "" {
		s.Why = d.Reason()
	}
}

// freshen brings a copy to what was acknowledged before the call, false where that
// takes too long.
func (n *Node) freshen(ctx context.Context, c *copyOf) bool {
	ctx, cancel := context.WithTimeout(ctx, taskFreshWait)
	defer cancel()
	index, err := c.ReadIndex(ctx)
	return err == nil && c.WaitIndex(ctx, index) == nil
}

// places are the places of a task in a log, the first one first.
func places(now partition.Tasks, name string) []engine.Task {
	var out []engine.Task
	for _, t := range now.List {
		if tasks.SlotOf(t.Name) == name {
			out = append(out, t)
		}
	}
	number := func(t engine.Task) int {
		_, text, _ := strings.Cut(t.Name, "#")
		i, _ := strconv.Atoi(text)
		return i
	}
	slices.SortFunc(out, func(a, b engine.Task) int { return cmp.Compare(number(a), number(b)) })
	return out
}

func lastEpoch(now partition.Tasks, name string) (last uint64) {
	for _, t := range places(now, name) {
		last = max(last, t.Epoch)
	}
	return last
}

// taskStatus is a task as a log and the catalog have it.
func taskStatus(cat *catalog, group, name string, now partition.Tasks) router.TaskStatus {
	s := router.TaskStatus{Task: name, Group: group, Kind: "application", Status: "unassigned", History: []router.TaskAssignment{}}
	if tasks.BuiltIn(name) {
		s.Kind = name
	}
	if row, ok := cat.task(name); ok && row.group == group {
		s.Version, s.Definition = row.version, row.definition
	}
	at := places(now, name)
	for i, t := range at {
		slot := ""
		if i > 0 {
			slot = t.Name
		}
		for _, a := range append(slices.Clone(t.History), t.Assignment) {
			s.History = append(s.History, assignmentOf(cat, slot, a))
		}
		present := assignmentOf(cat, "", t.Assignment)
		if t.Holder != 0 {
			s.Status = "assigned"
		}
		if len(at) > 1 {
			s.Holders = append(s.Holders, router.TaskHolder{Slot: t.Name, Holder: present.Holder, TaskAssignment: present})
		}
		if i == 0 || s.Holder == "" && t.Holder != 0 {
			s.Holder, s.Epoch, s.Since, s.Reason, s.Why = present.Holder, present.Epoch, present.Since, present.Reason, present.Why
		}
	}
	slices.SortStableFunc(s.History, func(a, b router.TaskAssignment) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return s
}

func assignmentOf(cat *catalog, slot string, a engine.Assignment) router.TaskAssignment {
	out := router.TaskAssignment{Slot: slot, Epoch: a.Epoch, Since: time.UnixMilli(a.SinceMillis).UTC(), Reason: a.Reason.String(), Why: a.Text}
	if a.Holder != 0 {
		out.Holder = cat.nodeName(txlog.NodeID(a.Holder))
	}
	return out
}

// PutTask defines a task in the catalog.
func (n *Node) PutTask(ctx context.Context, put router.TaskPut) (router.TaskStatus, bool, error) {
	doc, err := put.Definition.Canonical()
	if err != nil {
		return router.TaskStatus{}, false, err
	}
	tx, err := putTask(put.Name, put.Definition.Group, string(doc), put.Match)
	if err != nil {
		return router.TaskStatus{}, false, err
	}
	o, err := n.systemCopy().execute(ctx, tx)
	if err != nil {
		return router.TaskStatus{}, false, taskRefusal(err, put.Name, put.Definition.Group)
	}
	var done struct {
		Created bool `json:"created"`
	}
	if err := json.Unmarshal(o.Result, &done); err != nil {
		return router.TaskStatus{}, false, err
	}
	n.refresh()
	s, err := n.Task(ctx, put.Definition.Group, put.Name, nil)
	if err != nil {
		// It is defined; who holds it can't be told now.
		s = taskStatus(n.catalog.Load(), put.Definition.Group, put.Name, partition.Tasks{})
		s.Stale = true
	}
	return s, done.Created, nil
}

// DeleteTask takes a task from the catalog, and from its holder.
func (n *Node) DeleteTask(ctx context.Context, name string, match router.TaskMatch) error {
	tx, err := deleteTask(name, match)
	if err != nil {
		return err
	}
	if _, err := n.systemCopy().execute(ctx, tx); err != nil {
		return taskRefusal(err, name, "")
	}
	n.refresh()
	return nil
}

// taskRefusal says in the interface's words why a transaction on tasks was aborted.
func taskRefusal(err error, name, group string) error {
	var p *router.Problem
	if !errors.As(err, &p) {
		return err
	}
	problem := func(code, format string, args ...any) error {
		return &router.Problem{Code: code, Group: group, Detail: fmt.Sprintf(format, args...)}
	}
	switch p.Code {
	case abortNoGroup:
		return problem("unknown_group", "there is no group %q", group)
	case abortNoTask:
		return problem("not_found", "there is no task %q", name)
	case abortOtherVersion:
		return problem("changed", "the task %s has another version than If-Match wants: read it again", name)
	case abortOtherGroup:
		return problem("already_exists", "%s is a task of the group %s: names are unique in the cluster; choose another, or delete that one first", name, p.Detail)
	case abortManyTasks:
		return problem("invalid", "the group has %d tasks already, and can have no more", maxGroupTasks)
	}
	return err
}

// ReleaseTask gives a task back.
func (n *Node) ReleaseTask(ctx context.Context, group, name string, epoch uint64) (router.TaskStatus, error) {
	c := n.copy(group)
	if c == nil {
		var s router.TaskStatus
		err := n.askTasks(ctx, group, taskQuestion{Op: "release", Group: group, Task: name, After: &epoch}, &s)
		return s, err
	}
	for {
		if !n.freshen(ctx, c) {
			return router.TaskStatus{}, &router.Problem{Code: "no_quorum", Group: group, Detail: "no majority of the group answers"}
		}
		now := c.part.Tasks()
		slot, done, err := heldUnder(now, group, name, epoch)
		if err != nil || done {
			return taskStatus(n.catalog.Load(), group, name, now), err
		}
		committed, err := n.assign(ctx, c, now.Epoch, entry.Assign{Task: slot, Reason: entry.ReasonNormal, Text: "given back by its holder"})
		if err != nil {
			return router.TaskStatus{}, err
		}
		if committed {
			return n.ownTask(ctx, c, name, nil)
		}
	}
}

// heldUnder finds the place of a task that is held under an epoch. done: it was
// given back already.
func heldUnder(now partition.Tasks, group, name string, epoch uint64) (slot string, done bool, err error) {
	held := []string{}
	for _, t := range places(now, name) {
		if t.Epoch == epoch && t.Holder != 0 {
			return t.Name, false, nil
		}
		all := append(slices.Clone(t.History), t.Assignment)
		for i, a := range all[:len(all)-1] {
			if a.Epoch == epoch && a.Holder != 0 && all[i+1].Holder == 0 {
				return "", true, nil
			}
		}
		if t.Holder != 0 {
			held = append(held, strconv.FormatUint(t.Epoch, 10))
		}
	}
	detail := "nobody holds it"
	if len(held) > 0 {
		detail = "it is held under epoch " + strings.Join(held, ", ")
	}
	return "", false, &router.Problem{Code: "fenced", Group: group, Detail: fmt.Sprintf("the task %s is not held under epoch %d: %s", name, epoch, detail)}
}

// assign orders an assignment under the epoch after last; false where another one
// came first.
func (n *Node) assign(ctx context.Context, c *copyOf, last uint64, a entry.Assign) (committed bool, err error) {
	a.Epoch = last + 1
	v, err := c.order(ctx, &order.Request{Assign: &a})
	if err != nil {
		return false, err
	}
	for {
		now := c.part.Tasks()
		if now.Epoch >= a.Epoch {
			return v.Outcome.Committed, nil
		}
		select {
		case <-now.Changed:
		case <-c.part.Closed():
			return v.Outcome.Committed, nil
		case <-ctx.Done():
			return v.Outcome.Committed, nil
		}
	}
}

// TaskLogs gives the last output of a task's command at its holder.
func (n *Node) TaskLogs(ctx context.Context, group, name string) (router.TaskLogs, error) {
	s, err := n.Task(ctx, group, tasks.SlotOf(name), nil)
	if err != nil {
		return router.TaskLogs{}, err
	}
	slot := name
	if slot == s.Task {
		slot = "" // as the history calls the first place
	}
	holder := ""
	for i := len(s.History) - 1; i >= 0 && holder == ""; i-- {
		if s.History[i].Slot == slot {
			holder = s.History[i].Holder // the last one
		}
	}
	row, ok := n.catalog.Load().named(holder)
	if !ok {
		return router.TaskLogs{}, &router.Problem{Code: "not_found", Group: group, Detail: fmt.Sprintf("no node has held the task %s yet", name)}
	}
	logs := router.TaskLogs{Task: name, Group: group, Node: holder}
	q := taskQuestion{Op: "logs", Group: group, Task: name}
	if row.id == n.id {
		logs.Lines = n.runner.Output(tasks.Key{Group: group, Task: name})
	} else if err := n.askTaskAt(ctx, row.id, q, &logs.Lines); err != nil {
		return logs, &router.Problem{Code: "behind", Group: group, Detail: fmt.Sprintf("the node %s, which held the task last, does not answer: %v", holder, err)}
	}
	if logs.Lines == nil {
		logs.Lines = []tasks.Line{}
	}
	return logs, nil
}
