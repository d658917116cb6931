package node

import "time"

// Times within a node, with the reason for each.
const (
	// handOverWait bounds handing one group over at a stop: many elections.
	handOverWait = 3 * time.Second
	// handOverRound is the longest that a planned handover has transactions wait
	// before it gives them back to the old primary: several elections in the profile
	// lan, and one where an election takes longer (roundOf). It is tried
	// handOverTries times, with handOverPause between, for what waited to go first.
	handOverRound = 250 * time.Millisecond
	handOverTries = 4
	handOverPause = 100 * time.Millisecond
	// handOverLag is how many revisions the next primary may be behind when it is
	// asked: what a copy under load is behind by at any time. It is waited for up to
	// handOverPatience, and asked every handOverAsk.
	handOverLag      = 10_000
	handOverPatience = 2 * time.Second
	handOverAsk      = 10 * time.Millisecond
	// reconcileEvery is how often the node looks at the catalog even if nothing
	// woke it: a step that failed is tried again.
	reconcileEvery = 500 * time.Millisecond
	// flushEvery bounds what a copy executes again after a crash to about as much
	// time as it took at first; flushes of this size cost little more than those
	// that full memtables bring about anyway.
	flushEvery = time.Second
	// tendEvery is how often the system group's leader looks after members that
	// wait for their vote: joining takes about as long.
	tendEvery = 50 * time.Millisecond
	// nodeBeat is how often nodes send each other a heartbeat that share no group but
	// the catalog; silence of three is noticed, of nine taken for absence. reportKept
	// is for how long what is put together for one heartbeat serves the others.
	nodeBeat   = 200 * time.Millisecond
	reportKept = 20 * time.Millisecond
	// reportedTasks is how many of a group's tasks its primary tells of in heartbeats;
	// the others are asked for.
	reportedTasks = 64
	// paceEvery is how often a copy's size and pace are measured.
	paceEvery = time.Second
	// statusWait bounds one such question; a peer that is silent for longer than
	// staleAfter counts as unavailable.
	statusWait = time.Second
	staleAfter = 2 * time.Second
	// readersEvery is how often a node looks which copies may serve reads; how loaded
	// they are, a router sees for itself.
	readersEvery = 100 * time.Millisecond
	// joinWait bounds one attempt to join, joinPause lies between attempts.
	joinWait  = 10 * time.Second
	joinPause = 200 * time.Millisecond
	// greetWait bounds asking the named members for their cluster at a restart.
	greetWait = time.Second
	// seekEvery lies between such questions while the node is not ready.
	seekEvery = 500 * time.Millisecond
	// catalogWait bounds a transaction on the catalog.
	catalogWait = 10 * time.Second
	// forwardPatience bounds how long a request for a group without a copy here
	// looks for a node that answers: many elections. forwardPause lies between.
	forwardPatience = 3 * time.Second
	forwardPause    = 50 * time.Millisecond
	// changeLook is how often a copy that is not primary looks whether it has
	// become so while a schema change is under way; changeStepWait bounds one step
	// of it, changeRetry lies between one that failed and the next.
	changeLook     = 50 * time.Millisecond
	changeStepWait = 5 * time.Second
	changeRetry    = 50 * time.Millisecond
	// Between two steps the primary leaves as much time to other transactions as
	// the last one took, within these bounds: a step is applied in a few
	// milliseconds, and what it takes beyond that it has waited for others.
	changePauseLeast = time.Millisecond
	changePauseMost  = 20 * time.Millisecond
	// assignWait bounds ordering one assignment; primarySettle is how long a new
	// leader's first entry may take before its record is tried again.
	assignWait    = 5 * time.Second
	primarySettle = time.Second
	// taskFreshWait bounds how long reading a task waits to have all that was
	// acknowledged before; taskStateWait how long its holder is asked what it does, and
	// taskAnswerTime is what an answer between nodes may take on its way.
	taskFreshWait  = time.Second
	taskStateWait  = 500 * time.Millisecond
	taskAnswerTime = 100 * time.Millisecond
	// wanLease is how long a command goes on without word from a majority in the wan
	// profile, whose elections take ten times as long.
	wanLease = 10 * time.Second
	// jobTime bounds a run of verify or backup: a terabyte at the default pace of a scrub;
	// verifyJobTime how long verify waits for copies that are behind or away.
	jobTime       = 24 * time.Hour
	verifyJobTime = 15 * time.Minute
	// runsKept is how many runs of a job of a group are remembered; maxRunDetail and
	// maxRunResult are the most bytes that each tells.
	runsKept     = 32
	maxRunDetail = 1000
	maxRunResult = 16 << 10
	// historyEvery is how often a leader looks at what is to be recorded, historyBytes
	// how much of it a node keeps of a group (some days of a small cluster), and
	// historyWait how long another node is asked for its part.
	historyEvery = time.Second
	historyBytes = 16 << 20
	historyWait  = 5 * time.Second
	// explainWait bounds how long a group's primary is asked for an explanation.
	explainWait = 3 * time.Second
	// taskLook is how often a node looks at what it holds even if nothing woke it.
	taskLook = time.Second
	// taskStopWait bounds how long a node that stops waits for its tasks to end.
	taskStopWait = 15 * time.Second
	// superviseEvery is how often a leader lays the status of its group's nodes before
	// the policies; some 30 µs a group.
	superviseEvery = 200 * time.Millisecond
	// moveWait bounds one handover that a policy wants; moveRetry and moveRetryMost lie
	// between tries. A copy that is maxTakeOverLag behind is not asked.
	moveWait       = 5 * time.Second
	moveRetry      = time.Second
	moveRetryMost  = 30 * time.Second
	maxTakeOverLag = 2 * time.Second
	// announceWait bounds telling the next primary why it becomes so; what it was told
	// counts for announcedFor, in which a handover is over or has failed.
	announceWait = 250 * time.Millisecond
	announcedFor = 10 * time.Second
	// exportFreshWait bounds how long a recording waits to have all that was
	// acknowledged before: an election's time and more.
	exportFreshWait = time.Second
	// exportRound is how long a recording that follows waits for an entry at a time,
	// exportPause the least time between its rounds, so that they are few under load,
	// and exportSilence how long it writes nothing at the most.
	exportRound   = 250 * time.Millisecond
	exportPause   = 50 * time.Millisecond
	exportSilence = 10 * time.Second
	// exportFrame is how much of a recording one frame between nodes holds.
	exportFrame = 1 << 20
	// maxExports is how many recordings a node writes at once: each reads the disk,
	// and hashes or compresses on a core.
	maxExports = 4
	// changeAttempts bounds how often a change of nodes or copies is judged anew where
	// the catalog changed between the judgement and the change.
	changeAttempts = 5
	// inquireEvery is how often a node asks a peer, in turn, what the catalog has on it: one
	// that was removed hears it no other way.
	inquireEvery = 500 * time.Millisecond
	// voterPatience is after how long without an answer another node votes in the system
	// group in place of one: longer than a restart, shorter than the next failure.
	voterPatience = time.Minute
	// maxLabels is how many labels an operator can set on a node.
	maxLabels = 64
	// A join token has tokenBytes random bytes, which nobody guesses, and one that was
	// chosen at least minTokenLetters; its id has tokenIDLetters of its hash, which few
	// tokens of a cluster share. maxTokens bounds what every node keeps of them.
	tokenBytes      = 24
	minTokenLetters = 16
	tokenIDLetters  = 8
	maxTokens       = 100
	// maxSystemVoters is how many copies of the catalog have a vote.
	maxSystemVoters = 5
	// maxCopies is how many copies a group can be made with: each transaction is
	// executed by all, and a majority waits for the disk.
	maxCopies = 16
)

// Bounds of checking copies against each other.
const (
	// minCheckEvery keeps checkpoints from being most of what is ordered.
	minCheckEvery = 100 * time.Millisecond
	// minScrubBytes is the slowest scrub: a gigabyte in three hours.
	minScrubBytes = 100 << 10
	// scrubRetry is after how long a scrub without a verdict is tried again.
	scrubRetry = 10 * time.Minute
	// scrubLimit bounds a scrub: a terabyte takes most of a day at the default pace.
	scrubLimit = 24 * time.Hour
	// heldPause and heldScrubPause lie between looks whether a majority of copies
	// that differ agrees by now: soon where it costs nothing.
	heldPause      = 2 * time.Second
	heldScrubPause = 30 * time.Second
	// askWait bounds one question for digests, askPause lies between; a copy that is
	// silent for silenceLimit is not waited for, nor are those that have not answered
	// stragglers after a majority has.
	askWait      = 5 * time.Second
	askPause     = 100 * time.Millisecond
	silenceLimit = 10 * time.Second
	stragglers   = time.Second
	// keepEvery lies between two attempts to write evidence.
	keepEvery = 100 * time.Millisecond
	// silenceWait bounds each step of stopping a copy that differs.
	silenceWait = 5 * time.Second
	// aloneWait is how long a newcomer may get nothing from a primary that is the
	// group's only voter, before that one is opened anew.
	aloneWait = 5 * time.Second
	// majorityWait is how long a group may take to show that it has its majority, when
	// it is to be recovered: many elections.
	majorityWait = 2 * time.Second
	// catalogPatience is how long a node that starts waits to have all of the catalog
	// before it opens its copies: what it has on disk may name replicas that were
	// replaced since. Where the catalog has no majority it goes on with what it has.
	catalogPatience = 5 * time.Second
	// tendCatalogWait bounds one round of what the system group's leader does for the
	// cluster: a question to the group that got lost is asked anew soon.
	tendCatalogWait = 2 * time.Second
	// leaveLook is how long a node that was removed asks whether it still has a vote,
	// leaveWait how long it stays where nobody answers: time to take it out.
	leaveLook = time.Second
	leaveWait = 5 * time.Second
	// tendWait bounds one round of changes of a group's members.
	tendWait = 10 * time.Second
)

// paceKept is how many of its revisions a primary remembers with their times: of a
// minute under load.
const paceKept = 300

// readyLag is how many revisions a copy may be behind and still count as ready:
// less than a second's worth under load.
const readyLag = 20_000

// rehearsedRows is how many rows a schema change is tried on before it is begun:
// some 20 ms at the node that was asked, which nobody else waits for.
const rehearsedRows = 20_000
