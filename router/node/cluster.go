package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"lockstep/router"
	"lockstep/router/node/plan"
	"lockstep/router/settings"
	"lockstep/txlog"
	"lockstep/txlog/peer"
)

// A node is what its router stands before.
var (
	_ router.Cluster   = (*Node)(nil)
	_ router.Forwarder = (*Node)(nil)
)

// Lookup finds a group. The system group is not for clients.
func (n *Node) Lookup(name string) (router.Group, bool) {
	if name == systemGroup {
		return nil, false
	}
	if c := n.copy(name); c != nil && c.fed.Load() && !over(c.part.Closed()) { // a replica that is taken out of its group closes by itself
		return c, true
	}
	if _, ok := n.catalog.Load().group(name); ok {
		return nil, true
	}
	return nil, false
}

// CatchUp waits until the catalog read here has all that was acknowledged.
func (n *Node) CatchUp(ctx context.Context) error {
	if _, err := n.systemCopy().log.ReadIndex(ctx); err != nil {
		return &router.Problem{Code: "starting", Detail: "this node can't tell yet which groups there are: no majority of the cluster's catalog answers"}
	}
	if err := n.reread(); err != nil {
		return &router.Problem{Code: "unavailable", Detail: fmt.Sprintf("this node can't tell which groups there are: %v; start it with the program that the others run, or ask another node", err)}
	}
	return nil
}

// CreateGroup makes a group and waits until it works.
func (n *Node) CreateGroup(ctx context.Context, spec router.GroupSpec) (router.GroupStatus, bool, error) {
	sys := n.systemCopy()
	// What is asked for may have been made a moment ago through another node.
	if err := n.CatchUp(ctx); err != nil {
		return router.GroupStatus{}, false, err
	}
	cat := n.catalog.Load()
	if err := checkSpec(spec); err != nil {
		return router.GroupStatus{}, false, err
	}
	if _, ok := cat.group(spec.Name); ok {
		return n.existing(ctx, cat, spec)
	}
	n.hear(cat)
	nodes, err := n.chooseNodes(cat, spec)
	if err != nil {
		return router.GroupStatus{}, false, err
	}
	doc, err := createGroup(cat.version, spec.Name, nodes, spec.Labels, spec.Settings)
	if err != nil {
		return router.GroupStatus{}, false, err
	}
	if _, err := sys.execute(ctx, doc); err != nil {
		var p *router.Problem
		if errors.As(err, &p) && p.Code == "already_exists" {
			n.refresh()
			return n.existing(ctx, n.catalog.Load(), spec)
		}
		return router.GroupStatus{}, false, err
	}
	n.refresh()
	status, err := n.waitForGroup(ctx, spec.Name)
	return status, true, err
}

// checkSpec refuses what can't be a group in any cluster.
func checkSpec(spec router.GroupSpec) error {
	invalid := func(format string, args ...any) error {
		return &router.Problem{Code: "invalid", Group: spec.Name, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case !validName(spec.Name) || spec.Name == systemGroup:
		return invalid("%q can't be the name of a group: it begins with a letter and has lower-case letters, digits, '-' and '_'; %s is taken", spec.Name, systemGroup)
	case len(spec.Nodes) > 0 && spec.Copies != 0 && spec.Copies != len(spec.Nodes):
		return invalid("%d nodes and %d copies are asked for: leave out copies", len(spec.Nodes), spec.Copies)
	case len(spec.Nodes) == 0 && spec.Copies == 0:
		return invalid("give the names of nodes, or a number of copies")
	case max(len(spec.Nodes), spec.Copies) > maxCopies || spec.Copies < 0:
		return invalid("a group has 1 to %d copies", maxCopies)
	}
	if len(spec.Settings) > 0 {
		raw, err := json.Marshal(spec.Settings)
		if err != nil {
			return err
		}
		if _, problems := settings.Parse(raw); problems != nil {
			return under(settingsProblem(spec.Name, problems), "/settings")
		}
	}
	for i, name := range spec.Nodes {
		if slices.Contains(spec.Nodes[:i], name) {
			return invalid("the node %s is named twice", name)
		}
	}
	return nil
}

// chooseNodes finds the nodes that a new group's copies go to.
func (n *Node) chooseNodes(cat *catalog, spec router.GroupSpec) ([]nodeRow, error) {
	c := n.placing(cat, spec.Labels)
	chosen, refusal := c.On(spec.Name, spec.Nodes)
	if len(spec.Nodes) == 0 {
		chosen, refusal = c.New(spec.Name, spec.Copies)
	}
	switch {
	case refusal != nil && (refusal.Code == plan.NotFound || spec.Copies > len(cat.nodes)):
		return nil, &router.Problem{Code: "invalid", Group: spec.Name, Detail: refusal.Detail} // whatever becomes of the nodes
	case refusal != nil:
		return nil, problemOf(refusal)
	}
	var nodes []nodeRow
	for _, node := range chosen {
		row, _ := cat.node(txlog.NodeID(node.ID))
		nodes = append(nodes, row)
	}
	return nodes, nil
}

// existing answers for a group that is there already: granted if it is what was
// asked for.
func (n *Node) existing(ctx context.Context, cat *catalog, spec router.GroupSpec) (router.GroupStatus, bool, error) {
	g, _ := cat.group(spec.Name)
	copies := cat.wished(spec.Name)
	same := len(copies) == len(spec.Nodes)
	for _, p := range copies {
		same = same && slices.Contains(spec.Nodes, cat.nodeName(p.node))
	}
	if !same && (len(spec.Nodes) > 0 || g.copies != spec.Copies) {
		return router.GroupStatus{}, false, &router.Problem{Code: "already_exists", Group: spec.Name, Detail: "the group exists with other copies"}
	}
	if err := g.differs(spec); err != nil {
		return router.GroupStatus{}, false, err
	}
	status, err := n.waitForGroup(ctx, spec.Name)
	return status, false, err
}

// waitForGroup waits until every copy of a group is open and has a primary.
func (n *Node) waitForGroup(ctx context.Context, name string) (router.GroupStatus, error) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		cat := n.catalog.Load()
		if g, ok := cat.group(name); ok {
			for _, p := range cat.copies(name) {
				if p.node != n.id {
					n.askStatus(p.node)
				}
			}
			s := n.groupStatus(cat, g)
			if s.Primary != "" && !slices.ContainsFunc(s.Partitions, func(p router.PartitionStatus) bool { return p.Status != "available" }) {
				return s, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return router.GroupStatus{}, &router.Problem{Code: "outcome_unknown", Group: name, Detail: "the group is being made; not all of its copies are open yet"}
		}
	}
}

// Forward sends a request to a node that has an open copy of the group, the
// primary first. It asks another where one does not answer: whatever changes
// anything carries its id, so that it is done once however often it is sent.
func (n *Node) Forward(ctx context.Context, group string, request []byte) ([]byte, error) {
	last := errors.New("no node that has a copy of the group is known")
	sent := false
	give := time.Now().Add(forwardPatience)
	for {
		for _, id := range n.servers(n.catalog.Load(), group) {
			answer, err := n.peers.Call(ctx, uint64(id), serviceForward, request)
			if err == nil {
				return answer, nil
			}
			last, sent = err, sent || !unsent(err)
		}
		pause := time.NewTimer(forwardPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
		if ctx.Err() != nil || time.Now().After(give) {
			break
		}
	}
	if sent {
		return nil, last
	}
	return nil, fmt.Errorf("%w: %w", router.ErrNotForwarded, last)
}

// unsent tells whether a failed call certainly reached nobody.
func unsent(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return true
	}
	for _, refused := range []error{peer.ErrUnknownNode, peer.ErrUnknownService, peer.ErrWrongNode, peer.ErrWrongCluster, peer.ErrBusy} {
		if errors.Is(err, refused) {
			return true
		}
	}
	return false
}

// servers are the nodes that serve a group, those first that are known to.
func (n *Node) servers(cat *catalog, group string) []txlog.NodeID {
	g, ok := cat.group(group)
	if !ok {
		return nil
	}
	status := n.groupStatus(cat, g)
	rank := func(name string) int {
		for _, p := range status.Partitions {
			switch {
			case p.Node != name:
			case p.Role == "primary" && p.Status == "available":
				return 0
			case p.Status == "available":
				return 1
			}
		}
		return 2
	}
	var out []txlog.NodeID
	copies := cat.withData(group)
	slices.SortStableFunc(copies, func(a, b partitionRow) int { return rank(cat.nodeName(a.node)) - rank(cat.nodeName(b.node)) })
	for _, p := range copies {
		if p.node != n.id {
			out = append(out, p.node)
		}
	}
	return out
}

func (n *Node) answerForward(_ context.Context, _ uint64, request []byte) ([]byte, error) {
	server := n.front.Load()
	if server == nil {
		return nil, errors.New("this node is starting")
	}
	return server.ServeForwarded(request)
}
