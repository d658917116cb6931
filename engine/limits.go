package engine

// Bounds and periods that every copy has to share: they are part of what the
// log means.
const (
	// keyRetentionMillis is for how long a client's key is kept, by the
	// retention clock (transactions.md, Exactly once): a day.
	keyRetentionMillis = 24 * 60 * 60 * 1000
	// keyBytes is the share of disk that outcomes may fill before the oldest go.
	keyBytes = 4 << 30
	// bucketsKept is into how many spans the retention is cut. More make the
	// window that is kept more even; each costs a look-up per new client's key.
	bucketsKept = 8
	// maxClockStepMillis is the most by which one entry advances the retention
	// clock, so that a stamp from a clock that jumped can drop nothing early.
	maxClockStepMillis = 1000
	// entryCost and entryBytes are what one entry's items may take together, in
	// units of the language and in bytes of outcomes, rows and index entries. What
	// comes after is deferred. They bound what no proposer can foresee: apply time
	// is failover time, and an entry that a store could not take would stop every
	// copy for good. The first item is always executed.
	entryCost  = 2_500_000
	entryBytes = 32 << 20
	// sourceCost is what a byte of an inline transaction's source adds to its
	// entry's cost, for some copy may have to compile it: about a microsecond.
	sourceCost = 100
	// idleCost is what an item costs that is not executed.
	idleCost = 50
	// feedMillis and feedBytes are for how long and how much of the change feed is
	// kept, by the retention clock; it goes in feedSegments pieces.
	feedMillis   = 60 * 60 * 1000
	feedBytes    = 1 << 30
	feedSegments = 16
	// maxSessions is how many router sessions are remembered; a window takes
	// 8 KiB of memory. A session unseen for the key retention goes anyway.
	maxSessions = 1024
	// maxRowsInspected is how many existing rows a schema change may have to
	// look at within its one entry: about 50 ms of every copy's apply time.
	maxRowsInspected = 20_000
)

// commitBytes is how much several entries may collect before they are committed,
// so that what is held in memory stays below the store's bound of a batch.
const commitBytes = 32 << 20

// rowCacheBytes is the estimated memory that decoded hot rows may take in one
// copy. It changes no result, only how often the store is asked.
const rowCacheBytes = 64 << 20
