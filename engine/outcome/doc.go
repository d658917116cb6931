// Package outcome is what became of a transaction, as it is kept in a group's
// replicated state, sent between routers and shown to users.
//
// An Outcome is recorded once, when the transaction is executed, and is the
// same on every copy byte for byte; a Verdict is what the log says of one item
// of one entry, which may also be that the item was executed before, or never
// will be. Only the first kind takes a revision (transactions.md, Revision).
//
// # Format
//
// Integers are varints, text and bytes a varint length and the bytes.
//
//	outcome = version:1 status:1 revision time_ms fingerprint:16 rest
//	rest    = result                (status 1, committed)
//	        | code step message    (status 2, aborted)
//	verdict = kind:1 [outcome]     (kinds 1 and 2 have one)
//
// The id is not within: it is the key under which an outcome is kept, and the
// order of the answers tells it between routers.
package outcome
