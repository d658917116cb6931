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
	// maxSessions is how many router sessions are remembered; a window takes
	// 8 KiB of memory. A session unseen for the key retention goes anyway.
	maxSessions = 1024
	// maxRowsInspected is how many existing rows a schema change may have to
	// look at within its one entry: about 50 ms of every copy's apply time.
	maxRowsInspected = 20_000
)

// rowCacheBytes is the estimated memory that decoded hot rows may take in one
// copy. It changes no result, only how often the store is asked.
const rowCacheBytes = 64 << 20
