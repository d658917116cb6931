package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Key names a task of a group.
type Key struct{ Group, Task string }

// Assignment is a task that this node holds.
type Assignment struct {
	Key
	Epoch    uint64
	Since    time.Time // when it was assigned
	Schedule string    // cron's five fields in UTC; empty: only on request
	Last     time.Time // when the last run began, on any node; zero: there was none
}

// What a run was begun by, and how far it is.
const (
	BySchedule = "schedule"
	ByRequest  = "request"

	Running     = "running"
	Done        = "done"
	Failed      = "failed"
	Interrupted = "interrupted" // its node died, or lost the task
)

// Run is one run of a job.
type Run struct {
	ID      uint64          `json:"id"`
	Group   string          `json:"group"`
	Task    string          `json:"task"`
	Node    string          `json:"node"`
	Epoch   uint64          `json:"epoch"` // under which the task was held; 0: nobody held it
	By      string          `json:"by"`
	Started time.Time       `json:"started"`
	Ended   time.Time       `json:"ended,omitzero"`
	Status  string          `json:"status"`
	Detail  string          `json:"detail,omitempty"` // why it failed, or how far it is
	Result  json.RawMessage `json:"result,omitempty"`
}

// Config says how jobs are run.
type Config struct {
	Node string
	// Do does the job until its context ends. It tells how far it is, and gives the
	// result, also beside an error where there is one.
	Do func(ctx context.Context, run Run, far func(text string)) (result any, err error)
	// Record keeps a run; the first time it has no id, and Record gives it one.
	Record func(ctx context.Context, run *Run) error
	// Next is the first time after an instant that a schedule names.
	Next func(schedule string, after time.Time) (time.Time, bool)
	Log  *slog.Logger
}

// Runner runs the jobs of a node.
type Runner struct {
	cfg  Config
	wake chan struct{}

	mu      sync.Mutex
	held    map[Key]Assignment
	running map[Key]*running
	// notUntil is when a run is tried again whose beginning could not be recorded.
	notUntil map[Key]time.Time
	over     bool

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

type running struct {
	run    Run
	begun  chan struct{} // closed when it has its id
	ended  chan struct{}
	cancel context.CancelCauseFunc
	last   time.Time // when the run before it began
}

var (
	errStopping = errors.New("the node is stopping")
	errLost     = errors.New("the task is held no longer")
)

// New makes a runner and starts it.
func New(cfg Config) *Runner {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{cfg: cfg, wake: make(chan struct{}, 1), held: map[Key]Assignment{}, running: map[Key]*running{}, notUntil: map[Key]time.Time{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.work.Go(r.loop)
	return r
}

// Stop breaks off what runs, and waits for that.
func (r *Runner) Stop() {
	r.mu.Lock()
	r.over = true
	for _, x := range r.running {
		x.cancel(errStopping)
	}
	r.mu.Unlock()
	r.cancel()
	r.work.Wait()
}

// Hold says what this node holds now, all of it.
func (r *Runner) Hold(list []Assignment) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := map[Key]Assignment{}
	for _, a := range list {
		if before, ok := r.held[a.Key]; ok && before.Last.After(a.Last) {
			a.Last = before.Last // what is known here may not have arrived where it is kept
		}
		held[a.Key] = a
	}
	r.held = held
	for key, x := range r.running {
		if a, ok := held[key]; x.run.By == BySchedule && (!ok || a.Epoch != x.run.Epoch) {
			x.cancel(errLost)
		}
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Start runs a job now, or finds it running. It returns when the run is recorded.
func (r *Runner) Start(ctx context.Context, key Key, by string) (Run, error) {
	x, err := r.begin(key, by)
	if err != nil {
		return Run{}, err
	}
	select {
	case <-x.begun:
	case <-x.ended:
	case <-ctx.Done():
		return Run{}, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.run.ID == 0 {
		return x.run, fmt.Errorf("the run could not be recorded: %s", x.run.Detail)
	}
	return x.run, nil
}

// Running tells of the runs under way, with how far they are.
func (r *Runner) Running() []Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Run
	for _, x := range r.running {
		out = append(out, x.run)
	}
	return out
}

func (r *Runner) begin(key Key, by string) (*running, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil, errStopping
	}
	if x := r.running[key]; x != nil {
		return x, nil
	}
	now := time.Now()
	a := r.held[key]
	ctx, cancel := context.WithCancelCause(r.ctx)
	x := &running{
		run:   Run{Group: key.Group, Task: key.Task, Node: r.cfg.Node, Epoch: a.Epoch, By: by, Started: now.UTC().Truncate(time.Millisecond), Status: Running},
		begun: make(chan struct{}), ended: make(chan struct{}), cancel: cancel,
	}
	r.running[key] = x
	r.work.Go(func() { r.do(ctx, key, x) })
	return x, nil
}

// do is one run from its beginning to its end.
func (r *Runner) do(ctx context.Context, key Key, x *running) {
	defer x.cancel(nil)
	run := x.run
	err := r.cfg.Record(ctx, &run)
	var result any
	if err == nil {
		r.mu.Lock()
		x.run = run
		if a, ok := r.held[key]; ok {
			x.last, a.Last = a.Last, run.Started
			r.held[key] = a
		}
		r.mu.Unlock()
		close(x.begun)
		result, err = r.attempt(ctx, run, x)
	}
	run.Ended, run.Status, run.Detail = time.Now().UTC().Truncate(time.Millisecond), Done, ""
	if result != nil {
		run.Result, _ = json.Marshal(result)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		run.Status, run.Detail = Interrupted, cause.Error()
	} else if err != nil {
		run.Status, run.Detail = Failed, err.Error()
	}
	if run.ID != 0 {
		r.recordEnd(&run)
	}
	r.cfg.Log.Info("a job has ended", "group", run.Group, "task", run.Task, "status", run.Status, "detail", run.Detail, "took", run.Ended.Sub(run.Started).String())
	r.mu.Lock()
	x.run = run
	delete(r.running, key)
	r.ended(key, x)
	r.mu.Unlock()
	close(x.ended)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// ended has a run that came to nothing made up for. r.mu is held.
func (r *Runner) ended(key Key, x *running) {
	delete(r.notUntil, key)
	if x.run.ID == 0 { // it could not be recorded, and was not begun
		r.notUntil[key] = time.Now().Add(startPause)
	}
	if a, ok := r.held[key]; ok && x.run.Status == Interrupted && a.Last.Equal(x.run.Started) {
		a.Last = x.last
		r.held[key] = a
	}
}

// Last is when the run began that a schedule goes on from, of runs that are remembered,
// the newest first: not one that was interrupted, or that counts as running and is none
// of those that run here, where its schedule began it; but after maxRedone of them in a
// row nothing speaks for another try before the next time of the schedule.
func Last(runs, here []Run) time.Time {
	for i, run := range runs {
		lost := run.Status == Interrupted
		if run.Status == Running && run.By == BySchedule {
			lost = !slices.ContainsFunc(here, func(h Run) bool { return h.ID == run.ID })
		}
		if !lost || i == maxRedone {
			return run.Started
		}
	}
	return time.Time{}
}

// attempt does the job; a fault in it is the job's.
func (r *Runner) attempt(ctx context.Context, run Run, x *running) (result any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("a fault: %v", fault)
			r.cfg.Log.Error("panic in a job", "group", run.Group, "task", run.Task, "fault", fault)
		}
	}()
	return r.cfg.Do(ctx, run, func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		x.run.Detail = text
	})
}

// recordEnd keeps a run's end, trying for a while: the job is done, whoever hears of it.
func (r *Runner) recordEnd(run *Run) {
	ctx, cancel := context.WithTimeout(context.Background(), recordTime)
	defer cancel()
	for {
		err := r.cfg.Record(ctx, run)
		if err == nil {
			return
		}
		pause := time.NewTimer(recordPause)
		select {
		case <-pause.C:
		case <-r.ctx.Done(): // once was tried
			pause.Stop()
			return
		case <-ctx.Done():
			pause.Stop()
			r.cfg.Log.Warn("a job's end could not be recorded", "group", run.Group, "task", run.Task, "error", err)
			return
		}
	}
}

// loop starts jobs when it is time.
func (r *Runner) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-r.wake:
		case <-r.ctx.Done():
			return
		}
		timer.Reset(r.startDue(time.Now()))
	}
}

// startDue starts what is due, and tells how long nothing more is.
func (r *Runner) startDue(now time.Time) time.Duration {
	r.mu.Lock()
	var due []Key
	wait := longestWait
	for key, a := range r.held {
		at, ok := r.dueAt(a)
		if again := r.notUntil[key]; again.After(at) {
			at = again
		}
		switch {
		case !ok || r.running[key] != nil:
		case !at.After(now):
			due = append(due, key)
		default:
			wait = min(wait, at.Sub(now))
		}
	}
	r.mu.Unlock()
	for _, key := range due {
		if _, err := r.begin(key, BySchedule); err != nil {
			return wait
		}
	}
	return wait
}

// dueAt is when a task is to run next: the first time of its schedule after the last
// run began. A task that has never run begins with the first time after it was
// assigned.
func (r *Runner) dueAt(a Assignment) (time.Time, bool) {
	if a.Schedule == "" {
		return time.Time{}, false
	}
	after := a.Last
	if after.IsZero() {
		after = a.Since
	}
	return r.cfg.Next(a.Schedule, after)
}
