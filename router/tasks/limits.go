package tasks

import "time"

// Bounds of a task's definition.
const (
	// MaxName is the longest name of a task: it stands in paths and in transactions.
	MaxName = 63
	// MaxPayloadBytes is the largest payload and MaxLabels the most labels: both go
	// into a process's environment, of which Linux takes 128 KiB a variable. Labels have
	// 65 KiB in JSON at the most, each of their bytes one that is escaped with another.
	MaxPayloadBytes = 32 << 10
	MaxLabels       = 64
	maxLabelBytes   = 255
	// maxArguments and maxArgumentBytes bound a command's.
	maxArguments     = 64
	maxArgumentBytes = 4 << 10
	maxURLBytes      = 2 << 10
	// maxDuration is the longest time in a definition.
	maxDuration = time.Hour
	// minInterval keeps a health check from being most of what a task does.
	minInterval = 100 * time.Millisecond
	maxFailures = 100
)

// What a health check does unless the definition says otherwise: the figures of
// Kubernetes' probes, but for the interval, which is half of theirs.
const (
	defaultInterval = 5 * time.Second
	defaultTimeout  = time.Second
	defaultFailures = 3
	// defaultStopTimeout is what a command gets between SIGTERM and SIGKILL.
	defaultStopTimeout = 10 * time.Second
)

// Times are the machine's own. Zero fields take the value of DefaultTimes.
type Times struct {
	// FirstPause lies before the first restart of a command or the second try of a
	// webhook; it doubles up to LongestPause, and begins anew once the command has
	// run for Steady.
	FirstPause, LongestPause, Steady time.Duration
	// Lease is how long a command goes on without word from a majority of its group,
	// and LeaseStop what it then gets between SIGTERM and SIGKILL.
	Lease, LeaseStop time.Duration
	// TellLoss is how long it is tried to tell a webhook that a task is no longer
	// held: the next holder's call, with a higher epoch, says it too.
	TellLoss time.Duration
}

// DefaultTimes are the figures of a node in production.
func DefaultTimes() Times {
	return Times{
		// Soon, for many faults pass at once; and a minute at most, for who has mended
		// something does not like to wait.
		FirstPause: time.Second, LongestPause: time.Minute, Steady: time.Minute,
		// Many elections, and with the time to stop no longer than the silence after
		// which another node is given the task.
		Lease: 1500 * time.Millisecond, LeaseStop: 500 * time.Millisecond,
		TellLoss: time.Minute,
	}
}

// Bounds of what a node does.
const (
	// webhookTime is how long a webhook may take to answer: what GitHub gives.
	webhookTime = 10 * time.Second
	// maxAnswerBytes of a webhook's answer or a health check's are looked at.
	maxAnswerBytes = 512
	// outputLines and outputBytes bound what is kept of a command's output, and
	// lineBytes each line: what a person looks at when something is wrong.
	outputLines = 200
	outputBytes = 64 << 10
	lineBytes   = 4 << 10
	// maxOutputs of tasks are kept where those that are held no more are among them.
	maxOutputs = 128
	// orderTime is how long a keeper's full pipe is waited for: it holds hours of
	// orders, and is full only if the keeper is stopped.
	orderTime = 10 * time.Millisecond
	// confirms is how often within a lease a majority is asked for.
	confirms = 4
	// killWait is how long a keeper is waited for after it was told to kill, before
	// it is killed itself.
	killWait = 2 * time.Second
	// maxEvents wait for the machine at once; who brings more waits.
	maxEvents = 256
)
