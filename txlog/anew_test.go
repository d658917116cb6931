package txlog_test

import (
	"path/filepath"
	"slices"
	"testing"

	"lockstep/engine/entry"
	"lockstep/txlog"
	"lockstep/txlog/txlogtest"
)

// anew.go: a group of which one copy is left is begun anew with it, under a shard of its own: with what it had not
// applied, over restarts, and copies that join are sent the state.
func TestAGroupIsBegunAnewFromItsLastCopy(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{Host: snapshotOften})
	for range 70 {
		c.Propose("before")
	}
	c.Same(70)
	leader := c.Leader()
	for i := range 3 {
		if i != leader {
			c.Crash(i)
		}
	}
	// One more is in the log, and acknowledged to nobody.
	_ = c.Group(leader).Propose([]byte("id|in doubt"), nil)
	host, replica := c.Host(leader), uint64(leader+1)
	c.Eventually("the entry to be on disk", func() bool {
		if index, _, err := host.LogEnd(txlogtest.Shard, replica); err != nil || index == 0 {
			t.Fatal(index, err)
		}
		found := false
		_ = c.Group(leader).Propose([]byte("id|in doubt"), nil) // while it still leads
		index, _, _ := host.LogEnd(txlogtest.Shard, replica)
		found = index > 70
		return found
	})
	if err := host.ReadTail(t.Context(), txlogtest.Shard, replica, 0, nil); err == nil {
		t.Error("the tail of a replica that runs was read")
	}
	if err := host.StopGroup(c.Context(), txlogtest.Shard); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(c.Dir(leader), "state")
	machine := txlogtest.NewMachine(state)
	applied, err := machine.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // each step can be repeated
		if err := host.ReadTail(t.Context(), txlogtest.Shard, replica, applied, func(e entry.Raw) error {
			if len(e.Cmd) == 0 {
				return nil
			}
			applied = e.Index
			return machine.Apply([]entry.Raw{{Index: e.Index, Cmd: slices.Clone(e.Cmd)}})
		}); err != nil {
			t.Fatal(err)
		}
	}
	had := machine.Len()
	if err := machine.Sync(); err != nil {
		t.Fatal(err)
	}
	_, term, err := host.LogEnd(txlogtest.Shard, replica)
	if err != nil {
		t.Fatal(err)
	}
	const shard = 2
	for range 2 {
		if err := host.Begin(shard, 1, applied, term); err != nil {
			t.Fatal(err)
		}
	}
	anew := txlog.GroupConfig{Shard: shard, Replica: 1}
	start := func() (*txlog.Group, *txlogtest.Machine) {
		t.Helper()
		machine := txlogtest.NewMachine(state)
		anew.StateMachine = machine
		g, err := host.StartGroup(anew)
		if err != nil {
			t.Fatal(err)
		}
		return g, machine
	}
	propose := func(g *txlog.Group, n int) {
		t.Helper()
		for range n {
			done := make(chan txlog.Result, 1)
			c.Eventually("the new group to lead", func() bool {
				return g.Propose([]byte("after"), func(r txlog.Result) { done <- r }) == nil
			})
			if r := <-done; r != txlog.Committed {
				t.Fatal(r)
			}
		}
	}
	g, machine := start()
	propose(g, 5)
	if machine.Len() != had+5 {
		t.Fatalf("it has %d entries, not %d", machine.Len(), had+5)
	}
	if err := host.StopGroup(c.Context(), shard); err != nil {
		t.Fatal(err)
	}
	g, machine = start()
	propose(g, 60) // snapshots of its own
	other := (leader + 1) % 3
	c.Restart(other)
	if err := g.AddNonVoting(c.Context(), 2, c.ID(other)); err != nil {
		t.Fatal(err)
	}
	joined := txlogtest.NewMachine(t.TempDir())
	if _, err := c.Host(other).StartGroup(txlog.GroupConfig{Shard: shard, Replica: 2, Join: true, NonVoting: true, StateMachine: joined}); err != nil {
		t.Fatal(err)
	}
	c.Eventually("the new copy to be sent the state", func() bool {
		return joined.Recoveries() > 0 && slices.Equal(joined.Entries(), machine.Entries())
	})
	if err := g.Promote(c.Context(), 2, c.ID(other)); err != nil {
		t.Fatal(err)
	}
	propose(g, 5)
	c.Eventually("the same on both", func() bool { return slices.Equal(joined.Entries(), machine.Entries()) })
	if n := machine.Len(); n != had+70 || had < 70 {
		t.Errorf("%d entries, of them %d from before", n, had)
	}
}
