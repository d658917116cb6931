package replay

import (
	"strings"
	"testing"

	"lockstep/engine/entry"
)

// Whatever of a transaction an entry was altered in, the replay is found different:
// ids, params, steps, the time, the schema's version. The proposer and the seed that
// nobody drew from are no part of any outcome.
func TestWhateverIsAlteredIsFound(t *testing.T) {
	n := newNode(t)
	n.record(false)
	n.schema(bank)
	n.batch(n.open("alice", 100), n.open("bob", 10))
	n.batch(n.transfer("alice", "bob", 7),
		n.item(`{"steps": [{"update": {"table": "accounts", "key": ["params.id"], "set": {"balance": "row.balance + 1"}}}], "params": {"id": "bob"}}`))
	wanted := n.index
	n.checkpoint(1, entry.ContentsNone)
	raw := n.done()
	// version and kind, proposer, sequence; then the time, then the seed.
	const origin, time, seed = 2, 2 + 8 + 1, 2 + 8 + 1 + 6
	size := 0
	altered(t, raw, func(index uint64, cmd []byte) {
		if index == wanted {
			size = len(cmd)
		}
	})
	for at := 0; at < size; at += 1 + size/24 {
		bad := altered(t, raw, func(index uint64, cmd []byte) {
			if index == wanted {
				cmd[at] ^= 4
			}
		})
		r, err := tryReplay(t, bad, Options{})
		ignored := at >= origin && at < time || at >= seed && at < seed+16
		switch {
		case err != nil && strings.Contains(err.Error(), "no copy ever holds"):
			t.Errorf("byte %d: %v", at, err)
		case err == nil && r.Equal != ignored:
			t.Errorf("byte %d of %d was altered: equal is %v", at, size, r.Equal)
		}
	}
}
