package order

import (
	"time"

	"lockstep/engine/entry"
)

// Defaults of Config, each with its reason.
const (
	// DefaultPipeline is how many entries are in flight. Two keep the disk busy
	// while the entry before is executed; more make entries smaller, and on few
	// cores every entry costs as much as dozens of transactions.
	DefaultPipeline = 2
	// DefaultBatchItems bounds the transactions of an entry: at 2 µs each they
	// stay below the 10 ms of applying that may delay an election.
	DefaultBatchItems = 4096
	// DefaultBatchBytes closes an entry (architecture.md: at 4 MiB).
	DefaultBatchBytes = 4 << 20
	// DefaultBatchCost closes an entry at the summed bound of cost, in the
	// language's units, of about 10 ms of applying.
	DefaultBatchCost = 1_000_000
	// DefaultRequests bounds the requests under way that came in at this node.
	// At the rate of a busy group it is well under a second of work.
	DefaultRequests = 16_384
	// DefaultRequestBytes bounds the memory of those requests.
	DefaultRequestBytes = 64 << 20
	// DefaultForeign bounds the requests that peers have waiting here.
	DefaultForeign = 32_768
	// DefaultForeignBytes bounds the memory of those.
	DefaultForeignBytes = 64 << 20
	// DefaultTick is the clock's step: the precision of deadlines, and how soon
	// what was refused for a moment is tried again.
	DefaultTick = 5 * time.Millisecond
	// DefaultStall is after how long an entry of which nothing was heard is
	// proposed again in the same term. The log loses proposals silently only
	// in rare cases, and a second entry costs a round: it may be long.
	DefaultStall = 5 * time.Second
	// DefaultSilence is after how long without a sign of life a connection with
	// unanswered requests is given up. A quarter of it passes before it is asked.
	DefaultSilence = time.Second
)

const (
	// itemOverhead is what a request is counted for beside its own bytes.
	itemOverhead = 128
	// counterSpan is how far apart the numbers of this router's ids under way
	// may be. It is half of the window that the replicated state keeps
	// (outcome.WindowSize): the other half is room for requests that are typed
	// anew and ordered again under their number.
	counterSpan = 1 << 15
	// frameItems and frameBytes close a frame to a peer: large enough that a
	// frame's fixed cost vanishes, small enough not to delay what follows.
	frameItems = 2048
	frameBytes = 1 << 20
	// framesKept is how many written frames of answers are kept to be used again.
	framesKept = 4
	// wheelSlots is the number of ticks that deadlines are sorted into; those
	// further away are looked at once a turn (20 s at the default tick).
	wheelSlots = 4096
	// idleTicks is after how many ticks without work the clock stops.
	idleTicks = 40
	// freeObjects bounds the pools of reused objects.
	freeObjects = 8192
	// entriesKept and entriesKeptBytes bound the memory of entries that is kept to
	// be used again: that of those being handed over at one time.
	entriesKept      = 4
	entriesKeptBytes = 1 << 20
	// entryRoomMin is the least memory taken for an entry, to fit the next one too.
	entryRoomMin = 64 << 10
	// ghostAge is for how long an entry that was superseded is remembered, for
	// it may still be applied and answer its requests sooner than its successor.
	ghostAge = 30 * time.Second
	// ghosts bounds the number of those.
	ghosts = 256
	// paceMillis is how often the rate of answers is looked at while requests are
	// under way: many rounds of the log. One that is older than paceStale says
	// nothing of the present.
	paceMillis = 100
	paceStale  = 1000
	// backlogMillis bounds what a backlog is said to take, an hour, whatever the
	// rate.
	backlogMillis = 3600 * 1000
	// dialTimeout bounds one attempt to connect to the primary.
	dialTimeout = time.Second
	// dialBackoffMin and dialBackoffMax bound the wait after a failed attempt.
	dialBackoffMin = 5 * time.Millisecond
	dialBackoffMax = 200 * time.Millisecond
	// maxTimeoutMillis bounds the deadline that a peer may name: an hour.
	maxTimeoutMillis = 3600 * 1000
	// maxItem is the largest encoded transaction or schema change accepted.
	maxItem = entry.MaxItemBytes
	// groupNameBytes bounds the name in a connection's first frame.
	groupNameBytes = 255
)
