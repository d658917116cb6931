package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/value"
	"lockstep/router"
	"lockstep/router/order"
	"lockstep/txlog"
)

// startSystem opens this node's copy of the catalog.
func (n *Node) startSystem() error {
	id := &n.folder.id
	first := id.First && id.System == 1 // it may have been given another since
	cfg := txlog.GroupConfig{Shard: systemShard, Replica: id.System, Join: !first, NonVoting: !first}
	if first {
		cfg.Members = map[uint64]txlog.NodeID{id.System: n.id}
	}
	c, err := n.startCopy(systemGroup, cfg)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.system, n.copies[systemGroup] = c, c
	n.mu.Unlock()
	return nil
}

func (n *Node) systemCopy() *copyOf {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.system
}

// register enters a node in the catalog and returns its replica of the system
// group.
func (n *Node) register(ctx context.Context, sys *copyOf, ask *joinRequest) (uint64, error) {
	labels := ask.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	params := map[string]any{
		"id": ask.ID, "name": ask.Name, "http": ask.HTTP, "raft": ask.Raft,
		"version": ask.Version, "os": ask.OS, "arch": ask.Arch, "labels": labels,
	}
	procedure := "register_node"
	if other, taken := n.catalog.Load().named(ask.Name); taken && ask.Replace && other.id.String() != ask.ID {
		procedure = "take_place"
		params["old"], params["old_name"] = other.id.String(), lostName(other)
	}
	doc, err := json.Marshal(call(procedure, params))
	if err != nil {
		return 0, err
	}
	o, err := sys.execute(ctx, doc)
	if err != nil {
		return 0, fmt.Errorf("enter node %s in the catalog: %w", ask.Name, err)
	}
	var replica uint64
	if err := json.Unmarshal(o.Result, &replica); err != nil || replica == 0 {
		return 0, fmt.Errorf("enter node %s in the catalog: it gave no replica (%s)", ask.Name, o.Result)
	}
	return replica, nil
}

// execute runs one transaction on the group and returns its outcome, which is a
// commit: an abort is a *router.Problem. It is for the node's own transactions.
func (c *copyOf) execute(ctx context.Context, doc []byte) (outcome.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, catalogWait)
	defer cancel()
	fingerprint, err := value.Fingerprint(doc)
	if err != nil {
		return outcome.Outcome{}, err
	}
	r := order.Request{}
	r.Item.Fingerprint = fingerprint
	for {
		compiled := c.part.Compiled()
		if compiled == nil {
			return outcome.Outcome{}, errors.New("the group has no schema yet")
		}
		typed, refusal := program.ParseTransaction(doc, compiled)
		if refusal != nil {
			return outcome.Outcome{}, refusal
		}
		r.Item = entry.Item{ID: r.Item.ID, Fingerprint: fingerprint, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source}
		r.SchemaVersion = compiled.Version
		v, err := c.order(ctx, &r)
		switch {
		case err != nil:
			return outcome.Outcome{}, err
		case v.Kind == outcome.StaleSchema:
			if err := c.part.WaitRevision(ctx, compiled.Version+1); err != nil {
				return outcome.Outcome{}, err
			}
			continue
		case v.Kind != outcome.Executed && v.Kind != outcome.Duplicate:
			return outcome.Outcome{}, fmt.Errorf("the log gave no outcome (verdict %d)", v.Kind)
		case !v.Outcome.Committed:
			return v.Outcome, &router.Problem{Code: v.Outcome.Code, Group: c.name, Step: v.Outcome.Step, Detail: v.Outcome.Message}
		}
		// The node reads the catalog next: its copy must have the change.
		return v.Outcome, c.part.WaitRevision(ctx, v.Outcome.Revision)
	}
}

// tend is what the system group's leader does: the schema, the group's members, and
// nodes that drain or leave.
func (n *Node) tend(ctx context.Context, sys *copyOf) error {
	if err := n.tendSchema(ctx, sys); err != nil {
		return err
	}
	if err := n.decideToken(ctx, sys); err != nil {
		return err
	}
	if err := n.tendMembers(ctx, sys); err != nil {
		return err
	}
	if n.catalog.Load().version < lifecycleVersion {
		return nil // its nodes can't be told to leave yet
	}
	return n.tendNodes(ctx, sys)
}

// tendSchema gives the catalog the schema of this program, where it has none or one
// of an earlier program. What takes long goes on in steps, and is joined again.
func (n *Node) tendSchema(ctx context.Context, sys *copyOf) error {
	if sys.part.Compiled() != nil {
		n.refresh()
		if n.catalog.Load().version >= n.cfg.catalogVersion {
			return nil
		}
	}
	v, err := sys.PutSchema(ctx, router.SchemaPut{Document: n.cfg.catalogSchema})
	if err != nil {
		return fmt.Errorf("apply the catalog's schema: %w", err)
	}
	doc, err := json.Marshal(map[string]any{
		"steps":  []any{map[string]any{"upsert": map[string]any{"table": "counters", "row": map[string]any{"name": "params.name", "next": "params.version"}}}},
		"params": map[string]any{"name": catalogCounter, "version": n.cfg.catalogVersion},
	})
	if err != nil {
		return err
	}
	if _, err := sys.execute(ctx, doc); err != nil {
		return fmt.Errorf("note the version of the catalog's schema: %w", err)
	}
	n.cfg.Log.Info("the catalog has the schema of this program", "version", n.cfg.catalogVersion, "revision", v.Version)
	return nil
}

// enterSelf keeps this node's own entry up to date: its addresses, version and
// labels may have changed since the last start.
func (n *Node) enterSelf(ctx context.Context, sys *copyOf) error {
	ask := n.introduction()
	if row, ok := n.catalog.Load().node(n.id); ok && row.name == ask.Name && row.http == ask.HTTP &&
		row.raft == ask.Raft && row.version == ask.Version && sameLabels(row.configured, ask.Labels) {
		return nil
	}
	if sys.part.Compiled() == nil {
		return nil // the leader applies it first
	}
	_, err := n.register(ctx, sys, &ask)
	return err
}

func sameLabels(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// lostName is the name of a node whose own was taken by another: its data is lost.
func lostName(row nodeRow) string {
	const keep = 40
	return fmt.Sprintf("%.*s-lost-%s", keep, row.name, row.id.String()[:8])
}
