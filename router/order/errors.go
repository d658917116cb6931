package order

import "errors"

// What a request may be answered with instead of a verdict. All but
// ErrOutcomeUnknown say for certain that nothing was proposed.
var (
	// ErrOverloaded: as much is under way as may be (429 overloaded).
	ErrOverloaded = errors.New("too many requests are under way")
	// ErrNoPrimary: until the deadline no primary could be reached
	// (503 no_primary).
	ErrNoPrimary = errors.New("the group had no primary within reach until the deadline")
	// ErrDeadline: the deadline came before the request was proposed
	// (504 deadline_exceeded).
	ErrDeadline = errors.New("the deadline came before the request was proposed")
	// ErrDraining: this node is stopping (503 draining).
	ErrDraining = errors.New("this node is stopping and takes no new requests")
	// ErrTooLarge: the request can't be put into an entry (413 too_large).
	ErrTooLarge = errors.New("the request is larger than an entry may be")
	// ErrUnknownID: the id has the form of one that this router makes, but it
	// never made it (422).
	ErrUnknownID = errors.New("this router never gave that id")
	// ErrDiverged: the group's copies differ, no majority of them agrees, and
	// nobody may add to what is in doubt (503 diverged).
	ErrDiverged = errors.New("the group's copies differ and no majority of them agrees: nothing is changed until one does, or until an operator chooses; the group's status says what to do")
	// ErrOutcomeUnknown: it may have been proposed and no answer came in time,
	// whatever the cause (504 outcome_unknown). The same document under the same
	// id settles it.
	ErrOutcomeUnknown = errors.New("the request was proposed and its outcome is not known")
)

// ErrLogTooLarge is what a Log answers to an entry that it can never take.
var ErrLogTooLarge = errors.New("the log takes no entry of this size")
