// Package txlog keeps the replicated logs of a node: one Raft group for each transaction group that the node
// has a copy of. Nothing outside this package sees the library underneath (Dragonboat).
//
// # The idea
//
// A Host is a node's part in all its groups: one directory, one write-ahead log that the groups share, one set
// of workers. A Group is one replica. What is proposed to a group's leader reaches the StateMachine of every
// replica in the same order, or nobody's; that is all this package promises, and everything above it is built
// on that.
//
//	Propose ──▶ leader's log ──▶ followers' logs ──▶ majority on disk ──▶ Apply on every replica
//
// The log is the write-ahead log of the state machine: a StateMachine keeps the index that it has applied in
// the same write as its own changes, need not sync those, and is given the tail again after a crash.
//
// # Proposals
//
// Propose belongs to the leader; elsewhere it answers ErrNotLeader with the leader if one is known. Errors of
// Propose itself are definite: the entry is in no log and never will be. After that the outcome is told once,
// to a callback: Committed (and applied here), Dropped (definitely in no log) or Unknown. Unknown is the honest
// answer whenever the leader changes, this node stops or time runs out: the entry may still be applied, so
// whoever proposes it again must be able to tell that it is the same one.
//
// # Leaders
//
// Leader answers from memory what this node last heard. Watch tells of every change, in order, on a goroutine
// of this package, so a slow watcher delays other watchers of its group and nothing else. Transfer asks for a
// change of leader and goes on asking until it is so. A leader that falls silent is replaced after an election's
// time; one whose process is gone (connections ended, nobody listens) at once, see hasten.go.
//
// # Reads
//
// ReadIndex returns when everything that was committed before the call has been applied on this replica; read
// the state machine after it. A round that gets lost, as happens while leaders change, is sent again.
//
// # Members
//
// A member is a replica id, never used twice in a group, on a node. To add a copy: AddNonVoting at any member;
// StartGroup with Join and NonVoting on the new node; when it has caught up, Promote. Changes are compared and
// swapped inside the log, so two operators cannot trip over each other, and each can be repeated safely.
//
// # Witnesses
//
// A witness (AddWitness; StartGroup with Join and Witness) is a member that votes and has no data. It keeps index
// and term of each entry, and the changes of members. It leads nothing, serves nothing, is sent no state and never
// becomes anything else. Where copies are lost it lets the others go on: remove the lost one, add a witness, one
// at a time, each a decision of the majority; a group of one copy and two witnesses takes updates. The order
// matters: removing a member that is away never costs a vote, while a witness that is added first is needed for
// the majority before it has started.
//
// What is safe is decided by Raft alone. An entry is committed when a majority has it, witnesses included, so
// with two copies and a witness it may be on one copy only; that copy is then needed, for the witness gives its
// vote to nobody who lacks the entry. Nothing committed is ever passed over. What a witness could do is to stop a
// group: when the traces it has are of entries that no copy has. The library makes that possible, for a leader
// sends entries before it has them on disk; our trial with kill -9 met it within three rounds (two witnesses with
// four entries that the killed leader had not written, which then refused it their vote for ever). So what is for
// a witness is withheld here until this host has it on disk, and for up to an election's time until the copies
// that keep up have it too (withhold.go). In the same way a copy never takes what is meant for a witness, be it
// entries or a snapshot (transport.go): it would take them for entries that change nothing.
//
// A witness's log is never shortened by itself, for the library cannot take a snapshot of nothing: it grows by 40
// bytes an entry (measured; at a thousand entries a second 3.5 GB a day), and shrinks when a leader sends it a
// snapshot because it was away. A witness is for the time until copies are back. Each snapshot that is sent to a
// witness leaves a small file in the sender's folder for temporary files.
//
// The trial: trial_test.go, in a short form; make witnesses is the long one.
//
// # Snapshots
//
// Replicas record how far their state machine is on disk, which lets the log before that be dropped: after so
// many entries or so many bytes, whichever comes first. A replica whose tail of the log is gone elsewhere is
// sent the whole state as a stream.
//
// # Files
//
// Everything of a Host is in Config.Dir, bound to the node's id, the cluster and the machine's host name; it
// must not be copied, restored or deleted in parts. A lost directory means a new replica id.
//
// # What it never does
//
// It doesn't look into entries, doesn't remove duplicates, doesn't retry proposals, doesn't choose members or
// leaders. It doesn't survive a disk that fails: the process is stopped, after Config.OnFatal was told.
package txlog
