package store

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// closedBias is subtracted from a contents' count of users when it is closed:
// a negative count turns newcomers away, and the bias alone means none is left.
const closedBias = 1 << 40

// contents is one open database with everything that depends on it. A store has
// one at a time; a recovery replaces it.
type contents struct {
	db   *pebble.DB
	dir  string
	fail *failure

	users   atomic.Int64  // operations under way
	drained chan struct{} // told when the last user leaves after closing
	reason  error         // why it was closed; set before users turns negative

	mu       sync.Mutex
	children map[child]struct{} // open snapshots and iterators

	write writeState
}

// child is a snapshot or an iterator: it must be closed before its database.
type child interface{ release(reason error) }

func newContents(db *pebble.DB, dir string, fail *failure) *contents {
	return &contents{
		db: db, dir: dir, fail: fail,
		drained:  make(chan struct{}, 1),
		children: make(map[child]struct{}),
	}
}

// enter announces an operation; false means that the contents are closed.
func (c *contents) enter() bool {
	if c.users.Add(1) > 0 {
		return true
	}
	c.leave()
	return false
}

// leave ends an operation announced by enter.
func (c *contents) leave() {
	if c.users.Add(-1) == -closedBias {
		select {
		case c.drained <- struct{}{}:
		default:
		}
	}
}

// adopt registers an open child; the caller has entered.
func (c *contents) adopt(ch child) {
	c.mu.Lock()
	c.children[ch] = struct{}{}
	c.mu.Unlock()
}

// disown forgets a child that its user has closed.
func (c *contents) disown(ch child) {
	c.mu.Lock()
	delete(c.children, ch)
	c.mu.Unlock()
}

// close turns newcomers away with reason, waits for the operations under way,
// closes what is open, then the database. It is called once.
func (c *contents) close(reason error) error {
	c.reason = reason
	close(c.fail.closing)
	if c.users.Add(-closedBias) != -closedBias {
		<-c.drained
	}
	c.mu.Lock()
	open := make([]child, 0, len(c.children))
	for ch := range c.children {
		open = append(open, ch)
	}
	c.mu.Unlock()
	for _, ch := range open {
		ch.release(reason)
	}
	err := c.db.Close()
	if c.fail.err() != nil {
		return nil // reported already; what Close complains of is its consequence
	}
	return err
}
