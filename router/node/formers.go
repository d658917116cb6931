package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// formersFile names the shards that groups had before they were rebuilt, as far as this
// node has heard of it. The catalog has the same; but one that starts may for a while
// know less of it than it did before, and where the catalog has no majority it goes on
// with that.
const formersFile = "formers.json"

// loadFormers finds, at a start, which shards must not be opened.
func (n *Node) loadFormers() error {
	path := filepath.Join(n.folder.dir, formersFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &n.formers)
	}
	if err != nil {
		return fmt.Errorf("%s says which groups were rebuilt, and can't be read: %w", path, err)
	}
	return nil
}

// noteFormers notes of which shards the catalog says that their groups were rebuilt.
func (n *Node) noteFormers(cat *catalog) error {
	n.mu.Lock()
	all := slices.Clone(n.formers)
	n.mu.Unlock()
	before := len(all)
	for _, g := range cat.groups {
		if g.origin == nil {
			continue
		}
		for _, shard := range append([]uint64{g.origin.Shard}, g.origin.Formers...) {
			if !slices.Contains(all, shard) {
				all = append(all, shard)
			}
		}
	}
	if len(all) == before {
		return nil
	}
	if err := n.folder.writeCheck(filepath.Join(n.folder.dir, formersFile), all, true); err != nil {
		return fmt.Errorf("note which groups were rebuilt: %w", err)
	}
	n.mu.Lock()
	n.formers = all
	n.mu.Unlock()
	return nil
}

// isFormer tells whether a group was rebuilt since it had this shard: nothing of that
// is opened again, whatever the catalog as it is known here says.
func (n *Node) isFormer(shard uint64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.formers, shard)
}
