package jobs

import "time"

const (
	// longestWait is how long the runner sleeps at the most: a clock that was set finds
	// its time soon enough.
	longestWait = time.Minute
	// recordTime bounds how long it is tried to record a run's end: a group without a
	// majority is back by then, or has other worries. recordPause lies between.
	recordTime  = 5 * time.Minute
	recordPause = 2 * time.Second
	// startPause is when a run is tried again whose beginning could not be recorded.
	startPause = 10 * time.Second
	// maxRedone is how often in a row a run is made up for that was interrupted: it may
	// be what its nodes die of.
	maxRedone = 3
)
