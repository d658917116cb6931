package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// HoldOptions say what a program waits for.
type HoldOptions struct {
	// Task is the task's name; Group is needed for tasks that every group has.
	Task, Group string
	// Node is the node whose part this program does: it works while the task is
	// assigned to that node.
	Node string
	// Lease is how long the work goes on without word from the group's majority; 0
	// means DefaultLease.
	Lease time.Duration
	// OnError, if set, is told why it can't be asked who holds the task; it is asked
	// again. It must not block.
	OnError func(err error)
}

// Held is a task as its holder has it.
type Held struct {
	Task, Group string
	Slot        string // the task's name in expect_task: that of one of several holders' places
	Node        string
	Epoch       uint64
	// Reason is why it was assigned: normal, recovery (the holder before has failed:
	// there may be something to clear up), maintenance or shutdown.
	Reason  string
	Labels  map[string]string
	Payload json.RawMessage
}

// Expect is the step that every transaction of a holder should begin with: it aborts
// with "fenced" where the task is no longer held under this epoch, so that who has
// lost it without knowing yet can write nothing.
func (h *Held) Expect() map[string]any {
	return map[string]any{"expect_task": map[string]any{"task": h.Slot, "epoch": h.Epoch}}
}

// Hold calls work each time the task is assigned to the node, with a context that
// ends as soon as it is known that the task is held no longer, or when that has not
// been known for a lease. It goes on until its own context ends, whose error it then
// returns, or until work returns an error while the task is still held; then, and when
// work returns nil, the task is given back.
//
// Between two programs that both believe to hold a task nothing but Held.Expect
// decides: a context can end too late.
func (c *Client) Hold(ctx context.Context, o HoldOptions, work func(ctx context.Context, held *Held) error) error {
	if o.Task == "" || o.Node == "" {
		return errors.New("client: Hold wants a task and a node")
	}
	setDefault(&o.Lease, DefaultLease)
	h := &holding{client: c, options: o, work: work}
	defer h.end()
	for ctx.Err() == nil {
		if err := h.round(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// holding is one call of Hold.
type holding struct {
	client  *Client
	options HoldOptions
	work    func(context.Context, *Held) error

	known     uint64    // the highest epoch that was heard of
	confirmed time.Time // when the majority was known to say so
	held      *Held     // nil: no work is under way
	cancel    context.CancelFunc
	done      chan error // has work's error when it returns
}

// round asks once who holds the task, waiting for a change for a part of the lease,
// and sees to it that work is under way where it should be.
func (h *holding) round(ctx context.Context) error {
	began := time.Now()
	asking, stop := context.WithTimeout(ctx, h.options.Lease/leaseParts)
	defer stop()
	type reply struct {
		task *Task
		err  error
	}
	answered := make(chan reply, 1)
	go func() {
		t, err := h.client.AwaitTask(asking, h.options.Group, h.options.Task, h.known)
		answered <- reply{t, err}
	}()
	select {
	case err := <-h.done:
		stop()
		<-answered
		return h.returned(ctx, err)
	case r := <-answered:
		h.heard(ctx, began, r.task, r.err)
	}
	if h.held != nil && time.Since(h.confirmed) >= h.options.Lease {
		h.end()
	}
	return nil
}

// heard takes an answer.
func (h *holding) heard(ctx context.Context, began time.Time, t *Task, err error) {
	if err != nil {
		if h.options.OnError != nil && ctx.Err() == nil {
			h.options.OnError(err)
		}
		var p *Problem
		if errors.As(err, &p) && p.Code == "not_found" { // it was deleted
			h.end()
		}
		sleep(ctx, h.options.Lease/(2*leaseParts))
		return
	}
	if !t.Stale {
		h.confirmed = began
	}
	slot, epoch, reason, node, mine := t.heldBy(h.options.Node)
	if h.held != nil && (!mine || epoch != h.held.Epoch) {
		h.end()
	}
	h.known = max(h.known, t.last())
	if mine && h.held == nil && !t.Stale {
		h.begin(ctx, &Held{
			Task: t.Task, Group: t.Group, Slot: slot, Node: node, Epoch: epoch, Reason: reason, Labels: t.Labels, Payload: t.Payload,
		})
	}
}

func (h *holding) begin(ctx context.Context, held *Held) {
	working, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	h.held, h.cancel, h.done = held, cancel, done
	go func() { done <- h.work(working, held) }()
}

// end ends the work, and waits for it.
func (h *holding) end() {
	if h.held == nil {
		return
	}
	h.cancel()
	if h.done != nil {
		<-h.done
	}
	h.held, h.cancel, h.done = nil, nil, nil
}

// returned gives the task back, for work has ended by itself.
func (h *holding) returned(ctx context.Context, err error) error {
	held := h.held
	h.cancel()
	h.held, h.cancel, h.done = nil, nil, nil
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t, release := h.client.ReleaseTask(ctx, h.options.Group, held.Task, held.Epoch)
	var p *Problem
	switch {
	case release == nil:
		h.known = max(h.known, t.last())
	case errors.As(release, &p) && p.Code == "fenced":
		return nil // it was lost meanwhile, which is likely why work has ended
	case err == nil:
		err = fmt.Errorf("give the task %s back: %w", held.Task, release)
	}
	return err
}
