package router

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"lockstep/engine/program"
	"lockstep/router/jobs"
	"lockstep/router/tasks"

	strict "github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
	"go.yaml.in/yaml/v3"
)

// Tasks is what the front needs of its node for tasks. A *Problem says why not.
type Tasks interface {
	// TaskGroup finds the group of an application's task, as far as this node knows.
	TaskGroup(name string) (group string, known bool)
	// Task tells of a task. With after it waits until the task was assigned under a
	// later epoch, or the context ends, and then tells what is.
	Task(ctx context.Context, group, name string, after *uint64) (TaskStatus, error)
	// AllTasks tells of the tasks of a group, or of all groups, by group and name.
	AllTasks(ctx context.Context, group string) ([]TaskStatus, error)
	// PutTask defines a task, or finds it defined so.
	PutTask(ctx context.Context, put TaskPut) (status TaskStatus, created bool, err error)
	// DeleteTask takes a task away.
	DeleteTask(ctx context.Context, name string, match TaskMatch) error
	// ReleaseTask gives a task back that is held under an epoch.
	ReleaseTask(ctx context.Context, group, name string, epoch uint64) (TaskStatus, error)
	// RunTask runs verify or backup now, or finds it running, and waits for its end where
	// that is wanted, as far as the context allows.
	RunTask(ctx context.Context, group, name string, wait bool) (TaskRun, error)
	// TaskLogs gives the last output of a task's command, at its holder.
	TaskLogs(ctx context.Context, group, name string) (TaskLogs, error)
}

// TaskRun is one run of verify or backup.
type TaskRun = jobs.Run

// TaskPut is a wish to define a task.
type TaskPut struct {
	Name       string
	Definition *tasks.Definition
	Match      TaskMatch
}

// TaskMatch is If-Match: the version that a task must have.
type TaskMatch struct {
	Any     bool   // there must be one
	Version uint64 // it must be this one; 0: whichever
}

// TaskStatus is a task, who holds it, and who did.
type TaskStatus struct {
	Task   string `json:"task"`
	Group  string `json:"group"`
	Kind   string `json:"kind"`   // application, or the name of a task that every group has
	Status string `json:"status"` // assigned or unassigned
	Holder string `json:"holder"` // a node; empty: nobody
	Epoch  uint64 `json:"epoch"`  // of the last assignment; 0: there was none
	// Since, Reason and Why are the last assignment's.
	Since  time.Time `json:"since,omitzero"`
	Reason string    `json:"reason,omitempty"`
	Why    string    `json:"why,omitempty"`
	// Holders are all places of a task that has several.
	Holders []TaskHolder `json:"holders,omitempty"`
	// Version and Definition are an application's task's.
	Version           uint64 `json:"version,omitempty"`
	*tasks.Definition `json:",omitempty"`
	// Execution is what the holder says of the command or the webhook.
	Execution *tasks.State `json:"execution,omitempty"`
	// Runs are the last runs of verify or backup, the newest first, and Schedule is when
	// there is another (cron, UTC); empty: on request.
	Runs     []TaskRun `json:"runs,omitempty"`
	Schedule string    `json:"schedule,omitempty"`
	// Stale says that no majority of the group could confirm this.
	Stale bool `json:"stale,omitempty"`
	// History are the assignments, oldest first, the last ones of them.
	History []TaskAssignment `json:"history"`
}

// TaskHolder is one place of a task that has several holders.
type TaskHolder struct {
	Slot   string `json:"slot"` // its name in the log and in expect_task: task, task#2 …
	Holder string `json:"holder"`
	TaskAssignment
	Execution *tasks.State `json:"execution,omitempty"`
}

// TaskAssignment is one assignment.
type TaskAssignment struct {
	Slot   string    `json:"slot,omitempty"` // of a task with several holders, unless it is the first
	Holder string    `json:"holder"`         // empty: it was taken from its holder
	Epoch  uint64    `json:"epoch"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
	Why    string    `json:"why,omitempty"`
}

// TaskLogs is the last output of a task's command.
type TaskLogs struct {
	Task  string       `json:"task"`
	Group string       `json:"group"`
	Node  string       `json:"node"`
	Lines []tasks.Line `json:"lines"`
}

// locateTask finds the target of a path below /v1/tasks.
func locateTask(path string) target {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		text, ok := unescape(s)
		if !ok || text == "" {
			return target{}
		}
		segments[i] = text
	}
	t := target{arg: segments[0]}
	switch {
	case len(segments) == 1:
		t.route = routeTask
	case len(segments) == 2 && segments[1] == "release":
		t.route = routeTaskRelease
	case len(segments) == 2 && segments[1] == "logs":
		t.route = routeTaskLogs
	case len(segments) == 2 && segments[1] == "run":
		t.route = routeTaskRun
	}
	return t
}

// serveTasks does what is for tasks.
func (s *Server) serveTasks(rq *request) *Problem {
	if s.cfg.Tasks == nil {
		return &Problem{Code: "not_implemented", Detail: "this node keeps no tasks"}
	}
	if p := s.readBody(rq, maxAdminBytes); p != nil {
		return p
	}
	// What waits for a change answers in time to be heard, with what is.
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline.Add(-min(time.Until(rq.deadline)/10, answerGrace)))
	defer cancel()
	go s.cutShort(ctx, cancel)
	method := methodOf(&rq.ctx.Request.Header)
	switch {
	case rq.route == routeTasks:
		return s.listTasks(ctx, rq)
	case rq.route == routeTask && method == put:
		return s.putTask(ctx, rq)
	case rq.route == routeTask && method == del:
		return s.deleteTask(ctx, rq)
	}
	if p := s.findTask(ctx, rq); p != nil {
		return p
	}
	switch rq.route {
	case routeTaskRelease:
		return s.releaseTask(ctx, rq)
	case routeTaskRun:
		return s.runTask(ctx, rq)
	case routeTaskLogs:
		logs, err := s.cfg.Tasks.TaskLogs(ctx, rq.group, rq.arg)
		if err != nil {
			return problemOf(err)
		}
		return s.answerDocument(rq, fasthttp.StatusOK, logs)
	}
	return s.getTask(ctx, rq)
}

// findTask finds the group of the task that a request names.
func (s *Server) findTask(ctx context.Context, rq *request) *Problem {
	group := string(rq.ctx.QueryArgs().Peek("group"))
	if tasks.BuiltIn(rq.arg) {
		if group == "" {
			return &Problem{Code: "ambiguous", Detail: "every group has a task " + rq.arg + ": say which with ?group="}
		}
		rq.group = group
		return s.exists(rq)
	}
	err := s.catchUp(ctx)
	name := rq.arg
	if rq.route == routeTaskLogs {
		name = tasks.SlotOf(name) // each holder has its own output
	}
	owner, known := s.cfg.Tasks.TaskGroup(name)
	if !known && err != nil {
		return problemOf(err)
	}
	if !known || group != "" && group != owner {
		return noTask(rq.arg, group)
	}
	rq.group = owner
	return nil
}

// catchUp has this node know of the tasks that were defined and deleted before the
// call, as far as that can be had soon.
func (s *Server) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, localPatience)
	defer cancel()
	return s.cfg.Cluster.CatchUp(ctx)
}

func noTask(name, group string) *Problem {
	p := &Problem{Code: "not_found", Detail: "there is no task " + strconv.Quote(name), Group: group}
	if group != "" {
		p.Detail += " of group " + strconv.Quote(group)
	}
	return p
}

func (s *Server) listTasks(ctx context.Context, rq *request) *Problem {
	if rq.group = string(rq.ctx.QueryArgs().Peek("group")); rq.group != "" {
		if p := s.exists(rq); p != nil {
			return p
		}
	}
	_ = s.catchUp(ctx) // else they are told as this node knows them
	list, err := s.cfg.Tasks.AllTasks(ctx, rq.group)
	if err != nil {
		return problemOf(err)
	}
	if list == nil {
		list = []TaskStatus{}
	}
	return s.answerDocument(rq, fasthttp.StatusOK, map[string]any{"tasks": list})
}

func (s *Server) getTask(ctx context.Context, rq *request) *Problem {
	var after *uint64
	if text := rq.ctx.QueryArgs().Peek("after_epoch"); text != nil {
		n, err := strconv.ParseUint(string(text), 10, 63)
		if err != nil {
			return &Problem{Code: "malformed", Detail: "after_epoch: write an epoch, a whole number; 0 waits for the first assignment"}
		}
		after = &n
	}
	status, err := s.cfg.Tasks.Task(ctx, rq.group, rq.arg, after)
	if err != nil {
		return problemOf(err)
	}
	return s.answerTask(rq, fasthttp.StatusOK, status)
}

func (s *Server) answerTask(rq *request, code int, status TaskStatus) *Problem {
	if status.Version != 0 {
		rq.ctx.Response.Header.Set(fasthttp.HeaderETag, etag(status.Version))
	}
	if status.History == nil {
		status.History = []TaskAssignment{}
	}
	return s.answerDocument(rq, code, status)
}

func (s *Server) putTask(ctx context.Context, rq *request) *Problem {
	if err := tasks.ValidName(rq.arg); err != nil {
		return &Problem{Code: "invalid", Detail: err.Error()}
	}
	raw, p := jsonOf(rq.body.b)
	if p != nil {
		return p
	}
	put := TaskPut{Name: rq.arg}
	var err error
	if put.Definition, err = tasks.Parse(raw); err != nil {
		return wrongTask(err)
	}
	rq.group = put.Definition.Group
	if p := s.exists(rq); p != nil {
		return p
	}
	if put.Match, p = matchOf(rq, "a task"); p != nil {
		return p
	}
	status, created, err := s.cfg.Tasks.PutTask(ctx, put)
	if err != nil {
		return problemOf(err)
	}
	if created {
		return s.answerTask(rq, fasthttp.StatusCreated, status)
	}
	return s.answerTask(rq, fasthttp.StatusOK, status)
}

// jsonOf is a document, that may be YAML, as JSON.
func jsonOf(raw []byte) ([]byte, *Problem) {
	if text := strings.TrimLeft(string(raw), " \t\r\n"); text == "" || text[0] == '{' {
		return raw, nil
	}
	var doc any
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, &Problem{Code: "malformed", Detail: "this is neither JSON nor YAML"}
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return nil, &Problem{Code: "malformed", Detail: "this is YAML that JSON has no form for: keys must be text"}
	}
	return out, nil
}

func wrongTask(err error) *Problem {
	w, ok := err.(*tasks.Wrong)
	if !ok {
		return &Problem{Code: "invalid", Detail: err.Error()}
	}
	p := &Problem{Code: "invalid", Detail: w.Error(), Errors: []program.PointerDetail{{Pointer: w.Pointer, Detail: w.Detail}}}
	if w.Shape {
		p.Code = "malformed"
	}
	return p
}

// matchOf reads If-Match, of a task or what else there is.
func matchOf(rq *request, what string) (TaskMatch, *Problem) {
	text := strings.TrimSpace(string(rq.ctx.Request.Header.Peek(fasthttp.HeaderIfMatch)))
	switch text {
	case "":
		return TaskMatch{}, nil
	case "*":
		return TaskMatch{Any: true}, nil
	}
	version, err := strconv.ParseUint(strings.Trim(text, `"`), 10, 63)
	if err != nil || version == 0 {
		return TaskMatch{}, &Problem{Code: "changed", Detail: "If-Match is no ETag of " + what + "; take it from GET, such as \"12\""}
	}
	return TaskMatch{Version: version}, nil
}

func (s *Server) deleteTask(ctx context.Context, rq *request) *Problem {
	if tasks.BuiltIn(rq.arg) {
		return &Problem{Code: "invalid", Detail: rq.arg + " is a task that every group has, and can't be deleted; a policy with enabled: false or without candidates keeps it from being assigned"}
	}
	match, p := matchOf(rq, "a task")
	if p != nil {
		return p
	}
	if err := s.cfg.Tasks.DeleteTask(ctx, rq.arg, match); err != nil {
		return problemOf(err)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, map[string]any{"task": rq.arg, "deleted": true})
}

// runTask runs verify or backup. A run that has not ended by the deadline goes on, and
// is answered with 202.
func (s *Server) runTask(ctx context.Context, rq *request) *Problem {
	if rq.arg != "verify" && rq.arg != "backup" {
		return &Problem{Code: "invalid", Group: rq.group, Detail: "only verify and backup are run: other tasks are held"}
	}
	wait := true
	if rq.ctx.QueryArgs().Has("wait") {
		var p *Problem
		if wait, p = flag(rq, "wait"); p != nil {
			return p
		}
	}
	run, err := s.cfg.Tasks.RunTask(ctx, rq.group, rq.arg, wait)
	if err != nil {
		return problemOf(err)
	}
	if run.Status == jobs.Running {
		rq.ctx.Response.Header.Set(fasthttp.HeaderLocation, "/v1/tasks/"+rq.arg+"?group="+url.QueryEscape(rq.group))
		return s.answerDocument(rq, fasthttp.StatusAccepted, run)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, run)
}

func (s *Server) releaseTask(ctx context.Context, rq *request) *Problem {
	var ask struct {
		Epoch uint64 `json:"epoch"`
	}
	if err := strict.Unmarshal(rq.body.b, &ask, strict.RejectUnknownMembers(true)); err != nil {
		return malformedJSON(err)
	}
	if ask.Epoch == 0 {
		return invalidAt("/epoch", "give the epoch under which the task is held, from GET /v1/tasks/"+rq.arg)
	}
	if rq.arg == "primary" {
		return &Problem{Code: "invalid", Group: rq.group, Detail: "the holder of primary is the group's leader: have another node lead (POST /v1/groups/" + rq.group + "/primary)"}
	}
	status, err := s.cfg.Tasks.ReleaseTask(ctx, rq.group, rq.arg, ask.Epoch)
	if err != nil {
		return problemOf(err)
	}
	return s.answerTask(rq, fasthttp.StatusOK, status)
}
