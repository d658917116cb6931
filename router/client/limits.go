package client

import "time"

// The client's figures, each with its reason.
const (
	// DefaultTimeout bounds a call whose context has no deadline: the server's
	// own default, so that both give up together.
	DefaultTimeout = 30 * time.Second

	// DefaultAttemptTimeout bounds one attempt where there are several servers.
	// A failover takes well under a second; a server that needs longer than
	// this is stopped, not slow.
	DefaultAttemptTimeout = 5 * time.Second

	// DefaultDialPatience is how long refused connections are tried again
	// while nothing can have been applied: longer than a restart of a process,
	// shorter than a person's patience.
	DefaultDialPatience = 2 * time.Second

	// dialTimeout bounds one TCP connection: several retransmissions of a SYN.
	dialTimeout = 3 * time.Second

	// firstPause and longestPause bound the pause after a round of all
	// servers; each round doubles it and takes between half and all of it, so
	// that clients which failed together do not come back together.
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second

	// DefaultCertifyAttempts bounds a Certify. Of 64 clients that contend for 10
	// rows and follow the server's advice, one in a thousand needs half as many.
	DefaultCertifyAttempts = 50

	// patientConflicts are how many conflicts of one Certify are followed by the
	// whole advised wait: most need no more.
	patientConflicts = 2

	// firstConflictPause bounds the pause after a first conflict on which no server
	// gave advice: about what a transaction takes.
	firstConflictPause = 5 * time.Millisecond

	// DefaultLease is how long a holder works on without word from the group's
	// majority: many elections, and what a node gives a command (router/tasks).
	// leaseParts is how often within it is asked.
	DefaultLease = 1500 * time.Millisecond
	leaseParts   = 3

	// answerGrace is how much longer than the server the client waits, so that
	// the server's verdict (504 with an outcome) arrives before the cut.
	answerGrace = 250 * time.Millisecond

	// verifyGrace is how much longer than its own timeout a verification may
	// take: the digests of whole contents are worked out after the wait.
	verifyGrace = 30 * time.Second

	// exportRounds is how often all servers are asked to begin a recording.
	exportRounds = 3

	// maxAnswerBytes bounds an answer held in memory; a page of rows is at
	// most 10,000 rows and a result 1 MiB.
	maxAnswerBytes = 64 << 20

	// maxLineBytes bounds one answer of a stream: a result of 1 MiB can take
	// up to six times its size in escapes.
	maxLineBytes = 8 << 20

	// DefaultWindow is how many lines of a stream may wait for an answer: at
	// 120,000 transactions a second some 30 ms of work, a few MB of memory.
	DefaultWindow = 4096

	// DefaultStall is how long a stream with lines in flight goes without an
	// answer before it changes server.
	DefaultStall = 5 * time.Second

	// chunkBytes of lines are written at once: some packets, not a system call
	// each line.
	chunkBytes = 64 << 10

	// heldPause before lines that were refused for the moment are sent again.
	heldPause = 50 * time.Millisecond

	// idleConnections kept a server, for programs that call concurrently.
	idleConnections = 256

	// longestAdvice on when to come again is followed, and a longer one is cut to
	// it: a time without updates lasts a week at most, and what stands further
	// ahead is an error.
	longestAdvice = 7 * 24 * time.Hour

	// excerptBytes of an answer that is no problem document go into the error.
	excerptBytes = 200
)
