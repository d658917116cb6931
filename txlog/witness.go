package txlog

import (
	"context"
	"errors"
	"io"

	"lockstep/engine/entry"
)

// AddWitness adds a member that votes and has no data; a node can then start it with Join and Witness. It takes
// part in elections and acknowledges entries, of which it keeps index and term alone, and all changes of members.
// It never leads. Adding what is there already succeeds.
//
// A member that is gone for good should be removed first, and the witness added then: with the dead one still
// counted, the newcomer's vote is needed before it has started, and were it lost then, so would be the majority.
func (g *Group) AddWitness(ctx context.Context, replica uint64, node NodeID) error {
	return g.change(ctx, "adding witness", replica, func(m *Membership) (bool, error) {
		return m.mayAdd(replica, node, true)
	}, func(ctx context.Context, version uint64) error {
		return g.host.nh.SyncRequestAddWitness(ctx, g.id, replica, node.target(), version)
	})
}

// Witness tells whether this replica is one.
func (g *Group) Witness() bool { return g.witness }

// isWitness tells whether a replica runs here and is a witness.
func (h *Host) isWitness(shard, replica uint64) bool {
	g, ok := h.Group(shard)
	return ok && g.replica == replica && g.witness
}

func checkWitness(cfg *GroupConfig) error {
	switch {
	case cfg.NonVoting:
		return errors.New("both Witness and NonVoting are given, which exclude each other: a witness votes")
	case cfg.StateMachine != nil:
		return errors.New("a witness has no StateMachine: leave it out")
	case !cfg.Join || len(cfg.Members) > 0:
		return errors.New("a witness joins a group, it can't begin one: give Join, and no Members")
	}
	return nil
}

// witnessMachine stands where a replica with data has its state machine. The library never gives it an entry,
// and never asks it for its state.
type witnessMachine struct{}

var _ StateMachine = witnessMachine{}

var errNoData = errors.New("a witness has no data")

func (witnessMachine) Open(<-chan struct{}) (uint64, error)                     { return 0, nil }
func (witnessMachine) Apply([]entry.Raw) error                                  { return errNoData }
func (witnessMachine) Sync() error                                              { return nil }
func (witnessMachine) PrepareSnapshot() (any, error)                            { return nil, errNoData }
func (witnessMachine) SaveSnapshot(any, io.Writer, <-chan struct{}) error       { return ErrUnfit }
func (witnessMachine) RecoverFromSnapshot(r io.Reader, _ <-chan struct{}) error { return errNoData }
func (witnessMachine) Close() error                                             { return nil }
