package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/partition"
	"lockstep/engine/store"
	"lockstep/txlog"
)

// beginAnew begins groups anew that are rebuilt from a copy of this node (recover.go):
//
//   - the old replica is stopped,
//   - what its log has beyond its state is applied, and then the beginning of the
//     incarnation, all of it flushed,
//   - a log is made, under the group's new shard, that goes on after it,
//   - and the state is moved to its new name.
//
// After a crash each step is found done, or taken again: the last one's mark is the
// folder under the new name. From then on the replica is started like any other.
func (n *Node) beginAnew(ctx context.Context) error {
	cat := n.catalog.Load()
	for _, g := range cat.groups {
		p, mine := cat.partition(g.name, n.id)
		if !mine || g.origin == nil || g.origin.node != n.id || p.replica != p.first || n.folder.has(g.shard, p.replica) {
			continue
		}
		if c := n.copy(g.name); c != nil {
			if c.shard == g.shard {
				continue
			}
			if err := n.retire(ctx, c); err != nil {
				return err
			}
		}
		if err := n.moveToShard(ctx, g, p.replica); err != nil {
			return fmt.Errorf("begin group %s anew: %w", g.name, err)
		}
		n.cfg.Log.Info("a group begins anew with the copy of this node", "group", g.name, "incarnation", g.incarnation)
	}
	return nil
}

func (n *Node) moveToShard(ctx context.Context, g groupRow, replica uint64) error {
	old := g.origin
	if running, ok := n.host.Group(old.Shard); ok && running.Replica() == old.Replica {
		if err := n.host.StopGroup(ctx, old.Shard); err != nil && !errors.Is(err, txlog.ErrNoGroup) {
			return err
		}
	}
	if n.halted("tail of " + g.name) {
		return errors.New("halted")
	}
	_, term, err := n.host.LogEnd(old.Shard, old.Replica)
	if err != nil {
		return err
	}
	index, err := n.finishState(ctx, g)
	if err != nil {
		return err
	}
	if n.halted("begin " + g.name) {
		return errors.New("halted")
	}
	if err := n.host.Begin(g.shard, replica, index, max(term, 1)); err != nil {
		return err
	}
	if n.halted("move " + g.name) {
		return errors.New("halted")
	}
	return n.folder.rename(localReplica{old.Shard, old.Replica}, localReplica{g.shard, replica})
}

// finishState applies what the old log has beyond the old replica's state, and the
// beginning of the incarnation, and returns the index of the last entry that the state
// then has.
func (n *Node) finishState(ctx context.Context, g groupRow) (index uint64, err error) {
	old := g.origin
	var differs atomic.Bool
	part := partition.New(partition.Config{
		Group: g.name,
		Store: store.Options{
			Dir: filepath.Join(n.folder.dir, groupsDir, replicaName(old.Shard, old.Replica)), Cache: n.cache, Log: n.cfg.Log.With("group", g.name),
			MemTableBytes: store.MinMemTableBytes,
		},
		Env: n.env, Log: n.cfg.Log, Fatal: n.fatal, Applied: func([]engine.Applied) {}, Pacer: n.pacer,
		Diverged: func(partition.Finding) { differs.Store(true) },
	})
	if _, err := part.Open(ctx.Done()); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	at := part.Position()
	if at.Incarnation < g.incarnation {
		if err := n.host.ReadTail(ctx, old.Shard, old.Replica, at.Index, func(e entry.Raw) error {
			if len(e.Cmd) == 0 {
				return nil
			}
			return part.Apply([]entry.Raw{{Index: e.Index, Cmd: slices.Clone(e.Cmd)}})
		}); err != nil {
			// What was applied stays applied: a long tail takes several rounds.
			return 0, errors.Join(err, part.Flush())
		}
		if differs.Load() { // and passes over the rest, the incarnation too
			return 0, fmt.Errorf("the copy of group %s that it is to be rebuilt from: %w", g.name, partition.ErrDiverged)
		}
		last, _, err := n.host.LogEnd(old.Shard, old.Replica)
		if err != nil {
			return 0, err
		}
		begin := entry.Incarnation{TimeMillis: time.Now().UnixMilli(), Number: g.incarnation}
		next := max(last, part.Position().Index) + 1
		if err := part.Apply([]entry.Raw{{Index: next, Cmd: entry.AppendIncarnation(nil, &begin)}}); err != nil {
			return 0, err
		}
	}
	return part.Position().Index, part.Flush()
}

// has tells whether there is a folder of a replica's state.
func (f *folder) has(shard, replica uint64) bool {
	_, err := os.Stat(filepath.Join(f.dir, groupsDir, replicaName(shard, replica)))
	return err == nil
}

// rename gives a replica's state the name of another replica.
func (f *folder) rename(from, to localReplica) error {
	dir := filepath.Join(f.dir, groupsDir)
	if err := os.Rename(filepath.Join(dir, replicaName(from.shard, from.replica)), filepath.Join(dir, replicaName(to.shard, to.replica))); err != nil {
		return err
	}
	return syncDir(dir)
}

// seeds tells whether a replica's state is what a group is begun anew with, and has
// not been moved yet.
func (n *Node) seeds(cat *catalog, r localReplica) bool {
	return slices.ContainsFunc(cat.groups, func(g groupRow) bool {
		p, mine := cat.partition(g.name, n.id)
		return mine && g.origin != nil && g.origin.node == n.id && g.origin.Shard == r.shard && g.origin.Replica == r.replica && p.replica == p.first && !n.folder.has(g.shard, p.replica)
	})
}
