package txlog

import (
	"errors"
	"fmt"
	"path"

	"github.com/lni/dragonboat/v4/raftpb"
)

// errUseless is for bytes from a peer that the library must not see: it trusts what it is given, and stops the
// process over the wrong byte (traps.md, 10).
var errUseless = errors.New("not a raft message")

// decodeBatch reads a batch of messages from a peer and leaves out those that no peer has reason to send.
func decodeBatch(frame []byte) (batch raftpb.MessageBatch, dropped int, err error) {
	defer func() {
		if r := recover(); r != nil {
			batch, err = raftpb.MessageBatch{}, fmt.Errorf("%w: %v", errUseless, r)
		}
	}()
	if err := batch.Unmarshal(frame); err != nil {
		return raftpb.MessageBatch{}, 0, fmt.Errorf("%w: %w", errUseless, err)
	}
	kept := batch.Requests[:0]
	for _, m := range batch.Requests {
		if sensible(&m) {
			kept = append(kept, m)
		}
	}
	dropped = len(batch.Requests) - len(kept)
	batch.Requests = kept
	return batch, dropped, nil
}

// sensible tells whether a message is one that peers exchange and has what its kind needs.
func sensible(m *raftpb.Message) bool {
	if m.To == 0 || m.From == 0 || m.ShardID == 0 || !raftpb.IsEmptySnapshot(m.Snapshot) {
		return false
	}
	switch m.Type {
	case raftpb.Replicate:
		return m.Term > 0 && continues(m)
	case raftpb.ReplicateResp, raftpb.RequestVote, raftpb.RequestVoteResp, raftpb.RequestPreVote,
		raftpb.RequestPreVoteResp, raftpb.Heartbeat, raftpb.HeartbeatResp, raftpb.TimeoutNow, raftpb.ReadIndexResp:
		return m.Term > 0 && len(m.Entries) == 0
	case raftpb.NoOP, raftpb.ReadIndex, raftpb.LeaderTransfer, raftpb.RateLimit, raftpb.SnapshotReceived:
		return len(m.Entries) == 0
	case raftpb.Propose:
		return len(m.Entries) > 0 && known(m.Entries) && !bare(m.Entries)
	}
	return false
}

// continues tells whether the entries of a Replicate follow the index that it names, one by one.
func continues(m *raftpb.Message) bool {
	term := m.LogTerm
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.Index != m.LogIndex+1+uint64(i) || e.Term < term || e.Term > m.Term {
			return false
		}
		term = e.Term
	}
	return known(m.Entries)
}

// known tells whether the library can apply the entries: it stops the process over others.
func known(entries []raftpb.Entry) bool {
	for i := range entries {
		e := &entries[i]
		switch e.Type {
		case raftpb.ApplicationEntry:
		case raftpb.MetadataEntry:
			if len(e.Cmd) > 0 {
				return false
			}
		case raftpb.EncodedEntry:
			if len(e.Cmd) == 0 || e.Cmd[0] != plainEncoding {
				return false
			}
		case raftpb.ConfigChangeEntry:
			var change raftpb.ConfigChange
			if change.Unmarshal(e.Cmd) != nil || change.Type > raftpb.AddWitness || change.Type < 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// bare tells whether there are entries of index and term alone, which are for witnesses.
func bare(entries []raftpb.Entry) bool {
	for i := range entries {
		if entries[i].Type == raftpb.MetadataEntry {
			return true
		}
	}
	return false
}

// plainEncoding is the first byte of an entry whose payload is neither compressed nor of a session.
const plainEncoding = 0

// decodeChunk reads a piece of a streamed snapshot. Its file name becomes one here, so it has to be plain.
func decodeChunk(frame []byte) (chunk raftpb.Chunk, err error) {
	defer func() {
		if r := recover(); r != nil {
			chunk, err = raftpb.Chunk{}, fmt.Errorf("%w: %v", errUseless, r)
		}
	}()
	if err := chunk.Unmarshal(frame); err != nil {
		return raftpb.Chunk{}, fmt.Errorf("%w: %w", errUseless, err)
	}
	name := path.Base(chunk.Filepath)
	switch {
	case chunk.ShardID == 0 || chunk.ReplicaID == 0 || chunk.From == 0 || chunk.Index == 0 || chunk.Term == 0:
		return raftpb.Chunk{}, fmt.Errorf("%w: a chunk of nothing", errUseless)
	case name == "." || name == ".." || name == "/":
		return raftpb.Chunk{}, fmt.Errorf("%w: a chunk of file %q", errUseless, chunk.Filepath)
	case uint64(len(chunk.Data)) != chunk.ChunkSize:
		return raftpb.Chunk{}, fmt.Errorf("%w: a chunk of %d bytes that claims %d", errUseless, len(chunk.Data), chunk.ChunkSize)
	}
	return chunk, nil
}

// divide splits a batch so that no frame is much above maxRaftFrame. A Replicate that is larger by itself
// becomes several, each continuing where the one before ended, which is what Raft would have sent for a shorter
// log.
func divide(batch raftpb.MessageBatch, send func(raftpb.MessageBatch) error) error {
	if batch.SizeUpperLimit() <= maxRaftFrame {
		return send(batch)
	}
	var pieces []raftpb.Message
	for _, m := range batch.Requests {
		pieces = appendPieces(pieces, m)
	}
	part := batch
	for len(pieces) > 0 {
		n, size := 0, 0
		for n < len(pieces) && (n == 0 || size+pieces[n].SizeUpperLimit() <= maxRaftFrame) {
			size += pieces[n].SizeUpperLimit()
			n++
		}
		part.Requests = pieces[:n]
		if err := send(part); err != nil {
			return err
		}
		pieces = pieces[n:]
	}
	return nil
}

func appendPieces(pieces []raftpb.Message, m raftpb.Message) []raftpb.Message {
	for m.Type == raftpb.Replicate && len(m.Entries) > 1 && m.SizeUpperLimit() > maxRaftFrame {
		n, size := 0, 0
		for n < len(m.Entries)-1 && (n == 0 || size+m.Entries[n].SizeUpperLimit() <= maxRaftFrame/2) {
			size += m.Entries[n].SizeUpperLimit()
			n++
		}
		first := m
		first.Entries = m.Entries[:n]
		pieces = append(pieces, first)
		last := m.Entries[n-1]
		m.LogIndex, m.LogTerm, m.Entries = last.Index, last.Term, m.Entries[n:]
	}
	return append(pieces, m)
}
