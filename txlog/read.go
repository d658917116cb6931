package txlog

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"

	"lockstep/engine/entry"
)

// ErrCompacted: the log of this replica no longer has the entries that were asked for.
var ErrCompacted = errors.New("the log no longer reaches back so far")

// ReadLog gives each the entries with indexes from first to last, both included, that the state machine of this
// replica was given, in order; last is at most what it has applied, or is about to have: the rest is waited for, for a moment. The library's own entries (changes of members,
// no-ops) are passed over as they are in applying. The bytes are valid during the call only.
//
// It reads the disk a bounded piece at a time and holds nothing in between, neither a lock nor the log: what is
// compacted meanwhile is ErrCompacted. An error of each is returned as it is.
func (g *Group) ReadLog(ctx context.Context, first, last uint64, each func(entry.Raw) error) error {
	if first > last {
		return nil
	}
	if err := g.waitApplied(ctx, last); err != nil {
		return fmt.Errorf("read the log of group %d: %w", g.id, err)
	}
	for next := max(first, 1); next <= last; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read the log of group %d: %w", g.id, err)
		}
		entries, err := g.logPiece(ctx, next, last)
		if err != nil {
			return fmt.Errorf("read the log of group %d: %w", g.id, err)
		}
		for i := range entries {
			cmd, err := payload(&entries[i])
			if err != nil {
				return fmt.Errorf("read the log of group %d: %w", g.id, err)
			}
			if len(cmd) == 0 {
				continue
			}
			if err := each(entry.Raw{Index: entries[i].Index, Cmd: cmd}); err != nil {
				return err
			}
		}
		next += uint64(len(entries))
	}
	return nil
}

// waitApplied waits until the call of Apply that has the entry has returned: before, the entry may not be this
// replica's for good.
func (g *Group) waitApplied(ctx context.Context, last uint64) error {
	for limit := time.Now().Add(logWait); g.machine.applied.Load() < last; {
		if time.Now().After(limit) {
			return fmt.Errorf("entry %d is asked for and %d is the last one applied", last, g.machine.applied.Load())
		}
		if !g.pause(ctx, nil, g.host.ticks(1)) {
			return ended(ctx)
		}
	}
	return nil
}

// FirstEntry is the index of the first entry that ReadLog can read: 1 where the log reaches back to the group's
// beginning.
func (g *Group) FirstEntry() (uint64, error) {
	first, err := g.firstEntry(1)
	if err != nil {
		return 0, fmt.Errorf("read the log of group %d: %w", g.id, err)
	}
	return first, nil
}

// logPiece reads at least one entry from next on. The library may apply an entry a moment before its own disk has
// it: that moment is waited for.
func (g *Group) logPiece(ctx context.Context, next, last uint64) ([]raftpb.Entry, error) {
	for limit := time.Now().Add(logWait); ; {
		entries, err := g.entries(next, last+1, readLogBytes)
		if err != nil {
			return nil, err
		}
		if len(entries) > 0 && entries[0].Index == next {
			return entries, nil
		}
		if first, err := g.firstEntry(next); err != nil || first > next && first <= last {
			return nil, errors.Join(err, fmt.Errorf("%w: entry %d is gone, the first one left is %d", ErrCompacted, next, first))
		}
		if time.Now().After(limit) {
			return nil, fmt.Errorf("%w: entry %d is not there", ErrCompacted, next)
		}
		if !g.pause(ctx, nil, g.host.ticks(1)) {
			return nil, ended(ctx)
		}
	}
}

// ended is why waiting ended: the caller's time is over, or the group's.
func ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return ErrClosed
}

// firstEntry is the first index, from low on, of which the log has the entry. Compaction only ever takes from the
// front, so halving finds it.
func (g *Group) firstEntry(low uint64) (uint64, error) {
	floor, err := g.received()
	if err != nil {
		return 0, err
	}
	low = max(low, floor+1)
	high := g.machine.applied.Load()
	if high < low {
		return low, nil
	}
	n := sort.Search(int(high-low), func(i int) bool {
		entries, failed := g.entries(low+uint64(i), low+uint64(i)+1, 0)
		err = errors.Join(err, failed)
		return len(entries) > 0 && entries[0].Index == low+uint64(i)
	})
	return low + uint64(n), err
}

// received is the index of the state that this replica was sent when its own log had fallen behind: what the disk
// still has of before is no part of the log.
func (g *Group) received() (index uint64, err error) {
	err = g.host.withLog(func(s *logStore) error {
		snapshot, err := s.GetSnapshot(g.id, g.replica)
		if err == nil && !raftpb.IsEmptySnapshot(snapshot) && !snapshot.Dummy {
			index = snapshot.Index
		}
		return err
	})
	return index, err
}

// entries reads entries [low, high) from the disk, about maxBytes of them, at least one if it is there.
func (g *Group) entries(low, high, maxBytes uint64) (entries []raftpb.Entry, err error) {
	err = g.host.withLog(func(s *logStore) error {
		// Asked for a single entry that it has not, the library panics: it is asked for two.
		entries, _, err = s.IterateEntries(nil, 0, g.id, g.replica, low, max(high, low+2), maxBytes)
		if errors.Is(err, raftio.ErrNoSavedLog) {
			return nil
		}
		return err
	})
	for len(entries) > 0 && entries[len(entries)-1].Index >= high {
		entries = entries[:len(entries)-1]
	}
	return entries, err
}

// withLog reads the log's store, which is not closed meanwhile: it panics when it is used after.
func (h *Host) withLog(read func(*logStore) error) error {
	h.reading.RLock()
	defer h.reading.RUnlock()
	if h.unread {
		return ErrClosed
	}
	return read(h.store)
}

// closeReading waits for reads of the log under way and lets no more begin.
func (h *Host) closeReading() {
	h.reading.Lock()
	defer h.reading.Unlock()
	h.unread = true
}

// payload is what the state machine is given of an entry; empty for the library's own. An entry as the library
// encodes it has a byte before what was proposed, which says how: this package never has it compress.
func payload(e *raftpb.Entry) ([]byte, error) {
	if !e.IsUpdateEntry() || len(e.Cmd) == 0 {
		return nil, nil
	}
	switch {
	case e.Type == raftpb.ApplicationEntry:
		return e.Cmd, nil
	case e.Type == raftpb.EncodedEntry && e.Cmd[0] == 0:
		return e.Cmd[1:], nil
	}
	return nil, fmt.Errorf("entry %d is encoded in a way that this program does not know: type %d", e.Index, e.Type)
}
