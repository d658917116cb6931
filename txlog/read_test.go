package txlog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"lockstep/engine/entry"
	"lockstep/txlog"
	"lockstep/txlog/txlogtest"
)

// applied notes what a state machine is given.
type applied struct {
	mu   sync.Mutex
	list []string
}

func text(e entry.Raw) string { return fmt.Sprintf("%d %s", e.Index, e.Cmd) }

func (a *applied) note(entries []entry.Raw) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range entries {
		a.list = append(a.list, text(e))
	}
	return nil
}

func (a *applied) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

func readLog(t *testing.T, g *txlog.Group, first, last uint64) ([]string, error) {
	t.Helper()
	var got []string
	err := g.ReadLog(t.Context(), first, last, func(e entry.Raw) error {
		got = append(got, text(e))
		return nil
	})
	return got, err
}

func lastIndex(t *testing.T, c *txlogtest.Cluster, i int) uint64 {
	t.Helper()
	index, err := c.Group(i).ReadIndex(c.Context())
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// read.go: ReadLog gives the entries that the state machine of this replica was given, in order; the library's own
// are passed over. It does so on every replica, and after a restart.
func TestTheLogIsReadAsItWasApplied(t *testing.T) {
	t.Parallel()
	seen := map[int]*applied{0: {}, 1: {}, 2: {}}
	c := txlogtest.Start(t, 3, txlogtest.Options{Machine: func(i int, m *txlogtest.Machine) {
		if seen[i] != nil {
			m.OnApply = seen[i].note
		}
	}})
	propose := func() {
		for i := range 40 {
			c.Propose(fmt.Sprintf("entry %d", i))
		}
	}
	propose()
	// Another leads, with a no-op of its own in the log; and a member comes.
	leader := c.Leader()
	if err := c.Group(leader).Transfer(c.Context(), c.ID((leader+1)%3)); err != nil {
		t.Fatal(err)
	}
	replica, node := c.Next()
	if err := c.Group(c.Leader()).AddNonVoting(c.Context(), replica, node); err != nil {
		t.Fatal(err)
	}
	c.Join()
	propose()
	c.Same(80)
	want := seen[0].all()
	for i := range 3 {
		last := lastIndex(t, c, i)
		if first, err := c.Group(i).FirstEntry(); err != nil || first != 1 {
			t.Errorf("replica %d: the first entry is %d, %v", i, first, err)
		}
		got, err := readLog(t, c.Group(i), 1, last)
		if err != nil || !slices.Equal(got, want) || !slices.Equal(got, seen[i].all()) {
			t.Errorf("replica %d: %v, read %d entries, applied %d", i, err, len(got), len(want))
		}
		if part, err := readLog(t, c.Group(i), last-5, last); err != nil || len(part) == 0 || !slices.Equal(part, want[len(want)-len(part):]) {
			t.Errorf("replica %d: %v, the end is %q", i, err, part)
		}
		if _, err := readLog(t, c.Group(i), 1, last+1000); err == nil {
			t.Errorf("replica %d: entries to come are read", i)
		}
	}
	c.Crash(2)
	c.Restart(2)
	if got, err := readLog(t, c.Group(2), 1, lastIndex(t, c, 2)); err != nil || !slices.Equal(got, want) {
		t.Errorf("after a restart: %v, read %d entries, applied %d", err, len(got), len(want))
	}
}

// read.go: what is compacted is ErrCompacted, and FirstEntry says from where on there is something to read.
func TestTheLogIsReadAsFarBackAsItReaches(t *testing.T) {
	t.Parallel()
	seen := &applied{}
	c := txlogtest.Start(t, 3, txlogtest.Options{
		Host: snapshotOften,
		Machine: func(i int, m *txlogtest.Machine) {
			if i == 0 {
				m.OnApply = seen.note
			}
		},
	})
	first := uint64(1)
	proposed := 0
	c.Eventually("the log to be compacted", func() bool {
		c.Propose("x")
		proposed++
		var err error
		if first, err = c.Group(0).FirstEntry(); err != nil {
			t.Fatal(err)
		}
		return first > 1
	})
	c.Same(proposed)
	g, last := c.Group(0), lastIndex(t, c, 0)
	if _, err := readLog(t, g, 1, last); !errors.Is(err, txlog.ErrCompacted) {
		t.Errorf("what is gone: %v", err)
	}
	var got []string
	var err error
	c.Eventually("the log to be read while it is still being compacted", func() bool {
		if first, err = g.FirstEntry(); err != nil {
			t.Fatal(err)
		}
		got, err = readLog(t, g, first, last)
		return !errors.Is(err, txlog.ErrCompacted)
	})
	all := seen.all()
	if err != nil || len(got) == 0 || !slices.Equal(got, all[len(all)-len(got):]) {
		t.Errorf("from entry %d: %v, %d entries of %d", first, err, len(got), len(all))
	}
	// A replica that was sent the state has a log from there on.
	replica, node := c.Next()
	if err := c.Group(c.Leader()).AddNonVoting(c.Context(), replica, node); err != nil {
		t.Fatal(err)
	}
	joined := c.Join()
	c.Same(proposed)
	c.Propose("after")
	c.Same(proposed + 1)
	first, err = c.Group(joined).FirstEntry()
	if err != nil || first <= 1 {
		t.Errorf("the new replica's first entry is %d, %v", first, err)
	}
	if got, err := readLog(t, c.Group(joined), first, lastIndex(t, c, joined)); err != nil || len(got) == 0 || !slices.Equal(got, seen.all()[len(seen.all())-len(got):]) {
		t.Errorf("the new replica's log: %v, %q", err, got)
	}
}

// A reader that is under way when the host closes gets an error, and the process no panic.
func TestTheLogIsReadWhileTheHostCloses(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 1, txlogtest.Options{})
	for range 20 {
		c.Propose("x")
	}
	g, last := c.Group(0), lastIndex(t, c, 0)
	began, ended := make(chan struct{}), make(chan error)
	go func() {
		close(began)
		for {
			if err := g.ReadLog(context.Background(), 1, last, func(entry.Raw) error { return nil }); err != nil {
				ended <- err
				return
			}
		}
	}()
	<-began
	c.Stop(0)
	if err := <-ended; !errors.Is(err, txlog.ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := g.FirstEntry(); !errors.Is(err, txlog.ErrClosed) {
		t.Errorf("%v", err)
	}
}
