package txlog

import (
	"slices"
	"testing"

	"github.com/lni/dragonboat/v4/raftpb"
	"pgregory.net/rapid"
)

// FuzzDecodeBatch feeds bytes to the decoder of messages: it never panics, and what it lets through is what the
// library takes without stopping the process.
func FuzzDecodeBatch(f *testing.F) {
	for _, m := range []raftpb.Message{
		{Type: raftpb.Heartbeat, To: 1, From: 2, ShardID: 3, Term: 4},
		{Type: raftpb.Replicate, To: 1, From: 2, ShardID: 3, Term: 4, LogIndex: 5, LogTerm: 4, Entries: []raftpb.Entry{
			{Term: 4, Index: 6, Type: raftpb.EncodedEntry, Cmd: []byte("\x00hello")},
			{Term: 4, Index: 7, Type: raftpb.ConfigChangeEntry, Cmd: []byte{8, 1, 16, 1, 24, 1, 34, 0, 40, 0}},
		}},
		{Type: raftpb.InstallSnapshot, To: 1, From: 2, ShardID: 3, Term: 4, Snapshot: raftpb.Snapshot{Index: 9}},
	} {
		b := raftpb.MessageBatch{Requests: []raftpb.Message{m}, DeploymentId: 7, SourceAddress: NodeID(1).target(), BinVer: 210}
		frame, err := b.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		batch, _, err := decodeBatch(frame)
		if err != nil {
			return
		}
		for _, m := range batch.Requests {
			if m.To == 0 || m.From == 0 || !raftpb.IsEmptySnapshot(m.Snapshot) || m.Type == raftpb.InstallSnapshot || m.Type == raftpb.LocalTick {
				t.Fatalf("let through: %+v", m)
			}
			for _, e := range m.Entries {
				if e.Type == raftpb.ConfigChangeEntry {
					var change raftpb.ConfigChange
					raftpb.MustUnmarshal(&change, e.Cmd)
				}
			}
		}
	})
}

// FuzzDecodeChunk does the same for pieces of a snapshot.
func FuzzDecodeChunk(f *testing.F) {
	c := raftpb.Chunk{ShardID: 1, ReplicaID: 2, From: 3, Index: 4, Term: 5, ChunkSize: 2, Data: []byte("ab"), Filepath: "/x/snapshot.ss"}
	frame, err := c.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame)
	f.Fuzz(func(_ *testing.T, frame []byte) { _, _ = decodeChunk(frame) })
}

// wire.go, divide: however large a batch is, its entries arrive once each and in order, every Replicate names
// the entry before its first, and no frame is far above the limit.
func TestDividedBatchesCarryTheSameEntries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var batch raftpb.MessageBatch
		index := uint64(10)
		for range rapid.IntRange(1, 4).Draw(t, "messages") {
			m := raftpb.Message{Type: raftpb.Replicate, To: 1, From: 2, ShardID: 3, Term: 9, LogIndex: index, LogTerm: 5}
			for range rapid.IntRange(0, 7).Draw(t, "entries") {
				index++
				size := rapid.SampledFrom([]int{0, 100, 5 << 20, MaxEntryBytes}).Draw(t, "size")
				m.Entries = append(m.Entries, raftpb.Entry{Term: 5, Index: index, Cmd: make([]byte, size)})
			}
			batch.Requests = append(batch.Requests, m)
		}
		var got []uint64
		_ = divide(batch, func(part raftpb.MessageBatch) error {
			for i := range part.Requests {
				m := &part.Requests[i]
				if !sensible(m) {
					t.Fatalf("a piece would be refused: %+v", m)
				}
				for _, e := range m.Entries {
					got = append(got, e.Index)
				}
			}
			if part.SizeUpperLimit() > maxRaftFrame+MaxEntryBytes+1<<20 {
				t.Fatalf("a frame of %d bytes", part.SizeUpperLimit())
			}
			return nil
		})
		var want []uint64
		for i := uint64(11); i <= index; i++ {
			want = append(want, i)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("entries %v arrived as %v", want, got)
		}
	})
}

// node.go: a target is the UUID that the library asks for, and names its node.
func TestTargetsNameNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := NodeID(rapid.Uint64Min(1).Draw(t, "id"))
		if got, ok := parseTarget(id.target()); !ok || got != id {
			t.Fatalf("%s became %s, %v", id, got, ok)
		}
		if got, err := ParseNodeID(id.String()); err != nil || got != id {
			t.Fatalf("%s became %s, %v", id, got, err)
		}
	})
	for _, s := range []string{"", "1", "0000000000000000", "zzzzzzzzzzzzzzzz", "10.0.0.1:7001", targetPrefix + "0000-000000000000"} {
		if id, ok := parseTarget(s); ok {
			t.Errorf("target %q names %s", s, id)
		}
		if id, err := ParseNodeID(s); err == nil {
			t.Errorf("node id %q is %s", s, id)
		}
	}
}

// transport.go, keepFull: entries of index and term alone reach a witness, never a copy, and are not proposed.
func TestACopyIsNotGivenTracesOfEntries(t *testing.T) {
	trace := raftpb.Message{Type: raftpb.Replicate, To: 1, From: 2, ShardID: 3, Term: 4, LogIndex: 5, LogTerm: 4, Entries: []raftpb.Entry{
		{Term: 4, Index: 6, Type: raftpb.MetadataEntry},
	}}
	for _, witness := range []bool{true, false} {
		tr := &transport{transportFactory: transportFactory{witness: func(shard, replica uint64) bool { return witness && shard == 3 && replica == 1 }}}
		frame, err := (&raftpb.MessageBatch{Requests: []raftpb.Message{trace}}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		batch, dropped, err := decodeBatch(frame)
		if err != nil || dropped != 0 {
			t.Fatalf("%d dropped, %v", dropped, err)
		}
		if dropped := tr.keepFull(&batch); (dropped == 0) != witness || (len(batch.Requests) == 1) != witness {
			t.Errorf("witness %v: %d dropped", witness, dropped)
		}
	}
	trace.Type = raftpb.Propose
	if sensible(&trace) {
		t.Error("a trace was proposed")
	}
	trace.Type, trace.Entries[0].Cmd = raftpb.Replicate, []byte("x")
	if sensible(&trace) {
		t.Error("a trace with a payload")
	}
}
