package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"lockstep/router"
	"lockstep/txlog"
)

// recoverQuestion asks a node what it has of a group, recoverAnswer is what it says.
type recoverQuestion struct {
	Group string `json:"group"`
}

type recoverAnswer struct {
	Open      bool   `json:"open"`
	Shard     uint64 `json:"shard"`
	Replica   uint64 `json:"replica"`
	Revision  uint64 `json:"revision"`
	Applied   uint64 `json:"applied"`
	LastIndex uint64 `json:"last_index"`
	LastTerm  uint64 `json:"last_term"`
	Diverged  bool   `json:"diverged"`
	// Majority: a majority of the group confirmed its primary just now.
	Majority bool `json:"majority"`
	// Heard is what the node last heard of other nodes' copies.
	Heard map[string]heardCopy `json:"heard"`
}

type heardCopy struct {
	Revision uint64    `json:"revision"`
	At       time.Time `json:"at"`
}

func (n *Node) answerRecover(ctx context.Context, _ uint64, raw []byte) ([]byte, error) {
	var q recoverQuestion
	if err := json.Unmarshal(raw, &q); err != nil {
		return nil, err
	}
	a, err := n.recoverable(ctx, q.Group)
	if err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// recoverable is what this node has of a group.
func (n *Node) recoverable(ctx context.Context, group string) (a recoverAnswer, err error) {
	a.Heard = map[string]heardCopy{}
	n.statuses.mu.RLock()
	for id, h := range n.statuses.heard {
		if r, ok := h.report.Groups[group]; ok && !r.Witness {
			a.Heard[id.String()] = heardCopy{Revision: r.Revision, At: h.last}
		}
	}
	n.statuses.mu.RUnlock()
	a.Diverged = n.rebuilding(group) != nil
	c := n.copy(group)
	if c == nil {
		return a, nil
	}
	pos := c.part.Position()
	a.Open, a.Shard, a.Replica, a.Revision, a.Applied = true, c.shard, c.log.Replica(), pos.Revision, pos.Index
	if a.LastIndex, a.LastTerm, err = n.host.LogEnd(c.shard, a.Replica); err != nil {
		return a, err
	}
	asking, cancel := context.WithTimeout(ctx, majorityWait)
	defer cancel()
	_, failed := c.log.ReadIndex(asking)
	a.Majority = failed == nil
	return a, nil
}

// askRecoverable asks all nodes what they have of a group.
func (n *Node) askRecoverable(ctx context.Context, cat *catalog, group string) map[txlog.NodeID]recoverAnswer {
	raw, err := json.Marshal(recoverQuestion{Group: group})
	if err != nil {
		return nil
	}
	var mu sync.Mutex
	answers := map[txlog.NodeID]recoverAnswer{}
	var asking sync.WaitGroup
	for _, row := range cat.nodes {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askWait)
			defer cancel()
			var a recoverAnswer
			var err error
			if row.id == n.id {
				a, err = n.recoverable(ctx, group)
			} else if raw, failed := n.peers.Call(ctx, uint64(row.id), serviceRecover, raw); failed == nil {
				err = json.Unmarshal(raw, &a)
			} else {
				err = failed
			}
			if err != nil {
				return
			}
			mu.Lock()
			answers[row.id] = a
			mu.Unlock()
		})
	}
	asking.Wait()
	return answers
}

// planned is a plan, and what is not for clients.
type planned struct {
	router.RecoveryPlan
	at      txlog.NodeID
	replica uint64
}

// RecoveryPlan tells what is left of a group, and what would be lost.
func (n *Node) RecoveryPlan(ctx context.Context, group string) (router.RecoveryPlan, error) {
	p, err := n.planRecovery(ctx, group)
	if err != nil {
		return router.RecoveryPlan{}, err
	}
	return p.RecoveryPlan, nil
}

func (n *Node) planRecovery(ctx context.Context, group string) (*planned, error) {
	if group == systemGroup {
		return nil, &router.Problem{Code: "invalid", Group: group, Detail: "the catalog itself is not recovered so: it needs the majority of its voters"}
	}
	if err := n.CatchUp(ctx); err != nil {
		return nil, err // the decision is a transaction of the catalog
	}
	cat := n.catalog.Load()
	g, ok := cat.group(group)
	if !ok {
		return nil, &router.Problem{Code: "unknown_group", Group: group, Detail: fmt.Sprintf("there is no group %q", group)}
	}
	return recoveryOf(cat, g, n.askRecoverable(ctx, cat, group))
}

// recoveryOf makes the plan from what nodes answered: a pure function.
func recoveryOf(cat *catalog, g groupRow, answers map[txlog.NodeID]recoverAnswer) (*planned, error) {
	p := &planned{RecoveryPlan: router.RecoveryPlan{Group: g.name, Copies: []router.SurvivingCopy{}, MayBeLost: []router.LostRevisions{}, Warnings: []string{}}}
	var best *recoverAnswer
	var away []string
	for _, row := range cat.copies(g.name) {
		a, answered := answers[row.node]
		name := cat.nodeName(row.node)
		// One that has just begun to join has nothing.
		has := answered && a.Open && a.Applied > 0 && a.Shard == g.shard && a.Replica == row.replica
		s := router.SurvivingCopy{Node: name, Kind: row.kind, Status: "unavailable"}
		switch {
		case row.kind == kindWitness && answered:
			s.Status = "none"
		case answered && a.Diverged:
			s.Status = "diverged"
		case has:
			s.Status, s.Revision, s.LastTerm, s.LastIndex = "available", a.Revision, a.LastTerm, a.LastIndex
			if a.Majority {
				return nil, &router.Problem{Code: "quorum_present", Group: g.name, Detail: fmt.Sprintf("the majority of group %s answers, as node %s says: there is nothing to recover", g.name, name)}
			}
			if best == nil || cmp.Or(cmp.Compare(a.LastTerm, best.LastTerm), cmp.Compare(a.LastIndex, best.LastIndex)) > 0 {
				best, p.Node, p.at, p.replica = &a, name, row.node, row.replica
			}
		case answered:
			s.Status = "none"
		}
		if s.Status == "unavailable" && row.kind == kindData {
			away = append(away, name)
			lastHeard(&s, row.node, answers)
		}
		p.Copies = append(p.Copies, s)
	}
	if best == nil && g.origin != nil {
		return nil, &router.Problem{Code: "no_copy", Group: g.name, Detail: fmt.Sprintf("group %s is being rebuilt from the copy on node %s, and no other has it: wait for that node, or start it", g.name, cat.nodeName(g.origin.node))}
	}
	if best == nil {
		return nil, &router.Problem{Code: "no_copy", Group: g.name, Detail: fmt.Sprintf("no node that answers has a copy of group %s: start one of %s", g.name, strings.Join(away, ", "))}
	}
	p.Revision, p.Unapplied = best.Revision, best.LastIndex-min(best.LastIndex, best.Applied)
	for _, s := range p.Copies {
		if s.Status == "unavailable" && s.Revision > p.Revision {
			p.MayBeLost = append(p.MayBeLost, router.LostRevisions{Node: s.Node, From: p.Revision + 1, To: s.Revision})
		}
	}
	if len(away) > 0 {
		p.Warnings = append(p.Warnings,
			fmt.Sprintf("be sure that %s are down, not merely cut off: as long as they reach each other they may still take updates, which would be lost", strings.Join(away, ", ")),
			fmt.Sprintf("what %s acknowledged after they were last heard of is lost as well; bring one of them back instead, if that is possible", strings.Join(away, ", ")),
			fmt.Sprintf("start %s again only while the catalog has its majority: they have not heard of this, and without the catalog they open their copies after %v, and take updates where they are a majority of the old group", strings.Join(away, ", "), catalogPatience))
	}
	p.Token = tokenOf(g, p)
	return p, nil
}

// lastHeard fills in what any node last heard of a copy that is away.
func lastHeard(s *router.SurvivingCopy, id txlog.NodeID, answers map[txlog.NodeID]recoverAnswer) {
	for _, a := range answers {
		h, ok := a.Heard[id.String()]
		if !ok {
			continue
		}
		s.Revision = max(s.Revision, h.Revision)
		if !h.At.IsZero() && (s.LastHeard == nil || h.At.After(*s.LastHeard)) {
			at := h.At.UTC().Truncate(time.Second)
			s.LastHeard = &at
		}
	}
}

// tokenOf stands for what a plan is based on: the group as it is, and what its copies
// have that answer.
func tokenOf(g groupRow, p *planned) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %d %s %d\n", g.name, g.shard, g.incarnation, p.Node, p.replica)
	for _, s := range p.Copies {
		if s.Status == "available" {
			fmt.Fprintf(h, "%s %d %d %d\n", s.Node, s.Revision, s.LastTerm, s.LastIndex)
		} else {
			fmt.Fprintf(h, "%s %s\n", s.Node, s.Status)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Recover rebuilds a group as the plan says.
func (n *Node) Recover(ctx context.Context, group string, order router.RecoveryOrder) (router.RecoveryResult, error) {
	if err := n.CatchUp(ctx); err != nil {
		return router.RecoveryResult{}, err
	}
	if g, ok := n.catalog.Load().group(group); ok && g.origin != nil && g.origin.Token == order.Token {
		return n.awaitRecovered(ctx, group) // asked for again
	}
	p, err := n.planRecovery(ctx, group)
	if err != nil {
		return router.RecoveryResult{}, err
	}
	if p.Token != order.Token {
		return router.RecoveryResult{}, &router.Problem{Code: "changed", Group: group, Detail: "what is known of the group is not what the plan of that token was made from: look at the plan again (GET), and decide anew"}
	}
	cat := n.catalog.Load()
	g, _ := cat.group(group)
	doc, err := recoverGroup(cat, g, p, order.By, time.Now())
	if err != nil {
		return router.RecoveryResult{}, err
	}
	if _, err := n.systemCopy().execute(ctx, doc); err != nil {
		var refused *router.Problem
		if errors.As(err, &refused) && refused.Code == codeStale {
			return router.RecoveryResult{}, &router.Problem{Code: "changed", Group: group, Detail: "the group's copies were changed meanwhile: look at the plan again (GET), and decide anew"}
		}
		return router.RecoveryResult{}, err
	}
	n.refresh()
	n.cfg.Log.Warn("a group is rebuilt from one of its copies", "group", group, "node", p.Node, "revision", p.Revision, "may_be_lost", p.MayBeLost, "by", order.By)
	return n.awaitRecovered(ctx, group)
}

// awaitRecovered waits until a group that is rebuilt takes updates.
func (n *Node) awaitRecovered(ctx context.Context, group string) (router.RecoveryResult, error) {
	r, err := await(ctx, n, func() (r router.RecoveryResult, done bool) {
		cat := n.catalog.Load()
		g, ok := cat.group(group)
		if !ok || g.origin == nil {
			return r, false
		}
		s := n.groupStatus(cat, g)
		r = router.RecoveryResult{Group: group, Status: "recovering", Node: cat.nodeName(g.origin.node), Incarnation: g.incarnation, Revision: s.Revision}
		if s.Primary != "" && s.Incarnation == g.incarnation {
			r.Status = "recovered"
		}
		return r, r.Status == "recovered"
	})
	if err != nil {
		return r, &router.Problem{Code: "outcome_unknown", Group: group, Detail: "the group is not rebuilt yet; it goes on, and asking again waits for its end"}
	}
	return r, nil
}

// origin is where a group that was rebuilt comes from.
type origin struct {
	Shard   uint64   `json:"shard"` // the group's before
	Replica uint64   `json:"replica"`
	Node    string   `json:"node"`
	Token   string   `json:"token"`
	Formers []uint64 `json:"formers"` // all shards that it ever had before

	node txlog.NodeID
}

// recoverGroup is the transaction that has a group begin anew from a copy: under a
// shard of its own, so that nothing that is left of the old one, however it comes back,
// can be taken for a part of it.
func recoverGroup(cat *catalog, g groupRow, p *planned, by string, now time.Time) ([]byte, error) {
	type step map[string]any
	plan, err := json.Marshal(p.RecoveryPlan)
	if err != nil {
		return nil, err
	}
	formers := []uint64{g.shard}
	if g.origin != nil {
		formers = append(slices.Clone(g.origin.Formers), g.shard)
	}
	params := map[string]any{
		"group": g.name, "shard": g.shard, "node": p.at.String(), "by": by, "plan": json.RawMessage(plan),
		"first":  map[string]string{"1": p.at.String()},
		"origin": origin{Shard: g.shard, Replica: p.replica, Node: p.at.String(), Token: p.Token, Formers: formers},
		"time":   now.UTC().Format(time.RFC3339Nano),
	}
	copies := cat.copies(g.name)
	steps := []step{
		{"get": step{"table": "groups", "key": []string{"params.group"}, "as": "known"}},
		{"scan": step{"table": "partitions", "prefix": []string{"params.group"}, "as": "copies"}},
		{"require": step{"expr": fmt.Sprintf("known.shard == params.shard && size(copies) == %d", len(copies)), "code": codeStale}},
		{"get": step{"table": "counters", "key": []string{"'shard'"}, "as": "counter"}},
		{"update": step{"table": "counters", "key": []string{"'shard'"}, "set": step{"next": "row.next + 1"}}},
		{"update": step{"table": "groups", "key": []string{"params.group"}, "set": step{
			"shard": "counter.next", "first": "params.first", "incarnation": "row.incarnation + 1", "origin": "params.origin"}}},
		{"insert": step{"table": "recoveries", "row": step{
			"group": "params.group", "shard": "counter.next", "node": "params.node", "by": "params.by", "time": "timestamp(params.time)", "plan": "params.plan"}}},
	}
	next := 2
	for i, row := range copies {
		param := fmt.Sprintf("at%d", i)
		params[param] = row.node.String()
		key := []string{"params.group", "params." + param}
		switch {
		case row.node == p.at: // whatever was asked for it before: it has the group now
			steps = append(steps, step{"update": step{"table": "partitions", "key": key, "set": step{"replica": "1", "first": "1", "state": "''", "replaces": "''"}}})
		case row.kind == kindWitness || row.leaving:
			steps = append(steps, step{"delete": step{"table": "partitions", "key": key}})
		default:
			steps = append(steps, step{"update": step{"table": "partitions", "key": key, "set": step{"replica": fmt.Sprint(next), "first": "0", "state": "''", "replaces": "''"}}})
			next++
		}
	}
	steps = append(steps, step{"upsert": step{"table": "counters", "row": step{"name": "'replica/' + params.group", "next": fmt.Sprint(next)}}})
	return json.Marshal(map[string]any{"steps": steps, "params": params})
}

// HasPrimary tells whether a primary has been heard of.
func (c *copyOf) HasPrimary() bool {
	_, _, ok := c.log.Leader()
	return ok
}
