package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lockstep/router/node/lastcopy"
	"lockstep/txlog"
)

// watchAway has the step taken that is due for a group whose copies, or witnesses, are
// away (package lastcopy). n.guarding is held.
func (n *Node) watchAway(c *copyOf, g *guard) {
	cat := n.catalog.Load()
	row, ok := cat.group(c.name)
	if !ok || row.shard != c.shard || g.stepping || len(g.members.Members) == 0 || cat.version < 2 {
		return
	}
	s := lastcopy.Next(n.groupAway(cat, row, g))
	if s.Do == lastcopy.Nothing || n.halted(string(s.Do)+" in "+c.name) {
		return
	}
	g.stepping = true
	n.work.Go(func() {
		err := n.stepAway(c, cat, s)
		n.guarding.Lock()
		g.stepping = false
		n.guarding.Unlock()
		if err != nil && n.ctx.Err() == nil {
			n.cfg.Log.Info("a copy that is away, or back, has not changed its place yet; trying again", "group", c.name, "reason", err)
		}
	})
}

// groupAway is a group as package lastcopy sees it. A node's silence begins when this
// primary first notes it: one that has just been elected knows of none.
func (n *Node) groupAway(cat *catalog, row groupRow, g *guard) *lastcopy.Group {
	now := time.Now()
	out := &lastcopy.Group{Serve: row.last.Serve, ReplaceAfter: row.last.ReplaceAfter, Zones: map[uint64]string{}}
	away := map[txlog.NodeID]time.Time{}
	copies := cat.copies(row.name)
	for _, p := range copies {
		m, member := g.members.Find(p.replica)
		held := lastcopy.Copy{
			Node: uint64(p.node), Name: cat.nodeName(p.node), Witness: p.kind == kindWitness, Away: p.away, Leaving: p.leaving,
			Member: member, Votes: member && m.Voting,
		}
		if p.node != n.id && !n.statuses.reachable(p.node) {
			since, noted := g.away[p.node]
			if !noted {
				since = now
			}
			away[p.node] = since
			held.Silent = max(now.Sub(since), 1)
		}
		out.Copies = append(out.Copies, held)
		at, _ := cat.node(p.node)
		out.Zones[uint64(p.node)] = at.labels["zone"]
	}
	g.away = away
	for _, node := range cat.nodes {
		fits := node.state == "" && !node.leaving && (node.dedicated == "" || node.dedicated == row.name)
		if !fits || node.id != n.id && !n.statuses.reachable(node.id) || slices.ContainsFunc(copies, func(p partitionRow) bool { return p.node == node.id }) {
			continue
		}
		held := 0
		for _, p := range cat.partitions {
			if p.node == node.id {
				held++
			}
		}
		out.Free = append(out.Free, lastcopy.Candidate{Node: uint64(node.id), Name: node.name, Zone: node.labels["zone"], Held: held})
	}
	return out
}

// stepAway takes a step in the catalog. Its members are changed as ever (tend.go).
func (n *Node) stepAway(c *copyOf, cat *catalog, s lastcopy.Step) error {
	ctx, cancel := context.WithTimeout(n.ctx, tendWait)
	defer cancel()
	if _, err := c.log.ReadIndex(ctx); err != nil {
		return err // without a majority nothing would come of it
	}
	at, node := txlog.NodeID(s.On).String(), txlog.NodeID(s.Node)
	p, _ := cat.partition(c.name, node)
	var doc map[string]any
	switch s.Do {
	case lastcopy.Replace, lastcopy.Exchange:
		doc = call("add_witness", map[string]any{"group": c.name, "node": node.String(), "replica": p.replica, "at": at})
	case lastcopy.Add:
		doc = call("add_witness", map[string]any{"group": c.name, "node": "", "replica": 0, "at": at})
	case lastcopy.Return:
		doc = call("return_partition", map[string]any{"group": c.name, "node": node.String(), "replica": p.replica})
	case lastcopy.Drop:
		doc = call("leave_partition", map[string]any{"group": c.name, "node": node.String()})
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if _, err := n.systemCopy().execute(ctx, raw); err != nil {
		return fmt.Errorf("%s: %w", s.Why, err)
	}
	n.refresh()
	n.cfg.Log.Info("the copies of a group change places", "group", c.name, "step", string(s.Do), "reason", s.Why)
	return nil
}

// makeRoom takes a member out whose place a witness gets, before that one is let in:
// to remove who is away never costs a vote, while a newcomer that has not started is
// one more that a majority needs.
func (n *Node) makeRoom(ctx context.Context, c *copyOf, cat *catalog, members *txlog.Membership) (out bool, err error) {
	for _, p := range cat.copies(c.name) {
		m, member := members.Find(p.replica)
		if !member || !p.away && !(p.leaving && p.kind == kindWitness && !n.statuses.reachable(p.node) && p.node != n.id) {
			continue
		}
		if n.halted("make room in " + c.name) {
			return true, nil
		}
		return true, n.takeOut(ctx, c, m)
	}
	return false, nil
}

// startWitnesses starts the witnesses that should be here and are not.
func (n *Node) startWitnesses() error {
	cat := n.catalog.Load()
	running := map[string]*txlog.Group{}
	for _, p := range cat.partitions {
		g, ok := cat.group(p.group)
		if !ok || p.node != n.id || p.kind != kindWitness || p.leaving && !n.host.HasData(g.shard, p.replica) || n.waitsForWipe(g.shard) || n.isFormer(g.shard) {
			continue
		}
		if have, ok := n.host.Group(g.shard); ok {
			if have.Replica() == p.replica {
				running[p.group] = have
			}
			continue
		}
		name := replicaName(g.shard, p.replica)
		if !n.host.HasData(g.shard, p.replica) {
			// Killed in the next moment, this node must know of its witness when it starts
			// again, even where the catalog has no majority then.
			if err := n.systemCopy().part.Flush(); err != nil {
				return err
			}
		}
		// The empty folder says that the witness was here: its votes are in the log.
		if _, err := n.folder.openReplica(name, n.host.HasData(g.shard, p.replica)); err != nil {
			return fmt.Errorf("start the witness of group %s: %w", p.group, err)
		}
		w, err := n.host.StartGroup(txlog.GroupConfig{Shard: g.shard, Replica: p.replica, Join: true, Witness: true})
		if err != nil {
			return fmt.Errorf("start the witness of group %s: %w", p.group, err)
		}
		running[p.group] = w
		n.cfg.Log.Info("a witness of a group runs here", "group", p.group, "replica", p.replica)
	}
	n.mu.Lock()
	n.witnesses = running
	n.mu.Unlock()
	return nil
}

// runningWitnesses are the replicas that are witnesses here, by group.
func (n *Node) runningWitnesses() map[string]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string]uint64, len(n.witnesses))
	for group, w := range n.witnesses {
		out[group] = w.Replica()
	}
	return out
}

func (n *Node) witnessRuns(_ *catalog, p partitionRow) bool {
	return n.runningWitnesses()[p.group] == p.replica
}

// comesBack tells whether a replica of this node was replaced by another one here, has
// a witness in its place, or is of a group that was begun anew: its data is kept aside.
func (n *Node) comesBack(r localReplica) bool {
	cat := n.catalog.Load()
	i := slices.IndexFunc(cat.groups, func(g groupRow) bool {
		return g.shard == r.shard || g.origin != nil && slices.Contains(g.origin.Formers, r.shard)
	})
	if i < 0 {
		return false
	}
	if cat.groups[i].shard != r.shard {
		return true // what it had may be missed, also where the copy was to leave
	}
	p, mine := cat.partition(cat.groups[i].name, n.id)
	return mine && p.kind == kindData && !p.leaving
}

// durability says how many copies there are where they are fewer than there should be.
func durability(copies []partitionRow, have, made int) string {
	data := 0
	for _, p := range copies {
		if p.kind == kindData {
			data++
		}
	}
	switch {
	case have >= max(data, made):
		return ""
	case have == 1:
		return "1 copy"
	}
	return fmt.Sprintf("%d copies", have)
}

// asideDir has the data of copies that were replaced while they were away.
const asideDir = "aside"

// setAside moves a replica's data to where it is kept, the last one of a group.
func (f *folder) setAside(r localReplica) error {
	dir, name := filepath.Join(f.dir, asideDir), replicaName(r.shard, r.replica)
	from := filepath.Join(f.dir, groupsDir, name)
	entries, err := os.ReadDir(from)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil // a witness's, or aside already
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o750)
	}
	if err == nil {
		err = os.Rename(from, filepath.Join(dir, name))
	}
	if err != nil {
		return err
	}
	if err := errors.Join(syncDir(dir), syncDir(f.dir), syncDir(filepath.Dir(from))); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, strconv.FormatUint(r.shard, 10)+"-*"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if !strings.HasSuffix(path, string(filepath.Separator)+name) {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}
