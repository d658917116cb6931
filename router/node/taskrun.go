package node

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"lockstep/engine/entry"
	"lockstep/router/tasks"
)

// startRunner makes what runs this node's tasks. It holds nothing yet.
func (n *Node) startRunner() {
	times := n.cfg.taskTimes
	if times.Lease == 0 && n.cfg.Profile == "wan" {
		times.Lease = wanLease
	}
	n.runner = tasks.New(tasks.Config{
		Node: n.cfg.Name, Server: n.cfg.HTTP, Keeper: n.cfg.Keeper, Allow: *n.cfg.allow(), Secret: []byte(n.cfg.WebhookSecret),
		Times: times, Reach: n.reachMajority, Log: n.cfg.Log,
	})
}

// reachMajority asks a group's primary, confirmed by a majority, for a sign of life,
// and has this node's copy apply what that is of: so it knows by then whether it still
// holds what it held.
func (n *Node) reachMajority(ctx context.Context, group string) error {
	c := n.copy(group)
	if c == nil {
		return errors.New("this node has no copy of the group")
	}
	index, err := c.ReadIndex(ctx)
	if err != nil {
		return err
	}
	return c.WaitIndex(ctx, index)
}

// lookAtTasks has taskLoop look again.
func (n *Node) lookAtTasks() {
	select {
	case n.recheck <- struct{}{}:
	default:
	}
}

// watchTasks wakes taskLoop at each assignment in a group.
func (n *Node) watchTasks(c *copyOf) {
	for {
		changed := c.part.Tasks().Changed
		n.lookAtTasks()
		select {
		case <-changed:
		case <-c.part.Closed():
			n.lookAtTasks()
			return
		case <-n.ctx.Done():
			return
		}
	}
}

// taskLoop makes what runs here agree with what the groups' logs say this node holds,
// and has groups that this node leads take back what is no task any more.
func (n *Node) taskLoop() {
	tick := time.NewTicker(taskLook)
	defer tick.Stop()
	before := map[tasks.Key]bool{}
	var taking atomic.Bool // tasks are being taken back
	for {
		if !n.draining.Load() {
			held, lost := n.heldTasks(before)
			n.runner.Hold(held, lost)
			n.jobs.Hold(n.heldJobs())
			clear(before)
			for _, h := range held {
				before[h.Key] = true
			}
			// It waits for the catalog's majority, and what runs here must not wait for that.
			if left := n.deletedTasks(); len(left) > 0 && taking.CompareAndSwap(false, true) {
				n.work.Go(func() {
					defer taking.Store(false)
					n.takeBack(left)
				})
			}
		}
		select {
		case <-n.recheck:
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// heldTasks is what this node holds, and why it holds no longer what it held before.
func (n *Node) heldTasks(before map[tasks.Key]bool) (held []tasks.Held, lost map[tasks.Key]string) {
	cat := n.catalog.Load()
	lost = map[tasks.Key]string{}
	for _, c := range n.allCopies() {
		for _, t := range c.part.Tasks().List {
			key := tasks.Key{Group: c.name, Task: t.Name}
			row, defined := cat.taskOf(c.name, tasks.SlotOf(t.Name))
			switch {
			case t.Holder == uint64(n.id) && defined:
				held = append(held, tasks.Held{
					Key: key, Epoch: t.Epoch, Reason: t.Reason.String(), Definition: row.definition, Version: row.version,
				})
			case before[key]:
				lost[key] = t.Reason.String()
				if !defined {
					lost[key] = entry.ReasonShutdown.String()
				}
			}
		}
	}
	return held, lost
}

// taskOf finds an application's task in a group.
func (c *catalog) taskOf(group, name string) (taskRow, bool) {
	row, ok := c.task(name)
	return row, ok && row.group == group
}

// heldPlace is a place of a task in the log of a group.
type heldPlace struct {
	copy *copyOf
	slot string
}

// deletedTasks are the tasks that somebody holds in a group that this node leads and
// that are none of the group any more: deleted, or defined anew in another group.
func (n *Node) deletedTasks() (left []heldPlace) {
	cat := n.catalog.Load()
	for _, c := range n.allCopies() {
		if c.log == nil || !c.log.IsLeader() || c.orderer.Load() == nil {
			continue
		}
		for _, t := range c.part.Tasks().List {
			name := tasks.SlotOf(t.Name)
			if _, defined := cat.taskOf(c.name, name); t.Holder != 0 && !defined && !tasks.BuiltIn(name) {
				left = append(left, heldPlace{c, t.Name})
			}
		}
	}
	return left
}

// takeBack takes deleted tasks from their holders.
func (n *Node) takeBack(left []heldPlace) {
	ctx, cancel := context.WithTimeout(n.ctx, assignWait)
	// The catalog as it was read here may be older than the task.
	err := n.CatchUp(ctx)
	cancel()
	for _, p := range left {
		if n.ctx.Err() != nil {
			return
		}
		if _, defined := n.catalog.Load().taskOf(p.copy.name, tasks.SlotOf(p.slot)); err == nil && !defined {
			err = n.takeBackOne(p)
		}
		if err != nil {
			n.cfg.Log.Info("a deleted task is not taken back yet", "group", p.copy.name, "task", p.slot, "reason", err)
			return
		}
	}
}

func (n *Node) takeBackOne(p heldPlace) error {
	ctx, cancel := context.WithTimeout(n.ctx, assignWait)
	defer cancel()
	now := p.copy.part.Tasks()
	if t, ok := now.Find(p.slot); !ok || t.Holder == 0 {
		return nil
	}
	_, err := n.assign(ctx, p.copy, now.Epoch, entry.Assign{Task: p.slot, Reason: entry.ReasonShutdown, Text: "the task was deleted"})
	return err
}

// stopTasks ends what runs here and gives it back, before the node's groups are
// handed over: commands may still want to write.
func (n *Node) stopTasks(ctx context.Context) {
	held, _ := n.heldTasks(nil)
	n.jobs.Stop()
	ending, cancel := context.WithTimeout(ctx, taskStopWait)
	n.runner.Stop(ending)
	cancel()
	// They are given back even if that took all its time.
	ctx, cancel = context.WithTimeout(ctx, assignWait)
	defer cancel()
	for _, h := range held {
		c := n.copy(h.Group)
		if c == nil {
			continue
		}
		// Where another came first, or no majority answers, others find out by themselves.
		now := c.part.Tasks()
		if t, ok := now.Find(h.Task); ok && t.Epoch == h.Epoch {
			_, _ = n.assign(ctx, c, now.Epoch, entry.Assign{Task: h.Task, Reason: entry.ReasonShutdown, Text: n.cfg.Name + " is stopping"})
		}
	}
}
