// Package replay executes a recording (package recording) again: the real engine,
// on a store of its own, on any machine.
//
// # Replay
//
// Run executes every entry in order and compares digests wherever the recording
// has some: those that the writing copy had, and those on which a majority of the
// group's copies agreed (verdicts in the log). Equal digests at the end mean that
// rows, outcomes and everything else that is state came out byte for byte, so
// that nobody needs to trust the node that wrote the file. A difference is told as
// the range of revisions in which it arose.
//
// # Rehearsal
//
// With a schema document the history is lived through twice, side by side:
//
//	recorded entry ─► copy as recorded ─► verdicts ─┐
//	                       │ clone at the start     ├─► compare, transaction by transaction
//	                  copy under the new schema ────┘   and at the end row by row
//
// What the recorded copy executed, the other executes as well, at the same
// revision and time and with the same seed; duplicates and what was skipped are
// passed over in both. A call is typed anew by its procedure's name and params,
// inline steps by their source; what the new schema can't type is counted and has
// no effect. Schema changes of the recording are passed over by the other copy.
//
// Two outcomes are the same if both are commits with the same result, or aborts
// with the same code and message: the step that an abort names may move when steps
// are added. Two rows are the same if the columns that both schemas have are equal.
//
// # What it never does
//
// It reads no clock and asks nobody: what it reports depends on the recording, the
// schema and this program alone. Its memory is bounded by the stores' caches, the
// largest entry, and the bounds of a report (limits.go).
package replay
