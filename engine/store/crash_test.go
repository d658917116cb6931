package store

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// "Pebble runs without its own WAL; the applied position is in the same batch as
// the rows; Sync flushes; after a crash the tail of the Raft log is re-executed"
// (architecture.md, The way of a transaction): what a crash leaves is a prefix of
// the commits, and holds everything flushed.
func TestCrashLeavesAPrefixOfCommits(t *testing.T) {
	rounds := scaled(400)
	fs := vfs.NewCrashableMem()
	s := open(t, fs)
	h := newHistory(1)
	rng := rand.New(rand.NewPCG(2, 3))
	position, applied, lost, kept := 0, 0, 0, 0
	for round := range rounds {
		durable := position
		b := s.NewBatch()
		for n, last := position+1, position+rng.IntN(24); n <= last; n++ {
			check(t, h.commit(s, b, n))
			applied = n
			switch rng.IntN(12) {
			case 0:
				check(t, s.Flush())
				durable = n
			case 1:
				check(t, s.FlushAsync())
			}
		}
		check(t, b.Close())
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 30, 70, 100}[round%4], RNG: rng})
		check(t, s.Close())
		s = open(t, fs)
		position = h.verify(t, s, durable)
		lost += max(0, applied-position)
		kept += position - durable
	}
	check(t, s.Close())
	if lost == 0 || kept == 0 {
		t.Fatalf("crashes that lose %d unflushed commits and keep %d tell nothing", lost, kept)
	}
	t.Logf("%d commits, in crashes %d unflushed lost, %d kept", applied, lost, kept)
}

// The same at every single change of the disk, not only between commits: the disk
// is cloned as a crash would leave it before each write, sync, rename or removal.
func TestCrashAtEveryStepOfTheDisk(t *testing.T) {
	base := vfs.NewCrashableMem()
	rng := rand.New(rand.NewPCG(4, 5))
	var durable atomic.Int64
	var clones []clone
	step := 0
	fs := errorfs.Wrap(base, changes(func(errorfs.Op) error {
		if step++; step%(2*stride()) == 0 {
			cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * (len(clones) % 3), RNG: rng}
			clones = append(clones, clone{base.CrashClone(cfg), int(durable.Load())})
		}
		return nil
	}))
	h := newHistory(6)
	s := open(t, fs)
	b := s.NewBatch()
	for n := 1; n <= 200; n++ {
		check(t, h.commit(s, b, n))
		if n%9 == 0 {
			check(t, s.Flush())
			durable.Store(int64(n))
		}
	}
	check(t, b.Close())
	check(t, s.Close())
	if len(clones) < scaled(100) {
		t.Fatalf("only %d crashes", len(clones))
	}
	for _, c := range clones {
		again := open(t, c.fs)
		h.verify(t, again, c.durable)
		check(t, again.Close())
	}
	t.Logf("%d crashes", len(clones))
}

// clone is a disk after a crash, and the commit that had been flushed by then.
type clone struct {
	fs      *vfs.MemFS
	durable int
}
