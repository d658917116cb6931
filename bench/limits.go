package bench

import "time"

// Of the cluster that bench starts.
const (
	// clusterNodes is the smallest cluster that survives the loss of one.
	clusterNodes = 3
	// firstPort and lastPort bound the search for free ports: below those that
	// systems give out by themselves, so that a port stays free while its
	// process is down.
	firstPort = 27400
	lastPort  = 32000
	// apartHTTP and apartRaft are the ports of nodes in namespaces of their own,
	// where all are free.
	apartHTTP = 7400
	apartRaft = 7500
	// startTime bounds starting a cluster, restarting nodes and waiting until
	// all are ready: seconds as a rule, more on a machine that is busy.
	startTime = 2 * time.Minute
	// stopTime is how long a process may take to stop before it is killed.
	stopTime = 10 * time.Second
	// pollEvery is the pause between looks at something that should come soon.
	pollEvery = 10 * time.Millisecond
	// watchEvery is the pause between looks at whether all processes run.
	watchEvery = 100 * time.Millisecond
	// probeTime bounds one look.
	probeTime = 2 * time.Second
	// tailBytes of a node's log are shown where it ended by itself.
	tailBytes = 3000
)

// Of requests.
const (
	// attemptTime is what a node is told that it has for one attempt; a failover
	// takes well under a second, so a node that needs longer is stopped or cut
	// off, and the client goes to the next.
	attemptTime = 5 * time.Second
	// attemptGrace is how much longer the client waits than it told the node, so
	// that the node's verdict arrives rather than a cut connection.
	attemptGrace = 500 * time.Millisecond
	// dialTime bounds making a connection on what is mostly one machine.
	dialTime = time.Second
	// firstPause and longestPause bound the pause between rounds of attempts.
	// They are short, for what a client waits is part of the gap it sees.
	firstPause   = time.Millisecond
	longestPause = 20 * time.Millisecond
	// patience is how long one request may go without a definite answer before
	// the run is given up: longer than any recovery.
	patience = 90 * time.Second
	// maxAnswerBytes of one answer are read: a batch's answers are some 200
	// bytes a line, a page of rows less than 300 a row.
	maxAnswerBytes = 16 << 20
	// MaxBatch lines go into one request. The client writes a request whole
	// before it reads, so both sides' socket buffers must hold a batch.
	MaxBatch = 5000
)

// Of the work.
const (
	// firstBalance of an account. A thousand transfers in a row from one account
	// don't empty it, so that hardly one is refused.
	firstBalance = 100_000
	// maxAmount of a transfer.
	maxAmount = 100
	// loadBatch accounts are opened by one request, and loadConnections at a time.
	loadBatch       = 500
	loadConnections = 4
	// pageRows of a table are read at a time: the most that a page has.
	pageRows = 1000
	// maxResend is how many acknowledged ids a measuring run sends again at its
	// end: checking must not take longer than measuring.
	maxResend = 200_000
	// resendBatch ids are sent again by one request.
	resendBatch = 500
	// yardstickTime is how long the empty handler is measured at most.
	yardstickTime = 3 * time.Second
	// maxReported anomalies of a kind are told; one is enough to fail.
	maxReported = 5
)

// Of faults.
const (
	// settleTime lies between a recovery and the next fault, so that one gap does
	// not run into the next.
	settleTime = time.Second
	// recoveryTime is how long commits may stay away after a fault before the run
	// is given up.
	recoveryTime = 60 * time.Second
	// pauseTime is how long a paused process stays paused: well over any election.
	pauseTime = 2 * time.Second
	// drainTime bounds the drain of a node without its copies: a handover of each group
	// that it leads.
	drainTime = 30 * time.Second
	// handoverTime bounds a planned handover, which takes milliseconds.
	handoverTime = 15 * time.Second
	// gapTime is how long after a fault the longest gap is looked for.
	gapTime = 1500 * time.Millisecond
)

// Of network faults.
const (
	// shortestFault lasts long enough for an election of the wan profile.
	shortestFault = time.Second
	// longestFault keeps transactions waiting for less than a client's patience.
	longestFault = time.Minute
	// shortestFlap is above what a look at a link takes on a busy machine.
	shortestFlap = 10 * time.Millisecond
	// sightAfter is the share of a fault's time after which status is asked for:
	// what is noticed late should have been.
	sightAfter = 0.8
)

// Of a day.
const (
	// dayNodes are enough for a group of three copies to go elsewhere, and for a
	// second group.
	dayNodes = 5
	// adminTime is what a node is told that it has for one administrative request:
	// copies are streamed in it.
	adminTime = 30 * time.Second
)

// Of a schema change.
const (
	// changeBefore is how long the work is measured before the change.
	changeBefore = 3 * time.Second
	// changeTime bounds a change; a million rows take well under a minute.
	changeTime = 30 * time.Minute
	// changeSamples accounts are looked up in the new index.
	changeSamples = 300
)

// Of the history that is checked for linearizability.
const (
	// historyClients work on historyCells registers: enough at once for orders to
	// differ, few enough for a check in no time.
	historyClients = 4
	historyCells   = 5
	// historyOperations ends the history: the search for an order must stay short.
	// It takes some ten minutes to get there.
	historyOperations = 20_000
	// historyPause between operations of a client spreads them over many faults.
	historyPause = 120 * time.Millisecond
	// historyCheckTime bounds the search for an order.
	historyCheckTime = time.Minute
)
