package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lockstep/router"
	"lockstep/router/node/plan"
	"lockstep/txlog"
)

// A planned handover (HandOver): the primary looks whether the other copy may and
// can lead, lets it catch up, stops proposing, waits for the outcome of what is in
// flight, and asks Raft to elect the other. Requests wait at the routers meanwhile
// and go to the new primary at once (order.Orderer.Pause): none is refused, and none
// is in doubt, for nothing is under way while the primary changes.

// handoverWish is what a node asks the primary for, and its answer.
type (
	handoverWish struct {
		Group string       `json:"group"`
		To    txlog.NodeID `json:"to"`
		// Millis is how long the asker waits.
		Millis int64 `json:"timeout_ms"`
	}
	handoverAnswer struct {
		// Elsewhere: the node that was asked is not the primary.
		Elsewhere bool    `json:"elsewhere,omitempty"`
		Changed   bool    `json:"changed,omitempty"`
		Pause     float64 `json:"pause_ms,omitempty"`
		Code      string  `json:"code,omitempty"` // of a refusal
		Detail    string  `json:"detail,omitempty"`
	}
)

// HandOver makes the copy on a node the group's primary.
func (n *Node) HandOver(ctx context.Context, group, name string) (router.Handover, error) {
	row, ok := n.catalog.Load().named(name)
	if !ok {
		if err := n.CatchUp(ctx); err != nil {
			return router.Handover{}, err
		}
		if row, ok = n.catalog.Load().named(name); !ok {
			return router.Handover{}, &router.Problem{Code: "not_found", Group: group, Detail: fmt.Sprintf("the cluster has no node %q", name)}
		}
	}
	for {
		leader, known := n.leaderOf(group)
		if known {
			a, err := n.askHandOver(ctx, leader, handoverWish{Group: group, To: row.id})
			switch {
			case err != nil:
				n.cfg.Log.Debug("the primary was asked for a handover and did not answer", "group", group, "peer", leader.String(), "error", err)
			case a.Code != "":
				return router.Handover{}, &router.Problem{Code: a.Code, Group: group, Detail: a.Detail}
			case !a.Elsewhere:
				return n.handedOver(group, leader, row, &a), nil
			}
		}
		if pause(ctx, handOverAsk); ctx.Err() != nil {
			return router.Handover{}, n.noHandOver(ctx, group, name, known)
		}
	}
}

// noHandOver is the problem of a handover whose deadline came. Whoever was asked may
// still be at it: asking again finds out.
func (n *Node) noHandOver(ctx context.Context, group, name string, known bool) error {
	if n.ctx.Err() != nil {
		return &router.Problem{Code: "draining", Group: group, Detail: "this node is stopping"}
	}
	if !known {
		return &router.Problem{Code: "no_primary", Group: group, Detail: "the group has no primary that could hand over: ask again when it has one"}
	}
	return fmt.Errorf("hand group %s over to node %s: %w", group, name, context.Cause(ctx))
}

// handedOver is the answer to whoever asked; the group's status is that of after.
func (n *Node) handedOver(group string, from txlog.NodeID, to nodeRow, a *handoverAnswer) router.Handover {
	if to.id != n.id {
		n.askStatus(to.id)
	}
	cat := n.catalog.Load()
	h := router.Handover{From: cat.nodeName(from), Changed: a.Changed, PauseMillis: a.Pause}
	g, _ := cat.group(group)
	h.GroupStatus = n.groupStatus(cat, g)
	h.Primary = to.name
	for i := range h.Partitions {
		switch p := &h.Partitions[i]; {
		case p.Node == to.name:
			p.Role = "primary"
		case p.Role == "primary":
			p.Role = "subscriber"
		}
	}
	return h
}

// leaderOf is the node that leads a group, as far as is known here.
func (n *Node) leaderOf(group string) (txlog.NodeID, bool) {
	if c := n.copy(group); c != nil {
		if id, _, ok := c.log.Leader(); ok {
			return id, true
		}
	}
	cat := n.catalog.Load()
	g, ok := cat.group(group)
	if !ok {
		return 0, false
	}
	row, ok := cat.named(n.groupStatus(cat, g).Primary)
	return row.id, ok
}

// askHandOver asks a node, which may be this one, to hand a group over.
func (n *Node) askHandOver(ctx context.Context, at txlog.NodeID, w handoverWish) (a handoverAnswer, err error) {
	if at == n.id {
		return n.handOverHere(ctx, w), nil
	}
	w.Millis = time.Until(deadlineOf(ctx)).Milliseconds()
	ask, err := json.Marshal(w)
	if err != nil {
		return a, err
	}
	raw, err := n.peers.Call(ctx, uint64(at), serviceHandOver, ask)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(raw, &a)
}

func (n *Node) answerHandOver(ctx context.Context, _ uint64, raw []byte) ([]byte, error) {
	var w handoverWish
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, fmt.Errorf("read what is asked for: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(w.Millis)*time.Millisecond)
	defer cancel()
	return json.Marshal(n.handOverHere(ctx, w))
}

// handOverHere hands a group over that this node leads.
func (n *Node) handOverHere(ctx context.Context, w handoverWish) (a handoverAnswer) {
	c := n.copy(w.Group)
	if c == nil || !c.log.IsLeader() {
		return handoverAnswer{Elsewhere: true}
	}
	if w.To == n.id {
		// It is so only if the others think so too.
		if _, err := c.log.ReadIndex(ctx); err != nil || !c.log.IsLeader() {
			return handoverAnswer{Elsewhere: true}
		}
		return a
	}
	if err := n.inService(ctx, w.To, w.Group); err != nil {
		return handoverAnswer{Code: err.Code, Detail: err.Detail}
	}
	paused, err := n.makePrimary(ctx, c, w.To)
	var p *router.Problem
	switch {
	case err == nil:
		return handoverAnswer{Changed: true, Pause: float64(paused.Microseconds()) / 1000}
	case errors.Is(err, errNotPrimary):
		return handoverAnswer{Elsewhere: true}
	case errors.As(err, &p):
		return handoverAnswer{Code: p.Code, Detail: p.Detail}
	}
	return handoverAnswer{Code: "unavailable", Detail: err.Error()}
}

// inService refuses a node that drains or is drained: it would give the group away
// again at once. Where the catalog has no majority, what is known of it here counts.
func (n *Node) inService(ctx context.Context, to txlog.NodeID, group string) *router.Problem {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	if err := n.CatchUp(ctx); err != nil {
		n.cfg.Log.Debug("whether a node is drained is judged by what was known of it last", "peer", to.String(), "error", err)
	}
	if !n.drains(to) {
		return nil
	}
	name := n.catalog.Load().nodeName(to)
	return &router.Problem{Code: plan.Draining, Group: group, Detail: fmt.Sprintf("node %s can't be primary: it is drained or draining, and would give the group away at once; lockstep node undrain %s, or choose another node", name, name)}
}

// errNotPrimary says that this node leads the group no more: somebody else was
// elected.
var errNotPrimary = errors.New("this node is not the group's primary")

// makePrimary has the copy on another node lead a group that this node leads, and
// tells for how long transactions waited. A *router.Problem says why it may not lead.
// Whoever gives a group away, for whatever reason, does it by this.
func (n *Node) makePrimary(ctx context.Context, c *copyOf, to txlog.NodeID) (paused time.Duration, err error) {
	select {
	case c.handing <- struct{}{}:
		defer func() { <-c.handing }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	name := n.catalog.Load().nodeName(to)
	for try := 1; ; try++ {
		if !c.log.IsLeader() {
			return 0, errNotPrimary
		}
		if err := n.mayLead(ctx, c, to); err != nil {
			return 0, err
		}
		n.announce(ctx, c, to)
		if paused, err = n.passOn(ctx, c, to); err == nil {
			n.cfg.Log.Info("a group was handed over", "group", c.name, "to", name, "milliseconds", float64(paused.Microseconds())/1000)
			return paused, nil
		}
		n.cfg.Log.Warn("a group was not handed over at once", "group", c.name, "to", name, "error", err)
		// Those who waited go first.
		if try == handOverTries || ctx.Err() != nil {
			return 0, &router.Problem{Code: "unavailable", Group: c.name, Detail: fmt.Sprintf("the copy on node %s did not take over in time, and the primary stays where it is: %v", name, err)}
		}
		pause(ctx, handOverPause)
	}
}

// passOn is one attempt. Transactions wait for no longer than it may take.
func (n *Node) passOn(ctx context.Context, c *copyOf, to txlog.NodeID) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, roundOf(n.cfg.Profile))
	defer cancel()
	began := time.Now()
	resume, err := c.orderer.Load().Pause(ctx)
	if err != nil {
		return 0, fmt.Errorf("wait for what is in flight: %w", err)
	}
	defer resume()
	err = c.log.Transfer(ctx, to)
	return time.Since(began), err
}

// roundOf is how long one attempt gets in a profile: it has some round trips, between
// the ticks of the log.
func roundOf(profile string) time.Duration {
	p, err := txlog.ProfileByName(profile)
	if err != nil {
		return handOverRound
	}
	return max(handOverRound, time.Duration(p.ElectionTicks)*p.Tick)
}

// mayLead says why the copy on a node may not lead now, after it had a while to
// catch up.
func (n *Node) mayLead(ctx context.Context, c *copyOf, to txlog.NodeID) error {
	members, err := c.log.Members(ctx)
	if err != nil {
		return err
	}
	cat := n.catalog.Load()
	name := cat.nodeName(to)
	refused := func(code, format string, args ...any) error {
		return &router.Problem{Code: code, Group: c.name, Detail: "node " + name + " can't be primary: " + fmt.Sprintf(format, args...)}
	}
	at := -1
	for i, m := range members.Members {
		if m.Node == to {
			at = i
		}
	}
	switch {
	case at < 0:
		return refused("invalid", "it has no copy of the group; lockstep partition add %s %s, or choose another node", c.name, name)
	case members.Members[at].Witness:
		return refused("invalid", "it has a witness of the group, which votes, has no data and leads nothing; choose a node with a copy (lockstep partition list %s)", c.name)
	case !members.Members[at].Voting:
		return refused("behind", "its copy is joining and has no vote yet; ask again when it has caught up")
	}
	until := time.Now().Add(handOverPatience)
	for {
		r, ok := n.askReport(ctx, to)
		copied, open := r.Groups[c.name]
		lag := c.part.Position().Revision - min(copied.Revision, c.part.Position().Revision)
		switch {
		case !ok:
			return refused("unavailable", "it does not answer; bring it back, or choose another node")
		case r.Status == "draining":
			return refused("draining", "it is draining; undrain it, or choose another node")
		case !open:
			return refused("unavailable", "its copy is not open; ask again when it is")
		case copied.Diverged != nil:
			return refused("diverged", "its copy differs from the majority's and is being replaced: %s", copied.Diverged.Reason)
		case lag <= handOverLag:
			return nil
		case ctx.Err() != nil || time.Now().After(until):
			return refused("behind", "its copy is %d revisions behind, and did not catch up in time; ask again when it has", lag)
		}
		pause(ctx, handOverAsk)
	}
}

// askReport is what a node says of itself now.
func (n *Node) askReport(ctx context.Context, id txlog.NodeID) (r nodeReport, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	raw, err := n.peers.Call(ctx, uint64(id), serviceStatus, nil)
	if err != nil || json.Unmarshal(raw, &r) != nil {
		return r, false
	}
	n.statuses.set(id, r)
	return r, true
}

// handOver gives the groups that this node leads to others, most caught-up first, so
// that clients meet no gap.
func (n *Node) handOver(ctx context.Context) {
	done := make(chan struct{})
	copies := n.allCopies()
	for _, c := range copies {
		go func() {
			defer func() { done <- struct{}{} }()
			if !c.log.IsLeader() {
				return
			}
			ctx, cancel := context.WithTimeout(ctx, handOverWait)
			defer cancel()
			if err := n.handOverGroup(ctx, c); err != nil {
				n.cfg.Log.Warn("a group was not handed over", "group", c.name, "error", err)
			}
		}()
	}
	for range copies {
		<-done
	}
}

// handOverGroup gives a group to the best of those that may lead; to nobody where
// there is none.
func (n *Node) handOverGroup(ctx context.Context, c *copyOf) error {
	members, err := c.log.Members(ctx)
	if err != nil {
		return err
	}
	var last error
	tried := map[txlog.NodeID]bool{n.id: true}
	for c.log.IsLeader() && ctx.Err() == nil {
		var best txlog.NodeID
		var most uint64
		bestDrains := false
		for _, m := range members.Members {
			r, ok := n.statuses.fresh(m.Node)
			drains := n.drains(m.Node)
			if tried[m.Node] || !m.Voting || m.Witness || !ok || r.Status == "draining" || r.Groups[c.name].Diverged != nil || drains && n.drains(n.id) {
				continue // two that drain would hand it to each other for ever
			}
			if at := r.Groups[c.name].Revision; best == 0 || bestDrains && !drains || bestDrains == drains && at > most {
				best, most, bestDrains = m.Node, at, drains
			}
		}
		if best == 0 {
			return last
		}
		tried[best] = true
		if _, err := n.makePrimary(ctx, c, best); err != nil && !errors.Is(err, errNotPrimary) {
			last = err
		}
	}
	return nil
}
