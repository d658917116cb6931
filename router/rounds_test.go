package router

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// scriptedSource is a primary that answers rounds when the test says so.
type scriptedSource struct {
	begun chan *scriptedRound
}

type scriptedRound struct {
	answer chan error
	index  uint64
}

func newScripted() *scriptedSource { return &scriptedSource{begun: make(chan *scriptedRound, 64)} }

func (s *scriptedSource) ask(ctx context.Context) (uint64, error) {
	r := &scriptedRound{answer: make(chan error, 1)}
	s.begun <- r
	select {
	case err := <-r.answer:
		return r.index, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (r *scriptedRound) reply(index uint64, err error) {
	r.index = index
	r.answer <- err
}

// read starts a read and tells its index, 0 where it failed.
func read(r *rounds, patience time.Duration) chan uint64 {
	got := make(chan uint64, 1)
	go func() {
		index, err := r.index(newReader(), time.Now().Add(patience))
		if err != nil {
			index = 0
		}
		got <- index
	}()
	return got
}

func waitingIn(r *rounds) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.wait)
}

const long = 10 * time.Second

// A router shares one read-index round among all that wait (architecture.md,
// Reads): those that come while one is under way share the next.
func TestRoundsAreShared(t *testing.T) {
	src := newScripted()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var count atomic.Int64
	r := newRounds(ctx, src.ask, time.Minute, func() { count.Add(1) })
	first := read(r, long)
	round := <-src.begun
	var rest []chan uint64
	for range 50 {
		rest = append(rest, read(r, long))
	}
	eventually(t, func() bool { return waitingIn(r) == 51 })
	round.reply(7, nil)
	if got := <-first; got != 7 {
		t.Errorf("the first read got %d", got)
	}
	(<-src.begun).reply(9, nil)
	for _, c := range rest {
		if got := <-c; got != 9 {
			t.Errorf("a read that came during the first round got %d", got)
		}
	}
	if count.Load() != 2 {
		t.Errorf("%d rounds for 51 reads", count.Load())
	}
}

// A round without an answer for ten ticks is not waited for (architecture.md,
// Reads): forwarded to a leader that has just been elected it can be lost.
func TestLostRoundIsReplaced(t *testing.T) {
	src := newScripted()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := newRounds(ctx, src.ask, 2*time.Millisecond, func() {})
	got := read(r, long)
	lost := <-src.begun
	(<-src.begun).reply(5, nil)
	if index := <-got; index != 5 {
		t.Errorf("got %d", index)
	}
	lost.reply(0, errors.New("too late"))
}

// Another round starts when the leader changes (architecture.md, Reads).
func TestLeaderChangeBeginsAnotherRound(t *testing.T) {
	src := newScripted()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := newRounds(ctx, src.ask, time.Minute, func() {})
	got := read(r, long)
	<-src.begun
	r.overdue() // as the group calls it
	(<-src.begun).reply(6, nil)
	if index := <-got; index != 6 {
		t.Errorf("got %d", index)
	}
}

// Without a primary the round is tried again each tick, and a read leaves at
// its deadline; the front's end lets all go.
func TestReadsLeaveWithoutPrimary(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := newRounds(ctx, func(context.Context) (uint64, error) { return 0, errors.New("no leader") }, time.Millisecond, func() {})
	if got := <-read(r, 20*time.Millisecond); got != 0 {
		t.Errorf("got %d", got)
	}
	got := read(r, long)
	eventually(t, func() bool { return waitingIn(r) == 1 })
	cancel()
	if index := <-got; index != 0 || waitingIn(r) != 0 {
		t.Errorf("got %d, %d still wait", index, waitingIn(r))
	}
}

// No read is served by a round that began before it came: else it could miss
// what was acknowledged in between (interface.md, linearizable). Whatever the
// rounds' delays, failures and losses.
func TestNoReadIsServedByAnOlderRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		delays := rapid.SliceOfN(rapid.IntRange(0, 600), 8, 8).Draw(t, "delays")
		fails := rapid.SliceOfN(rapid.Bool(), 8, 8).Draw(t, "fails")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var acknowledged, asked atomic.Uint64
		r := newRounds(ctx, func(context.Context) (uint64, error) {
			index := acknowledged.Load() // what the primary had when the round came to it
			n := asked.Add(1) % 8
			<-time.After(time.Duration(delays[n]) * time.Microsecond)
			if fails[n] && asked.Load() < 40 {
				return 0, errors.New("lost")
			}
			return index, nil
		}, 100*time.Microsecond, func() {})
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 6 {
					before := acknowledged.Add(1)
					got, err := r.index(newReader(), time.Now().Add(long))
					if err != nil || got < before {
						t.Errorf("acknowledged %d before the read, which got %d (%v)", before, got, err)
					}
				}
			})
		}
		group.Wait()
	})
}

// bounded: the copy has applied all that a read-index round, begun no longer ago
// than this, returned (interface.md, Reads).
func TestRecentRound(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := newRounds(ctx, func(context.Context) (uint64, error) { return 4, nil }, time.Millisecond, func() {})
	if _, ok := r.recent(time.Hour); ok {
		t.Error("recent before any round")
	}
	<-read(r, long)
	if index, ok := r.recent(time.Hour); !ok || index != 4 {
		t.Errorf("%d %t", index, ok)
	}
	if _, ok := r.recent(0); ok {
		t.Error("a round took no time")
	}
}

// A read that comes when a newer round has served everybody, while an older one
// is still under way, gets a round of its own.
func TestReadAfterALostRound(t *testing.T) {
	src := newScripted()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := newRounds(ctx, src.ask, time.Minute, func() {})
	first := read(r, long)
	lost := <-src.begun
	r.overdue()
	(<-src.begun).reply(5, nil)
	<-first
	second := read(r, long)
	(<-src.begun).reply(8, nil)
	if index := <-second; index != 8 {
		t.Errorf("got %d", index)
	}
	lost.reply(0, errors.New("too late"))
}
