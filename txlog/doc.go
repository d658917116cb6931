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
