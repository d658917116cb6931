package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// openWatched opens a store whose OnFatal is heard on the channel.
func openWatched(t testing.TB, fs vfs.FS) (*Store, <-chan error) {
	t.Helper()
	fatal := make(chan error, 10)
	s, err := Open(Options{
		Dir: "data/group", FS: fs, MemTableBytes: MinMemTableBytes,
		OnFatal: func(err error) { fatal <- err },
	})
	check(t, err)
	return s, fatal
}

// "ENOSPC: Flush blocks forever, spinning. BackgroundError -> stop admission,
// then exit" (traps.md, 25); "a full disk (a clear error and a stop, never a
// wrong answer)".
func TestFullDisk(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"no space", syscall.ENOSPC, ErrDiskFull},
		{"quota", syscall.EDQUOT, ErrDiskFull},
		{"broken", syscall.EIO, ErrIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := vfs.NewCrashableMem()
			var full atomic.Bool
			fs := errorfs.Wrap(base, changes(func(errorfs.Op) error {
				if full.Load() {
					return c.err
				}
				return nil
			}))
			s, fatal := openWatched(t, fs)
			set(t, s, "safe", "1")
			check(t, s.Flush())
			full.Store(true)
			set(t, s, "lost", "1")
			err := s.Flush()
			wantErr(t, err, c.want)
			wantErr(t, err, c.err)
			wantErr(t, s.Err(), c.want)
			wantErr(t, <-fatal, c.want)

			// Space alone doesn't revive it, and nothing blocks.
			full.Store(false)
			b := s.NewBatch()
			b.Set([]byte("k"), []byte("v"))
			wantErr(t, b.Commit(), c.want)
			check(t, b.Close())
			wantErr(t, s.Flush(), c.want)
			wantErr(t, s.FlushAsync(), c.want)
			wantErr(t, s.RecoverFrom(strings.NewReader(""), nil), c.want)
			snap := s.StreamSnapshot()
			wantErr(t, s.SaveTo(snap, &bytes.Buffer{}, nil), c.want)
			check(t, snap.Close())

			// What was committed is still read, rightly.
			wantGet(t, s, "safe", "1")
			wantGet(t, s, "lost", "1")
			check(t, s.Close())
			select {
			case err := <-fatal:
				t.Fatalf("OnFatal was called again: %v", err)
			default:
			}

			again := open(t, base.CrashClone(vfs.CrashCloneCfg{}))
			if got := contentsOf(t, again); !maps.Equal(got, map[string]string{"safe": "1"}) {
				t.Fatalf("after the restart: %v", got)
			}
			check(t, again.Close())
		})
	}
}

// A writer that fills one memtable after another on a full disk gets an error
// instead of waiting for a flush that never comes.
func TestFullDiskDoesNotBlockWriters(t *testing.T) {
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), changes(func(errorfs.Op) error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}))
	s, fatal := openWatched(t, fs)
	full.Store(true)
	b := s.NewBatch()
	val := make([]byte, 8<<10)
	var err error
	for n := 0; err == nil; n++ {
		b.Reset()
		b.Set(fmt.Appendf(nil, "row%d", n), val)
		if err = b.Commit(); n > 10_000 {
			t.Fatal("commits go on")
		}
	}
	wantErr(t, err, ErrDiskFull)
	wantErr(t, <-fatal, ErrDiskFull)
	check(t, s.Close())
}

// OnFatal may close the store, as a supervisor would.
func TestOnFatalMayClose(t *testing.T) {
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), changes(func(errorfs.Op) error {
		if full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}))
	var s *Store
	closed := make(chan error)
	s, err := Open(Options{Dir: "d", FS: fs, OnFatal: func(error) { closed <- s.Close() }})
	check(t, err)
	full.Store(true)
	set(t, s, "k", "v")
	if err := s.Flush(); err == nil {
		t.Fatal("flushed to a full disk")
	}
	check(t, <-closed)
	_, _, err = s.Get([]byte("k"), nil)
	wantErr(t, err, ErrClosed)
}

// Every change of the disk in turn fails, once or from then on, in a run of
// opening, commits, flushes and reopening. Whatever happens, a Flush that
// returned nil was true, and nothing but a prefix of the commits survives.
func TestEveryChangeOfTheDiskFails(t *testing.T) {
	opens, flushes, clean := 0, 0, 0
	for k := 0; clean < 3; k += stride() {
		for _, lasting := range []bool{false, true} {
			base := vfs.NewCrashableMem()
			step, failed := 0, false
			fs := errorfs.Wrap(base, changes(func(errorfs.Op) error {
				step++
				if step-1 == k || lasting && step > k {
					failed = true
					return syscall.ENOSPC
				}
				return nil
			}))
			h := newHistory(uint64(k))
			durable, err := runUntilFault(t, fs, h)
			switch {
			case err == nil && !failed:
				clean++
			case errors.Is(err, errOpening):
				opens++
			case err != nil:
				flushes++
			}
			s := open(t, base.CrashClone(vfs.CrashCloneCfg{}))
			h.verify(t, s, durable)
			check(t, s.Close())
		}
		if k > 2000 {
			t.Fatal("a fault is met after 2000 changes still")
		}
	}
	if opens == 0 || flushes == 0 {
		t.Fatalf("faults met %d times when opening, %d times later", opens, flushes)
	}
	t.Logf("faults met %d times when opening, %d times later", opens, flushes)
}

var errOpening = errors.New("opening")

// runUntilFault works until something fails, twice reopening, and returns the
// last commit known to be durable.
func runUntilFault(t *testing.T, fs vfs.FS, h *history) (durable int, err error) {
	for range 2 {
		s, err := Open(Options{Dir: "data/group", FS: fs, MemTableBytes: MinMemTableBytes})
		if err != nil {
			wantErr(t, err, ErrDiskFull)
			return durable, errors.Join(errOpening, err)
		}
		durable, err = commitUntilFault(s, h, h.verify(t, s, durable), durable)
		if err != nil {
			wantErr(t, err, ErrDiskFull)
		}
		check(t, s.Close())
		if err != nil {
			return durable, err
		}
	}
	return durable, nil
}

func commitUntilFault(s *Store, h *history, from, durable int) (int, error) {
	b := s.NewBatch()
	defer b.Close()
	for n := from + 1; n <= from+12; n++ {
		if err := h.commit(s, b, n); err != nil {
			return durable, err
		}
		if n%4 == 0 {
			if err := s.Flush(); err != nil {
				return durable, err
			}
			durable = n
		}
	}
	return durable, nil
}

// A recovery that meets a full disk leaves the old contents in use, whichever
// step it was; a failure to move the pointer ends the store, whole on disk.
func TestEveryChangeOfARecoveryFails(t *testing.T) {
	from := filled(t, vfs.NewMem(), "new", scaled(2000))
	stream, want := save(t, from), sumOf(contentsOf(t, from))
	check(t, from.Close())
	usable, ended, succeeded := 0, 0, 0
	for k := 0; succeeded < 3; k++ {
		base := vfs.NewCrashableMem()
		var recovering atomic.Bool
		step := 0
		fs := errorfs.Wrap(base, changes(func(op errorfs.Op) error {
			if recovering.Load() {
				if step++; step-1 == k {
					return syscall.ENOSPC
				}
			}
			return nil
		}))
		s := filled(t, fs, "old", 50)
		check(t, s.Flush())
		old := sumOf(contentsOf(t, s))
		recovering.Store(true)
		err := s.RecoverFrom(bytes.NewReader(stream), nil)
		recovering.Store(false)
		expect := old
		switch {
		case err == nil:
			expect = want
			if step <= k {
				succeeded++
			}
		case s.Err() == nil:
			usable++
			wantErr(t, err, ErrDiskFull)
			check(t, s.RecoverFrom(bytes.NewReader(stream), nil)) // once there is space again
			expect = want
		default:
			ended++
			wantErr(t, err, ErrDiskFull)
		}
		if got := sumOf(contentsOf(t, s)); got != expect {
			t.Fatalf("step %d: contents are wrong after %v", k, err)
		}
		check(t, s.Close())
		again := open(t, base.CrashClone(vfs.CrashCloneCfg{}))
		if got := sumOf(contentsOf(t, again)); got != expect && (err == nil || got != old && got != want) {
			t.Fatalf("step %d: contents are wrong after the restart, %v", k, err)
		}
		check(t, again.Close())
		if k > 2000 {
			t.Fatal("a fault is met after 2000 changes still")
		}
	}
	if usable == 0 || ended == 0 {
		t.Fatalf("%d recoveries failed and left the store usable, %d ended it", usable, ended)
	}
	t.Logf("%d recoveries failed and left the store usable, %d ended it", usable, ended)
}

// "that is what finds data altered on disk": a flipped bit in a table is an
// error, then silence, never a wrong answer.
func TestDamagedTableIsNeverBelieved(t *testing.T) {
	base := vfs.NewMem()
	s := filled(t, base, "right", 4000)
	want := contentsOf(t, s)
	check(t, s.Flush())
	check(t, s.Close())
	dir := "data/group/" + contentsName(1)
	table := findTable(t, base, dir)
	met := 0
	rounds := scaled(60)
	for round := range rounds {
		fs := vfs.NewMem()
		ok, err := vfs.Clone(base, fs, "data", "data")
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		damage(t, fs, dir+"/"+table, round, rounds)
		s, err := Open(Options{Dir: "data/group", FS: fs})
		if err != nil {
			met++
			continue
		}
		if readAllRight(t, s, want) != nil {
			met++
		}
		check(t, s.Close())
	}
	if met < rounds/2 {
		t.Fatalf("only %d of %d flipped bits were found", met, rounds)
	}
}

func findTable(t *testing.T, fs vfs.FS, dir string) string {
	names, err := fs.List(dir)
	check(t, err)
	for _, n := range names {
		if strings.HasSuffix(n, ".sst") {
			return n
		}
	}
	t.Fatal("no table")
	return ""
}

// damage flips one bit, further into the file with every round.
func damage(t *testing.T, fs vfs.FS, path string, round, rounds int) {
	f, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	check(t, err)
	info, err := f.Stat()
	check(t, err)
	at := info.Size() * int64(round) / int64(rounds)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	check(t, err)
	b[0] ^= 1 << (round % 8)
	_, err = f.WriteAt(b[:], at)
	check(t, err)
	check(t, f.Close())
}

// readAllRight reads every key; each answer must be right or an error.
func readAllRight(t *testing.T, s *Store, want map[string]string) error {
	t.Helper()
	var first error
	for key, val := range want {
		v, ok, err := s.Get([]byte(key), nil)
		if err == nil && (!ok || string(v) != val) {
			t.Fatalf("%s: a wrong answer %q", key, v)
		}
		if err != nil && first == nil {
			first = err
			wantErr(t, err, ErrCorrupt)
			wantErr(t, s.Err(), ErrCorrupt)
		} else if first != nil && err == nil {
			t.Fatal("reads go on after damage")
		}
	}
	return first
}
