package supervision

import "time"

// The bounds of supervision, and why.
const (
	// MaxNodes bounds the members of one watch: each keeps what it hears of every
	// other.
	MaxNodes = 256

	// PartialFactor is how many times as long a node is suspect before it is
	// unavailable where others hear it, or where we hear nobody: such failures
	// pass more often than a death does, and moving its tasks costs more than
	// waiting.
	PartialFactor = 3

	// ConfirmSuspect and ConfirmUnavailable are how many heartbeats in a row bring
	// a node back: one may be chance.
	ConfirmSuspect     = 3
	ConfirmUnavailable = 5

	// MaxConfirm bounds what flapping raises these to: ten seconds of the usual
	// heartbeats.
	MaxConfirm = 100

	// FlapWindow is how long a node must be available without a break until one
	// of its flaps is forgotten.
	FlapWindow = time.Minute

	// MaxFlaps bounds what is remembered of flapping: the wait doubles with each.
	MaxFlaps = 6

	// StallKept is how long a node tells others that it was stopped.
	StallKept = 10 * time.Second

	// The bounds of a Config: below, the beats themselves would be the load;
	// above, nobody would call it supervision.
	MinInterval = 10 * time.Millisecond
	MaxInterval = time.Minute
	MaxTimeout  = time.Hour
	MaxRetries  = 100
)
