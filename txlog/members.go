package txlog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lni/dragonboat/v4"
)

// Member is one replica of a group.
type Member struct {
	Replica uint64
	Node    NodeID
	// Voting members count in majorities; the others only follow.
	Voting bool
	// Witness members vote, and have no data: neither entries nor a state machine. See Group.AddWitness.
	Witness bool
}

// Membership is who is in a group.
type Membership struct {
	// Version changes with every change of members.
	Version uint64
	// Members in ascending order of replica.
	Members []Member
	// Removed replicas in ascending order; they cannot come back.
	Removed []uint64
}

// Find answers a replica's membership.
func (m *Membership) Find(replica uint64) (Member, bool) {
	for _, member := range m.Members {
		if member.Replica == replica {
			return member, true
		}
	}
	return Member{}, false
}

// Members asks the group, with a round to the leader, who is in it.
func (g *Group) Members(ctx context.Context) (Membership, error) {
	if _, err := g.ReadIndex(ctx); err != nil {
		return Membership{}, fmt.Errorf("members: %w", err)
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	for {
		m, err := g.host.nh.SyncGetShardMembership(ctx, g.id)
		if err == nil {
			return membership(m), nil
		}
		at, changed := g.leaders.wait()
		if !retryable(err) {
			return Membership{}, fmt.Errorf("members of group %d: %w", g.id, libraryError(err))
		}
		if !g.pause(ctx, changed, g.host.ticks(readRoundTicks)) {
			return Membership{}, fmt.Errorf("members: %w", g.readError(ctx, at))
		}
	}
}

func membership(m *dragonboat.Membership) Membership {
	answer := Membership{Version: m.ConfigChangeID}
	add := func(targets map[uint64]string, voting, witness bool) {
		for replica, target := range targets {
			node, _ := parseTarget(target)
			answer.Members = append(answer.Members, Member{Replica: replica, Node: node, Voting: voting, Witness: witness})
		}
	}
	add(m.Nodes, true, false)
	add(m.NonVotings, false, false)
	add(m.Witnesses, true, true)
	slices.SortFunc(answer.Members, func(a, b Member) int {
		if a.Replica < b.Replica {
			return -1
		}
		return 1
	})
	for replica := range m.Removed {
		answer.Removed = append(answer.Removed, replica)
	}
	slices.Sort(answer.Removed)
	return answer
}

// AddNonVoting adds a replica that follows without a vote; a node can then start it with Join and NonVoting.
// Adding what is there already succeeds.
func (g *Group) AddNonVoting(ctx context.Context, replica uint64, node NodeID) error {
	return g.change(ctx, "adding", replica, func(m *Membership) (bool, error) {
		return m.mayAdd(replica, node, false)
	}, func(ctx context.Context, version uint64) error {
		return g.host.nh.SyncRequestAddNonVoting(ctx, g.id, replica, node.target(), version)
	})
}

// mayAdd tells whether a replica is a member already, or why it can't become one.
func (m *Membership) mayAdd(replica uint64, node NodeID, witness bool) (there bool, err error) {
	have, ok := m.Find(replica)
	switch {
	case ok && have.Witness != witness:
		return false, fmt.Errorf("replica %d is a member of another kind, which cannot be changed: take a new id", replica)
	case ok && have.Node == node:
		return true, nil
	case ok:
		return false, fmt.Errorf("replica %d is on node %s", replica, have.Node)
	case slices.Contains(m.Removed, replica):
		return false, fmt.Errorf("replica %d was removed: take a new id", replica)
	}
	for _, other := range m.Members {
		if other.Node == node {
			return false, fmt.Errorf("node %s has replica %d already", node, other.Replica)
		}
	}
	return false, nil
}

// Promote gives a non-voting replica its vote. Promoting a voter succeeds. The replica should have caught up
// before: as a voter it counts in majorities.
func (g *Group) Promote(ctx context.Context, replica uint64, node NodeID) error {
	return g.change(ctx, "promoting", replica, func(m *Membership) (bool, error) {
		have, ok := m.Find(replica)
		switch {
		case !ok:
			return false, fmt.Errorf("replica %d is not a member", replica)
		case have.Node != node:
			return false, fmt.Errorf("replica %d is on node %s", replica, have.Node)
		case have.Witness:
			return false, fmt.Errorf("replica %d is a witness: it has no data and can never get any under this id", replica)
		}
		return have.Voting, nil
	}, func(ctx context.Context, version uint64) error {
		return g.host.nh.SyncRequestAddReplica(ctx, g.id, replica, node.target(), version)
	})
}

// Remove takes a replica out of the group for good. Removing one that was removed succeeds.
func (g *Group) Remove(ctx context.Context, replica uint64) error {
	return g.change(ctx, "removing", replica, func(m *Membership) (bool, error) {
		have, ok := m.Find(replica)
		switch {
		case slices.Contains(m.Removed, replica):
			return true, nil
		case !ok:
			return false, fmt.Errorf("replica %d is not a member", replica)
		case have.Voting && voters(m) == 1:
			return false, fmt.Errorf("replica %d is the last voter", replica)
		case have.Voting && !have.Witness && voters(m)-witnesses(m) == 1:
			return false, fmt.Errorf("replica %d is the last voter with data: the others are witnesses", replica)
		}
		return false, nil
	}, func(ctx context.Context, version uint64) error {
		return g.host.nh.SyncRequestDeleteReplica(ctx, g.id, replica, version)
	})
}

func witnesses(m *Membership) int {
	n := 0
	for _, member := range m.Members {
		if member.Witness {
			n++
		}
	}
	return n
}

func voters(m *Membership) int {
	n := 0
	for _, member := range m.Members {
		if member.Voting {
			n++
		}
	}
	return n
}

// change makes one change of members: read them, see whether it is made or impossible, and ask for it on
// condition that nobody changed them since; then look again. Looking again is also what settles a request whose
// answer was lost.
func (g *Group) change(ctx context.Context, doing string, replica uint64,
	judge func(*Membership) (done bool, err error), request func(ctx context.Context, version uint64) error) error {
	fail := func(err error) error {
		return fmt.Errorf("%s replica %d of group %d: %w", doing, replica, g.id, err)
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	for range changeAttempts {
		m, err := g.Members(ctx)
		if err != nil {
			return fail(err)
		}
		done, err := judge(&m)
		if err != nil {
			return fail(fmt.Errorf("%w: %w", ErrRefused, err))
		}
		if done {
			return nil
		}
		attempt, stop := context.WithTimeout(ctx, g.host.ticks(20*readRoundTicks))
		err = request(attempt, m.Version)
		stop()
		if err != nil && !retryable(err) && !errors.Is(err, dragonboat.ErrRejected) {
			return fail(libraryError(err))
		}
		at, changed := g.leaders.wait()
		if err != nil && !g.pause(ctx, changed, g.host.ticks(readRoundTicks)) {
			return fail(g.readError(ctx, at))
		}
	}
	return fail(fmt.Errorf("%w: others keep changing the members", ErrBusy))
}
