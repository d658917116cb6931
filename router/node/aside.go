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
)

// sweepAside wipes what was kept aside of groups that were deleted, by what the
// cluster's catalog says now.
func (n *Node) sweepAside(ctx context.Context) error {
	dir := filepath.Join(n.folder.dir, asideDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for data that was put aside: %w", err)
	}
	over := slices.DeleteFunc(entries, func(e os.DirEntry) bool { return n.catalog.Load().had(e.Name()) })
	if len(over) == 0 {
		return nil
	}
	if err := n.CatchUp(ctx); err != nil {
		return err
	}
	cat := n.catalog.Load()
	if _, known := cat.node(n.id); !known {
		return nil
	}
	for _, e := range over {
		if cat.had(e.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("wipe what was put aside of a group that was deleted: %w", err)
		}
		n.cfg.Log.Info("data that was put aside was wiped: its group was deleted", "replica", e.Name())
	}
	return syncDir(dir)
}

// had tells whether a group has the shard of a replica of this name, or had it before
// it was rebuilt; a name that is of no replica is none of ours.
func (c *catalog) had(name string) bool {
	of, _, _ := strings.Cut(name, "-")
	shard, err := strconv.ParseUint(of, 10, 64)
	return err != nil || slices.ContainsFunc(c.groups, func(g groupRow) bool {
		return g.shard == shard || g.origin != nil && (g.origin.Shard == shard || slices.Contains(g.origin.Formers, shard))
	})
}
