// Package store keeps one group's state on disk: an ordered map from byte keys
// to byte values, held by Pebble v2. Pebble is seen nowhere else.
//
// # The one idea
//
// The group's log is the write-ahead log, so this package has none. A [Batch] is
// committed to memory only; it survives a crash from the next [Store.Flush] on.
// What survives is always a prefix of the commits, in their order, each whole or
// absent. The caller therefore writes the position it has applied into the same
// batch as the rows: whatever the crash leaves, the position tells which entries
// to execute again (architecture.md, The log is the write-ahead log).
//
// # How data flows
//
//	Batch.Commit -> memtable --(full, FlushAsync, Flush)--> sorted tables, fsync, manifest fsync
//	Get, Snapshot, Iter <- memtable and tables
//	SaveTo:      Snapshot -> stream of checksummed blocks
//	RecoverFrom: stream -> sorted tables in a fresh directory -> pointer moved -> old directory removed
//
// The directory of a store:
//
//	LOCK                           held while open: one process, one store
//	marker.contents.000007.v1-000003   the pointer: which directory holds the contents
//	v1-000003/                     a Pebble database
//
// Anything else named v1-… is the leftover of a recovery cut short, and is
// removed by [Open]. The pointer is moved by creating and syncing a new marker
// file, so a crash at any step finds either the old contents or the new, whole.
//
// # Failure
//
// The first failed write, sync or rename ends the store's life for writing:
// nothing more is changed on the disk, so what is there is what a crash at that
// moment would have left. [Store.Err] tells why, [Options].OnFatal is called
// once, Flush and Commit return the error at once instead of blocking, and reads
// go on being answered from what is in memory and on disk. After damage
// ([ErrCorrupt]) reads are refused as well: no answer rather than a wrong one.
//
// # Closing
//
// Every read may race with [Store.Close] and [Store.RecoverFrom]. An operation
// under way is waited for; a later one on the store, a Snapshot, an Iter or a
// Batch of the closed contents returns [ErrClosed] ([ErrReplaced] when a
// recovery has put others in their place). Keys and values handed out are
// copies, so none of them dies with the store.
//
// # What it never does
//
// It never interprets keys or values, never reads its own pending batch, never
// flushes on Close, and never retries a failed disk: restarting is the
// supervisor's decision.
package store
