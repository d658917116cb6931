package tasks

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// Config says how a node runs what it holds.
type Config struct {
	// Node is the node's name, and Server its HTTP address: what a task is told.
	Node, Server string
	// Keeper is the command line that runs Keep with what follows it: the lease, then
	// the command. Without one no command can be run.
	Keeper []string
	Allow  Allow
	// Secret signs webhooks; empty: they are not signed.
	Secret []byte
	Times  Times
	// Reach asks a majority of a group for a sign of life.
	Reach func(ctx context.Context, group string) error
	Log   *slog.Logger
}

// Runner does what the tasks that a node holds want done.
type Runner struct {
	cfg    Config
	http   *http.Client
	events chan func(now time.Time)

	// Of the loop alone: the machine, and which groups were asked for a sign of life
	// when, and still are being asked.
	machine  *Machine
	asked    map[string]time.Time
	asking   map[string]bool
	stopping bool // nothing is held any more, whatever Hold says

	mu      sync.Mutex
	states  []State
	runs    map[uint64]*kept
	outputs map[Key]*output
	changed chan struct{} // closed and made anew with every change of states

	ctx    context.Context // ends when the runner is to do nothing more
	cancel context.CancelFunc
	work   sync.WaitGroup
	doing  sync.WaitGroup // effects
}

// New makes a runner and starts it; Stop ends it.
func New(cfg Config) *Runner {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{
		cfg: cfg, http: newHTTP(), events: make(chan func(time.Time), maxEvents),
		asked: map[string]time.Time{}, asking: map[string]bool{}, runs: map[uint64]*kept{}, outputs: map[Key]*output{}, changed: make(chan struct{}),
	}
	r.cfg.Times = cfg.Times.withDefaults()
	r.machine = NewMachine(r.cfg.Times, r.refuse)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.work.Go(r.loop)
	return r
}

func (r *Runner) refuse(d *Definition) error {
	if len(d.Run) > 0 && len(r.cfg.Keeper) == 0 {
		return fmt.Errorf("this node runs within another program and can start no commands")
	}
	return r.cfg.Allow.Refuse(d)
}

// Hold says what this node holds now, all of it; lost has the reason of what it
// holds no longer. Once the runner is being stopped it is not heeded any more.
func (r *Runner) Hold(held []Held, lost map[Key]string) {
	r.tell(func(now time.Time) {
		if !r.stopping {
			r.machine.Hold(now, held, lost)
		}
	})
}

// States tells of every task here, by group and name.
func (r *Runner) States() []State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states
}

// Changed is closed at the next change of what States tells.
func (r *Runner) Changed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Output gives the last lines of a task's command here, over its restarts.
func (r *Runner) Output(k Key) []Line {
	r.mu.Lock()
	o := r.outputs[k]
	r.mu.Unlock()
	if o == nil {
		return nil
	}
	return o.last()
}

// Stop lets go of everything, commands ending in their time, as far as ctx allows;
// what still runs then is killed.
func (r *Runner) Stop(ctx context.Context) {
	lost := map[Key]string{}
	for _, s := range r.States() {
		lost[Key{s.Group, s.Task}] = "shutdown"
	}
	r.tell(func(now time.Time) {
		r.stopping = true
		r.machine.Hold(now, nil, lost)
	})
	for changed := r.Changed(); len(r.States()) > 0 && ctx.Err() == nil; changed = r.Changed() {
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	r.cancel()
	r.work.Wait()
	r.killAll()
	r.doing.Wait()
	r.http.CloseIdleConnections()
}

// killAll ends what still runs: by its keeper, or the keeper with it.
func (r *Runner) killAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for run, k := range r.runs {
		k.tell(keepKill)
		r.effect(func() {
			t := time.NewTimer(killWait)
			defer t.Stop()
			select {
			case <-t.C:
				_ = k.cmd.Process.Kill()
			case <-k.ended:
			}
			r.cfg.Log.Warn("a task's command was killed, for it did not end in time", "run", run)
		})
	}
}

// tell hands an event to the loop; after the runner's end it is lost.
func (r *Runner) tell(event func(now time.Time)) {
	select {
	case r.events <- event:
	case <-r.ctx.Done():
	}
}

// loop feeds the machine.
func (r *Runner) loop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case event := <-r.events:
			event(time.Now())
		case <-timer.C:
			r.machine.Tick(time.Now())
		case <-r.ctx.Done():
			return
		}
		for _, e := range r.machine.Effects() {
			r.perform(e)
		}
		r.reachOut()
		r.publish()
		timer.Reset(r.wait(time.Now()))
	}
}

// wait is how long nothing is due.
func (r *Runner) wait(now time.Time) time.Duration {
	wait := time.Hour
	if next := r.machine.Next(now); !next.IsZero() {
		wait = next.Sub(now)
	}
	for _, group := range r.machine.Groups() {
		if !r.asking[group] {
			wait = min(wait, r.asked[group].Add(r.cfg.Times.Lease/confirms).Sub(now))
		}
	}
	return max(wait, time.Millisecond)
}

// reachOut asks for a sign of life of every group whose majority has to be in
// reach, several times within a lease.
func (r *Runner) reachOut() {
	now := time.Now()
	for _, group := range r.machine.Groups() {
		if r.asking[group] || now.Sub(r.asked[group]) < r.cfg.Times.Lease/confirms {
			continue
		}
		r.asking[group], r.asked[group] = true, now
		r.effect(func() {
			ctx, cancel := context.WithTimeout(r.ctx, r.cfg.Times.Lease/2)
			defer cancel()
			err := r.cfg.Reach(ctx, group)
			r.tell(func(later time.Time) {
				delete(r.asking, group)
				if err == nil {
					r.machine.Confirmed(later, now, group)
				}
			})
		})
	}
}

func (r *Runner) publish() {
	states := r.machine.States()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !sameStates(states, r.states) {
		r.states = states
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

func sameStates(a, b []State) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (r *Runner) effect(f func()) { r.doing.Go(f) }

func (r *Runner) perform(e Effect) {
	switch {
	case e.Start != nil:
		r.start(e.Start)
	case e.Signal != nil:
		r.signal(e.Signal)
	case e.Renew != nil:
		if k := r.runOf(e.Renew.Run); k != nil {
			k.tell(keepHold)
		}
	case e.Probe != nil:
		r.effect(func() {
			how := r.probe(e.Probe)
			r.tell(func(now time.Time) { r.machine.Probed(now, e.Probe.Run, how) })
		})
	case e.Call != nil:
		r.effect(func() {
			how := r.callWebhook(r.ctx, e.Call)
			if how != "" && r.ctx.Err() == nil {
				r.cfg.Log.Info("a webhook was not told of a task; trying again", "task", e.Call.Held.Task, "event", e.Call.Event, "reason", how)
			}
			r.tell(func(now time.Time) { r.machine.Called(now, e.Call.Call, how) })
		})
	}
}

func (r *Runner) runOf(run uint64) *kept {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[run]
}

// start starts a command.
func (r *Runner) start(s *Start) {
	h := &s.Held
	exited := func(how string) {
		r.tell(func(now time.Time) { r.machine.Exited(now, s.Run, how) })
	}
	// The loop never waits for itself: what fails here is told from elsewhere.
	failed := func(how string) { r.effect(func() { exited(how) }) }
	argv, err := r.command(h.Definition.Run)
	if err != nil {
		failed(err.Error())
		return
	}
	out := r.outputOf(h.Key)
	out.note(fmt.Sprintf("lockstep: %s is started on %s, epoch %d, %s", strings.Join(h.Definition.Run, " "), r.cfg.Node, h.Epoch, h.Reason))
	exit := "it is not known how: its keeper was killed"
	r.doing.Add(1)
	k, err := startKept(r.cfg.Keeper, argv, r.environment(h), r.cfg.Times.Lease, out,
		func(line string) {
			if pid, ok := strings.CutPrefix(line, keptPID); ok {
				n, _ := strconv.Atoi(pid)
				r.tell(func(now time.Time) { r.machine.Started(now, s.Run, n) })
			}
			if how, ok := strings.CutPrefix(line, keptExit); ok {
				exit = how
			}
		},
		func() {
			defer r.doing.Done()
			how := exit
			if how == "" {
				out.note("lockstep: it has ended: exit code 0")
			} else {
				out.note("lockstep: it has ended: " + how)
			}
			r.cfg.Log.Info("a task's command has ended", "group", h.Group, "task", h.Task, "epoch", h.Epoch, "how", how)
			r.mu.Lock()
			delete(r.runs, s.Run)
			r.mu.Unlock()
			exited(how)
		})
	if err != nil {
		r.doing.Done()
		failed(fmt.Sprintf("its keeper can't be started: %v", err))
		return
	}
	r.mu.Lock()
	r.runs[s.Run] = k
	r.mu.Unlock()
	r.cfg.Log.Info("a task's command was started", "group", h.Group, "task", h.Task, "epoch", h.Epoch, "reason", h.Reason)
}

// command is a command of a definition as it is run: the program that the node's
// configuration has for its name.
func (r *Runner) command(words []string) ([]string, error) {
	path, err := r.cfg.Allow.Program(words[0])
	if err != nil {
		return nil, err
	}
	return append([]string{path}, words[1:]...), nil
}

func (r *Runner) environment(h *Held) []string {
	// No escapes for HTML: they have six bytes, and the environment takes 128 KiB.
	labels, err := json.Marshal(h.Definition.Labels, json.Deterministic(true))
	if err != nil || h.Definition.Labels == nil {
		labels = []byte("{}")
	}
	return environment(os.Environ(), map[string]string{
		"LOCKSTEP_TASK": SlotOf(h.Task), "LOCKSTEP_SLOT": h.Task, "LOCKSTEP_GROUP": h.Group,
		"LOCKSTEP_EPOCH": strconv.FormatUint(h.Epoch, 10), "LOCKSTEP_REASON": h.Reason,
		"LOCKSTEP_LABELS": string(labels), "LOCKSTEP_PAYLOAD": compact(h.Definition.Payload),
		"LOCKSTEP_SERVER": r.cfg.Server, "LOCKSTEP_NODE": r.cfg.Node,
	})
}

func (r *Runner) outputOf(k Key) *output {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.outputs[k]
	if o == nil {
		r.forgetOutputs()
		o = &output{now: func() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }}
		r.outputs[k] = o
	}
	return o
}

// forgetOutputs makes room for one more, at the cost of tasks that are not here any
// more.
func (r *Runner) forgetOutputs() {
	if len(r.outputs) < maxOutputs {
		return
	}
	here := map[Key]bool{}
	for _, s := range r.states {
		here[Key{s.Group, s.Task}] = true
	}
	for k := range r.outputs {
		if !here[k] {
			delete(r.outputs, k)
		}
	}
}

// signal ends a command. A keeper that does not obey is killed itself, and the
// kernel kills its command.
func (r *Runner) signal(s *Signal) {
	k := r.runOf(s.Run)
	if k == nil {
		return
	}
	if !s.Kill {
		k.tell(keepTerm)
		return
	}
	k.tell(keepKill)
	r.effect(func() {
		t := time.NewTimer(killWait)
		defer t.Stop()
		select {
		case <-t.C:
			_ = k.cmd.Process.Kill()
		case <-k.ended:
		}
	})
}

// probe checks a command's health: empty where it is well.
func (r *Runner) probe(p *Probe) string {
	ctx, cancel := context.WithTimeout(r.ctx, p.Timeout)
	defer cancel()
	h := p.Held.Definition.Health
	if h.HTTP != "" {
		return r.checkURL(ctx, h.HTTP)
	}
	argv, err := r.command(h.Run)
	if err != nil {
		return err.Error()
	}
	out := &output{now: time.Now}
	done, exit := make(chan struct{}), ""
	k, err := startKept(r.cfg.Keeper, argv, r.environment(&p.Held), 0, out,
		func(line string) {
			if how, ok := strings.CutPrefix(line, keptExit); ok {
				exit = how
			}
		},
		func() { close(done) })
	if err != nil {
		return err.Error()
	}
	select {
	case <-done:
	case <-ctx.Done():
		k.tell(keepKill)
		<-done
		return fmt.Sprintf("the check took longer than %v", p.Timeout)
	}
	if lines := out.last(); exit != "" && len(lines) > 0 {
		exit += ": " + lines[len(lines)-1].Text
	}
	return exit
}
