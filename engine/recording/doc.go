// Package recording is the file format of a recorded range of a group's log: a
// state to begin with, the entries from there on, and the digests that the
// copy which wrote it had on the way.
//
// # One idea
//
// A recording is self-contained. Whoever has it, and this program, can execute
// it again on any machine and see for himself that the digests come out: no node
// has to be trusted, and none is asked (package replay does so).
//
// # Format
//
// Fixed widths are little-endian; varints are unsigned LEB128 in their shortest
// form; checksums are CRC-32C.
//
//	file    = header block* trailer
//	header  = "LSTPRECD" version:4 (1) zero:4 checksum:4 of the 16 bytes before
//	block   = stored:4 (> 0) plain:4 checksum:4 zstd
//	trailer = zero:4 blocks:8 records:8 plain:8 checksum:4 of all blocks' checksums
//	          checksum:4 of the 32 bytes before
//
// A block's zstd is one frame of stored bytes that holds plain bytes of whole
// records. Its checksum is over the block's number (8 bytes, from 0), the two
// lengths and the stored bytes, so that blocks lost, doubled or moved are found.
// A file without its trailer was cut.
//
//	record   = kind:1 length body
//	begin    = 1: flags:1 taken_ms group node program language position
//	snapshot = 2: bytes of the state (package store, SaveTo)
//	entry    = 3: index command
//	digest   = 4: index revision time_ms flags:1 running:32 [content:32]
//	end      = 5: taken_ms
//	failure  = 6: text
//	position = index revision time_ms schema running:32
//
// Text is a varint length and the bytes; a command goes to the end of its record.
// Flags of begin: bit 0, snapshots follow; of digest: bit 0, content is there.
//
// The order is begin, snapshots, then entries and digests, then end; indexes
// ascend. A digest says what the writing copy had when it had applied every
// entry up to an index. Where there is no snapshot, the recording begins with the
// group itself: position is zero, and nothing was there. A failure stands in
// place of the end where the writer had to give up, and says why.
//
// # What it never does
//
// It never believes a length: a reader takes at most a block's bound of memory
// (limits.go), whatever it is given. It looks into no entry but to count.
package recording
