package history

import "time"

// The bounds of recordings, and why.
const (
	// Pace is how often a node's measurements are recorded where nothing else of it
	// changes.
	Pace = 10 * time.Second

	// Whole is how often everything is recorded anew, so that a recording can be
	// read from any point soon after.
	Whole = 10 * time.Minute

	// MaxLineBytes bounds one line: a thousand nodes with their labels.
	MaxLineBytes = 4 << 20

	// MaxRecords bounds what Read takes: some weeks of a busy cluster.
	MaxRecords = 2_000_000

	// MaxLogBytes bounds a Log where its owner names no other bound: some days of
	// a small cluster.
	MaxLogBytes = 16 << 20

	// MaxTasks bounds the tasks and slots of a group that are followed.
	MaxTasks = 1_000

	// MaxAssignments bounds what a report lists of one task and side; counts go on.
	MaxAssignments = 10_000

	// TimeStep is how often a back-test asks a policy again that looks at the time
	// where nothing else happens.
	TimeStep = time.Minute

	// MaxSteps bounds one task's decisions in a back-test: a year by the minute, or
	// as many changes of status.
	MaxSteps = 1_000_000
)
