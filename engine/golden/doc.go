// Package golden holds the tests of the golden logs: recorded groups whose
// outcomes and digests are kept under testdata/golden and must come out the same
// on every machine, byte for byte (transactions.md, Determinism).
//
// # What there is
//
// For each example application under testdata, and for a schema named kitchen
// that uses whatever the language has:
//
//	NAME.recording   the log, in the format of package recording, with the digests
//	                 at its checkpoints: "lockstep replay" takes it as well
//	NAME.txt         for every fifty verdicts their hash and the first of them, the
//	                 first abort of each code, and the digests: what a reviewer reads
//
// # How data flows
//
//	seed → traffic → primary (types, orders, executes, answers) → NAME.recording, NAME.txt   make golden
//	NAME.recording → a copy, in some way → text, compared with NAME.txt                      go test
//
// A way is how a copy comes by the entries: in calls of any size, with crashes that
// lose what was not flushed, with a move to another disk; in another time zone and
// locale, on one core and many, with the race detector, on another processor
// ("make golden-arm64").
//
// The files are written anew by "make golden" whenever the format of entries or of
// state changes, or an outcome is meant to change. The difference of NAME.txt shows
// which; in a release it would take a new language version.
//
// # What it never does
//
// It has no code of its own besides tests, and takes the log as it is: a replay
// never asks the generator.
package golden
