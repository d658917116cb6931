package engine

import (
	"encoding/binary"

	"lockstep/engine/entry"
)

// The first byte of a store key says what is under it. The bytes are part of
// the format on disk.
const (
	spaceApplied  = 0x00 // the applied position, and the last verdicts: all that is outside the content digest
	spaceMeta     = 0x01 // counters, schema, layout
	spaceSessions = 0x02 // windows of router sessions
	spaceOutcomes = 0x03 // outcomes by bucket of time, then id
	spaceRows     = 0x04 // rows by table, then key
	spaceIndexes  = 0x05 // index entries by index, then columns
	spaceFeed     = 0x06 // the change feed by revision
	spaceTasks    = 0x07 // tasks by name: their last assignments
	spaceChange   = 0x08 // a schema change under way, and how the last ones ended
	spaceEnd      = 0x09
)

const (
	idRouter = 0x00 // an outcome's key goes on with slice, session and counter
	idClient = 0x01 // an outcome's key goes on with slice and the client's key
)

// sliceBits is how many revisions, as a power of two, form a slice. Outcomes lie
// in slices, one after the other: what is written now lies beside what was
// written lately, whatever the ids, so that compaction leaves the rest alone.
// Whoever looks for an id that was given before tries the slices.
const sliceBits = 18

func sliceOf(revision uint64) uint32 { return uint32(revision >> sliceBits) }

func appliedKey() []byte { return []byte{spaceApplied} }

// verdictKey is where a verdict stands, by what it is remembered as.
func verdictKey(as byte) []byte { return []byte{spaceApplied, as} }

func stateKey() []byte  { return []byte{spaceMeta, 's'} }
func schemaKey() []byte { return []byte{spaceMeta, 'd'} }
func layoutKey() []byte { return []byte{spaceMeta, 'l'} }

// Of a schema change under way: its progress, document and layout; and, whether
// or not there is one, how many were begun and how the last ones ended.
func changeKey() []byte       { return []byte{spaceChange, 'c'} }
func changeDocKey() []byte    { return []byte{spaceChange, 'd'} }
func changeLayoutKey() []byte { return []byte{spaceChange, 'l'} }
func changeEndsKey() []byte   { return []byte{spaceChange, 'e'} }

func sessionKey(session uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{spaceSessions}, session)
}

// appendOutcomeKey appends the key of an outcome: those of one bucket lie
// together, so that the oldest are dropped by one range. The slice is that of
// the outcome's revision.
func appendOutcomeKey(dst []byte, bucket, slice uint32, id entry.ID) []byte {
	dst = append(dst, spaceOutcomes)
	dst = binary.BigEndian.AppendUint32(dst, bucket)
	if id.Key != "" {
		dst = binary.BigEndian.AppendUint32(append(dst, idClient), slice)
		return append(dst, id.Key...)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, idRouter), slice)
	dst = binary.BigEndian.AppendUint64(dst, id.Session)
	return binary.BigEndian.AppendUint64(dst, id.Counter)
}

// appendID appends an id so that no two read alike: for the digest, and to find
// what is not committed yet.
func appendID(dst []byte, id entry.ID) []byte {
	if id.Key != "" {
		return append(append(dst, idClient), id.Key...)
	}
	dst = binary.BigEndian.AppendUint64(append(dst, idRouter), id.Session)
	return binary.BigEndian.AppendUint64(dst, id.Counter)
}

// prefixKey is the first key of what belongs to a bucket, table or index.
func prefixKey(space byte, id uint32) []byte { return appendPrefix(nil, space, id) }

func appendPrefix(dst []byte, space byte, id uint32) []byte {
	return append(dst, space, byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

// prefixEnd is the first key after all that begin with prefix.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
