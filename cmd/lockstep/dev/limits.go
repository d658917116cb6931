package dev

import "time"

const (
	// DefaultNodes is the smallest cluster that survives the loss of one.
	DefaultNodes = 3
	// DefaultPort is of the first node's HTTP.
	DefaultPort = 7400
	// DefaultGroup is the group that is made.
	DefaultGroup = "bank"

	// raftOffset lies between a node's HTTP port and its port for other nodes.
	raftOffset = 100
	// maxNodes keeps HTTP ports below the others.
	maxNodes = raftOffset
	// controlTries is how many ports after the nodes' are tried for the control
	// listener.
	controlTries = 50

	// startTime bounds making a cluster and waiting until it is ready: a second
	// or two as a rule; a machine that is busy compiling takes longer.
	startTime = 2 * time.Minute
	// restartTime bounds dev restart, which may have a long log to execute again.
	restartTime = 90 * time.Second
	// stopTime is how long a child may take to stop before it is killed.
	stopTime = 15 * time.Second
	// pollEvery is the pause between looks at something that should come soon.
	pollEvery = 20 * time.Millisecond
	// requestTime bounds one such look.
	requestTime = 5 * time.Second

	// firstRespawn and longestRespawn bound the pause before a child that ended is
	// started again (--restart); it doubles each time, and is forgotten after
	// steadyAfter of running.
	firstRespawn   = 200 * time.Millisecond
	longestRespawn = 10 * time.Second
	steadyAfter    = 30 * time.Second

	// tailBytes of a log are shown where a child ends before it is ready, found
	// among the last searchedBytes.
	tailBytes     = 2000
	searchedBytes = 1 << 20
)
