package node

import (
	"context"
	"fmt"
	"time"

	"lockstep/engine/entry"
	"lockstep/router/order"
	"lockstep/txlog"
)

// primaryTask is the task whose holder is the group's leader, always.
const primaryTask = "primary"

// lead is a new leader's first entry: it records itself as the holder of primary,
// under the next epoch (interface.md).
func (n *Node) lead(c *copyOf, term uint64) *order.Request {
	a := n.primaryEntry(c, term)
	return &order.Request{
		Assign: &a, Deadline: time.Now().Add(assignWait),
		// Where it comes to nothing, for an entry before it took the epoch or another
		// leads already, keepPrimary finds that the record is wrong.
		Done: func(order.Answer) {},
	}
}

func (n *Node) primaryEntry(c *copyOf, term uint64) entry.Assign {
	tasks := c.part.Tasks()
	before, known := tasks.Find(primaryTask)
	a := entry.Assign{Task: primaryTask, Holder: uint64(n.id), Epoch: tasks.Epoch + 1, Reason: entry.ReasonRecovery}
	was := txlog.NodeID(before.Holder)
	name := n.catalog.Load().nodeName(was)
	report, heard := n.statuses.fresh(was)
	switch {
	case !known || before.Holder == 0:
		a.Reason, a.Text = entry.ReasonNormal, "the group's first primary"
	case was == n.id:
		a.Text = fmt.Sprintf("elected again in term %d", term)
	case heard && report.Status == "draining":
		a.Reason, a.Text = entry.ReasonShutdown, fmt.Sprintf("elected in term %d: %s is stopping", term, name)
	case heard:
		a.Text = fmt.Sprintf("elected in term %d; %s led before, and is there", term, name)
	default:
		a.Text = fmt.Sprintf("elected in term %d; %s led before, and is silent", term, name)
	}
	return a
}

// keepPrimary sees to it that the group's record says who leads, wherever the
// first entry of a term did not get there.
func (n *Node) keepPrimary(c *copyOf) {
	changed := make(chan struct{}, 1)
	defer c.log.Watch(func(txlog.LeaderEvent) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})()
	var settle <-chan time.Time
	for {
		tasks := c.part.Tasks()
		held, _ := tasks.Find(primaryTask)
		if c.log.IsLeader() && held.Holder != uint64(n.id) {
			// The first entry has some rounds' time before it is given up.
			if settle == nil {
				settle = time.After(primarySettle)
			}
		} else {
			settle = nil
		}
		select {
		case <-settle:
			settle = nil
			n.recordPrimary(c)
		case <-changed:
		case <-tasks.Changed:
		case <-c.part.Closed():
			return
		case <-n.ctx.Done():
			return
		}
	}
}

func (n *Node) recordPrimary(c *copyOf) {
	leader, term, ok := c.log.Leader()
	if !ok || leader != n.id {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, assignWait)
	defer cancel()
	a := n.primaryEntry(c, term)
	v, err := c.order(ctx, &order.Request{Assign: &a})
	if err != nil && n.ctx.Err() == nil {
		n.cfg.Log.Info("the holder of primary is not recorded yet", "group", c.name, "error", err)
	}
	if err == nil && !v.Outcome.Committed {
		n.cfg.Log.Debug("the holder of primary is recorded anew", "group", c.name, "reason", v.Outcome.Message)
	}
}
