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
)
