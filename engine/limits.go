package engine

// Bounds and periods that every copy has to share: they are part of what the
// log means.
const (
	// keyRetentionMillis is for how long a client's key is kept, by the
	// retention clock (transactions.md, Exactly once), unless the group's settings
	// say otherwise: a day.
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
	// firstLanguage is the language version that every group begins with.
	firstLanguage = 1
	// maxSessions is how many router sessions are remembered; a window takes
	// 8 KiB of memory. A session unseen for a day goes anyway, or for the key
	// retention where that is longer.
	maxSessions = 1024
	// backfillRows, backfillBytes and backfillCost bound what one backfill of a
	// schema change looks at: rows, bytes of rows read and of index entries
	// written, and units of the language. Each stands for some 4 ms: apply time is
	// failover time, and other transactions wait meanwhile.
	backfillRows  = 2000
	backfillBytes = 1 << 20
	backfillCost  = 400_000
	// rowLookCost, entryPutCost and entryGetCost are what a row, an entry of an
	// index and a look-up in a unique one add to a backfill's cost: about 10 ns a
	// unit. entryReadCost is what a look-up costs once there are too many entries
	// for a filter to spare it: more than filteredRows rows, some 30 MiB.
	rowLookCost   = 100
	entryPutCost  = 150
	entryGetCost  = 100
	entryReadCost = 3000
	filteredRows  = 20_000_000
	// violationsKept is how many of the rows that break a schema change are kept
	// by name: enough to see what is wrong.
	violationsKept = 20
	// endsKept is how many ends of schema changes are remembered, for those who
	// wait for one at a copy that is behind.
	endsKept = 4
	// maxTasks is how many tasks of a group are remembered with their assignments,
	// all of them in memory; beyond it the one is forgotten that nobody has held for
	// longest. assignmentsKept is how many assignments of each are: enough to see
	// what went on, and 14 KB a task at the most.
	maxTasks        = 1024
	assignmentsKept = 32
	// maxKeyText is the longest text of a row's key in a violation, in bytes.
	maxKeyText = 256
)

// commitBytes is how much several entries may collect before they are committed,
// so that what is held in memory stays below the store's bound of a batch.
const commitBytes = 32 << 20

// overlaidRows is how many rows and index entries several entries may change
// before they are committed, so that a scan does not merge too many with the
// store's. As with commitBytes, when a commit falls changes no result.
const overlaidRows = 8_000

// gapSteps is from how many deleted keys passed over a scan remembers the place,
// some 50 µs, and maxGaps how many places are remembered.
const (
	gapSteps = 256
	maxGaps  = 64
)

// rowCacheBytes is the estimated memory that decoded hot rows may take in one
// copy. It changes no result, only how often the store is asked.
const rowCacheBytes = 64 << 20
