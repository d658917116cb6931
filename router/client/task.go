package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Task is a task, who holds it, and who did.
type Task struct {
	Task   string    `json:"task"`
	Group  string    `json:"group"`
	Kind   string    `json:"kind"`   // application, or the name of a task that every group has
	Status string    `json:"status"` // assigned or unassigned
	Holder string    `json:"holder"` // a node; empty: nobody
	Epoch  uint64    `json:"epoch"`  // of the last assignment; 0: there was none
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"` // normal, recovery, maintenance or shutdown
	Why    string    `json:"why"`

	Holders []TaskHolder `json:"holders"` // of a task that has several

	Version uint64            `json:"version"`
	Labels  map[string]string `json:"labels"`
	Payload json.RawMessage   `json:"payload"`
	Run     []string          `json:"run"`
	Webhook string            `json:"webhook"`

	Execution *TaskExecution `json:"execution"` // what the holder does; nil: it could not be asked
	Stale     bool           `json:"stale"`     // no majority of the group could confirm this

	Runs     []TaskRun `json:"runs"`     // of verify and backup, the newest first
	Schedule string    `json:"schedule"` // when they run (cron, UTC); empty: on request

	History []TaskAssignment `json:"history"` // oldest first

	// ETag is the version, for TaskOptions.IfMatch.
	ETag string          `json:"-"`
	Raw  json.RawMessage `json:"-"`
}

// TaskRun is one run of verify or backup.
type TaskRun struct {
	ID      uint64          `json:"id"`
	Group   string          `json:"group"`
	Task    string          `json:"task"`
	Node    string          `json:"node"`
	Epoch   uint64          `json:"epoch"`
	By      string          `json:"by"` // schedule or request
	Started time.Time       `json:"started"`
	Ended   time.Time       `json:"ended"`
	Status  string          `json:"status"` // running, done, failed or interrupted
	Detail  string          `json:"detail"` // why it failed, or how far it is
	Result  json.RawMessage `json:"result"`

	Raw json.RawMessage `json:"-"`
}

// TaskHolder is one place of a task that has several holders.
type TaskHolder struct {
	Slot   string    `json:"slot"` // its name in expect_task
	Holder string    `json:"holder"`
	Epoch  uint64    `json:"epoch"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`

	Execution *TaskExecution `json:"execution"`
}

// TaskAssignment is one assignment of a task.
type TaskAssignment struct {
	Slot   string    `json:"slot"`
	Holder string    `json:"holder"` // empty: it was taken from its holder
	Epoch  uint64    `json:"epoch"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Why    string    `json:"why"`
}

// TaskExecution is how far a holder is with a task.
type TaskExecution struct {
	Phase    string    `json:"phase"`
	Detail   string    `json:"detail"`
	Since    time.Time `json:"since"`
	PID      int       `json:"pid"`
	Restarts int       `json:"restarts"`
	Exit     string    `json:"exit"`
	Next     time.Time `json:"next"`
	Health   string    `json:"health"`
}

// TaskOptions of a change of a task.
type TaskOptions struct {
	IfMatch string // ETag that the task must have, "*" for any; empty: whether there is one or not
}

// TaskLogs is the last output of a task's command.
type TaskLogs struct {
	Task  string     `json:"task"`
	Group string     `json:"group"`
	Node  string     `json:"node"`
	Lines []TaskLine `json:"lines"`

	Raw json.RawMessage `json:"-"`
}

// TaskLine is a line of it.
type TaskLine struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

func taskPath(name string, more ...string) string {
	path := "/v1/tasks/" + url.PathEscape(name)
	for _, m := range more {
		path += "/" + m
	}
	return path
}

func groupQuery(group string) url.Values {
	if group == "" {
		return nil
	}
	return url.Values{"group": {group}}
}

// Tasks tells of the tasks of a group, or of all groups.
func (c *Client) Tasks(ctx context.Context, group string) ([]Task, json.RawMessage, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: "/v1/tasks", query: groupQuery(group)})
	if err != nil {
		return nil, nil, err
	}
	var list struct {
		Tasks []Task `json:"tasks"`
	}
	return list.Tasks, a.body, a.decode(&list)
}

// Task tells of one task; group is needed for tasks that every group has.
func (c *Client) Task(ctx context.Context, group, name string) (*Task, error) {
	return c.task(ctx, &call{method: http.MethodGet, path: taskPath(name), query: groupQuery(group)})
}

// AwaitTask waits until a task was assigned, or taken from its holder, under a later
// epoch than the given one. At the end of the context it tells what is.
func (c *Client) AwaitTask(ctx context.Context, group, name string, after uint64) (*Task, error) {
	query := url.Values{"after_epoch": {strconv.FormatUint(after, 10)}}
	if group != "" {
		query.Set("group", group)
	}
	return c.task(ctx, &call{method: http.MethodGet, path: taskPath(name), query: query, long: true})
}

// PutTask defines a task by a YAML or JSON document; created is false where it was
// defined before, alike or otherwise.
func (c *Client) PutTask(ctx context.Context, name string, doc []byte, o TaskOptions) (t *Task, created bool, err error) {
	r := &call{method: http.MethodPut, path: taskPath(name), header: o.header(), body: doc, contentType: documentType(doc), write: true, long: true}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, false, err
	}
	t, err = a.task()
	return t, a.status == http.StatusCreated, err
}

// DeleteTask takes a task away, and from its holder.
func (c *Client) DeleteTask(ctx context.Context, name string, o TaskOptions) error {
	_, err := c.do(ctx, &call{method: http.MethodDelete, path: taskPath(name), header: o.header(), write: true})
	return err
}

// ReleaseTask gives a task back that is held under an epoch; once given back, it is
// given back.
func (c *Client) ReleaseTask(ctx context.Context, group, name string, epoch uint64) (*Task, error) {
	return c.task(ctx, &call{
		method: http.MethodPost, path: taskPath(name, "release"), query: groupQuery(group),
		body: fmt.Appendf(nil, `{"epoch": %d}`, epoch), contentType: typeJSON, write: true,
	})
}

// RunTask runs verify or backup of a group now, or finds it running. With wait it
// comes back when the run has ended, or when the context is about to: then the run goes
// on, and its status is still "running".
func (c *Client) RunTask(ctx context.Context, group, name string, wait bool) (*TaskRun, error) {
	query := url.Values{"group": {group}, "wait": {strconv.FormatBool(wait)}}
	a, err := c.do(ctx, &call{method: http.MethodPost, path: taskPath(name, "run"), query: query, write: true, long: true})
	if err != nil {
		return nil, err
	}
	r := &TaskRun{Raw: a.body}
	return r, a.decode(r)
}

// TaskLogs gives the last output of a task's command, at the node that holds it or
// held it last.
func (c *Client) TaskLogs(ctx context.Context, group, name string) (*TaskLogs, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: taskPath(name, "logs"), query: groupQuery(group)})
	if err != nil {
		return nil, err
	}
	l := &TaskLogs{Raw: a.body}
	return l, a.decode(l)
}

func (o *TaskOptions) header() http.Header {
	h := http.Header{}
	if o.IfMatch != "" {
		h.Set("If-Match", o.IfMatch)
	}
	return h
}

func (c *Client) task(ctx context.Context, r *call) (*Task, error) {
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	return a.task()
}

func (a *answer) task() (*Task, error) {
	t := &Task{ETag: a.header.Get("ETag"), Raw: a.body}
	return t, a.decode(t)
}

// heldBy finds the place of a task that a node holds; an empty node is any.
func (t *Task) heldBy(node string) (slot string, epoch uint64, reason, holder string, ok bool) {
	places := t.Holders
	if len(places) == 0 {
		places = []TaskHolder{{Slot: t.Task, Holder: t.Holder, Epoch: t.Epoch, Reason: t.Reason}}
	}
	for _, p := range places {
		if p.Holder != "" && (node == "" || p.Holder == node) {
			return p.Slot, p.Epoch, p.Reason, p.Holder, true
		}
	}
	return "", 0, "", "", false
}

// last is the highest epoch of a task.
func (t *Task) last() uint64 {
	last := t.Epoch
	for _, p := range t.Holders {
		last = max(last, p.Epoch)
	}
	return last
}
