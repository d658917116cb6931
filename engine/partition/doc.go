// Package partition is a group's copy on a node: the state machine of package
// engine over a store of package store, driven by the log and read by the
// router.
//
// # How data flows
//
// The log calls Apply with ordered entries, one call at a time. The machine
// executes them, one store batch commits them together with the position that
// they bring the copy to, the new position is published, waiting readers are
// woken, and the verdicts on what the local router proposed are handed to it.
// Sync flushes; a snapshot is taken of the store between two calls and
// streamed while entries go on.
//
// Readers never meet the machine: View is a snapshot of the store at one
// revision, with the schema of that revision.
//
// # Checkpoints and verdicts
//
// A checkpoint is an entry at which every copy has its digests. The running one,
// chained over ordered writes and outcomes, is at hand and costs nothing. That of
// the whole content is computed from a snapshot, either when it is first asked for
// or, as a scrub, at once and at a pace that spares disk and processor.
//
// A verdict is an entry that says which digests are right at a checkpoint. The copy
// compares its own: where they differ it is found to have diverged (Finding), and
// from that moment it is not read, streamed or brought any further. What becomes of
// it is decided outside (architecture.md, Checkpoints). A copy that met the
// checkpoint before it was last opened has nothing to compare, and waits for the
// next.
//
// # What it never does
//
// It does not answer wrongly when the disk fails: the error is reported as
// fatal once, and the copy applies nothing more.
package partition
