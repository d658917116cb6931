package node

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"lockstep/router"
	"lockstep/txlog"
)

// Nodes lists the nodes of the cluster.
func (n *Node) Nodes() []router.NodeDetail {
	cat := n.catalog.Load()
	out := make([]router.NodeDetail, 0, len(cat.nodes))
	for _, row := range cat.nodes {
		out = append(out, n.nodeDetail(cat, row))
	}
	return out
}

func (n *Node) nodeDetail(cat *catalog, row nodeRow) router.NodeDetail {
	d := router.NodeDetail{
		Name: row.name, ID: row.id.String(), Status: "unavailable", HTTP: row.http, Raft: row.raft,
		Version: row.version, OS: row.os, Arch: row.arch, Labels: row.labels, Dedicated: row.dedicated,
		Evacuating: row.evacuate && row.state == stateDraining, Removing: row.leaving,
		Primaries: []string{}, Partitions: []string{}, Catalog: "follower",
	}
	if row.successor != 0 {
		d.Successor = cat.nodeName(row.successor)
	}
	r, ok := n.reportOf(row.id)
	if ok {
		d.Status, d.Version = r.Status, r.Version
	}
	if row.state != "" && (ok || row.leaving) {
		d.Status = row.state
	}
	for _, g := range cat.groups {
		if _, has := cat.partition(g.name, row.id); has {
			d.Partitions = append(d.Partitions, g.name)
		}
		if n.groupStatus(cat, g).Primary == row.name {
			d.Primaries = append(d.Primaries, g.name)
		}
	}
	for _, other := range cat.nodes {
		r, ok := n.reportOf(other.id)
		sys := r.Groups[systemGroup]
		if !ok || sys.Leader != other.id.String() {
			continue
		}
		switch {
		case other.id == row.id:
			d.Catalog = "leader"
		case slices.Contains(sys.Voters, row.replica):
			d.Catalog = "voter"
		}
		d.Blocked = append(d.Blocked, r.Blocked[row.id.String()]...)
	}
	return d
}

func (n *Node) detailOf(name string) router.NodeDetail {
	cat := n.catalog.Load()
	row, ok := cat.named(name)
	if !ok {
		return router.NodeDetail{Name: name, Status: "removed", Primaries: []string{}, Partitions: []string{}}
	}
	return n.nodeDetail(cat, row)
}

// DrainNode takes a node out of service.
func (n *Node) DrainNode(ctx context.Context, node string, partitions, wait bool) (router.NodeDetail, error) {
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		if err := orNil(n.placing(cat, nil).Drain(node, partitions)); err != nil {
			return nil, err
		}
		row, _ := cat.named(node)
		if row.state != "" && (row.evacuate || !partitions) {
			return nil, nil
		}
		return call("drain_node", map[string]any{"id": row.id.String(), "evacuate": partitions}), nil
	})
	if err != nil || !wait {
		return n.detailOf(node), err
	}
	return n.awaitNode(ctx, node, func(row nodeRow, ok bool) bool { return !ok || row.state != stateDraining })
}

// awaitNode waits for what a node's row becomes.
func (n *Node) awaitNode(ctx context.Context, node string, done func(row nodeRow, ok bool) bool) (router.NodeDetail, error) {
	d, err := await(ctx, n, func() (router.NodeDetail, bool) {
		row, ok := n.catalog.Load().named(node)
		return n.detailOf(node), done(row, ok)
	})
	if err == nil {
		return d, nil
	}
	detail := fmt.Sprintf("node %s is still primary of %d groups and has copies of %d", node, len(d.Primaries), len(d.Partitions))
	if len(d.Blocked) > 0 {
		detail += "; " + strings.Join(d.Blocked, "; ")
	}
	return d, &router.Problem{Code: "outcome_unknown", Detail: detail + "; it goes on, and asking again waits for its end"}
}

// UndrainNode puts a node in service again.
func (n *Node) UndrainNode(ctx context.Context, node string) (router.NodeDetail, error) {
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		row, ok := cat.named(node)
		switch {
		case !ok:
			return nil, unknownNode(node)
		case row.state == "":
			return nil, nil
		}
		return call("undrain_node", map[string]any{"id": row.id.String()}), nil
	})
	return n.detailOf(node), err
}

func unknownNode(node string) *router.Problem {
	return &router.Problem{Code: "not_found", Detail: fmt.Sprintf("the cluster has no node %q", node)}
}

// RemoveNode takes a node out of the cluster for good.
func (n *Node) RemoveNode(ctx context.Context, node string, force, wait bool) (router.NodeDetail, error) {
	return n.depart(ctx, node, wait, func(cat *catalog) (map[string]any, error) {
		if err := orNil(n.judged(cat).RemoveNode(node, force)); err != nil {
			return nil, err
		}
		row, _ := cat.named(node)
		return map[string]any{"id": row.id.String(), "successor": "", "abandon": true}, nil
	})
}

// ReplaceNode has another node take all copies of one, which then goes for good.
func (n *Node) ReplaceNode(ctx context.Context, node, with string, wait bool) (router.NodeDetail, error) {
	return n.depart(ctx, node, wait, func(cat *catalog) (map[string]any, error) {
		if err := orNil(n.judged(cat).ReplaceNode(node, with)); err != nil {
			return nil, err
		}
		row, _ := cat.named(node)
		next, _ := cat.named(with)
		return map[string]any{"id": row.id.String(), "successor": next.id.String(), "abandon": false}, nil
	})
}

// depart has a node go for good, and waits until it is no part of the cluster.
func (n *Node) depart(ctx context.Context, node string, wait bool, decide func(cat *catalog) (map[string]any, error)) (router.NodeDetail, error) {
	var id txlog.NodeID
	var replica uint64
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		params, err := decide(cat)
		if err != nil {
			return nil, err
		}
		row, _ := cat.named(node)
		id, replica = row.id, row.replica
		if row.leaving && params["successor"] == successorText(row) {
			return nil, nil
		}
		return call("remove_node", params), nil
	})
	if err != nil || !wait {
		return n.detailOf(node), err
	}
	// Another node may come under the same name. As long as this one votes on the catalog,
	// the next failure may be one too many.
	return n.awaitNode(ctx, node, func(row nodeRow, ok bool) bool {
		voters := n.votersOfCatalog()
		return (!ok || row.id != id) && voters != nil && !slices.Contains(voters, replica)
	})
}

func successorText(row nodeRow) string {
	if row.successor == 0 {
		return ""
	}
	return row.successor.String()
}

// SetNode changes what is wished of a node.
func (n *Node) SetNode(ctx context.Context, node string, change router.NodeChange) (router.NodeDetail, error) {
	if len(change.Labels) > maxLabels {
		return router.NodeDetail{}, &router.Problem{Code: "invalid", Detail: fmt.Sprintf("a node has at most %d labels", maxLabels)}
	}
	_, err := n.change(ctx, func(cat *catalog) (map[string]any, error) {
		row, ok := cat.named(node)
		if !ok {
			return nil, unknownNode(node)
		}
		dedicated := row.dedicated
		if change.Dedicated != nil {
			if dedicated = *change.Dedicated; dedicated != "" && (!validName(dedicated) || dedicated == systemGroup) {
				return nil, &router.Problem{Code: "invalid", Detail: fmt.Sprintf("%q can't be the name of a group", dedicated)}
			}
			if err := orNil(n.judged(cat).Dedicate(node, dedicated)); err != nil {
				return nil, err
			}
		}
		overrides := row.overridden(change.Labels)
		if dedicated == row.dedicated && sameLabels(overrides, row.overrides) {
			return nil, nil
		}
		return call("set_node", map[string]any{"id": row.id.String(), "dedicated": dedicated, "labels": overrides}), nil
	})
	return n.detailOf(node), err
}

// overridden are the labels that an operator has set, with a change of them.
func (row *nodeRow) overridden(change map[string]*string) map[string]string {
	out := map[string]string{}
	for name, value := range row.overrides {
		out[name] = value
	}
	for name, value := range change {
		if delete(out, name); value != nil {
			out[name] = *value
		}
	}
	return out
}
