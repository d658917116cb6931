// Package client is the Go client of Lockstep's HTTP interface: what the
// command line uses, and what a Go program may use.
//
// Its one idea is that every request can safely be sent again. Reads change
// nothing, administrative requests are idempotent, and a transaction always
// carries an id, made here where the caller gave none, before the first try: the
// group's replicated state keeps the outcome of each id, so the same document
// under the same id is executed once however often it arrives. So the client
// never asks "may I retry?"; it asks "is there still time?", and goes on to the
// next server, after a pause with jitter, until there is an answer or the
// deadline comes.
//
// # How a call flows
//
// A Client knows several servers and stays with the one that answered last. A
// call makes attempts in turn (retry.go): an answer with status 2xx ends it; a
// problem (RFC 9457) that says retryable, an unreadable answer and a broken
// connection lead to the next server; any other problem is returned as *Problem.
// Retry-After is honoured. Each attempt tells the server how much time it has
// (Request-Timeout), a little less than the client itself waits, so that the
// server's own verdict arrives rather than a cut connection. With several
// servers one attempt takes no more than Config.AttemptTimeout, so that a
// paused process costs seconds and not the whole deadline.
//
// Where no server can be connected to and nothing can have been applied, the
// client gives up after Config.DialPatience: who mistypes an address should not
// wait for thirty seconds.
//
// # What is known when a call fails
//
// A *Problem carries the server's outcome, corrected by what the client knows: if
// an earlier attempt may have reached the group and the last one was not a
// recorded outcome, Outcome is "unknown" and ID is the id to ask for or to send
// the same document under. *Unavailable says the same where no server's verdict
// was had at all.
//
// # Certification
//
// Client.Certify (certify.go) is the peer/peer model's loop: rows are read at any
// copy, the caller computes, the writes go with an `expect` step for each row read,
// and after a conflict all of it is done again, after the time that the server
// advises. It is the one place where another id is used: a conflict is a definite
// outcome, recorded under the attempt's own. It is bounded by CertifyOptions.Attempts
// and by the context.
//
// # Tasks
//
// Client.Hold (hold.go) is for programs that do a part of the work of a node: it calls
// them while a task is assigned to that node, with the reason and the epoch, and ends
// their context when the task is lost or when nobody has confirmed for a lease that it
// is held. A context can end too late: what fences a holder is the step of Held.Expect
// in each of its transactions.
//
// # Streams
//
// Client.Stream sends transactions as NDJSON, a line each, over one connection,
// and yields their answers in the order sent. A line without an id gets one;
// when the connection breaks, or a line is answered by a retryable problem, what
// is unanswered is sent again, to the next server, under the same ids. The
// lines that wait are bounded by StreamOptions.Window.
//
// # What it never does
//
// It never sends one transaction under two ids (an attempt of Certify is one), never parses a problem's detail,
// keeps no package state, and never outlives its context: each call returns when
// its context ends.
package client
