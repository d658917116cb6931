// Package entry is the binary form of what is ordered: the entries of a
// group's log, and the single transactions within them, which routers also
// send to each other.
//
// # One idea
//
// JSON is parsed and typed once, at the router that received it; from there on
// a transaction travels as a few length-prefixed fields that every copy reads
// without copying them (architecture.md, Parse once, execute three times).
//
// # Format
//
// Integers are unsigned LEB128 varints unless a width is named; fixed widths
// are little-endian; text and bytes are a varint length and the bytes.
//
//	entry      = version:1 kind:1 body
//	version    = 0x01
//	kind       = 1 batch | 2 schema change | 3 checkpoint | 4 backfill | 5 finish | 6 verdict | 7 language | 8 assignment
//	language   = proposer:8 sequence time_ms version if_match
//	batch      = proposer:8 sequence time_ms seed:16 schema_version count item*
//	schema     = proposer:8 sequence time_ms if_match if_begun document
//	checkpoint = proposer:8 sequence time_ms id:8 contents:1
//	contents   = 0 none | 1 when asked for | 2 scrubbed
//	verdict    = proposer:8 sequence time_ms checkpoint:8 revision running:32
//	             judged:1 [content:32] replicas replicas   (who agreed, who differed)
//	judged     = bit 0: a content digest follows, bit 1: an operator chose
//	replicas   = count replica*
//	backfill   = proposer:8 sequence time_ms change step rows
//	finish     = proposer:8 sequence time_ms change abandon:1
//	language   = proposer:8 sequence time_ms version
//	assignment = proposer:8 sequence time_ms task holder epoch reason:1 text
//	reason     = 1 normal | 2 recovery | 3 maintenance | 4 shutdown
//	item       = flags:1 id fingerprint:16 program params
//	flags      = bit 0: a client's key, bit 1: inline steps; the others are 0
//	id         = key                        (bit 0 set)
//	           | session:8 counter          (bit 0 clear)
//	program    = source                     (bit 1 set)
//	           | procedure                  (bit 1 clear: its index in the schema)
//	params     = bytes                      (the binary form of package value)
//
// A decoder refuses an unknown version or kind, a field that runs past the end,
// and bytes left over: an entry is understood wholly or not at all. New fields
// mean a new version; the files under testdata hold one entry of each kind so
// that a change of the format is seen.
//
// # What it never does
//
// It does not judge: whether a schema is valid or a procedure exists is the
// engine's affair. Decoded fields alias the input and live as long as it does.
package entry
