// Package bench measures Lockstep and tries to break it: throughput, the gap that
// clients see at a failover, and chaos, transfers while processes are killed.
//
// # One idea
//
// A figure is worth what was checked behind it. Every transaction has an id of its
// client's making, and what it was acknowledged as is kept for each. So every run
// ends with questions that have one right answer: is all the money there, are the
// balances what the acknowledged transfers make of them, does each id still have
// the outcome that was acknowledged, are the copies equal. Where one fails, no
// figure is given.
//
// # How data flows
//
// A Cluster is three processes of the lockstep program that bench starts itself,
// with its own hands on them (kill -9, SIGSTOP, start), or somebody's, by address.
// A crew is workers, a connection each, spread over the nodes. A worker
// (worker.go) is a careful client: what is not definitely answered is sent again
// under the same id, to the next node, until it is. It keeps the answers in its
// page of the book (book.go), which nobody else touches until it ends.
//
// A document is a function of the run, the worker and its number (transfers.go).
// So documents need not be kept to be sent again, and what accounts must hold
// follows from the book alone.
//
//	transfers ─► worker ─► servers (fasthttp) ─► reply ─► book, tally, gaps, meter
//	                                                       │
//	audit: send again, read rows, compare copies ◄─────────┘ ─► Checks ─► result
//
// # The runs
//
// RunThroughput (throughput.go) is a closed loop over a measured window after a
// warm-up, with the rate of an empty handler in the same run as its yardstick.
// Latency is of a request from its first attempt to its last answer.
//
// RunCertify (certify.go) has clients contend for a few rows: each reads one,
// computes, and writes with an expectation, by the client library's own loop. Each
// row must hold what was acknowledged.
//
// RunFailover (failover.go) makes a fault several times under load and takes the
// longest time between two successive commits that any client saw.
//
// RunSchemaChange (schemachange.go) builds indexes on a table of any size under
// load and takes the longest time between two commits meanwhile; on demand it kills
// the primary in the middle.
//
// RunChaos (chaos.go) kills processes by a plan that its seed makes (strikes.go).
// Its schema, testdata/chaos, has each transfer leave a row under its id and
// revision: executed twice it would leave two, and the rows replayed must give the
// balances (ledger.go). Beside it a few clients read, write and swap registers,
// and porcupine looks for an order that explains what they saw (history.go).
//
// RunNetwork (network.go) has each node in a network namespace of its own (package
// wire), and spoils the links between them: cut, deaf, lossy, slow. Clients reach all
// nodes meanwhile, so that they meet both sides of a cut. It has the transfers, the
// ledger and the history of chaos (trial.go), asks each node what it makes of the
// fault, and takes the gap, the rate and the slowest transaction (span.go) of each.
//
// RunDay (day.go, dayevents.go) has what operators do, and what befalls a cluster,
// happen to five nodes one after the other, on the same trial; the copies are compared
// after each event, while clients go on.
//
// # What it never does
//
// It never counts what is not acknowledged, never sends one transaction under two
// ids, never lets a library send something again unseen, and ends only processes
// that it started.
package bench
