// Package order takes a group's transactions from "accepted by this node's
// router" to "the outcome is known", exactly once.
//
// # One idea
//
// A transaction may be sent as often as need be, for its id makes a second
// execution impossible (transactions.md, Exactly once). So nothing here waits
// to find out what became of an attempt: when the primary changes, when a
// connection breaks, when the log says that it does not know, everything
// unanswered goes to the present primary again at once, under the same id. What
// has to be exact is only what may be said to the client, and for that one
// number per transaction is enough: its doubt, the attempts begun minus those
// that were refused before anything was proposed. At the deadline doubt zero
// means that nothing happened; anything else is an unknown outcome.
//
// # How data flows
//
//	Submit ─► waiting ─┬─ this node is primary ─► batch ─► Log.Propose ─► Applied ─► Done
//	                   └─ another node is ─────► frame ═► that node's waiting … ═► Done
//
// Whoever changes something (a submitter, the goroutine that applies entries, a
// connection's reader, the clock) looks under the one lock whether something
// can go out, and takes it out itself: there is no goroutine between a request
// and the log, and none per transaction, nor a timer. Three kinds of goroutines
// exist: one clock while something is under way, and a reader and a writer for
// each connection to or from a peer.
//
//   - As primary: everything that waits goes into one entry as soon as a slot of
//     the pipeline is free. The first slot is taken at once; a further one only
//     for a batch that is worth a round, at least half of the usual size, or
//     when a tick of the clock has passed. An entry closes at a number of items,
//     of bytes and of summed cost, and where the schema version changes.
//   - As another node's router: frames of many transactions go to the primary
//     over one connection, by the same rule, and are answered by frames of many
//     verdicts. The primary never forwards further: a node that is not primary
//     says so at once (one hop).
//
// A leader change is heard from the log (Log.Watch), by reading Log.Leader at
// every tick, and by answers "not primary". Ids that this router makes are
// numbered without gaps larger than the window that the replicated state
// remembers; numbers wait for stragglers rather than run ahead of them.
//
// A planned handover pauses the primary (Pause): it goes on taking requests in, and
// proposes nothing; once nothing is in flight the primary can change without an
// attempt in doubt, and what waits goes to the next one as after any change.
//
// Everything has a bound: requests and bytes under way, those accepted from
// peers, items and bytes of entries and frames, answers not yet taken by a peer.
// Beyond it a request is refused with ErrOverloaded before anything happened.
//
// # What it never does
//
// It never executes or judges a transaction; it never answers a request twice
// or not at all; it never gives a definite refusal for a request of which an
// attempt may have been proposed; and it never blocks the goroutine that
// applies entries.
package order
