package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/goleak"
)

// TestMain finds goroutines left behind. Pebble itself leaves one, idle, when its
// Open fails after it has registered with its scheduler of compactions.
func TestMain(m *testing.M) {
	if raceEnabled {
		_ = flag.Set("rapid.checks", "20")
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(
		"github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}

// scaled reduces a number of rounds where the race detector makes each ten times
// slower.
func scaled(rounds int) int {
	if raceEnabled {
		return rounds / 5
	}
	return rounds
}

// stride is how far apart the steps are that are made to fail, for the same reason.
func stride() int { return 5 / scaled(5) }

// open opens a store with a small write buffer, so that tests flush often.
func open(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(Options{Dir: "data/group", FS: fs, MemTableBytes: MinMemTableBytes})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

func set(t testing.TB, s *Store, pairs ...string) {
	t.Helper()
	b := s.NewBatch()
	for i := 0; i < len(pairs); i += 2 {
		b.Set([]byte(pairs[i]), []byte(pairs[i+1]))
	}
	check(t, b.Commit())
	check(t, b.Close())
}

func wantGet(t testing.TB, s *Store, key, want string) {
	t.Helper()
	v, ok, err := s.Get([]byte(key), nil)
	check(t, err)
	if !ok || string(v) != want {
		t.Fatalf("%s is %q (%v), want %q", key, v, ok, want)
	}
}

// contentsOf reads everything, as a map's text does: in order of keys.
func contentsOf(t testing.TB, s *Store) map[string]string {
	t.Helper()
	it := s.NewIter(nil, nil)
	all := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		all[string(it.Key())] = string(it.Value())
	}
	check(t, it.Close())
	return all
}

var positionKey = []byte("\x00position")

// history is a run of commits, each writing its own number as the position, as
// the group's machine does, together with rows that depend on the number alone.
// After any crash the position must tell exactly which commits survived.
type history struct {
	seed  uint64
	model map[string]string
	sums  []uint32 // of the model after each commit
}

func newHistory(seed uint64) *history {
	h := &history{seed: seed, model: map[string]string{}}
	h.sums = append(h.sums, h.sum())
	return h
}

// commit makes commit number n, and applies it to the model if it is a new one.
func (h *history) commit(s *Store, b *Batch, n int) error {
	rng := rand.New(rand.NewPCG(h.seed, uint64(n)))
	fresh := n == len(h.sums)
	b.Reset()
	h.change(b, positionKey, binary.BigEndian.AppendUint64(nil, uint64(n)), fresh)
	for range 1 + rng.IntN(8) {
		key := fmt.Appendf(nil, "row%03d", rng.IntN(200))
		switch rng.IntN(10) {
		case 0:
			b.Delete(key)
			if fresh {
				delete(h.model, string(key))
			}
		case 1:
			h.deleteRange(b, key, fmt.Appendf(nil, "row%03d", rng.IntN(200)), fresh)
		default:
			size := rng.IntN(64)
			if rng.IntN(12) == 0 {
				size = rng.IntN(40 << 10) // big ones turn memtables over
			}
			if rng.IntN(200) == 0 {
				size = 160 << 10 // beyond half a memtable: Pebble queues the batch itself
			}
			h.change(b, key, bytes.Repeat([]byte{byte(n)}, size), fresh)
		}
	}
	if fresh {
		h.sums = append(h.sums, h.sum())
	}
	return b.Commit()
}

func (h *history) change(b *Batch, key, val []byte, fresh bool) {
	b.Set(key, val)
	if fresh {
		h.model[string(key)] = string(val)
	}
}

func (h *history) deleteRange(b *Batch, lo, hi []byte, fresh bool) {
	b.DeleteRange(lo, hi)
	for k := range h.model {
		if fresh && k >= string(lo) && k < string(hi) {
			delete(h.model, k)
		}
	}
}

func (h *history) sum() uint32 { return sumOf(h.model) }

func sumOf(all map[string]string) uint32 {
	keys := make([]string, 0, len(all))
	for k := range all {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	crc := crc32.NewIEEE()
	for _, k := range keys {
		fmt.Fprintf(crc, "%d %s %d ", len(k), k, len(all[k]))
		crc.Write([]byte(all[k]))
	}
	return crc.Sum32()
}

// verify checks that the store's contents are those after some commit, not before
// the one that was acknowledged as durable, and returns which.
func (h *history) verify(t testing.TB, s *Store, durable int) int {
	t.Helper()
	all := contentsOf(t, s)
	position := 0
	if p, ok := all[string(positionKey)]; ok {
		position = int(binary.BigEndian.Uint64([]byte(p)))
	}
	if position < durable {
		t.Fatalf("commit %d survived, but %d was flushed", position, durable)
	}
	if position >= len(h.sums) {
		t.Fatalf("commit %d survived, but only %d were made", position, len(h.sums)-1)
	}
	if got := sumOf(all); got != h.sums[position] {
		t.Fatalf("contents at position %d are not those after commit %d", position, position)
	}
	return position
}

// changes is an injector that is asked before every change of the disk, one at a
// time; reads pass.
func changes(ask func(errorfs.Op) error) errorfs.Injector {
	var mu sync.Mutex
	return errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		return ask(op)
	})
}
