// Package schematest runs users' tests of their procedures, without a cluster:
// the command "lockstep schema test".
//
// One idea: a test is data, as a transaction is. A file says what is there, what
// is done, and what is to come of it; the engine that does it is the one that
// runs on every copy, told entries as the log tells them, over a store in memory.
// Nothing is imitated, so that what passes here is what a group does.
//
// How data flows:
//
//	file --Read--> File --Suite.Add--> for each test: rig (store, machine) ← schema, given rows
//	                                   for each transaction: document → typed → entry → verdict
//	                                   differences: what came against the nodes of the file
//	Suite.Report: passed, failed, coverage --Text, JSON, JUnit
//
// A File keeps the nodes of its YAML (package testfile): differences name lines by them, and an
// update changes those that differ and writes the rest back, comments and all.
//
// Coverage is told by the engine ([lockstep/engine.Options].Trace), step by step,
// and counted against the steps that the schema document has.
//
// Every test begins with a new store, at its own time: time passes only where a
// transaction says so, and what is drawn at random comes of the seed, so that a
// test that passes once passes always. The package uses no network and no clock.
package schematest
