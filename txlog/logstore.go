package txlog

import (
	"fmt"
	"sync"
	_ "unsafe" // for go:linkname

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"
)

// openLibraryStore is the library's own log store over Pebble. It is the default, but the library offers no way
// to name it, and a store can be wrapped only by naming it.
//
//go:linkname openLibraryStore github.com/lni/dragonboat/v4/internal/logdb.NewDefaultLogDB
func openLibraryStore(config.NodeHostConfig, config.LogDBCallback, []string, []string) (raftio.ILogDB, error)

// logStoreFactory makes the library's log store, wrapped in a logStore.
type logStoreFactory struct {
	// opened, if not nil, is given the store.
	opened func(*logStore)
	// wrote, if not nil, is told of what is on disk now.
	wrote func([]raftpb.Update)
}

var _ config.LogDBFactory = logStoreFactory{}

// Name is the library's own, for the files are its own.
func (logStoreFactory) Name() string { return "sharded-pebble" }

func (f logStoreFactory) Create(cfg config.NodeHostConfig, busy config.LogDBCallback, dirs, walDirs []string) (raftio.ILogDB, error) {
	cfg.Expert.Engine.ExecShards++ // one more worker that may write: this wrapper
	store, err := openLibraryStore(cfg, busy, dirs, walDirs)
	if err != nil {
		return nil, err
	}
	workers := cfg.Expert.Engine.ExecShards
	s := &logStore{ILogDB: store, own: workers, wrote: f.wrote, replicas: map[replicaKey]*hardState{}, scratch: make([][]raftpb.Update, workers)}
	if f.opened != nil {
		f.opened(s)
	}
	return s, nil
}

// logStore keeps the library from syncing the disk only to note how far the log is committed.
//
// Raft needs three things on disk before it goes on: its term, its vote and its entries. The commit index is a
// convenience: a replica that restarts with an old one learns the present one from the next leader. Yet the
// library writes and syncs it like the others, so that every entry costs two syncs on every replica, one after
// the other. This wrapper holds a state back that differs from the last one written in its commit index alone,
// and lets it ride along with the next write there is reason for. That halves the syncs and takes the second
// off the way of the next entry.
//
// One thing in the library relies on the commit index on disk: a snapshot's index must not be above it. So it
// is written before a snapshot is recorded.
type logStore struct {
	raftio.ILogDB
	own     uint64 // the worker number of this wrapper
	scratch [][]raftpb.Update
	wrote   func([]raftpb.Update)

	// writing is held shared by the library's workers and alone by this wrapper's own writes: were the two to
	// overtake each other, an old vote could replace a newer one.
	writing sync.RWMutex

	mu       sync.Mutex
	replicas map[replicaKey]*hardState
}

// hardState is what is known of a replica's state on disk.
type hardState struct {
	written raftpb.State
	held    raftpb.State // newer in its commit index alone; empty if nothing is held back
}

// votes tells whether a replica has its vote in the snapshot that it begins with.
func (s *logStore) votes(shard, replica uint64) (bool, error) {
	snapshot, err := s.GetSnapshot(shard, replica)
	if err != nil {
		return false, fmt.Errorf("raft log: reading the members as of the last snapshot: %w", err)
	}
	_, votes := snapshot.Membership.Addresses[replica]
	return votes, nil
}

// SaveRaftState writes what Raft needs on disk.
func (s *logStore) SaveRaftState(updates []raftpb.Update, worker uint64) error {
	if worker == 0 || worker >= s.own {
		return fmt.Errorf("raft log: worker %d is unknown", worker)
	}
	s.writing.RLock()
	defer s.writing.RUnlock()
	kept := s.scratch[worker-1][:0]
	s.mu.Lock()
	for i := range updates {
		if u, needed := s.weigh(&updates[i]); needed {
			kept = append(kept, u)
		}
	}
	s.mu.Unlock()
	s.scratch[worker-1] = kept
	if len(kept) == 0 {
		return nil
	}
	err := s.ILogDB.SaveRaftState(kept, worker)
	if err == nil && s.wrote != nil {
		s.wrote(kept)
	}
	clear(kept)
	return err
}

// weigh decides whether an update has to be written, and adds to it what was held back. s.mu is held.
func (s *logStore) weigh(u *raftpb.Update) (raftpb.Update, bool) {
	key := replicaKey{u.ShardID, u.ReplicaID}
	h := s.replicas[key]
	if h == nil {
		h = &hardState{}
		s.replicas[key] = h
	}
	needed := len(u.EntriesToSave) > 0 || !raftpb.IsEmptySnapshot(u.Snapshot)
	if !raftpb.IsEmptyState(u.State) {
		h.held = u.State
		needed = needed || u.State.Term != h.written.Term || u.State.Vote != h.written.Vote
	}
	if !needed {
		return raftpb.Update{}, false
	}
	full := *u
	if !raftpb.IsEmptyState(h.held) {
		full.State, h.written, h.held = h.held, h.held, raftpb.State{}
	}
	return full, true
}

// SaveSnapshots records snapshots, after the commit indexes that they rely on.
func (s *logStore) SaveSnapshots(updates []raftpb.Update) error {
	for i := range updates {
		if err := s.release(replicaKey{updates[i].ShardID, updates[i].ReplicaID}); err != nil {
			return fmt.Errorf("raft log: writing the commit index before a snapshot: %w", err)
		}
	}
	return s.ILogDB.SaveSnapshots(updates)
}

// release writes what is held back of a replica.
func (s *logStore) release(key replicaKey) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	h := s.replicas[key]
	if h == nil || raftpb.IsEmptyState(h.held) {
		s.mu.Unlock()
		return nil
	}
	state := h.held
	h.written, h.held = state, raftpb.State{}
	s.mu.Unlock()
	return s.ILogDB.SaveRaftState([]raftpb.Update{{ShardID: key.shard, ReplicaID: key.replica, State: state}}, s.own)
}

// RemoveNodeData forgets a replica.
func (s *logStore) RemoveNodeData(shard, replica uint64) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	delete(s.replicas, replicaKey{shard, replica})
	s.mu.Unlock()
	return s.ILogDB.RemoveNodeData(shard, replica)
}

// Close writes everything that is held back, so that a replica that was closed in good order begins where it
// was.
func (s *logStore) Close() error {
	s.mu.Lock()
	keys := make([]replicaKey, 0, len(s.replicas))
	for key := range s.replicas {
		keys = append(keys, key)
	}
	s.mu.Unlock()
	for _, key := range keys {
		if err := s.release(key); err != nil {
			return err
		}
	}
	return s.ILogDB.Close()
}
