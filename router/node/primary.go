package node

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

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
	told, announced := c.announced.of(was)
	switch {
	case !known || before.Holder == 0:
		a.Reason, a.Text = entry.ReasonNormal, "the group's first primary"
	case announced:
		a.Reason, a.Text = told.Reason, told.Text
	case was == n.id:
		a.Text = fmt.Sprintf("elected again in term %d", term)
	case n.statuses.reachable(was):
		a.Text = fmt.Sprintf("elected in term %d; %s led before, and was heard lately", term, name)
	default:
		a.Text = fmt.Sprintf("elected in term %d; %s led before, and is silent", term, name)
	}
	a.Text = clip(a.Text, entry.MaxReasonBytes)
	return a
}

// clip cuts text to at most n bytes, at a boundary of characters.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// announcement is why a primary hands its group over: what its successor records.
type announcement struct {
	Group  string       `json:"group"`
	Reason entry.Reason `json:"reason"`
	Text   string       `json:"text"`
}

// announcements is the last one that a copy's node was told.
type announcements struct {
	mu   sync.Mutex
	from txlog.NodeID
	last announcement
	at   time.Time
}

func (a *announcements) set(from txlog.NodeID, what announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.from, a.last, a.at = from, what, time.Now()
}

// of is what a node announced lately.
func (a *announcements) of(from txlog.NodeID) (announcement, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ok := a.from == from && time.Since(a.at) < announcedFor &&
		a.last.Reason >= entry.ReasonNormal && a.last.Reason <= entry.ReasonShutdown
	return a.last, ok
}

// announce tells the node that a group is handed over to why: it is about to record
// that. Where it does not arrive, the record says less.
func (n *Node) announce(ctx context.Context, c *copyOf, to txlog.NodeID) {
	what := announcement{Group: c.name, Reason: entry.ReasonNormal, Text: n.cfg.Name + " handed over by plan"}
	row, _ := n.catalog.Load().node(n.id)
	switch why := c.wish.Load(); {
	case n.draining.Load():
		what.Reason, what.Text = entry.ReasonShutdown, n.cfg.Name+" is stopping"
	case row.state != "":
		what.Reason, what.Text = entry.ReasonMaintenance, n.cfg.Name+" is "+row.state
	case why != nil && why.node == to:
		what.Reason, what.Text = why.reason, why.text
	}
	ctx, cancel := context.WithTimeout(ctx, announceWait)
	defer cancel()
	raw, err := json.Marshal(what)
	if err == nil {
		_, err = n.peers.Call(ctx, uint64(to), serviceAnnounce, raw)
	}
	if err != nil {
		n.cfg.Log.Debug("the next primary was not told why", "group", c.name, "error", err)
	}
}

func (n *Node) answerAnnounce(_ context.Context, from uint64, raw []byte) ([]byte, error) {
	var what announcement
	if err := json.Unmarshal(raw, &what); err != nil {
		return nil, fmt.Errorf("read an announcement: %w", err)
	}
	if c := n.copy(what.Group); c != nil {
		c.announced.set(txlog.NodeID(from), what)
	}
	return nil, nil
}

// wish is whom the policies want as a group's primary, and why.
type wish struct {
	node   txlog.NodeID
	reason entry.Reason
	text   string
	delay  string // why it is not so yet
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

func (w *wish) shown() string {
	if w.delay != "" {
		return w.text + "; not yet: " + w.delay
	}
	return w.text
}
