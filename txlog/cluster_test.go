package txlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/txlog"
	"lockstep/txlog/txlogtest"
)

// snapshotOften makes replicas sync and drop log every few entries.
func snapshotOften(_ int, c *txlog.Config) { c.SnapshotEntries, c.KeepEntries = 50, 10 }

// doc.go: what is proposed to a group's leader reaches the state machine of every replica in the same order.
func TestEveryReplicaAppliesTheSameEntriesInTheSameOrder(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	g := c.Group(c.Leader())
	var proposed sync.WaitGroup
	for i := range 200 {
		proposed.Add(1)
		if err := g.Propose(fmt.Appendf(nil, "%d", i), func(r txlog.Result) {
			if r != txlog.Committed {
				t.Errorf("entry %d: %s", i, r)
			}
			proposed.Done()
		}); err != nil {
			t.Fatal(err)
		}
	}
	proposed.Wait()
	c.Same(200)
	for i, got := range c.Machine(0).Entries() {
		if got != fmt.Sprint(i) {
			t.Fatalf("entry %d is %q: one proposer's entries changed places", i, got)
		}
	}
}

// doc.go, Proposals: errors of Propose itself are definite, and say where to go instead.
func TestProposalsThatAreRefused(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	leader := c.Leader()
	follower := c.Group((leader + 1) % 3)
	c.Eventually("the follower to know the leader", func() bool { _, _, ok := follower.Leader(); return ok })
	err := follower.Propose([]byte("x"), nil)
	var not *txlog.NotLeaderError
	if !errors.As(err, &not) || !errors.Is(err, txlog.ErrNotLeader) || not.Leader != c.ID(leader) {
		t.Errorf("at a follower: %v", err)
	}
	g := c.Group(leader)
	if err := g.Propose(nil, nil); !errors.Is(err, txlog.ErrEmpty) {
		t.Errorf("nothing: %v", err)
	}
	if err := g.Propose(make([]byte, txlog.MaxEntryBytes+1), nil); !errors.Is(err, txlog.ErrTooLarge) {
		t.Errorf("too much: %v", err)
	}
	c.Propose("counted")
	c.Same(1)
	if got := c.Machine(0).Entries(); !slices.Equal(got, []string{"counted"}) {
		t.Errorf("refused entries are in the log: %q", got)
	}
	c.Stop(leader)
	if err := g.Propose([]byte("late"), nil); err == nil {
		t.Error("a stopped replica took a proposal")
	}
}

// limits.go: back-pressure is an error, at once, and what was taken is not lost.
func TestTooManyProposalsAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	c := txlogtest.Start(t, 3, txlogtest.Options{Machine: func(_ int, m *txlogtest.Machine) {
		m.OnApply = func([]entry.Raw) error { <-hold; return nil }
	}})
	g := c.Group(c.Leader())
	taken, finished := 0, make(chan txlog.Result, 2*txlog.MaxInFlight)
	var err error
	for err == nil && taken <= txlog.MaxInFlight {
		if err = g.Propose([]byte("x"), func(r txlog.Result) { finished <- r }); err == nil {
			taken++
		}
	}
	close(hold)
	if !errors.Is(err, txlog.ErrBusy) {
		t.Fatalf("after %d proposals: %v", taken, err)
	}
	for range taken {
		if r := <-finished; r != txlog.Committed {
			t.Fatalf("%s", r)
		}
	}
	c.Same(taken)
}

// The largest entries pass, several at a time: they are divided on the wire, and followers take them.
func TestTheLargestEntriesPass(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	leader := c.Leader()
	c.Crash((leader + 1) % 3) // so that one follower gets them all at once when it is back
	large := strings.Repeat("x", 5<<20)
	for range 2 {
		c.Propose(large)
	}
	c.Propose(strings.Repeat("y", txlog.MaxEntryBytes-100))
	c.Restart((leader + 1) % 3)
	c.Same(3)
}

// goals.md: failover. The gap is from the leader's loss to the first entry that another commits.
func TestAnotherLeadsWhenTheLeaderIsLost(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{Profile: txlog.LAN()})
	committed := 0
	for round := range 3 {
		leader := c.Leader()
		for range 5 {
			c.Propose("before")
			committed++
		}
		start := time.Now()
		c.Crash(leader)
		c.Propose("after")
		committed++
		t.Logf("round %d: an entry committed %s after the leader was lost", round, time.Since(start).Round(time.Millisecond))
		c.Restart(leader)
		c.Same(committed)
	}
}

// doc.go: what was committed is there afterwards, on disk, when all replicas stop at once and come back.
func TestAllStopAndComeBack(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	for i := range 20 {
		c.Propose(fmt.Sprint(i))
	}
	for i := range 3 {
		c.Crash(i)
	}
	for i := range 3 {
		c.Restart(i)
	}
	c.Leader()
	c.Propose("20")
	c.Same(21)
	for i, got := range c.Machine(1).Entries() {
		if got != fmt.Sprint(i) {
			t.Fatalf("entry %d is %q", i, got)
		}
	}
}

// doc.go, Snapshots: replicas record how far their state machine is on disk, which lets the log before that be
// dropped. After a restart only the rest is applied again.
func TestSnapshotsBoundWhatIsAppliedAgain(t *testing.T) {
	t.Parallel()
	seen := make(chan txlog.Event, 1000)
	c := txlogtest.Start(t, 3, txlogtest.Options{Host: func(node int, cfg *txlog.Config) {
		cfg.SnapshotEntries, cfg.KeepEntries = 50, 10
		if node == 0 {
			cfg.OnEvent = func(e txlog.Event) { seen <- e }
		}
	}})
	for i := range 160 {
		c.Propose(fmt.Sprint(i))
	}
	c.Same(160)
	for e := range seen {
		if e.Kind == txlog.LogCompacted {
			break
		}
	}
	if c.Machine(0).Syncs() == 0 {
		t.Fatal("the log was dropped and the state machine never synced")
	}
	c.Crash(0)
	c.Restart(0)
	c.Same(160)
}

// config.go, LogBytes: a few large entries drop the log as many small ones do.
func TestLargeEntriesDropTheLogToo(t *testing.T) {
	t.Parallel()
	compacted := make(chan uint64, 1000)
	c := txlogtest.Start(t, 3, txlogtest.Options{Host: func(node int, cfg *txlog.Config) {
		cfg.LogBytes = 4 << 20
		cfg.OnEvent = func(e txlog.Event) {
			if e.Kind == txlog.LogCompacted {
				compacted <- e.Index
			}
		}
	}})
	large := strings.Repeat("x", 200<<10)
	for range 40 { // 8 MB: twice the limit
		c.Propose(large)
	}
	select {
	case index := <-compacted:
		t.Logf("dropped up to %d", index)
	case <-time.After(txlogtest.Patience):
		t.Fatal("the log was never dropped")
	}
	c.Same(40)
}

// doc.go, Leaders: Transfer goes on asking until it is so. goals.md: a planned handover.
func TestLeadershipIsHandedOver(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	ctx := c.Context()
	for range 6 {
		leader := c.Leader()
		c.Propose("x")
		to := (leader + 1) % 3
		start := time.Now()
		if err := c.Group(leader).Transfer(ctx, c.ID(to)); err != nil {
			t.Fatal(err)
		}
		c.Eventually("the new leader to know", func() bool { return c.Group(to).IsLeader() })
		attempts := c.Propose("y")
		t.Logf("handed over, and an entry committed, in %s and %d attempts", time.Since(start).Round(100*time.Microsecond), attempts)
	}
}

// doc.go, Leaders: Watch tells of every change, in order; a slow watcher delays no proposal (traps.md, 17).
func TestWatchersHearOfLeaders(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	leader := c.Leader()
	follower := (leader + 1) % 3
	events := make(chan txlog.LeaderEvent, 100)
	cancel := c.Group(follower).Watch(func(e txlog.LeaderEvent) { events <- e })
	defer cancel()
	hold := make(chan struct{})
	defer close(hold)
	c.Group(leader).Watch(func(txlog.LeaderEvent) { <-hold })
	for range 20 {
		c.Propose("x")
	}
	if err := c.Group(leader).Transfer(c.Context(), c.ID(follower)); err != nil {
		t.Fatal(err)
	}
	term := uint64(0)
	for e := range events {
		if e.Term < term {
			t.Fatalf("term %d was heard of after %d", e.Term, term)
		}
		term = e.Term
		if e.Self {
			if e.Leader != c.ID(follower) || e.Replica != uint64(follower+1) {
				t.Fatalf("%+v", e)
			}
			return
		}
	}
}

// doc.go, Reads: ReadIndex returns when everything that was committed before the call has been applied on this
// replica, at any replica.
func TestReadIndexSeesWhatWasCommittedBefore(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	ctx := c.Context()
	for i := range 30 {
		c.Propose("x")
		at := i % 3
		start := time.Now()
		if _, err := c.Group(at).ReadIndex(ctx); err != nil {
			t.Fatal(err)
		}
		if got := c.Machine(at).Len(); got < i+1 {
			t.Fatalf("node %d has %d entries after a read index, %d were committed", at, got, i+1)
		}
		if i > 26 {
			t.Logf("read index at node %d, leader %d: %s", at, c.Leader(), time.Since(start).Round(time.Microsecond))
		}
	}
}

// Reads go on through a change of leader: a round that is lost is sent again (architecture.md, Reads).
func TestReadIndexOutlivesALeader(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	c.Propose("x")
	leader := c.Leader()
	reader := c.Group((leader + 1) % 3)
	c.Crash(leader)
	if _, err := reader.ReadIndex(c.Context()); err != nil {
		t.Fatal(err)
	}
}

// doc.go, Reads and Proposals: without a majority reads fail when their time is over, and say why.
func TestWithoutAMajorityNothingIsPromised(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	c.Propose("x")
	leader := c.Leader()
	g := c.Group(leader)
	c.Crash((leader + 1) % 3)
	c.Crash((leader + 2) % 3)
	result := make(chan txlog.Result, 1)
	err := g.Propose([]byte("lost?"), func(r txlog.Result) { result <- r })
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, readErr := g.ReadIndex(ctx)
	if !errors.Is(readErr, txlog.ErrNoLeader) && !errors.Is(readErr, txlog.ErrNoQuorum) || !errors.Is(readErr, context.DeadlineExceeded) {
		t.Errorf("read: %v", readErr)
	}
	c.Eventually("the leader to step down", func() bool { return !g.IsLeader() })
	c.Stop(leader)
	if err == nil {
		if r := <-result; r != txlog.Unknown {
			t.Errorf("an entry without a majority is %s", r)
		}
	}
}
