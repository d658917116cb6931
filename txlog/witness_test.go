package txlog_test

import (
	"errors"
	"testing"

	"lockstep/txlog"
	"lockstep/txlog/txlogtest"
)

// doc.go, Witnesses: copies that are gone are replaced one at a time, until one takes updates with two witnesses;
// and that one goes on after either witness, or itself, was away.
func TestTheLastCopyTakesUpdatesWithWitnesses(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{Host: snapshotOften})
	for range 120 { // enough that a witness is sent a snapshot
		c.Propose("with three")
	}
	witness := func(gone int) int {
		t.Helper()
		c.Crash(gone)
		g := c.Group(c.Leader())
		replica, node := c.Next()
		for range 2 { // each step can be repeated
			if err := g.Remove(c.Context(), uint64(gone+1)); err != nil {
				t.Fatal(err)
			}
			if err := g.AddWitness(c.Context(), replica, node); err != nil {
				t.Fatal(err)
			}
		}
		return c.JoinWitness()
	}
	first := witness(c.Leader())
	for range 10 {
		c.Propose("with two and a witness")
	}
	second := witness(c.Leader())
	c.Propose("alone with two witnesses")
	last := c.Leader()
	for _, away := range []int{first, second, last} {
		c.Crash(away)
		if away != last {
			c.Propose("while a witness is away")
		}
		c.Restart(away)
		c.Propose("when it is back")
	}
	if got := c.Machine(last).Len(); got != 136 {
		t.Fatalf("the last copy has %d entries of 136", got)
	}

	replica, node := c.Next()
	g := c.Group(c.Leader())
	if err := g.AddNonVoting(c.Context(), replica, node); err != nil {
		t.Fatal(err)
	}
	joined := c.Join()
	c.Same(136)
	if err := g.Promote(c.Context(), replica, node); err != nil {
		t.Fatal(err)
	}
	if err := g.Remove(c.Context(), uint64(second+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Group(joined).Members(c.Context()); err != nil { // it knows, too
		t.Fatal(err)
	}
	c.Stop(second)
	c.Crash(last)
	c.Propose("led by the new copy")
	c.Same(137)
}

// doc.go, Witnesses: a copy that died is not waited for again, where elections are slow as well.
func TestAGroupWithAWitnessOutlivesACopyInTheWAN(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 2, txlogtest.Options{Profile: txlog.WAN()})
	g := c.Group(c.Leader())
	replica, node := c.Next()
	if err := g.AddWitness(c.Context(), replica, node); err != nil {
		t.Fatal(err)
	}
	c.JoinWitness()
	c.Propose("with two and a witness")
	c.Crash(1 - c.Leader())
	for range 3 {
		c.Propose("with one and a witness")
	}
}

// doc.go, Witnesses: a witness serves nothing, leads nothing and never becomes anything else; and the last copy
// with data is not taken out from under its witnesses.
func TestWhatAWitnessIsNotGoodFor(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	g := c.Group(c.Leader())
	replica, node := c.Next()
	if err := g.AddWitness(c.Context(), replica, node); err != nil {
		t.Fatal(err)
	}
	i := c.JoinWitness()
	m, err := g.Members(c.Context())
	if have, ok := m.Find(replica); err != nil || !ok || !have.Witness || !have.Voting || have.Node != node {
		t.Fatalf("members %+v, %v", m, err)
	}
	if err := c.Group(i).Propose([]byte("x"), nil); !errors.Is(err, txlog.ErrWitness) {
		t.Errorf("proposing at a witness: %v", err)
	}
	if _, err := c.Group(i).ReadIndex(c.Context()); !errors.Is(err, txlog.ErrWitness) {
		t.Errorf("reading at a witness: %v", err)
	}
	if _, err := c.Group(i).Members(c.Context()); !errors.Is(err, txlog.ErrWitness) {
		t.Errorf("the members at a witness: %v", err)
	}
	if err := g.Transfer(c.Context(), node); !errors.Is(err, txlog.ErrRefused) {
		t.Errorf("handing over to a witness: %v", err)
	}
	if err := g.Promote(c.Context(), replica, node); !errors.Is(err, txlog.ErrRefused) {
		t.Errorf("promoting a witness: %v", err)
	}
	if err := g.AddNonVoting(c.Context(), replica, node); !errors.Is(err, txlog.ErrRefused) {
		t.Errorf("making a witness a copy: %v", err)
	}
	leader := uint64(c.Leader() + 1)
	for replica := uint64(1); replica <= 3; replica++ {
		if replica == leader {
			continue
		}
		if err := g.Remove(c.Context(), replica); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Remove(c.Context(), leader); !errors.Is(err, txlog.ErrRefused) {
		t.Errorf("removing the last copy with data: %v", err)
	}
	c.Propose("it still takes updates")
	for _, cfg := range []txlog.GroupConfig{
		{Shard: 2, Replica: 1, Witness: true},
		{Shard: 2, Replica: 1, Witness: true, Join: true, NonVoting: true},
		{Shard: 2, Replica: 1, Witness: true, Join: true, StateMachine: txlogtest.NewMachine(t.TempDir())},
	} {
		if _, err := c.Host(i).StartGroup(cfg); err == nil {
			t.Errorf("started %+v", cfg)
		}
	}
}
