package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// On a real disk: created, written, flushed, reopened, replaced, reopened.
func TestRealDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "inside")
	cache := NewCache(1 << 20)
	defer cache.Close()
	opt := Options{Dir: dir, Cache: cache}
	s, err := Open(opt)
	check(t, err)
	fill(t, s, "old", 1000)
	stream := save(t, s)
	set(t, s, "k", "flushed")
	check(t, s.Flush())
	set(t, s, "k", "not flushed")
	check(t, s.Close())

	s, err = Open(opt)
	check(t, err)
	wantGet(t, s, "k", "flushed")
	check(t, s.RecoverFrom(bytes.NewReader(stream), nil))
	if _, ok, err := s.Get([]byte("k"), nil); ok || err != nil {
		t.Fatalf("the recovery has left the old contents: %v", err)
	}
	check(t, s.Close())

	s, err = Open(opt)
	check(t, err)
	if !bytes.Equal(save(t, s), stream) {
		t.Fatal("contents changed by reopening")
	}
	usage, err := s.DiskUsage()
	if err != nil || usage.Total == 0 || usage.Available == 0 {
		t.Fatalf("disk usage is %+v, %v", usage, err)
	}
	if m := s.Metrics(); m.DiskBytes == 0 || m.Tables == 0 {
		t.Fatalf("metrics are %+v", m)
	}
	check(t, s.Close())
	if s.Metrics() != (Metrics{}) {
		t.Fatal("metrics of a closed store")
	}
}

// "a data folder in use": one process, one store.
func TestDirectoryInUse(t *testing.T) {
	for name, fs := range map[string]vfs.FS{"disk": vfs.Default, "memory": vfs.NewMem()} {
		opt := Options{Dir: filepath.Join(t.TempDir(), name), FS: fs}
		s, err := Open(opt)
		check(t, err)
		_, err = Open(opt)
		wantErr(t, err, ErrLocked)
		check(t, s.Close())
		s, err = Open(opt)
		check(t, err)
		check(t, s.Close())
	}
}

// Data that nothing points to are not thrown away, and a newer layout is refused.
func TestUnknownDirectoryIsRefused(t *testing.T) {
	opt := Options{Dir: filepath.Join(t.TempDir(), "s")}
	s, err := Open(opt)
	check(t, err)
	set(t, s, "k", "v")
	check(t, s.Flush())
	check(t, s.Close())
	marker := filepath.Join(opt.Dir, "marker.contents.000001.v1-000001")
	check(t, os.Remove(marker))
	_, err = Open(opt)
	wantErr(t, err, ErrFormat)
	newer := filepath.Join(opt.Dir, "marker.contents.000002.v2-000001")
	check(t, os.WriteFile(newer, nil, 0o644))
	_, err = Open(opt)
	wantErr(t, err, ErrFormat)
	check(t, os.Rename(newer, marker))
	s, err = Open(opt)
	check(t, err)
	wantGet(t, s, "k", "v")
	check(t, s.Close())
}

func TestOptionsAreValidated(t *testing.T) {
	for want, opt := range map[string]Options{
		"Dir":           {},
		"MemTableBytes": {Dir: "d", MemTableBytes: 1},
	} {
		if _, err := Open(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("error %v does not name %s", err, want)
		}
	}
}

// "Get on a closed DB panics: refcount" (traps.md, 24): everything that was open
// fails with ErrClosed, and can be closed in any order, any number of times.
func TestUseAfterClose(t *testing.T) {
	s := open(t, vfs.NewMem())
	set(t, s, "a", "1", "b", "2")
	batch, snap, stream, it := s.NewBatch(), s.Snapshot(), s.StreamSnapshot(), s.NewIter(nil, nil)
	snapIter := snap.NewIter(nil, nil)
	batch.Set([]byte("c"), []byte("3"))
	if !it.First() || !snapIter.Last() {
		t.Fatal("nothing to read")
	}
	check(t, s.Close())
	check(t, s.Close())

	if string(it.Key()) != "a" || string(it.Value()) != "1" || string(snapIter.Key()) != "b" {
		t.Fatal("what was read has changed")
	}
	_, _, err := s.Get([]byte("a"), nil)
	wantErr(t, err, ErrClosed)
	for name, i := range map[string]*Iter{"old": it, "of snapshot": snapIter, "new": s.NewIter(nil, nil), "new of snapshot": snap.NewIter(nil, nil)} {
		if i.Next() || i.Prev() || i.First() || i.SeekGE([]byte("a")) || i.SeekLT([]byte("z")) || i.Valid() {
			t.Fatalf("%s iterator goes on", name)
		}
		wantErr(t, i.Err(), ErrClosed)
		wantErr(t, i.Close(), ErrClosed)
		wantErr(t, i.Close(), ErrClosed)
	}
	for _, sn := range []*Snapshot{snap, stream, s.Snapshot(), s.StreamSnapshot()} {
		_, _, err = sn.Get([]byte("a"), nil)
		wantErr(t, err, ErrClosed)
		wantErr(t, s.SaveTo(sn, &bytes.Buffer{}, nil), ErrClosed)
		check(t, sn.Close())
		check(t, sn.Close())
	}
	wantErr(t, batch.Commit(), ErrClosed)
	batch.Reset()
	batch.Set([]byte("c"), []byte("3"))
	wantErr(t, batch.Commit(), ErrClosed)
	check(t, batch.Close())
	check(t, batch.Close())
	if batch.Len() != 0 || batch.Count() != 0 {
		t.Fatal("a closed batch has contents")
	}
	wantErr(t, s.Flush(), ErrClosed)
	wantErr(t, s.FlushAsync(), ErrClosed)
	wantErr(t, s.RecoverFrom(strings.NewReader(""), nil), ErrClosed)
	check(t, s.Err())
}

// After a recovery what belongs to the old contents fails, what is taken anew works.
func TestUseAfterRecover(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	set(t, s, "a", "1")
	stream := save(t, s)
	batch, snap, it := s.NewBatch(), s.Snapshot(), s.NewIter(nil, nil)
	defer it.Close()
	defer snap.Close()
	check(t, s.RecoverFrom(bytes.NewReader(stream), nil))
	_, _, err := snap.Get([]byte("a"), nil)
	wantErr(t, err, ErrReplaced)
	if it.First() {
		t.Fatal("the old iterator goes on")
	}
	wantErr(t, it.Err(), ErrReplaced)
	batch.Set([]byte("b"), []byte("2"))
	wantErr(t, batch.Commit(), ErrReplaced)
	batch.Reset()
	batch.Set([]byte("b"), []byte("2"))
	check(t, batch.Commit())
	check(t, batch.Close())
	wantGet(t, s, "a", "1")
	wantGet(t, s, "b", "2")
	check(t, s.Flush())
}

func TestLimits(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	b := s.NewBatch()
	defer b.Close()
	for name, do := range map[string]func(){
		"empty key":       func() { b.Set(nil, nil) },
		"long key":        func() { b.Delete(make([]byte, MaxKeyBytes+1)) },
		"long value":      func() { b.Set([]byte("k"), make([]byte, MaxValueBytes+1)) },
		"range of no key": func() { b.DeleteRange(nil, []byte("k")) },
	} {
		b.Reset()
		do()
		b.Set([]byte("other"), nil)
		if err := b.Commit(); err == nil {
			t.Fatalf("%s: committed", name)
		} else {
			wantErr(t, err, ErrTooLarge)
		}
	}
	b.Reset()
	check(t, b.Commit()) // nothing
	b.Set([]byte("twice"), nil)
	check(t, b.Commit())
	if err := b.Commit(); err == nil {
		t.Fatal("a batch was committed twice")
	}
	b.Reset()
	long, large := bytes.Repeat([]byte{0xff}, MaxKeyBytes), bytes.Repeat([]byte("v"), MaxValueBytes)
	b.Set(long, large)
	b.DeleteRange([]byte("z"), []byte("a")) // nothing
	check(t, b.Commit())
	stream := save(t, s)
	check(t, s.RecoverFrom(bytes.NewReader(stream), nil))
	wantGet(t, s, string(long), string(large))
	if _, ok, _ := s.Get([]byte("other"), nil); ok {
		t.Fatal("part of a refused batch was committed")
	}
}

// The store is a map: whatever is done, flushed, saved, recovered and reopened,
// it reads as one, forth and back.
func TestBehavesAsAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewMem()
		s := open(t, fs)
		defer func() { s.Close() }()
		model := map[string]string{}
		key := rapid.StringMatching(`[ab]{1,4}`)
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) { writeBoth(t, rt, s, key, model) },
			"flush": func(*rapid.T) { check(t, s.Flush()) },
			"reopen": func(*rapid.T) {
				check(t, s.Flush())
				check(t, s.Close())
				s = open(t, fs)
			},
			"recover": func(*rapid.T) { check(t, s.RecoverFrom(bytes.NewReader(save(t, s)), nil)) },
			"": func(rt *rapid.T) {
				if got := contentsOf(t, s); !maps.Equal(got, model) {
					rt.Fatalf("contents are %v, want %v", got, model)
				}
				walkBoth(t, rt, s, key.Draw(rt, "lo"), key.Draw(rt, "hi"), key.Draw(rt, "at"), model)
			},
		})
	})
}

func writeBoth(t *testing.T, rt *rapid.T, s *Store, key *rapid.Generator[string], model map[string]string) {
	b := s.NewBatch()
	defer b.Close()
	for range rapid.IntRange(1, 5).Draw(rt, "changes") {
		k, v := key.Draw(rt, "key"), rapid.String().Draw(rt, "value")
		switch rapid.IntRange(0, 4).Draw(rt, "kind") {
		case 0:
			b.Delete([]byte(k))
			delete(model, k)
		case 1:
			hi := key.Draw(rt, "end")
			b.DeleteRange([]byte(k), []byte(hi))
			maps.DeleteFunc(model, func(m, _ string) bool { return m >= k && m < hi })
		default:
			b.Set([]byte(k), []byte(v))
			model[k] = v
		}
	}
	check(t, b.Commit())
}

// walkBoth compares a bounded iterator with the model, seeking to at.
func walkBoth(t *testing.T, rt *rapid.T, s *Store, lo, hi, at string, model map[string]string) {
	var least, greatest, ge, lt string
	for k := range model {
		if k < lo || k >= hi {
			continue
		}
		least, greatest = smaller(least, k), max(greatest, k)
		if k >= at {
			ge = smaller(ge, k)
		} else {
			lt = max(lt, k)
		}
	}
	it := s.NewIter([]byte(lo), []byte(hi))
	defer it.Close()
	at0 := func(ok bool) string {
		if ok {
			return string(it.Key())
		}
		return ""
	}
	got := [4]string{at0(it.First()), at0(it.Last()), at0(it.SeekGE([]byte(at))), at0(it.SeekLT([]byte(at)))}
	if want := [4]string{least, greatest, ge, lt}; got != want {
		rt.Fatalf("first, last, >=, < of %q in [%q, %q) are %q, want %q", at, lo, hi, got, want)
	}
	check(t, it.Err())
}

func smaller(a, b string) string {
	if a == "" || b < a {
		return b
	}
	return a
}

// Commits and flushes of several goroutines, closed in their midst.
func TestCloseDuringWrites(t *testing.T) {
	for range 5 {
		fs := vfs.NewCrashableMem()
		s := open(t, fs)
		var wg sync.WaitGroup
		var done, flushed atomic.Int64
		for w := range 4 {
			wg.Go(func() {
				b := s.NewBatch()
				defer b.Close()
				for n := 0; ; n++ {
					b.Reset()
					b.Set(fmt.Appendf(nil, "%d/%d", w, n), make([]byte, 4<<10))
					err := b.Commit()
					if err == nil && n%50 == w {
						if err = s.Flush(); err == nil {
							flushed.Add(1)
						}
					}
					if err != nil {
						wantErr(t, err, ErrClosed)
						return
					}
					done.Add(1)
				}
			})
		}
		for done.Load() < 400 {
			check(t, s.FlushAsync())
		}
		check(t, s.Close())
		wg.Wait()
	}
}

// Small reads are on the path of every transaction: they don't allocate.
func TestGetDoesNotAllocate(t *testing.T) {
	s, err := Open(Options{Dir: "d", FS: vfs.NewMem()})
	check(t, err)
	defer s.Close()
	fill(t, s, "x", 1000)
	key, dst := []byte("row000500"), make([]byte, 0, 1024)
	read := func() {
		v, ok, err := s.Get(key, dst)
		if !ok || err != nil || len(v) == 0 {
			t.Fatal(ok, err)
		}
	}
	for _, c := range []struct {
		where  string
		allocs float64 // from a table Pebble makes one small allocation
	}{{"memtable", 0}, {"table", 1}} {
		if n := testing.AllocsPerRun(200, read); n > c.allocs && !raceEnabled {
			t.Errorf("Get from a %s allocates %v times", c.where, n)
		}
		check(t, s.Flush())
	}
}

func BenchmarkGet(b *testing.B) {
	for _, where := range []string{"memtable", "table"} {
		b.Run(where, func(b *testing.B) {
			s, err := Open(Options{Dir: "d", FS: vfs.NewMem()})
			check(b, err)
			defer s.Close()
			fill(b, s, "x", 10_000)
			if where == "table" {
				check(b, s.Flush())
			}
			dst := make([]byte, 0, 1024)
			key := []byte("row000000")
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				for at, n := len(key)-1, i%10_000; n > 0; at, n = at-1, n/10 {
					key[at] = '0' + byte(n%10)
				}
				if _, ok, err := s.Get(key, dst); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkCommit(b *testing.B) {
	s, err := Open(Options{Dir: b.TempDir()})
	check(b, err)
	defer s.Close()
	batch := s.NewBatch()
	defer batch.Close()
	key, val := make([]byte, 8), make([]byte, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		batch.Reset()
		for k := range 100 {
			binary.BigEndian.PutUint64(key, uint64((i*100+k)*7919%1_000_000))
			batch.Set(key, val)
		}
		check(b, batch.Commit())
	}
}
