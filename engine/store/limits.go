package store

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// MaxKeyBytes bounds a key: an encoded index key holds two tuples of up to
	// 4 KiB beside its prefix; eight times that leaves room.
	MaxKeyBytes = 32 << 10

	// MaxValueBytes bounds a value: a row or an outcome is at most a few MiB
	// (value.MaxBytes is 1 MiB); the bound keeps a snapshot's block in memory.
	MaxValueBytes = 16 << 20

	// MaxBatchBytes bounds a batch: a log entry of 4 MiB writes tens of MiB at the
	// very most. Pebble panics at 4 GiB.
	MaxBatchBytes = 256 << 20

	// DefaultMemTableBytes is the size of the write buffer when none is asked for:
	// Pebble's 4 MiB flushes too often under load (traps.md, 26).
	DefaultMemTableBytes = 16 << 20

	// MinMemTableBytes is the least write buffer; less makes a flush per batch.
	MinMemTableBytes = 256 << 10

	// MaxMemTableBytes is the largest; a flush of more would hold Sync for seconds.
	MaxMemTableBytes = 256 << 20

	// memTables is how many write buffers are in memory at most: one filled, one
	// flushed, one kept for reuse.
	memTables = 3

	// ownCacheBytes is the block cache of a store that shares none.
	ownCacheBytes = 8 << 20

	// entryOverheadBytes is what the memtable's skiplist adds to an entry: node,
	// tower and key trailer, on average.
	entryOverheadBytes = 48

	// l0StopSublevels is where commits wait for compaction: beyond it every read
	// looks into that many tables (traps.md, 26).
	l0StopSublevels = 20

	// l0Sublevels is how many sublevels start a compaction of level 0. A copy that
	// flushes every second makes one a second; more of them at once cost a read
	// little, for bloom filters spare most look-ups, and rewrite less.
	l0Sublevels = 8

	// lBaseBytes is how large the level below may be before there is another:
	// each level writes everything once more.
	lBaseBytes = 512 << 20

	// l0FileBytes is the size of a table in level 0; each level below doubles it.
	l0FileBytes = 8 << 20

	// l0PollInterval is how often a waiting commit looks at the sublevels again.
	l0PollInterval = 5 * time.Millisecond

	// pebbleNeverStalls is a threshold that Pebble never reaches. Pebble's own
	// write stall waits without an end when flushes fail, with the commit lock
	// held, so that not even Close gets through: this package stalls instead.
	pebbleNeverStalls = 1 << 20

	// failedRetryInterval slows Pebble's endless retries of a failed flush, which
	// otherwise spin (traps.md, 25).
	failedRetryInterval = 50 * time.Millisecond

	// maxRetainedBatchBytes is how large a buffer a reused batch may keep: one log
	// entry's writes, with room.
	maxRetainedBatchBytes = 8 << 20

	// bloomBitsPerKey gives about 1 % of false positives.
	bloomBitsPerKey = 10

	// maxOpenFiles bounds the files a store keeps open; a node has several stores.
	maxOpenFiles = 512

	// blockBytes is the size at which a stream's block is closed: large enough that
	// framing costs nothing, small enough to notice a stop within milliseconds.
	blockBytes = 256 << 10

	// maxBlockBytes bounds a block read from a stream: one entry of the largest
	// key and value, or a full block and one more such entry.
	maxBlockBytes = blockBytes + MaxKeyBytes + MaxValueBytes + 2*maxVarintBytes

	// maxVarintBytes is the longest varint in a block.
	maxVarintBytes = 5

	// tableBytes is the size of the tables that a recovery writes.
	tableBytes = 64 << 20

	// formatVersion pins Pebble's format on disk; raising it can't be undone. This
	// one is the first whose table footers have a checksum.
	formatVersion = pebble.FormatTableFormatV6
)
