package node

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lockstep/engine/entry"
	"lockstep/policy"
	"lockstep/policy/supervision"
	"lockstep/router"
	"lockstep/router/order"
	"lockstep/router/placement"
	"lockstep/txlog"
)

// The supervisor of a group is on its leader: it lays the status that it hears before
// the policies, and orders the assignments that have to change (package placement).
// Whatever it does not do, for it is gone or wrong, transactions go on.

// supervisor is one group's, at this node; it is used while the node leads.
type supervisor struct {
	assigning atomic.Bool // assignments are being ordered
	moving    atomic.Bool // the group is being handed over
	telling   atomic.Bool // the group's settings are being ordered

	mu      sync.Mutex
	term    uint64    // in which it began
	pace    []paceAt  // the primary's revisions of the last while, oldest first
	retry   time.Time // not before this is another handover tried
	backoff time.Duration
}

// paceAt is when the primary was seen at a revision first.
type paceAt struct {
	at       time.Time
	revision uint64
}

func (n *Node) superviseLoop() {
	tick := time.NewTicker(superviseEvery)
	defer tick.Stop()
	for {
		if !n.draining.Load() {
			for _, c := range n.allCopies() {
				if c.name != systemGroup && c.log != nil && c.log.IsLeader() && c.orderer.Load() != nil {
					n.tellSettings(c)
					n.supervise(c)
				} else {
					c.wish.Store(nil)
				}
			}
		}
		select {
		case <-tick.C:
		case <-n.rejudge:
		case <-n.ctx.Done():
			return
		}
	}
}

// judgeAnew has the supervisor look at once.
func (n *Node) judgeAnew() {
	select {
	case n.rejudge <- struct{}{}:
	default:
	}
}

// supervise looks at one group that this node leads.
func (n *Node) supervise(c *copyOf) {
	c.supervisor.notePace(c)
	// Before its watch has seen a full timeout a new leader decides nothing.
	if !n.pulse.board.Settled(c.name) {
		return
	}
	cat := n.catalog.Load()
	if cat.revision == 0 {
		return
	}
	in := n.groupInput(cat, c)
	tasks := c.part.Tasks()
	held := n.heldSlots(cat, tasks.List)
	leader := placement.Held{Slot: primaryTask, Holder: n.cfg.Name, Since: in.Now}
	if t, ok := tasks.Find(primaryTask); ok && t.Holder == uint64(n.id) {
		leader.Since = time.UnixMilli(t.SinceMillis)
	}
	plan := placement.Make(n.policySet(), in, leader, groupTasks(cat, c.name), held)
	for _, f := range plan.Failed {
		n.policies.count(f.Policy, c.name, f.Task, f.Expressions)
	}
	plan.Assign = n.dueAssignments(c, in, plan.Assign)
	if len(plan.Assign) > 0 && c.supervisor.assigning.CompareAndSwap(false, true) {
		n.work.Go(func() {
			defer c.supervisor.assigning.Store(false)
			n.orderAssignments(c, tasks.Epoch, plan.Assign)
		})
	}
	n.wishPrimary(cat, c, in, plan.Primary)
}

// dueAssignments leaves out what has to wait. A node that stops gives its tasks back
// itself, when their commands have ended. And one that is silent may be running them:
// its lease has to be over first (package router/tasks), unless nobody listens at its
// address any more.
func (n *Node) dueAssignments(c *copyOf, in *policy.Input, list []placement.Assign) []placement.Assign {
	tasks := c.part.Tasks()
	states := n.states(c.name)
	cat := n.catalog.Load()
	return slices.DeleteFunc(list, func(a placement.Assign) bool {
		t, ok := tasks.Find(a.Slot)
		if !ok || t.Holder == 0 {
			return false
		}
		row, ok := cat.node(txlog.NodeID(t.Holder))
		if !ok {
			return false
		}
		if r, heard := n.reportOf(row.id); heard && r.Status == "draining" && row.state == "" {
			return true
		}
		name, _ := placement.TaskOf(a.Slot)
		s := states[row.name]
		return a.Cause == policy.Recovery && policy.KindOf(name) == policy.KindApplication &&
			s.Code != supervision.CodeDown && s.State != supervision.Available && s.Age < n.leaseOver()
	})
}

// leaseOver is the silence after which a node has stopped the commands of its tasks.
func (n *Node) leaseOver() time.Duration {
	if n.cfg.Profile == "wan" {
		return wanLease + staleAfter
	}
	return staleAfter
}

// groupTasks are the tasks that shall be held in a group, but primary.
func groupTasks(cat *catalog, group string) []placement.Task {
	out := []placement.Task{{Name: policy.TaskVerify}, {Name: policy.TaskBackup}}
	for _, t := range cat.tasks {
		if t.group == group && t.unreadable == nil {
			out = append(out, placement.Task{Name: t.name, Labels: t.definition.Labels})
		}
	}
	return out
}

// orderAssignments orders what a plan says, one after the other, for each takes the
// next epoch. The first that comes to nothing ends it: the next look decides anew.
func (n *Node) orderAssignments(c *copyOf, epoch uint64, list []placement.Assign) {
	cat := n.catalog.Load()
	for _, x := range list {
		a := entry.Assign{Task: x.Slot, Reason: n.newReason(c, x), Text: clip(x.Why, entry.MaxReasonBytes), Epoch: epoch + 1}
		if x.Holder != "" {
			row, ok := cat.named(x.Holder)
			if !ok {
				return
			}
			a.Holder = uint64(row.id)
		}
		ctx, cancel := context.WithTimeout(n.ctx, assignWait)
		v, err := c.order(ctx, &order.Request{Assign: &a})
		cancel()
		if err != nil || !v.Outcome.Committed {
			if n.ctx.Err() == nil {
				n.cfg.Log.Debug("an assignment was not ordered; it is decided anew", "group", c.name, "task", x.Slot, "error", err, "reason", v.Outcome.Message)
			}
			return
		}
		epoch = a.Epoch
		n.cfg.Log.Info("a task is assigned", "group", c.name, "task", x.Slot, "holder", x.Holder, "epoch", epoch, "cause", string(x.Cause), "reason", x.Why)
	}
}

// newReason is what a new holder is told. Who follows one that gave the task back is
// told why that one did.
func (n *Node) newReason(c *copyOf, x placement.Assign) entry.Reason {
	tasks := c.part.Tasks()
	if t, ok := tasks.Find(x.Slot); ok && t.Holder == 0 && t.Reason == entry.ReasonShutdown && x.Cause == policy.Normal {
		return entry.ReasonShutdown
	}
	return reasonOf(x.Cause)
}

// reasonOf is how the log calls what a policy decided.
func reasonOf(c policy.Cause) entry.Reason {
	switch c {
	case policy.Recovery:
		return entry.ReasonRecovery
	case policy.Maintenance:
		return entry.ReasonMaintenance
	}
	return entry.ReasonNormal
}

// wishPrimary hands the group over to the primary that is wanted, again until it is
// so; w is nil where the present one is.
func (n *Node) wishPrimary(cat *catalog, c *copyOf, in *policy.Input, w *placement.Wish) {
	s := &c.supervisor
	if w == nil {
		c.wish.Store(nil)
		s.settle()
		return
	}
	row, ok := cat.named(w.Node)
	if !ok {
		return
	}
	next := &wish{node: row.id, reason: reasonOf(w.Cause), text: w.Why}
	if before := c.wish.Load(); before != nil && before.node == next.node {
		next.delay = before.delay
	}
	if why := mayTakeOver(in, w.Node); why != "" {
		next.delay = why
		c.wish.Store(next)
		return
	}
	c.wish.Store(next)
	if !s.due() || !s.moving.CompareAndSwap(false, true) {
		return
	}
	n.work.Go(func() {
		defer s.moving.Store(false)
		ctx, cancel := context.WithTimeout(n.ctx, moveWait)
		defer cancel()
		_, err := n.makePrimary(ctx, c, next.node)
		if err == nil || errors.Is(err, errNotPrimary) {
			return
		}
		failed := *next
		failed.delay = "it was asked to take over, and did not: " + err.Error()
		var p *router.Problem
		if errors.As(err, &p) {
			failed.delay = p.Detail
		}
		c.wish.Store(&failed)
		s.postpone()
	})
}

// mayTakeOver says why a copy is not asked to lead yet; empty: it is.
func mayTakeOver(in *policy.Input, node string) string {
	for i := range in.Candidates {
		x := &in.Candidates[i]
		if x.Node.Name != node {
			continue
		}
		switch {
		case x.Partition == nil:
			return "it has no copy of the group"
		case x.Node.Status != policy.Available:
			return "the node is " + x.Node.Status
		case x.Partition.Lag > readyLag || x.Partition.LagTime > maxTakeOverLag:
			return "its copy is " + x.Partition.LagTime.Round(10*time.Millisecond).String() + " behind"
		}
		return ""
	}
	return "the node is not known"
}

// due tells whether a handover may be tried now.
func (s *supervisor) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !time.Now().Before(s.retry)
}

// postpone lets a while pass before the next try, longer each time.
func (s *supervisor) postpone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backoff = min(max(2*s.backoff, moveRetry), moveRetryMost)
	s.retry = time.Now().Add(s.backoff)
}

func (s *supervisor) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backoff, s.retry = 0, time.Time{}
}

// notePace notes the primary's revision, for how long others are behind.
func (s *supervisor) notePace(c *copyOf) {
	_, term, _ := c.log.Leader()
	revision := c.part.Position().Revision
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term != term {
		s.term, s.pace, s.backoff, s.retry = term, nil, 0, time.Time{}
	}
	if k := len(s.pace); k > 0 && s.pace[k-1].revision == revision {
		return
	}
	if len(s.pace) == paceKept {
		s.pace = slices.Delete(s.pace, 0, 1)
	}
	s.pace = append(s.pace, paceAt{time.Now(), revision})
}

// behind is for how long the primary has had more than a revision.
func (s *supervisor) behind(revision uint64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.pace {
		if s.pace[i].revision > revision {
			return time.Since(s.pace[i].at)
		}
	}
	return 0
}
