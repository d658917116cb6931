package txlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"

	"lockstep/engine/entry"
)

// LogEnd is the index and term of the last entry that a replica of this host has in its log, committed or not;
// 0 where it has none. Of two replicas that is what elections compare: the higher term, then the higher index.
func (h *Host) LogEnd(shard, replica uint64) (index, term uint64, err error) {
	err = h.withLog(func(s *logStore) error {
		snapshot, err := s.GetSnapshot(shard, replica)
		if err != nil {
			return err
		}
		index, term = snapshot.Index, snapshot.Term
		state, err := s.ReadRaftState(shard, replica, snapshot.Index)
		if errors.Is(err, raftio.ErrNoSavedLog) {
			return nil
		}
		if err != nil || state.EntryCount == 0 {
			return err
		}
		last := state.FirstIndex + state.EntryCount - 1
		entries, err := s.between(shard, replica, last, last)
		if err == nil && len(entries) == 1 {
			index, term = last, entries[0].Term
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("txlog: the end of the log of replica %d of group %d: %w", replica, shard, err)
	}
	return index, term, nil
}

// between reads entries first to last, both included, of which it answers some from first on.
func (s *logStore) between(shard, replica, first, last uint64) ([]raftpb.Entry, error) {
	// Asked for a single entry that it has not, the library panics: it is asked for two.
	entries, _, err := s.IterateEntries(nil, 0, shard, replica, first, last+2, readLogBytes)
	if errors.Is(err, raftio.ErrNoSavedLog) {
		return nil, nil
	}
	for len(entries) > 0 && entries[len(entries)-1].Index > last {
		entries = entries[:len(entries)-1]
	}
	return entries, err
}

// ReadTail gives each what a replica of this host has in its log after an entry, to the log's end, whether it was
// committed or not: what is lost with the rest of a group may have been acknowledged. The replica must not run.
// The bytes are valid during the call only.
func (h *Host) ReadTail(ctx context.Context, shard, replica, after uint64, each func(entry.Raw) error) error {
	if g, ok := h.Group(shard); ok && g.replica == replica {
		return fmt.Errorf("txlog: reading the tail of replica %d of group %d: it runs, and its log may change", replica, shard)
	}
	last, _, err := h.LogEnd(shard, replica)
	if err != nil {
		return err
	}
	for next := after + 1; next <= last; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var entries []raftpb.Entry
		err := h.withLog(func(s *logStore) (err error) {
			entries, err = s.between(shard, replica, next, last)
			return err
		})
		if err == nil && (len(entries) == 0 || entries[0].Index != next) {
			err = fmt.Errorf("%w: entry %d is not there", ErrCompacted, next)
		}
		if err != nil {
			return fmt.Errorf("txlog: reading the tail of replica %d of group %d: %w", replica, shard, err)
		}
		for i := range entries {
			cmd, err := payload(&entries[i])
			if err != nil {
				return fmt.Errorf("txlog: reading the tail of replica %d of group %d: %w", replica, shard, err)
			}
			if err := each(entry.Raw{Index: entries[i].Index, Cmd: cmd}); err != nil {
				return err
			}
		}
		next += uint64(len(entries))
	}
	return nil
}

// Begin makes the log of a group that begins with a replica of this host alone, and with a state of which an entry
// of that index and term was the last: it goes on after it, and whoever joins is sent the state. StartGroup then
// starts the replica as one that was there before. A log that was begun stays as it is.
//
// It is how a group that lost its majority is begun anew, under a shard of its own: what is left of the old shard
// can't be taken for a part of it, however it comes back. It makes the same record as the library's tool for
// importing snapshots, which wants every other group of the host to stand still.
func (h *Host) Begin(shard, replica, index, term uint64) error {
	if h.HasData(shard, replica) {
		return nil
	}
	if index == 0 || term == 0 || shard == 0 || replica == 0 {
		return fmt.Errorf("txlog: beginning group %d: a state without an entry (index %d, term %d)", shard, index, term)
	}
	err := h.withLog(func(s *logStore) error {
		return s.ImportSnapshot(raftpb.Snapshot{
			ShardID: shard, Index: index, Term: term, OnDiskIndex: index,
			Dummy: true, // the state is the state machine's own
			Type:  raftpb.OnDiskStateMachine,
			Membership: raftpb.Membership{
				ConfigChangeId: index, Addresses: map[uint64]string{replica: h.cfg.NodeID.target()},
				NonVotings: map[uint64]string{}, Witnesses: map[uint64]string{}, Removed: map[uint64]bool{},
			},
		}, replica)
	})
	if err != nil {
		return fmt.Errorf("txlog: beginning group %d: %w", shard, err)
	}
	return nil
}
