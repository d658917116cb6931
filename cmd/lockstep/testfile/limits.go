package testfile

// What bounds a file of tests: enough for any that people write, and an end to
// those that a mistake has made.
const (
	// MaxFileBytes is the largest file: as large as a transaction's document.
	MaxFileBytes = 4 << 20
	// MaxTests is the most tests of one file.
	MaxTests = 10_000
	// maxNodes is the most values that one part of a file may come to once its
	// aliases are followed: an alias to a list of aliases doubles with each line.
	maxNodes = 200_000
	// maxDepth is how deep they may nest.
	maxDepth = 64
	// maxProblems is how many mistakes of a file are told.
	maxProblems = 20
	// maxFailures is how many differences of one test are told.
	maxFailures = 50
	// maxShown is how much of a value a difference shows, in bytes.
	maxShown = 400
)
