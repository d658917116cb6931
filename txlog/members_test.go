package txlog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"lockstep/txlog"
	"lockstep/txlog/txlogtest"
)

// doc.go, Members: a copy is added without a vote, gets the state as a stream when the log no longer reaches
// back, is promoted, and counts.
func TestANewReplicaIsStreamedTheStateAndPromoted(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{Host: func(_ int, cfg *txlog.Config) {
		cfg.SnapshotEntries, cfg.KeepEntries = 40, 5
	}})
	filler := strings.Repeat("x", 100<<10) // 10 MB: several pieces of a stream
	for i := range 100 {
		c.Propose(fmt.Sprint(i, filler))
	}
	ctx := c.Context()
	replica, node := c.Next()
	g := c.Group(c.Leader())
	for range 2 { // each step can be repeated
		if err := g.AddNonVoting(ctx, replica, node); err != nil {
			t.Fatal(err)
		}
	}
	i := c.Join()
	c.Same(100)
	if c.Machine(i).Recoveries() == 0 {
		t.Fatal("the new replica was not sent the state")
	}
	for range 2 {
		if err := g.Promote(ctx, replica, node); err != nil {
			t.Fatal(err)
		}
	}
	m, err := c.Group(i).Members(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if have, ok := m.Find(replica); !ok || !have.Voting || have.Node != node || len(m.Members) != 4 {
		t.Fatalf("members %+v", m)
	}
	entries := 100
	for range 2 { // soon after the promotion, and when a snapshot has come after it
		c.Crash(i)
		c.Restart(i) // as it was started: NonVoting, though it has a vote by now
		for range 60 {
			c.Propose("after the restart")
		}
		entries += 60
		c.Same(entries)
	}
	if err := c.Group(c.Leader()).Transfer(ctx, node); err != nil {
		t.Fatal(err)
	}
	c.Propose("led by the new one")
	c.Same(entries + 1)
}

// doc.go, Members: a removed replica is out for good, and changes that make no sense are refused.
func TestMembersAreRemovedForGood(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	ctx := c.Context()
	leader := c.Leader()
	g := c.Group(leader)
	gone := (leader + 1) % 3
	for range 2 {
		if err := g.Remove(ctx, uint64(gone+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.AddNonVoting(ctx, uint64(gone+1), c.ID(gone)); !errors.Is(err, txlog.ErrRefused) {
		t.Errorf("a removed id came back: %v", err)
	}
	if err := g.AddNonVoting(ctx, 9, c.ID(leader)); !errors.Is(err, txlog.ErrRefused) {
		t.Errorf("two replicas on one node: %v", err)
	}
	if err := g.Promote(ctx, 9, c.ID(gone)); !errors.Is(err, txlog.ErrRefused) {
		t.Errorf("promoting a stranger: %v", err)
	}
	if err := g.Transfer(ctx, 0xbad); !errors.Is(err, txlog.ErrRefused) {
		t.Errorf("handing over to a stranger: %v", err)
	}
	c.Propose("two are enough")
	// A new id on the same node is welcome once the old replica and its data are gone.
	c.Eventually("the removed replica to stop", func() bool { return c.Machine(gone).Closed() })
	host := c.Host(gone)
	_ = host.StopGroup(ctx, txlogtest.Shard)
	if err := host.RemoveData(ctx, txlogtest.Shard, uint64(gone+1)); err != nil {
		t.Fatal(err)
	}
	if err := g.AddNonVoting(ctx, 9, c.ID(gone)); err != nil {
		t.Fatal(err)
	}
	machine := txlogtest.NewMachine(t.TempDir())
	if _, err := host.StartGroup(txlog.GroupConfig{
		Shard: txlogtest.Shard, Replica: 9, Join: true, NonVoting: true, StateMachine: machine,
	}); err != nil {
		t.Fatal(err)
	}
	c.Eventually("the new replica to catch up", func() bool { return machine.Len() == 1 })
}
