package txlog

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"
	"github.com/lni/vfs"
	"pgregory.net/rapid"
)

// counted is a log store that counts its writes and remembers what would be on disk.
type counted struct {
	raftio.ILogDB
	writes int
	state  raftpb.State
	last   uint64 // index of the last entry
}

func (c *counted) SaveRaftState(updates []raftpb.Update, _ uint64) error {
	c.writes++
	for _, u := range updates {
		if !raftpb.IsEmptyState(u.State) {
			c.state = u.State
		}
		for _, e := range u.EntriesToSave {
			c.last = e.Index
		}
	}
	return nil
}

func (c *counted) SaveSnapshots(updates []raftpb.Update) error {
	for _, u := range updates {
		if u.Snapshot.Index > c.state.Commit {
			return errors.New("a snapshot above the commit index: the library would not start again")
		}
	}
	return nil
}

func (c *counted) Close() error { return nil }

func wrap(inner raftio.ILogDB) *logStore {
	return &logStore{ILogDB: inner, own: 2, replicas: map[replicaKey]*hardState{}, scratch: make([][]raftpb.Update, 2)}
}

func update(state raftpb.State, entries ...uint64) []raftpb.Update {
	u := raftpb.Update{ShardID: 1, ReplicaID: 1, State: state}
	for _, index := range entries {
		u.EntriesToSave = append(u.EntriesToSave, raftpb.Entry{Term: state.Term, Index: index, Cmd: []byte("x")})
	}
	return []raftpb.Update{u}
}

// logstore.go: a state that differs in its commit index alone is held back, and rides along with the next write.
func TestTheCommitIndexAloneCostsNoSync(t *testing.T) {
	inner := &counted{}
	s := wrap(inner)
	save := func(u []raftpb.Update) {
		t.Helper()
		if err := s.SaveRaftState(u, 1); err != nil {
			t.Fatal(err)
		}
	}
	save(update(raftpb.State{Term: 1, Vote: 1}, 1, 2))
	for i := uint64(1); i <= 2; i++ {
		save(update(raftpb.State{Term: 1, Vote: 1, Commit: i}))
	}
	if inner.writes != 1 || inner.state.Commit != 0 {
		t.Fatalf("%d writes, commit %d", inner.writes, inner.state.Commit)
	}
	save(update(raftpb.State{}, 3)) // an entry with no news of the state
	if inner.writes != 2 || inner.state.Commit != 2 {
		t.Fatalf("%d writes, commit %d: it didn't ride along", inner.writes, inner.state.Commit)
	}
	save(update(raftpb.State{Term: 2, Commit: 3})) // a new term may never wait
	if inner.writes != 3 || inner.state.Term != 2 {
		t.Fatalf("%d writes, term %d", inner.writes, inner.state.Term)
	}
	save(update(raftpb.State{Term: 2, Vote: 3, Commit: 3})) // nor a vote
	if inner.writes != 4 || inner.state.Vote != 3 {
		t.Fatalf("%d writes, vote %d", inner.writes, inner.state.Vote)
	}
	save(update(raftpb.State{Term: 2, Vote: 3, Commit: 4}))
	if err := s.Close(); err != nil || inner.state.Commit != 4 {
		t.Fatalf("commit %d after Close, %v", inner.state.Commit, err)
	}
}

// logstore.go: term, vote and entries on disk are at every moment what the library asked for; the commit index
// is never above it, and never below a snapshot's.
func TestWhatRaftNeedsIsAlwaysOnDisk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inner := &counted{}
		s := wrap(inner)
		asked, last := raftpb.State{Term: 1}, uint64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				asked.Term++
				asked.Vote = rapid.Uint64Range(0, 3).Draw(t, "vote")
			case 1:
				last++
				if err := s.SaveRaftState(update(raftpb.State{}, last), 1); err != nil {
					t.Fatal(err)
				}
				continue
			case 2:
				asked.Commit = rapid.Uint64Range(asked.Commit, last).Draw(t, "commit")
			case 3:
				snapshot := raftpb.Update{ShardID: 1, ReplicaID: 1, Snapshot: raftpb.Snapshot{Index: asked.Commit}}
				if err := s.SaveSnapshots([]raftpb.Update{snapshot}); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := s.SaveRaftState(update(asked), 1); err != nil {
				t.Fatal(err)
			}
			if inner.state.Term != asked.Term || inner.state.Vote != asked.Vote || inner.last != last || inner.state.Commit > asked.Commit {
				t.Fatalf("asked for %+v and entry %d, on disk are %+v and %d", asked, last, inner.state, inner.last)
			}
		}
	})
}

// The same over the library's own store and a real disk: after a crash that loses what was held back, the log is
// read again with all its entries, and a commit index that is no lower than the snapshot's.
func TestAHeldBackCommitIndexMayBeLost(t *testing.T) {
	routeLibraryLog(slog.New(slog.DiscardHandler))
	dir := t.TempDir()
	open := func() *logStore {
		cfg := config.NodeHostConfig{NodeHostDir: dir, Expert: config.ExpertConfig{
			Engine: config.EngineConfig{ExecShards: 1}, LogDB: config.GetTinyMemLogDBConfig(), FS: vfs.Default,
		}}
		cfg.Expert.LogDB.Shards = 1
		store, err := logStoreFactory{}.Create(cfg, nil, []string{dir}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return store.(*logStore)
	}
	s := open()
	for index := uint64(1); index <= 10; index++ {
		if err := errors.Join(
			s.SaveRaftState(update(raftpb.State{Term: 1, Vote: 1, Commit: index - 1}, index), 1),
			s.SaveRaftState(update(raftpb.State{Term: 1, Vote: 1, Commit: index}), 1),
		); err != nil {
			t.Fatal(err)
		}
		if index == 5 {
			if err := s.SaveSnapshots([]raftpb.Update{{ShardID: 1, ReplicaID: 1, Snapshot: raftpb.Snapshot{ShardID: 1, Index: 5, Term: 1}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.ILogDB.Close(); err != nil { // not s.Close: that would write what is held back
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	got, err := s.ReadRaftState(1, 1, 5)
	if err != nil || got.State.Term != 1 || got.State.Vote != 1 || got.State.Commit != 9 || got.FirstIndex != 5 || got.EntryCount != 6 {
		t.Fatalf("%+v, %v", got, err)
	}
}
