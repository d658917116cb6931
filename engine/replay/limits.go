package replay

// Bounds of a replay, which runs beside other things on somebody's machine.
const (
	// cacheBytes is the block cache of a replay, memtables included.
	cacheBytes = 256 << 20
	// memTableBytes is a store's write buffer: larger ones make fewer files.
	memTableBytes = 32 << 20
	// applyBytes and applyEntries are how much is executed between two commits.
	applyBytes   = 1 << 20
	applyEntries = 256
	// checkpointsKept is of how many checkpoints the digest is remembered until
	// their verdicts come, which is within a few of them: as many as a copy remembers
	// (package partition), which is asked for contents.
	checkpointsKept = 64
)

// Bounds of a report.
const (
	// DefaultExamples are shown of each kind of difference.
	DefaultExamples = 3
	// MaxExamples is the most that can be asked for.
	MaxExamples = 1000
	// maxKinds of differing outcomes are told apart; the rest are counted together.
	maxKinds = 500
	// maxShownBytes of one value are shown: an outcome's result, params, a row.
	maxShownBytes = 16 << 10
)
