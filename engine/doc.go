// Package engine executes a group's ordered entries: a pure function of
// (state, entries), the same on every copy byte for byte.
//
// # One idea
//
// A Machine is told an entry and changes what it holds in memory; Commit puts
// everything that has changed, with the log position it reflects, into one
// batch of the store. There is no write-ahead log: the ordered log is it, and
// after a crash the tail that had not been flushed is executed again
// (architecture.md, The log is the write-ahead log).
//
// # How data flows
//
//	entry → decode → for each item: seen before? → program runs over rows → outcome → digest
//	                                 window, key     cache of decoded rows,     hash chain over
//	                                                 undo journal per item      outcomes and writes
//	Commit: changed rows in key order, index entries, outcomes, windows, counters → one store batch
//
// A scan merges what the store holds with what lies over it, in the order of the
// keys; the sorted form of the latter is made when a scan first asks for it. Where a
// scan came upon many deleted rows, that nothing is there is remembered (gaps.go).
//
// A query (query.go) runs over a View, a snapshot of the store at one revision, and
// shares nothing with the Machine. Its pages, and those of rows, go on from tokens
// (page.go) that name a place in the order and hold nothing here.
//
// Rows are read through a bounded cache of decoded rows, which doubles as the
// overlay of what is not committed yet: a row that a thousand transactions of
// one entry change is encoded a thousand times for the digest but written once.
//
// # A schema change that must look at rows
//
// It goes in entries of three kinds (transactions.md, Schema), so that no entry
// takes longer than a few milliseconds, however large the table:
//
//	begin     the document, its numbers and the progress are kept beside the
//	          schema that holds; from here on every item's rows, as they are at its
//	          end, are checked and entered into the new indexes
//	backfill  some more of the rows that were there before, in key order, at most
//	          backfillRows of them; the cursor is kept
//	finish    the one revision at which the schema becomes another; or, where a row
//	          breaks it, all that was built is dropped and nothing has changed
//
// Transactions go on meanwhile by the schema that holds, and none is aborted for
// the sake of the next one: a write that breaks the change makes the change fail.
// An entry of a unique index under construction always stands for a row that has
// those values now, so that duplicates are found whether they are among old rows,
// new ones or between both. The numbers of what was given up are given again.
//
// Backfills are proposed by the primary, each after the last was applied, with a
// pause as long as that took (package router/node): half of the group's time is
// left to others, and a transaction waits for one backfill at the most.
//
// What old rows show in a new column is fixed at the finish, but for columns that
// the change had to know when it looked at rows: those of new indexes, and in a
// table with new checks all. These have the default as of the begin.
//
// # What is state
//
// Rows, index entries, outcomes in buckets of time, the windows of router
// sessions, the messages of the change feed, the tasks with their epochs, the
// schema with its layout, a schema change under way and how the last ones ended,
// and one record of counters: revision, time, retention
// clock, digest. All of it is in the store, in snapshots, and
// in the content digest, but for the applied position, which is the copy's own,
// and the last verdicts on digests, which speak of the state and are none of it.
//
// # What it never does
//
// It reads no clock, no randomness, no environment and no map in its own order,
// starts no goroutine, and knows neither network nor disk: its Store is an
// interface. An error of the store is never an outcome: Apply returns it, and
// the copy stops.
package engine
