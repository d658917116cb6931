// Package router is the HTTP front of a node (interface.md): it reads requests,
// brings transactions into their group's order, answers reads from this node's
// copy, and says in one form, problem documents, why something was refused.
//
// # One idea
//
// Every node answers alike, and every answer says exactly what is known: that a
// transaction was executed, that nothing happened and never will of this
// request, or that the outcome is unknown and under which id to ask again. All
// refusals come from one table of codes (problem.go); no handler knows a status.
//
// # How data flows
//
// A transaction is read into a pooled buffer, typed once against the schema of
// this node's copy, and handed to the orderer with a deadline; the connection's
// own goroutine waits for the verdict and appends the answer. Nothing is started
// for it: no goroutine, and no timer beyond one that is reused.
//
//	body ─► Catalog.ParseTransaction ─► Orderer.Submit ─► … ─► Done ─► answer
//	             │ refused because of the schema, or the verdict is StaleSchema:
//	             └─ the copy catches up (one read-index round), then once more
//
// A stream of transactions (application/x-ndjson) has a second goroutine that
// reads lines and hands them over; the connection's own goroutine writes the
// answers in the order of the lines. Between them is a bounded queue, so that a
// stream of any length takes bounded memory and a client that does not read is
// not read from.
//
// A read first brings the copy to where its consistency wants it. Linearizable
// reads share read-index rounds (rounds.go): one round serves all who came
// before it began. Then a snapshot answers, and nothing else: no read sees two
// revisions. A query is asked again and again while it runs whether it should go on
// (query.go): it ends at its deadline, and once it has used what a transaction may,
// it waits for a place among the few heavy ones, so that copies go on applying.
//
// A group without a copy on this node is served by one that has it: the request
// travels as it came, once (forward.go). What was forwarded is never forwarded
// again.
//
// Reads may go to another copy even so (readers.go). A node without a copy spreads
// them (package spread); one with a copy serves them itself, unless that copy may not
// serve, is late, or is busy with many queries, or the client's session keeps to
// another. Whoever is late is hedged: a second copy is asked, and the first answer
// wins. So a copy that hangs costs a read some milliseconds, and a few reads at that.
//
// A client whose `expect` failed is told when to come again (contention.go): advice
// beside the recorded outcome, from what this router sees, and part of no state.
//
// A refusal that passes says when to come again (advice.go): when the present queue is
// done, when a primary can have been elected, when the group's window opens (timed.go).
//
// A recording of a group's log (export.go) is streamed as it is made, from this
// node's copy or relayed from another's; a client that takes it too slowly is let
// go, for it holds a state on the node's disk.
//
// Tasks (tasks.go) are the node's to tell of and to keep; here is only their form:
// which group a name belongs to, versions as ETags, and a wait for the next
// assignment that ends before the request's deadline, with what is.
//
// # Limits
//
// limits.go and Config bound everything that a client can make grow: heads,
// bodies, lines, lines under way, pages, connections, and the time that each
// part may take. A request has a deadline, 30 s where it names none, and is
// answered by then. A panic in a handler becomes a problem document.
//
// # What it never does
//
// It never executes or orders anything itself, knows no Raft and no Pebble, and
// keeps no state but what a request needs: it may be killed at any time.
package router
