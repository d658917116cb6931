package router

import "time"

// Bounds of one request. Every figure has its reason; none can be raised by a
// client.
const (
	// maxDocumentBytes is the largest transaction or query
	// (interface.md, Errors: too_large).
	maxDocumentBytes = 4 << 20
	// maxSchemaBytes is the largest schema document.
	maxSchemaBytes = 1 << 20
	// maxAdminBytes is the largest document that describes a group.
	maxAdminBytes = 64 << 10
	// maxDrainBytes of a body that is refused are still read, so that the client
	// sees the refusal rather than a broken connection.
	maxDrainBytes = 16 << 20
	// drainTime is how long that reading may take.
	drainTime = 2 * time.Second
	// maxRequestIDBytes is the longest X-Request-Id that is echoed; a longer one
	// is replaced.
	maxRequestIDBytes = 128
	// maxForwardBytes is the largest answer taken from another node.
	maxForwardBytes = 64 << 20
)

// Bounds of a read.
const (
	// defaultPageRows is a page's size where no limit is asked for.
	defaultPageRows = 100
	// maxPageRows is the largest page.
	maxPageRows = 1000
	// maxConcurrentRounds of read-index may be under way for one group: a round
	// that was lost must not keep others from starting, nor may lost rounds pile
	// up.
	maxConcurrentRounds = 4
	// roundTicks without an answer start another round (architecture.md, Reads).
	roundTicks = 10
	// roundTime ends a round that nobody will answer any more.
	roundTime = 3 * time.Second
	// maxConsistencyLag is the longest max_lag_ms that is accepted.
	maxConsistencyLag = time.Hour
)

// maxHeavyWaiting queries wait for a place among the heavy ones that run; each
// keeps its snapshot from being reclaimed meanwhile.
const maxHeavyWaiting = 64

// Bounds of a recording.
const (
	// MaxExportFollow is the longest that a recording may follow what happens.
	MaxExportFollow = 24 * time.Hour
	// exportRate is how many bytes a second a client has to take on the average, and
	// exportPatience how much longer it may take over all: whoever is slower holds
	// the node's disk for too long.
	exportRate     = 1 << 20
	exportPatience = 30 * time.Second
)

// Bounds of a stream of transactions (application/x-ndjson).
const (
	// maxStreamLines of one stream are under way at once: enough to fill entries
	// over a round trip of 10 ms at 100,000 a second.
	maxStreamLines = 1024
	// firstStreamLines may be under way before the first answer shows how large
	// answers are; the window then grows by a line an answer.
	firstStreamLines = 128
	// minStreamLines stay under way however large answers are.
	minStreamLines = 8
	// maxStreamBytes of lines and of answers not yet taken are held for one stream.
	maxStreamBytes = 8 << 20
	// streamReadBytes is the buffer that lines are read through.
	streamReadBytes = 32 << 10
	// streamFlushBytes of answers are sent together at most.
	streamFlushBytes = 32 << 10
	// streamLinger is how long finished answers wait for the next one, so that
	// answers to lines that were ordered together leave in one write.
	streamLinger = 2 * time.Millisecond
	// forwardLines and forwardLineBytes bound what a node without a copy sends on
	// at a time.
	forwardLines     = 512
	forwardLineBytes = 1 << 20
)

// Bounds of what is advised under contention.
const (
	// contentionRows are told apart by hash; two that share a place share their
	// turns, which costs them some waiting.
	contentionRows = 1024
	// contentionMemory is the part of the moving median of how long a transaction
	// takes by which one outcome moves it.
	contentionMemory = 32
	// contentionLook is how often a router's share of the group's transactions
	// is estimated anew, and maxShare how small it is taken to be at most.
	contentionLook = 100 * time.Millisecond
	maxShare       = 8.0
	// minTurn and maxTurn bound the time between two turns on a row.
	minTurn = time.Millisecond
	maxTurn = 250 * time.Millisecond
	// maxAdvice is the longest wait that is advised: beyond it clients do better
	// to compete.
	maxAdvice = time.Second
)

// Bounds of waiting.
const (
	// schemaGrace is how long a server that stops waits for a schema change: one that
	// looks at few rows holds by then, another may take hours.
	schemaGrace = 500 * time.Millisecond
	// answerGrace is how long after its deadline an ordered transaction's answer
	// is still waited for: whoever orders it keeps the deadline itself, and knows
	// more than "unknown".
	answerGrace = 250 * time.Millisecond
	// maxReadAttempts is how many copies are asked for one read at most.
	maxReadAttempts = 4
	// busyQueries is how many queries for each place of a heavy one are open here
	// before others than this node's copy are thought of: fewer are done sooner than
	// a hop.
	busyQueries = 4
	// localPatience is how long a read waits for this node's copy before another
	// node's is asked.
	localPatience = time.Second
	// retryPauseMin and retryPauseMax bound the pause before a line of a stream
	// that met a full queue is offered again.
	retryPauseMin = 2 * time.Millisecond
	retryPauseMax = 100 * time.Millisecond
	// maxTimeout is the longest deadline that a client may ask for.
	maxTimeout = 10 * time.Minute
)

// Bounds of what Retry-After advises; the header has whole seconds, the document
// milliseconds where they say more.
const (
	// minAdvice is the least: sooner a client only adds to what there is.
	minAdvice = 20 * time.Millisecond
	// maxBacklogAdvice is the most after a queue that was full: by then its length
	// says nothing any more.
	maxBacklogAdvice = 30 * time.Second
	// laterAdvice is for what passes nobody knows when.
	laterAdvice = time.Second
	// divergedAdvice and diskAdvice are for what ends when copies were compared
	// anew, or a disk has room: whoever waits for that looks every few seconds.
	divergedAdvice = 2 * time.Second
	diskAdvice     = 5 * time.Second
)
