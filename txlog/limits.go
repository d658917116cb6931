package txlog

import "time"

const (
	// MaxEntryBytes bounds one entry: the sequencer closes an entry at 4 MiB, but a single transaction more may
	// be in it.
	MaxEntryBytes = 16 << 20

	// MaxInMemoryBytes bounds the entries of a group that are in memory because they are not applied yet, on
	// every replica. Above it proposals answer ErrBusy. Several of the largest entries have to fit.
	MaxInMemoryBytes = 64 << 20

	// MaxInFlight bounds a group's proposals without an outcome. The sequencer keeps a handful.
	MaxInFlight = 1024

	// MaxReplicaGroups is how many groups can run on one host without sharing a worker that applies: a long
	// apply of one group then never delays another's failover (traps.md, 9).
	MaxReplicaGroups = 32

	// stepWorkers is the number of workers that write the log and send messages. It is fixed in the files when
	// a directory is first used, so it is a constant.
	stepWorkers = 8

	// logShards is the number of stores that hold the log: one, so that groups share each sync of the disk. It
	// too is fixed in the files.
	logShards = 1

	// logMemtableBytes and logMemtables bound the memory of the log's store.
	logMemtableBytes = 16 << 20
	logMemtables     = 4

	// snapshotWorkers and closeWorkers are few, for that work is rare; every worker wakes up now and then.
	snapshotWorkers = 4
	closeWorkers    = 2

	// sendQueueBytes bounds what waits for one peer. What doesn't fit is dropped, and sent again by Raft.
	sendQueueBytes = 64 << 20

	// receiveQueueBytes bounds what a replica has received and not handled yet.
	receiveQueueBytes = 64 << 20

	// maxRaftFrame is where a batch of messages is divided into several frames: far under the network's limit
	// on frames even when one largest entry follows.
	maxRaftFrame = 16 << 20

	// proposalTimeout is when a proposal whose outcome has not shown is given up as Unknown. The proposer has
	// long reacted to a change of leader by then; this only frees the memory.
	proposalTimeout = 30 * time.Second

	// readLogBytes is about how much of the log is read at a time, beside Raft: some milliseconds of the disk.
	readLogBytes = 1 << 20

	// defaultSnapshotEntries, defaultKeepEntries and defaultLogBytes are the defaults of Config's fields. Entries
	// are whole batches of transactions: at a thousand a second the log covers half a minute of a replica's
	// absence before it needs the state as a stream.
	defaultSnapshotEntries = 50_000
	defaultKeepEntries     = 25_000
	defaultLogBytes        = 512 << 20

	// eventQueue bounds the events that wait for Config.OnEvent; what doesn't fit is counted and dropped.
	eventQueue = 1024

	// dialWait bounds dialling a peer for Raft messages.
	dialWait = time.Second

	// dialPatience is how long a message waits for a connection that is being dialled: a few round trips in one
	// network. Messages behind it wait too, so it is far below an election's time.
	dialPatience = 10 * time.Millisecond

	// redialMin and redialMax bound the wait between attempts to reach a peer.
	redialMin = 10 * time.Millisecond
	redialMax = 500 * time.Millisecond
)

const (
	// readRoundTicks is after how many ticks without an answer a read round is sent again (architecture.md,
	// Reads): a round that is forwarded to a leader just elected can be lost.
	readRoundTicks = 10

	// graceTicks is how long a proposal that was under way when leadership was lost may still get a definite
	// outcome.
	graceTicks = 20

	// transferRoundTicks is how long one request to hand over leadership gets before it is made again.
	transferRoundTicks = 20

	// changeAttempts bounds how often a change of members is tried again because another came first.
	changeAttempts = 20

	// closeWait bounds the wait for a state machine to be closed.
	closeWait = 10 * time.Second

	// logWait is how long an entry that was applied may take to be on this replica's own disk.
	logWait = 2 * time.Second

	// compactionWait bounds one request to drop log.
	compactionWait = time.Minute
)

const (
	// keepsUpEntries is how far behind a copy may be that witnesses wait for again: a few round trips' entries.
	keepsUpEntries = 64

	// maxHeldBack bounds the messages to witnesses of one host that wait for the disk or for copies. Each waits for
	// holdGraces times as long as a copy is waited for, and at least for leastHold. What is dropped is sent again
	// by Raft, and waits anew: were it dropped before a copy is given up, that one would never be.
	maxHeldBack = 4096
	leastHold   = time.Second
	holdGraces  = 3
)

const (
	// hastenTicks is how long each follower gives the one before it to win, when a leader's process is gone.
	hastenTicks = 3

	// timeoutNowTimes is how often a TimeoutNow is delivered: now, and after 1, 3, 7, 15 and 31 ms.
	timeoutNowTimes = 6
)
