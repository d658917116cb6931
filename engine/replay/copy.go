package replay

import (
	"fmt"
	"path/filepath"
	"sync/atomic"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/partition"
	"lockstep/engine/store"
)

// replica is a copy that lives through a recording.
type replica struct {
	*partition.Partition
	done  []engine.Applied // of the entries applied last
	fatal atomic.Pointer[error]
}

// openReplica makes an empty copy in a folder of its own.
func (r *run) openReplica(name string) (*replica, error) {
	c := &replica{}
	c.Partition = partition.New(partition.Config{
		Group: r.report.Group, Env: r.opt.Env, Everyone: true,
		Store: store.Options{
			Dir: filepath.Join(r.opt.Dir, name), Cache: r.cache, MemTableBytes: memTableBytes,
		},
		Applied: func(done []engine.Applied) { c.done = append(c.done, done...) },
		// Whoever applies waits for the end once it can't go on: it is ended.
		Fatal: func(err error) {
			c.fatal.Store(&err)
			go func() { _ = c.Close() }()
		},
	})
	if _, err := c.Open(nil); err != nil {
		return nil, err
	}
	return c, nil
}

// apply executes entries and returns what became of each that says so, in order.
func (c *replica) apply(entries ...entry.Raw) ([]engine.Applied, error) {
	c.done = c.done[:0]
	if err := c.Apply(entries); err != nil {
		if first := c.fatal.Load(); first != nil {
			err = *first
		}
		return nil, fmt.Errorf("execute entries %d to %d: %w", entries[0].Index, entries[len(entries)-1].Index, err)
	}
	return c.done, nil
}

// content digests the whole content as it is now.
func (c *replica) content() ([32]byte, error) {
	f, err := c.Freeze()
	if err != nil {
		return [32]byte{}, err
	}
	defer f.Close()
	return f.Content(nil)
}
