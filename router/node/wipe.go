package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lockstep/txlog"
)

// localReplica is a replica of which this node has something on its disk.
type localReplica struct{ shard, replica uint64 }

// dropOld ends this node's part in groups that it has no copy of any more, and wipes
// what is on disk of it. Each step is found missing and taken after a crash: the
// folder of a copy goes last, and names what is to be wiped.
func (n *Node) dropOld(ctx context.Context) error {
	cat := n.catalog.Load()
	if n.swept.Load() == cat.revision+1 {
		return nil
	}
	found, err := n.folder.replicas()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(r localReplica) bool { return !n.keeps(cat, r) }) {
		// After a start the catalog's copy may be behind what this node has acted on
		// before: only what the cluster's catalog says now ends a copy.
		if err := n.CatchUp(ctx); err != nil {
			return err
		}
		cat = n.catalog.Load()
	}
	if _, known := cat.node(n.id); !known {
		return nil // it says nothing of this node yet, or any more: no ground to wipe anything
	}
	for _, c := range n.allCopies() {
		if c.name != systemGroup && !n.keeps(cat, localReplica{c.shard, c.log.Replica()}) {
			if err := n.retire(ctx, c); err != nil {
				return err
			}
		}
	}
	var kept []uint64
	var errs []error
	for _, r := range found {
		if n.keeps(cat, r) {
			continue
		}
		if err := n.wipe(ctx, r); err != nil {
			errs, kept = append(errs, err), append(kept, r.shard)
		}
	}
	if err := n.sweepAside(ctx); err != nil {
		errs = append(errs, err)
	}
	n.mu.Lock()
	n.kept = kept
	n.mu.Unlock()
	if len(errs) == 0 {
		n.swept.Store(cat.revision + 1)
	}
	return errors.Join(errs...)
}

// keeps tells whether what is on disk of a replica stays: the catalog has it here, or
// it is evidence against a replica that was replaced here.
func (n *Node) keeps(cat *catalog, r localReplica) bool {
	if n.seeds(cat, r) {
		return true
	}
	if r.shard == systemShard {
		return r.replica == n.folder.id.System
	}
	i := slices.IndexFunc(cat.groups, func(g groupRow) bool { return g.shard == r.shard })
	if i < 0 {
		return false
	}
	p, mine := cat.partition(cat.groups[i].name, n.id)
	n.mu.Lock()
	defer n.mu.Unlock()
	// One that is away may still have its vote: when it is out, the catalog gives it
	// another replica (package lastcopy).
	return mine && (p.replica == r.replica || n.condemned[replicaName(r.shard, r.replica)])
}

// retire stops a copy that has left its group, or whose group is gone. Requests that
// wait for it are answered, or sent on under their ids.
func (n *Node) retire(ctx context.Context, c *copyOf) error {
	n.mu.Lock()
	if n.copies[c.name] == c {
		delete(n.copies, c.name)
	}
	n.mu.Unlock()
	n.guarding.Lock()
	if g := n.guards[c.name]; g != nil {
		g.end()
		delete(n.guards, c.name)
	}
	n.guarding.Unlock()
	ctx, cancel := context.WithTimeout(ctx, silenceWait)
	defer cancel()
	if err := c.orderer.Load().Close(ctx); err != nil {
		n.cfg.Log.Info("some requests were not answered before the copy was removed", "group", c.name, "reason", err)
	}
	if n.halted("stop " + c.name) {
		return errors.New("halted")
	}
	if err := n.host.StopGroup(ctx, c.shard); err != nil && !errors.Is(err, txlog.ErrNoGroup) {
		return fmt.Errorf("stop a copy that is removed: %w", err)
	}
	n.cfg.Log.Info("a copy has left", "group", c.name, "replica", c.log.Replica())
	return nil
}

// wipe removes a replica's log, what is known of it, and its data, in this order.
func (n *Node) wipe(ctx context.Context, r localReplica) error {
	name := replicaName(r.shard, r.replica)
	if g, ok := n.host.Group(r.shard); ok && g.Replica() == r.replica {
		if err := n.host.StopGroup(ctx, r.shard); err != nil {
			return fmt.Errorf("stop the copy %s, which is to be wiped: %w", name, err)
		}
	}
	if n.host.HasData(r.shard, r.replica) {
		ctx, cancel := context.WithTimeout(ctx, silenceWait)
		defer cancel()
		if err := n.host.RemoveData(ctx, r.shard, r.replica); err != nil {
			return fmt.Errorf("wipe the copy %s: %w", name, err)
		}
	}
	if n.halted("wipe " + name) {
		return errors.New("halted")
	}
	if n.comesBack(r) {
		if err := n.folder.setAside(r); err != nil {
			return fmt.Errorf("keep the data of the copy %s aside: %w", name, err)
		}
	}
	if err := n.folder.wipe(r); err != nil {
		return fmt.Errorf("wipe the copy %s: %w", name, err)
	}
	n.mu.Lock()
	n.evidence = slices.DeleteFunc(n.evidence, func(e *Evidence) bool { return e.Shard == r.shard && e.Replica == r.replica })
	n.mu.Unlock()
	n.cfg.Log.Info("a copy was wiped", "shard", r.shard, "replica", r.replica)
	return nil
}

// waitsForWipe tells whether something is still on disk of a former replica of a
// shard, not counting evidence: its successor is opened afterwards.
func (n *Node) waitsForWipe(shard uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.kept, shard)
}

// replicas finds of which replicas there is something in the folder.
func (f *folder) replicas() ([]localReplica, error) {
	var found []localReplica
	for _, dir := range []string{groupsDir, checksDir} {
		entries, err := os.ReadDir(filepath.Join(f.dir, dir))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("look for copies on disk: %w", err)
		}
		for _, e := range entries {
			name, _, _ := strings.Cut(e.Name(), ".")
			shard, replica, ok := strings.Cut(name, "-")
			s, err1 := strconv.ParseUint(shard, 10, 64)
			r, err2 := strconv.ParseUint(replica, 10, 64)
			if one := (localReplica{s, r}); ok && err1 == nil && err2 == nil && !slices.Contains(found, one) {
				found = append(found, one)
			}
		}
	}
	return found, nil
}

// wipe removes what the folder has of a replica, its data last.
func (f *folder) wipe(r localReplica) error {
	name := replicaName(r.shard, r.replica)
	checks, err := filepath.Glob(filepath.Join(f.dir, checksDir, name+".*"))
	if err != nil {
		return err
	}
	for _, path := range append(checks, filepath.Join(f.dir, groupsDir, name)) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	dir := filepath.Join(f.dir, groupsDir)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return syncDir(dir)
}
