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
// # Checkpoints
//
// A checkpoint is an entry at which every copy takes a snapshot; the digest of
// its whole content is computed when it is first asked for. Copies are equal at a
// revision if their digests of one checkpoint are (architecture.md, Checkpoints).
//
// # What it never does
//
// It does not answer wrongly when the disk fails: the error is reported as
// fatal once, and the copy applies nothing more.
package partition
