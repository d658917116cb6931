package node

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"lockstep/router/node/plan"
	"lockstep/txlog"
)

// drains tells whether a node is to give up what it leads, and be given no more.
func (n *Node) drains(id txlog.NodeID) bool {
	row, ok := n.catalog.Load().node(id)
	return ok && row.state != ""
}

// shed has a node that drains give up what it leads.
func (n *Node) shed(ctx context.Context) {
	row, ok := n.catalog.Load().node(n.id)
	if !ok || row.state == "" {
		return
	}
	for _, c := range n.allCopies() {
		if !c.log.IsLeader() {
			continue
		}
		if n.halted("hand over " + c.name) {
			continue
		}
		handing, cancel := context.WithTimeout(ctx, handOverWait)
		if err := n.handOverGroup(handing, c); err != nil {
			n.cfg.Log.Info("a draining node still leads a group", "group", c.name, "reason", err)
		}
		cancel()
	}
}

// tendNodes is what the system group's leader does for nodes that drain or leave: the
// next step of each. What can't be done is told by status, and tried again.
func (n *Node) tendNodes(ctx context.Context, sys *copyOf) error {
	blocked := map[string][]string{}
	defer func() {
		n.mu.Lock()
		n.blocked = blocked
		n.mu.Unlock()
	}()
	n.refresh()
	for _, row := range n.catalog.Load().nodes {
		if row.state != stateDraining && !row.leaving {
			continue
		}
		reasons, err := n.tendNode(ctx, sys, row)
		if err != nil {
			return err
		}
		if len(reasons) > 0 {
			blocked[row.id.String()] = reasons
		}
	}
	return nil
}

func (n *Node) tendNode(ctx context.Context, sys *copyOf, row nodeRow) (reasons []string, err error) {
	cat := n.catalog.Load()
	left, leads := 0, 0
	for _, g := range cat.groups {
		p, has := cat.partition(g.name, row.id)
		if has {
			left++
		}
		if has && row.evacuate && !p.leaving {
			reason, err := n.evacuate(ctx, sys, g, row)
			if err != nil {
				return nil, err
			}
			if reason != "" {
				reasons = append(reasons, reason)
			}
		}
		if n.groupStatus(cat, g).Primary == row.name {
			leads++
		}
	}
	switch {
	case row.leaving && left == 0 && !n.halted("drop "+row.name):
		return reasons, n.run(ctx, sys, call("drop_node", map[string]any{"id": row.id.String()}))
	case row.state == stateDraining && leads == 0 && n.idle(cat, row.id) && (left == 0 || !row.evacuate) && !n.halted("drained "+row.name):
		return reasons, n.run(ctx, sys, call("drained_node", map[string]any{"id": row.id.String()}))
	}
	return reasons, nil
}

// idle tells whether a node leads nothing any more, as it says itself (one that is away
// does not), and holds no task, as the primaries say.
func (n *Node) idle(cat *catalog, id txlog.NodeID) bool {
	if r, ok := n.reportOf(id); ok {
		for _, c := range r.Groups {
			if c.Leader == id.String() {
				return false
			}
		}
	}
	for _, other := range cat.nodes {
		r, ok := n.reportOf(other.id)
		for _, c := range r.Groups {
			if ok && slices.ContainsFunc(c.Tasks, func(t taskReport) bool { return t.Task != primaryTask && t.Holder == id }) {
				return false
			}
		}
	}
	return true
}

// evacuate has a copy go from a node that drains to where it belongs. The reason says
// why it can't, for now.
func (n *Node) evacuate(ctx context.Context, sys *copyOf, g groupRow, row nodeRow) (reason string, err error) {
	cat := n.catalog.Load()
	for _, p := range cat.copies(g.name) {
		if p.replaces == row.id && !p.leaving {
			return "", nil // under way
		}
	}
	c := n.placing(cat, nil)
	var to plan.Node
	if row.successor != 0 {
		next, ok := cat.node(row.successor)
		if !ok {
			return fmt.Sprintf("the node that was to take its place is gone: lockstep node replace %s --with NODE names another", row.name), nil
		}
		to = plan.Node{ID: uint64(next.id), Name: next.name}
	} else {
		var refused *plan.Refusal
		if to, refused = c.Place(g.name, uint64(row.id)); refused != nil {
			return refused.Detail, nil
		}
	}
	doc := call("add_partition", map[string]any{
		"group": g.name, "node": txlog.NodeID(to.ID).String(), "kind": kindData, "replaces": row.id.String(), "from": "",
	})
	refused := c.Move(g.name, row.name, to.Name)
	if _, has := cat.partition(g.name, txlog.NodeID(to.ID)); has {
		// The successor has a copy by now: this one just leaves.
		refused = c.Remove(g.name, row.name)
		doc = call("leave_partition", map[string]any{"group": g.name, "node": row.id.String()})
	}
	if refused != nil {
		return refused.Detail, nil
	}
	if n.halted("evacuate " + g.name) {
		return "", nil
	}
	return "", n.run(ctx, sys, doc)
}

// run makes a change of the catalog.
func (n *Node) run(ctx context.Context, sys *copyOf, doc map[string]any) error {
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = sys.execute(ctx, raw)
	n.refresh()
	if err != nil {
		return fmt.Errorf("%s: %w", doc["procedure"], err)
	}
	return nil
}
