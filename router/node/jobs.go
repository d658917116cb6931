package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"lockstep/engine"
	"lockstep/engine/recording"
	"lockstep/engine/value"
	"lockstep/policy"
	"lockstep/router"
	"lockstep/router/jobs"
	"lockstep/txlog"
)

// startJobs makes what runs verify and backup on this node. It holds nothing yet.
func (n *Node) startJobs() {
	n.jobs = jobs.New(jobs.Config{Node: n.cfg.Name, Do: n.doJob, Record: n.recordRun, Next: policy.NextRun, Log: n.cfg.Log})
}

// heldJobs are the tasks of that kind that this node holds.
func (n *Node) heldJobs() []jobs.Assignment {
	cat := n.catalog.Load()
	var out []jobs.Assignment
	for _, g := range cat.groups {
		c := n.copy(g.name)
		if c == nil {
			continue
		}
		for _, t := range c.part.Tasks().List {
			if t.Holder != uint64(n.id) || t.Name != policy.TaskVerify && t.Name != policy.TaskBackup {
				continue
			}
			a := jobs.Assignment{Key: jobs.Key{Group: g.name, Task: t.Name}, Epoch: t.Epoch, Since: time.UnixMilli(t.SinceMillis)}
			if a.Schedule = n.scheduleOf(g, t.Name); a.Schedule != "" {
				runs, err := n.runsOf(g.name, t.Name)
				if err != nil {
					a.Schedule = "" // without its history it might run twice; what runs goes on
				} else {
					a.Last = jobs.Last(runs, n.jobs.Running())
				}
			}
			out = append(out, a)
		}
	}
	return out
}

// scheduleOf is when the policies have a group's task run; empty: on request only.
func (n *Node) scheduleOf(g groupRow, task string) string {
	d := n.policySet().Deciding(&policy.Input{Now: time.Now(), Group: policy.Group{Name: g.name, Labels: g.labels}, Task: policy.Task{Name: task}})
	return d.Schedule
}

// doJob does one run of a job.
func (n *Node) doJob(ctx context.Context, run jobs.Run, far func(string)) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, jobTime)
	defer cancel()
	if run.Task == policy.TaskBackup {
		return n.doBackup(ctx, run, far)
	}
	return n.doVerify(ctx, run, far)
}

// doVerify compares the copies of a group at one revision.
func (n *Node) doVerify(ctx context.Context, run jobs.Run, far func(string)) (any, error) {
	far(fmt.Sprintf("comparing %d copies", len(n.catalog.Load().withData(run.Group))))
	ctx, cancel := context.WithTimeout(ctx, verifyJobTime)
	defer cancel()
	report, err := n.Verify(ctx, run.Group)
	if err != nil {
		return nil, err
	}
	if report.Equal {
		return report, nil
	}
	var wrong []string
	for _, p := range report.Partitions {
		if p.Error != "" {
			wrong = append(wrong, p.Node+": "+p.Error)
		}
	}
	if len(wrong) > 0 {
		return report, fmt.Errorf("not every copy could be looked at: %s", strings.Join(wrong, "; "))
	}
	return report, fmt.Errorf("the copies differ at revision %d", report.Revision)
}

// backupResult is what a backup has made.
type backupResult struct {
	File     string   `json:"file"`
	Bytes    int64    `json:"bytes"`
	Revision uint64   `json:"revision"`
	Digest   string   `json:"digest"` // running, at the end
	Removed  []string `json:"removed,omitempty"`
}

// doBackup writes a recording of this node's copy to the backup folder.
func (n *Node) doBackup(ctx context.Context, run jobs.Run, far func(string)) (any, error) {
	if n.cfg.BackupDir == "" {
		return nil, n.noBackups()
	}
	c := n.copy(run.Group)
	if c == nil {
		return nil, errors.New("this node has no copy of the group any more")
	}
	e, err := n.ownExport(ctx, c, router.ExportOptions{From: "now"})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	folder := n.backups()
	name := jobs.FileName(run.Group, run.Started, run.Epoch, run.ID)
	var sum recording.Summary
	bytes, err := folder.Write(run.Group, name,
		func(w io.Writer) error { return e.Write(ctx, &meter{w: w, far: far}) },
		func(r io.Reader) (err error) {
			far("reading it back")
			sum, err = recording.Summarize(&stoppable{ctx: ctx, r: r})
			return err
		})
	if err != nil {
		return nil, err
	}
	out := backupResult{File: name, Bytes: bytes, Revision: sum.To.Revision, Digest: hex.EncodeToString(sum.To.Running[:])}
	out.Removed, err = folder.Prune(run.Group, time.Now())
	return out, err
}

func (n *Node) backups() *jobs.Folder {
	return &jobs.Folder{Dir: n.cfg.BackupDir, Node: n.cfg.Name, Keep: n.cfg.BackupKeep, MaxAge: n.cfg.BackupMaxAge}
}

func (n *Node) noBackups() error {
	return &router.Problem{Code: "invalid", Detail: fmt.Sprintf("the node %s has no folder for backups: name one in its configuration (backup.dir) and restart it, or have a policy choose nodes that have one", n.cfg.Name)}
}

// meter tells how much was written.
type meter struct {
	w     io.Writer
	far   func(string)
	bytes atomic.Int64
}

func (m *meter) Write(b []byte) (int, error) {
	k, err := m.w.Write(b)
	m.far(fmt.Sprintf("%.1f MB written", float64(m.bytes.Add(int64(k)))/1e6))
	return k, err
}

// stoppable reads until its context ends.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(b []byte) (int, error) {
	if s.ctx.Err() != nil {
		return 0, context.Cause(s.ctx)
	}
	return s.r.Read(b)
}

// RunTask runs verify or backup now, and waits for its end as far as the context
// allows.
func (n *Node) RunTask(ctx context.Context, group, name string, wait bool) (router.TaskRun, error) {
	run, err := n.beginRun(ctx, group, name)
	if err != nil || !wait {
		return run, err
	}
	sys := n.systemCopy()
	for {
		revision := sys.part.Position().Revision
		runs, err := n.runsOf(group, name)
		if err != nil {
			return run, err
		}
		for _, r := range runs {
			if r.ID == run.ID && r.Status != jobs.Running {
				return r, nil
			}
		}
		if sys.part.WaitRevision(ctx, revision+1) != nil {
			return run, nil // it goes on
		}
	}
}

// beginRun has the holder begin, or where there is none a node that can: one that is
// not the primary, if possible.
func (n *Node) beginRun(ctx context.Context, group, name string) (router.TaskRun, error) {
	s, err := n.Task(ctx, group, name, nil)
	if err != nil {
		return router.TaskRun{}, err
	}
	cat := n.catalog.Load()
	var order []txlog.NodeID
	if row, ok := cat.named(s.Holder); ok {
		order = append(order, row.id)
	}
	primary, _ := cat.named(n.primaryOf(cat, group))
	copies := cat.withData(group)
	slices.SortStableFunc(copies, func(a, b partitionRow) int {
		return cmp.Compare(b2i(a.node == primary.id), b2i(b.node == primary.id))
	})
	for _, p := range copies {
		if !slices.Contains(order, p.node) {
			order = append(order, p.node)
		}
	}
	var last error = &router.Problem{Code: "no_primary", Group: group, Detail: "no node with a copy of the group is known"}
	for _, id := range order {
		var run router.TaskRun
		if id == n.id {
			run, err = n.beginHere(ctx, group, name)
		} else {
			err = n.askTaskAt(ctx, id, taskQuestion{Op: "run", Group: group, Task: name}, &run)
		}
		if err == nil || ctx.Err() != nil {
			return run, err
		}
		var p *router.Problem
		if !errors.As(err, &p) {
			err = &router.Problem{Code: "behind", Group: group, Detail: fmt.Sprintf("the node %s does not answer: %v", cat.nodeName(id), err)}
		}
		last = err
	}
	return router.TaskRun{}, last
}

func (n *Node) primaryOf(cat *catalog, group string) string {
	if g, ok := cat.group(group); ok {
		return n.groupStatus(cat, g).Primary
	}
	return ""
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// beginHere begins a run on this node.
func (n *Node) beginHere(ctx context.Context, group, name string) (router.TaskRun, error) {
	if name == policy.TaskBackup && n.cfg.BackupDir == "" {
		return router.TaskRun{}, n.noBackups()
	}
	if n.copy(group) == nil {
		return router.TaskRun{}, &router.Problem{Code: "starting", Group: group, Detail: "this node has no copy of the group that is open"}
	}
	return n.jobs.Start(ctx, jobs.Key{Group: group, Task: name}, jobs.ByRequest)
}

// runsOf are the runs of a job that are remembered, the newest first, with how far
// those are that run here.
func (n *Node) runsOf(group, task string) ([]jobs.Run, error) {
	v, err := n.systemCopy().part.View()
	if err != nil {
		return nil, err
	}
	defer v.Close()
	var out []jobs.Run
	if v.Compiled() == nil {
		return nil, nil
	}
	page, err := v.Page("runs", engine.PageOptions{Prefix: []string{group, task}, Limit: engine.MaxPageRows})
	if errors.Is(err, engine.ErrNoTable) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, row := range page.Rows {
		out = append(out, runOf(row))
	}
	slices.Reverse(out)
	for _, r := range n.jobs.Running() {
		for i := range out {
			if out[i].ID == r.ID && r.ID != 0 && out[i].Status == jobs.Running {
				out[i].Detail = r.Detail
			}
		}
	}
	return out, nil
}

func runOf(row value.Value) jobs.Run {
	r := jobs.Run{
		ID: uint64(number(row, "id")), Group: text(row, "group"), Task: text(row, "task"), Node: text(row, "node"),
		Epoch: uint64(number(row, "epoch")), By: text(row, "by"), Started: time.UnixMilli(number(row, "started")).UTC(),
		Status: text(row, "status"), Detail: text(row, "detail"),
	}
	if ended := number(row, "ended"); ended != 0 {
		r.Ended = time.UnixMilli(ended).UTC()
	}
	if result := text(row, "result"); result != "" {
		r.Result = json.RawMessage(result)
	}
	return r
}

// recordRun keeps a run in the catalog. At its beginning, runs of the same job that
// still count as running are those of nodes that died, and the oldest is forgotten.
func (n *Node) recordRun(ctx context.Context, r *jobs.Run) error {
	ended := int64(0)
	if !r.Ended.IsZero() {
		ended = r.Ended.UnixMilli()
	}
	if len(r.Result) > maxRunResult {
		r.Result = nil
	}
	doc, err := json.Marshal(map[string]any{
		"procedure": "record_run",
		"params": map[string]any{
			"group": r.Group, "task": r.Task, "id": r.ID, "node": r.Node, "epoch": r.Epoch, "by": r.By, "started": r.Started.UnixMilli(),
			"ended": ended, "status": r.Status, "detail": r.Detail[:min(len(r.Detail), maxRunDetail)], "result": string(r.Result), "keep": runsKept,
		},
	})
	if err != nil {
		return err
	}
	o, err := n.systemCopy().execute(ctx, doc)
	if err != nil {
		return fmt.Errorf("record the run of a job: %w", err)
	}
	return json.Unmarshal(o.Result, &r.ID)
}
