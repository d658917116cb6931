package txlog_test

import (
	"bytes"

	"github.com/lni/dragonboat/v4/raftpb"

	"lockstep/txlog/txlogtest"
)

// garbage is frames that no node sends: noise, and messages that make the library panic when it sees them.
func garbage() [][]byte {
	frames := [][]byte{{}, {0}, bytes.Repeat([]byte{0xff}, 20), []byte("GET / HTTP/1.1\r\n\r\n")}
	good := raftpb.Message{To: 1, From: 2, ShardID: txlogtest.Shard, Term: 1 << 40, Type: raftpb.RequestPreVote}
	for kind := raftpb.MessageType(0); kind < 40; kind++ {
		if kind == raftpb.NoOP || (kind >= raftpb.ReplicateResp && kind <= raftpb.ReadIndexResp) || kind >= raftpb.SnapshotReceived {
			continue // a member may send these; only a liar's terms are wrong
		}
		m := good
		m.Type = kind
		frames = append(frames, batch(m))
	}
	nobody, noGroup := good, good
	nobody.To, noGroup.ShardID = 0, 0
	gap := raftpb.Message{To: 1, From: 2, ShardID: txlogtest.Shard, Term: 1, Type: raftpb.Replicate,
		LogIndex: 5, Entries: []raftpb.Entry{{Term: 1, Index: 9}}}
	unknown := gap
	unknown.Entries = []raftpb.Entry{{Term: 1, Index: 6, Type: 77}}
	change := gap
	change.Entries = []raftpb.Entry{{Term: 1, Index: 6, Type: raftpb.ConfigChangeEntry, Cmd: []byte{0xff}}}
	snapshot := good
	snapshot.Type, snapshot.Snapshot = raftpb.InstallSnapshot, raftpb.Snapshot{Index: 5, Term: 5}
	frames = append(frames, batch(nobody), batch(noGroup), batch(gap), batch(unknown), batch(change), batch(snapshot))
	chunk := raftpb.Chunk{ShardID: txlogtest.Shard, ReplicaID: 1, From: 2, Index: 7, Term: 7, ChunkCount: 1, Filepath: ".."}
	b, _ := chunk.Marshal()
	return append(frames, b)
}

func batch(m raftpb.Message) []byte {
	b := raftpb.MessageBatch{Requests: []raftpb.Message{m}, DeploymentId: 0x7465737401020307, BinVer: 210}
	frame, err := b.Marshal()
	if err != nil {
		panic(err)
	}
	return frame
}
