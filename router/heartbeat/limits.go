package heartbeat

import "time"

// Bounds, with the reason for each.
const (
	// maxHears is the most members that a frame tells of: as many as a watch has.
	maxHears = 256
	// maxName is the longest name of a node, in bytes.
	maxName = 255
	// maxReport is the largest report: a thousand groups.
	maxReport = 4 << 20
	// dialWait bounds one attempt to reach a peer; dialPause lies between two, so
	// that a node that is away costs nothing to speak of.
	dialWait  = 2 * time.Second
	dialPause = 250 * time.Millisecond
	// quiet is after how long a connection without frames is given up by its
	// receiver: its sender has gone without a word, and will dial again if not.
	quiet = 2 * time.Minute
	// reportEvery is how often a report goes out even if it is the same: whoever
	// missed it, whatever the cause, has it soon.
	reportEvery = 10 * time.Second
	// slowest is the longest pause between two looks at who is there.
	slowest = 200 * time.Millisecond
)
