package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func save(t testing.TB, s *Store) []byte {
	t.Helper()
	snap := s.StreamSnapshot()
	defer snap.Close()
	var buf bytes.Buffer
	check(t, s.SaveTo(snap, &buf, nil))
	return buf.Bytes()
}

// filled returns a store with n rows, of the given generation, in several tables.
func filled(t testing.TB, fs vfs.FS, generation string, n int) *Store {
	t.Helper()
	s := open(t, fs)
	fill(t, s, generation, n)
	return s
}

func fill(t testing.TB, s *Store, generation string, n int) {
	t.Helper()
	b := s.NewBatch()
	for i := range n {
		b.Set(fmt.Appendf(nil, "row%06d", i), []byte(generation+strings.Repeat("x", i%300)))
	}
	check(t, b.Commit())
	check(t, b.Close())
}

// "snapshots streamed out and in": the copy is equal, whatever was there before,
// and goes backwards too (traps.md, 23: RecoverFromSnapshot must go backwards).
func TestSnapshotRoundTrip(t *testing.T) {
	from := filled(t, vfs.NewMem(), "old", scaled(5000))
	defer from.Close()
	older, want := save(t, from), contentsOf(t, from)
	fill(t, from, "new", scaled(6000))
	newer, wantNewer := save(t, from), contentsOf(t, from)

	fs := vfs.NewCrashableMem()
	to := filled(t, fs, "other", 100)
	set(t, to, "only here", "1")
	for i, c := range []struct {
		stream []byte
		want   map[string]string
	}{{newer, wantNewer}, {older, want}, {newer, wantNewer}} {
		check(t, to.RecoverFrom(bytes.NewReader(c.stream), nil))
		if got := contentsOf(t, to); !maps.Equal(got, c.want) {
			t.Fatalf("recovery %d: %d entries, want %d", i, len(got), len(c.want))
		}
		if again := save(t, to); !bytes.Equal(again, c.stream) {
			t.Fatalf("recovery %d: equal contents make another stream", i)
		}
		set(t, to, "written after recovery", "1")
		check(t, to.Flush())
		check(t, to.Close())
		fs = fs.CrashClone(vfs.CrashCloneCfg{})
		to = open(t, fs)
		if got := contentsOf(t, to); len(got) != len(c.want)+1 {
			t.Fatalf("recovery %d: %d entries after a crash, want %d", i, len(got), len(c.want)+1)
		}
	}
	check(t, to.Close())
	names, err := fs.List("data/group")
	check(t, err)
	if len(names) != 3 {
		t.Fatalf("directory holds %q, want lock, marker and one directory", names)
	}
}

func TestSnapshotOfNothing(t *testing.T) {
	empty := open(t, vfs.NewMem())
	stream := save(t, empty)
	check(t, empty.Close())
	to := filled(t, vfs.NewMem(), "x", 10)
	check(t, to.RecoverFrom(bytes.NewReader(stream), nil))
	if got := contentsOf(t, to); len(got) != 0 {
		t.Fatalf("%d entries in an empty copy", len(got))
	}
	check(t, to.Close())
}

// A snapshot is of one moment: what is committed while it is streamed is not in it.
func TestSnapshotIsOfItsMoment(t *testing.T) {
	s := filled(t, vfs.NewMem(), "old", 3000)
	defer s.Close()
	for name, take := range map[string]func() *Snapshot{"snapshot": s.Snapshot, "stream": s.StreamSnapshot} {
		set(t, s, "row000007", "old")
		snap := take()
		set(t, s, "row000007", "new")
		check(t, s.Flush())
		v, ok, err := snap.Get([]byte("row000007"), nil)
		check(t, err)
		if !ok || string(v) != "old" {
			t.Fatalf("%s: the row is %q", name, v)
		}
		if _, ok, err = snap.Get([]byte("none"), nil); ok || err != nil {
			t.Fatalf("%s: a key that isn't there: %v %v", name, ok, err)
		}
		var buf bytes.Buffer
		check(t, s.SaveTo(snap, &buf, nil))
		if bytes.Contains(buf.Bytes(), []byte("new")) {
			t.Fatalf("%s: a later commit is in the stream", name)
		}
		check(t, snap.Close())
		check(t, snap.Close())
		_, _, err = snap.Get([]byte("row000007"), nil)
		wantErr(t, err, ErrClosed)
	}
}

// "torn/flipped stream refused with a clear error", and the contents stay.
func TestDamagedStreamIsRefused(t *testing.T) {
	from := filled(t, vfs.NewMem(), "theirs", 3000)
	stream := save(t, from)
	check(t, from.Close())
	if len(stream) < 2*blockBytes/2 {
		t.Fatalf("a stream of %d bytes has one block only", len(stream))
	}
	to := filled(t, vfs.NewMem(), "ours", 10)
	defer to.Close()
	want := contentsOf(t, to)
	refused := func(what string, damaged []byte) {
		t.Helper()
		err := to.RecoverFrom(bytes.NewReader(damaged), nil)
		wantErr(t, err, ErrBadStream)
		if got := contentsOf(t, to); !maps.Equal(got, want) {
			t.Fatalf("%s: contents changed", what)
		}
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for range scaled(40) {
		at := rng.IntN(len(stream))
		refused(fmt.Sprint("torn at ", at), stream[:at])
		flipped := bytes.Clone(stream)
		flipped[at] ^= 1 << rng.IntN(8)
		refused(fmt.Sprint("flipped at ", at), flipped)
	}
	for at := range headerBytes + blockHeadBytes {
		flipped := bytes.Clone(stream)
		flipped[at] ^= 0x80
		refused(fmt.Sprint("header flipped at ", at), flipped)
	}
	for at := len(stream) - trailerBytes; at < len(stream); at++ {
		flipped := bytes.Clone(stream)
		flipped[at] ^= 1
		refused(fmt.Sprint("trailer flipped at ", at), flipped)
	}
	first := headerBytes + blockHeadBytes + int(stream[headerBytes]) + int(stream[headerBytes+1])<<8 + int(stream[headerBytes+2])<<16
	refused("a block lost", append(bytes.Clone(stream[:headerBytes]), stream[first:]...))
	refused("a block doubled", append(bytes.Clone(stream[:first]), stream[headerBytes:]...))
	check(t, to.RecoverFrom(bytes.NewReader(append(bytes.Clone(stream), "what follows"...)), nil))
}

// Raft libraries compare the errors of their writers and readers by identity
// (traps.md, 23: return ErrSnapshotStreaming/Stopped unmangled).
func TestErrorsOfTheOtherSideComeBackUnchanged(t *testing.T) {
	s := filled(t, vfs.NewMem(), "x", 3000)
	defer s.Close()
	stream := save(t, s)
	mine := errors.New("mine")
	snap := s.StreamSnapshot()
	defer snap.Close()
	for after := range 3 {
		if err := s.SaveTo(snap, &failingWriter{after: after, err: mine}, nil); err != mine {
			t.Fatalf("writer's error became %v", err)
		}
	}
	for _, n := range []int{0, headerBytes, headerBytes + 4, len(stream) / 2} {
		r := io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(mine))
		if err := s.RecoverFrom(r, nil); err != mine {
			t.Fatalf("reader's error became %v", err)
		}
	}
	stopped := make(chan struct{})
	close(stopped)
	wantErr(t, s.SaveTo(snap, io.Discard, stopped), ErrStopped)
	wantErr(t, s.RecoverFrom(bytes.NewReader(stream), stopped), ErrStopped)
	if got := save(t, s); !bytes.Equal(got, stream) {
		t.Fatal("contents changed")
	}
}

type failingWriter struct {
	after int
	err   error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.after--; w.after < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// "RecoverFromSnapshot: fresh dir, atomic swap" (traps.md, 23): a crash before
// any change of the disk finds the old contents or the new, whole, and after the
// recovery's return the new.
func TestRecoveryCutAtEveryStep(t *testing.T) {
	from := filled(t, vfs.NewMem(), "new", 3000)
	stream, newSum := save(t, from), sumOf(contentsOf(t, from))
	check(t, from.Close())

	base := vfs.NewCrashableMem()
	var clones []*vfs.MemFS
	var recovering atomic.Bool
	step := 0
	rng := rand.New(rand.NewPCG(9, 10))
	fs := errorfs.Wrap(base, changes(func(errorfs.Op) error {
		if recovering.Load() {
			if step++; step%stride() != 0 {
				return nil
			}
			for _, percent := range []int{0, 50, 100} {
				clones = append(clones, base.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng}))
			}
		}
		return nil
	}))
	to := filled(t, fs, "old", 1000)
	check(t, to.Flush())
	oldSum := sumOf(contentsOf(t, to))
	recovering.Store(true)
	check(t, to.RecoverFrom(bytes.NewReader(stream), nil))
	recovering.Store(false)
	final := base.CrashClone(vfs.CrashCloneCfg{})
	check(t, to.Close())

	olds, news := 0, 0
	for i, c := range clones {
		s := open(t, c)
		switch sum := sumOf(contentsOf(t, s)); sum {
		case oldSum:
			olds++
		case newSum:
			news++
		default:
			t.Fatalf("crash %d leaves neither the old nor the new contents", i)
		}
		if i%10 == 0 { // and it can be done again
			check(t, s.RecoverFrom(bytes.NewReader(stream), nil))
		}
		check(t, s.Close())
	}
	if olds == 0 || news == 0 {
		t.Fatalf("%d crashes before the swap and %d after: not all steps were cut", olds, news)
	}
	t.Logf("%d crashes before the swap, %d after", olds, news)
	s := open(t, final)
	if sumOf(contentsOf(t, s)) != newSum {
		t.Fatal("a recovery that returned did not survive")
	}
	check(t, s.Close())
}

// The stream is kept by operators and read by later versions: its bytes are fixed.
func TestStreamGolden(t *testing.T) {
	s := open(t, vfs.NewMem())
	defer s.Close()
	set(t, s, "a", "1", "b", "", "ccc", strings.Repeat("z", 200))
	got := hex.Dump(save(t, s))
	want, err := os.ReadFile("testdata/stream_v1.hex")
	check(t, err)
	if got != string(want) {
		t.Fatalf("the stream's format has changed:\n%s", got)
	}
}

// Readers race with recovery and closing: they see one generation or ErrClosed,
// "never panics" (traps.md, 24).
func TestReadersDuringRecoverAndClose(t *testing.T) {
	var streams [2][]byte
	for g := range streams {
		from := filled(t, vfs.NewMem(), fmt.Sprintf("gen%d", g), 100)
		streams[g] = save(t, from)
		check(t, from.Close())
	}
	for range scaled(5) {
		s := filled(t, vfs.NewMem(), "gen0", 100)
		var wg sync.WaitGroup
		var reads atomic.Int64
		for r := range 4 {
			wg.Go(func() {
				for readOnce(t, s, r) {
					reads.Add(1)
					runtime.Gosched() // the recovery needs a turn too
				}
			})
		}
		for g := range 4 {
			check(t, s.RecoverFrom(bytes.NewReader(streams[g%2]), nil))
		}
		check(t, s.Close())
		wg.Wait()
		if reads.Load() == 0 {
			t.Fatal("nothing was read")
		}
	}
}

// readOnce reads in the way of reader r; false means that the store is closed.
func readOnce(t *testing.T, s *Store, r int) bool {
	snap := s.Snapshot()
	if r%2 == 0 {
		_ = snap.Close()
		snap = s.StreamSnapshot()
	}
	defer snap.Close()
	v, ok, err := snap.Get([]byte("row000000"), nil)
	if err == nil && (!ok || len(v) < 4) {
		t.Errorf("row is %q, %v", v, ok)
	}
	it := snap.NewIter(nil, nil)
	n := 0
	for more := it.First(); more; more = it.Next() {
		if n++; err == nil && !bytes.Equal(it.Value()[:4], v[:4]) {
			t.Errorf("generations %q and %q in one snapshot", v[:4], it.Value()[:4])
		}
	}
	if iterErr := it.Close(); iterErr == nil && n != 100 {
		t.Errorf("%d rows in a snapshot, and no error", n)
	} else if iterErr != nil && !errors.Is(iterErr, ErrClosed) {
		t.Error(iterErr)
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if r == 0 {
		_ = s.SaveTo(snap, io.Discard, nil)
		_ = s.Flush()
	}
	_, _, err = s.Get([]byte("row000001"), nil)
	return err == nil
}

func FuzzStreamDecoder(f *testing.F) {
	var buf bytes.Buffer
	e, err := newEncoder(&buf)
	check(f, err)
	for i := range byte(4) {
		_, err = e.add([]byte{'k', i}, []byte{i})
		check(f, err)
		check(f, e.writeBlock())
	}
	check(f, e.finish())
	stream := buf.Bytes()
	f.Add(stream)
	f.Add(stream[:len(stream)-3])
	f.Add([]byte(streamMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		var again bytes.Buffer
		if err := decodeAll(bytes.NewReader(b), &again); err != nil {
			wantErr(t, err, ErrBadStream)
			return
		}
		// What is accepted is accepted again in our own words.
		check(t, decodeAll(bytes.NewReader(again.Bytes()), io.Discard))
	})
}

// FuzzStreamPayload reaches behind the checksums: the payload is arbitrary, the
// frame around it right.
func FuzzStreamPayload(f *testing.F) {
	f.Add([]byte("\x01\x01ab\x01\x00c"), uint16(4))
	f.Fuzz(func(t *testing.T, payload []byte, split uint16) {
		var buf bytes.Buffer
		e, err := newEncoder(&buf)
		check(t, err)
		at := min(int(split), len(payload))
		for _, part := range [][]byte{payload[:at], payload[at:]} {
			e.buf = append(e.buf, part...)
			check(t, e.writeBlock())
		}
		check(t, e.finish())
		if err := decodeAll(&buf, io.Discard); err != nil {
			wantErr(t, err, ErrBadStream)
		}
	})
}

// decodeAll reads a stream and writes it again.
func decodeAll(r io.Reader, w io.Writer) error {
	d, err := newDecoder(r)
	if err != nil {
		return err
	}
	e, err := newEncoder(w)
	if err != nil {
		return err
	}
	for {
		more, err := d.nextBlock()
		if err != nil {
			return err
		}
		if !more {
			return e.finish()
		}
		for {
			key, val, ok, err := d.next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if _, err := e.add(key, val); err != nil {
				return err
			}
		}
	}
}
