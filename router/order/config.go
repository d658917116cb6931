package order

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"time"

	"lockstep/engine/entry"
)

// Result is what the log says of an entry that it had accepted.
type Result byte

// The results of a proposal.
const (
	// Committed: the entry is in the log; Applied follows where it is executed.
	Committed Result = 1
	// Dropped: the entry was certainly never proposed.
	Dropped Result = 2
	// Unknown: it may or may not be in the log now or later.
	Unknown Result = 3
)

// Log is a group's log as seen from this node.
type Log interface {
	// Propose hands an entry to the log without waiting; cmd may be used again
	// when it has returned. It may succeed only where this node is the leader. An
	// error means that the entry was certainly not proposed; ErrLogTooLarge that
	// it never can be. After a nil error done is called at most once, from any
	// goroutine, also before Propose returns; it does not block.
	Propose(cmd []byte, done func(Result)) error
	// Leader is the leader last heard of and its term. A false ok means that
	// there is none at present.
	Leader() (node, term uint64, ok bool)
	// Watch has changed called after each change of what Leader answers, on a
	// goroutine that may take the time to propose, until cancel is called.
	Watch(changed func()) (cancel func())
}

// Conn is a connection of frames between two nodes.
type Conn interface {
	// WriteFrame buffers one frame and copies its bytes.
	WriteFrame(b []byte) error
	// Flush sends what is buffered.
	Flush() error
	// ReadFrame waits for a frame, whose bytes belong to the caller.
	ReadFrame() ([]byte, error)
	// Close ends the connection and makes reads and writes fail.
	Close() error
}

// Peers reaches the other nodes' Switch.
type Peers interface {
	Dial(ctx context.Context, node uint64) (Conn, error)
}

// Config of an Orderer. Zero figures stand for the defaults of limits.go.
type Config struct {
	// Group is the group's name, which peers must have under the same one.
	Group string
	// Self is this node, as Log.Leader names it.
	Self uint64
	// Session is this router's session: drawn at random at every start, never
	// zero. The ids made here and the entries proposed here carry it.
	Session uint64
	// Log is the group's log.
	Log Log
	// Peers reaches other nodes. Nil: a node alone.
	Peers Peers
	// Now is the clock; entries are stamped with it. Nil: time.Now.
	Now func() time.Time
	// Seed draws the seed of an entry's random values. Nil: crypto/rand.
	Seed func() [16]byte
	// Held tells whether the group takes no changes at present, for no majority of
	// its copies agrees. It is asked at each request. Nil: never.
	Held func() bool
	// Lead is asked, each time that this node becomes the primary in a new term, for
	// an entry that goes before all that waits: not a transaction. It is called under
	// a lock: it must neither block nor call the Orderer. Its Done is called like
	// that of any request. Nil, or nil returned: there is none.
	Lead func(term uint64) *Request
	// Logger hears about connections that fail. Nil: nobody does.
	Logger *slog.Logger

	// Pipeline is how many entries may be in flight at once. Raise it where a
	// round of the log is long (nodes far apart).
	Pipeline int
	// BatchItems, BatchBytes and BatchCost close an entry.
	BatchItems int
	BatchBytes int
	BatchCost  uint64
	// Requests and RequestBytes bound what is under way from this node's clients.
	Requests     int
	RequestBytes int
	// Foreign and ForeignBytes bound what peers have waiting here.
	Foreign      int
	ForeignBytes int
	// Tick is the clock's step.
	Tick time.Duration
	// Stall is after how long an unanswered entry is proposed again.
	Stall time.Duration
	// Silence is after how long a silent connection is given up.
	Silence time.Duration
}

func (c *Config) defaults() {
	fill(&c.Pipeline, DefaultPipeline)
	fill(&c.BatchItems, DefaultBatchItems)
	fill(&c.BatchBytes, DefaultBatchBytes)
	fill(&c.BatchCost, DefaultBatchCost)
	fill(&c.Requests, DefaultRequests)
	fill(&c.RequestBytes, DefaultRequestBytes)
	fill(&c.Foreign, DefaultForeign)
	fill(&c.ForeignBytes, DefaultForeignBytes)
	fill(&c.Tick, DefaultTick)
	fill(&c.Stall, DefaultStall)
	fill(&c.Silence, DefaultSilence)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Seed == nil {
		c.Seed = randomSeed
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func randomSeed() (seed [16]byte) {
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the process instead
	return seed
}

// Validate names the first field that can't be used, and the remedy.
func (c *Config) Validate() error {
	switch {
	case c.Group == "" || len(c.Group) > groupNameBytes:
		return fmt.Errorf("order: Group has %d bytes; give the group's name, 1 to %d bytes", len(c.Group), groupNameBytes)
	case c.Self == 0:
		return fmt.Errorf("order: Self is zero; give this node's id")
	case c.Session == 0:
		return fmt.Errorf("order: Session is zero; draw one at random at each start")
	case c.Log == nil:
		return fmt.Errorf("order: Log is missing")
	case c.Pipeline < 0 || c.Requests < 0 || c.RequestBytes < 0 || c.Foreign < 0 || c.ForeignBytes < 0:
		return fmt.Errorf("order: Pipeline and the bounds of what is under way must be positive, or zero for the default")
	case c.Requests > counterSpan:
		return fmt.Errorf("order: Requests is %d; at most %d ids may be under way", c.Requests, counterSpan)
	case c.BatchItems < 0 || c.BatchItems > entry.MaxItems:
		return fmt.Errorf("order: BatchItems is %d; an entry holds 1 to %d", c.BatchItems, entry.MaxItems)
	case c.BatchBytes < 0 || c.BatchBytes > entry.MaxBytes-maxItem:
		return fmt.Errorf("order: BatchBytes is %d; at most %d leave room for a last item", c.BatchBytes, entry.MaxBytes-maxItem)
	case c.Tick < 0 || c.Stall < 0 || c.Silence < 0 || (c.Tick != 0 && c.Tick < time.Millisecond):
		return fmt.Errorf("order: Tick must be at least a millisecond, Stall and Silence positive")
	}
	return nil
}
