// Package program compiles and runs what changes a group's rows: procedures of
// its schema, inline transactions and queries, which share one step language
// (transactions.md, Transaction). LANGUAGE.md shows users each step, with outcomes
// that a test holds it to.
//
// One idea: everything about names, types and places is settled when a program
// is compiled, so that running it is a walk over a slice of steps, each of which
// holds its compiled expressions and the slot that it binds. A run allocates
// the rows that it makes and nothing else.
//
// How data flows:
//
//	schema.Document --Build--> Compiled                       a schema is applied; Load opens it again
//	JSON --ParseTransaction--> Typed                          at the router, once
//	Typed --(log entry)--> Procs[i] or Inline(Source),
//	        DecodeParams --Run(State)--> result or Abort      at every copy
//	JSON --ParseQuery--> Program, params --Run--> result      at the copy that answers
//
// Compiled ties package schema's tables to the programs compiled against them;
// package schema itself knows no steps, so that the two don't depend on each
// other. The steps of an inline transaction travel as a self-contained canonical
// text, with the types of its params: what is cached and compiled again at
// apply is the same text on every copy.
//
// A run sees rows through [State] alone and never commits or rolls back: an
// [Abort] says that the transaction has no effect, and the caller takes back
// what was put. An error of Go means that the state could not be read or
// written; it is never an outcome.
//
// A query runs likewise, and may have what a transaction never has ([Extras]): a
// larger budget, pages of its scan (page.go), and a trace of how it went (trace.go).
// That it is polled, and may be stopped, is the frame's meter's doing.
//
// What the compiler finds out about procedures ([Signature]) is shown to users
// as the member "derived" of the schema document, which is never stored.
//
// The package reads no clock, no randomness and no environment. What bounds a
// run is in limits.go; costs are part of the language version.
package program
