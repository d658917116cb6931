package partition

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/store"
)

// newDisk is a disk that loses what was not synced when it crashes.
func newDisk() *vfs.MemFS { return vfs.NewCrashableMem() }

// testCopy is a partition on such a disk, with the outcomes that it reported.
type testCopy struct {
	*Partition
	t     testing.TB
	disk  *vfs.MemFS
	fatal error
}

func openTest(t testing.TB, disk *vfs.MemFS) *testCopy {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	c := &testCopy{t: t, disk: disk}
	c.Partition = New(Config{
		Group: "bank", Env: env, Local: testSession,
		Store:   store.Options{Dir: "copy", FS: disk, MemTableBytes: store.MinMemTableBytes},
		Applied: func([]engine.Applied) {},
		Fatal:   func(err error) { c.fatal = err },
	})
	if _, err := c.Open(nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *testCopy) close() {
	if err := c.Close(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *testCopy) apply(entries []entry.Raw) {
	if err := c.Apply(entries); err != nil {
		c.t.Fatal(err)
	}
}

// crash loses all that was not synced, and some of what was not, at random.
func (c *testCopy) crash(rng *rand.Rand) *testCopy {
	disk := c.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	c.close()
	return openTest(c.t, disk)
}

// moved streams the copy to a new one on another disk.
func (c *testCopy) moved() *testCopy {
	prepared, err := c.PrepareSnapshot()
	if err != nil {
		c.t.Fatal(err)
	}
	var stream bytes.Buffer
	if err := c.SaveSnapshot(prepared, &stream, nil); err != nil {
		c.t.Fatal(err)
	}
	c.close()
	next := openTest(c.t, newDisk())
	if err := next.RecoverFromSnapshot(&stream, nil); err != nil {
		c.t.Fatal(err)
	}
	return next
}

// result is what must be the same however the entries came.
type result struct {
	revision uint64
	running  [32]byte
	content  [32]byte
	outcomes string
}

func (c *testCopy) result(h *history) result {
	v, err := c.View()
	if err != nil {
		c.t.Fatal(err)
	}
	defer v.Close()
	var all []byte
	for _, it := range h.sent {
		o, ok, err := v.Outcome(it.ID)
		if err != nil {
			c.t.Fatal(err)
		}
		if ok {
			all = append(o.AppendJSON(all, "bank"), '\n')
		}
	}
	content, err := engine.ContentDigest(nil, snapshotReader{v.snap})
	if err != nil {
		c.t.Fatal(err)
	}
	pos := c.Position()
	return result{pos.Revision, pos.Digest, content, string(all)}
}

// run applies the history as chance has it: in calls of any size, with flushes,
// crashes that lose the tail, and moves to another disk in between.
func run(t testing.TB, h *history, rng *rand.Rand) result {
	c := openTest(t, newDisk())
	for at := 0; at < len(h.entries); {
		n := min(1+rng.IntN(20), len(h.entries)-at)
		c.apply(h.entries[at : at+n])
		at += n
		switch rng.IntN(12) {
		case 0, 1:
			if err := c.Sync(); err != nil {
				t.Fatal(err)
			}
		case 2:
			c = c.crash(rng)
			applied := c.Position().Index
			for at = 0; at < len(h.entries) && h.entries[at].Index <= applied; at++ {
			}
		case 3:
			c = c.moved()
		}
	}
	defer c.close()
	return c.result(h)
}

// "So on every copy, whatever its operating system, processor, time zone,
// locale, core count or moment of crash and restart: the same rows, the same
// outcomes byte for byte, the same state hash." (transactions.md, Determinism)
func TestCopiesAgreeHoweverEntriesCome(t *testing.T) {
	for seed := range uint64(12) {
		h := newHistory(t, seed)
		h.generate(150)
		plain := openTest(t, newDisk())
		for _, e := range h.entries {
			plain.apply([]entry.Raw{e})
		}
		want := plain.result(h)
		ends := plain.published.Load().ends
		if len(ends) != 2 || ends[0].Version != 0 || ends[0].Broken == 0 || ends[1].Version == 0 {
			t.Fatalf("seed %d: of two schema changes one was to fail and one to hold: %+v", seed, ends)
		}
		plain.close()
		if want.revision < 200 || len(want.outcomes) < 10_000 {
			t.Fatalf("seed %d: the history is too quiet to prove anything: %d revisions", seed, want.revision)
		}
		for way := range uint64(6) {
			procs, zone := runtime.GOMAXPROCS(1+int(way%2)), time.Local
			time.Local = time.FixedZone("far", int(way)*7000-20000)
			got := run(t, h, rand.New(rand.NewPCG(seed, way)))
			time.Local = zone
			runtime.GOMAXPROCS(procs)
			if got != want {
				t.Fatalf("seed %d, way %d: %s", seed, way, difference(got, want))
			}
		}
	}
}

func difference(got, want result) string {
	if got.outcomes != want.outcomes {
		return fmt.Sprintf("outcomes differ:\n%s\nwant\n%s", got.outcomes, want.outcomes)
	}
	return fmt.Sprintf("revision %d, want %d; running digest equal: %t; content digest equal: %t",
		got.revision, want.revision, got.running == want.running, got.content == want.content)
}

// "The outcome is part of the group's replicated state, and the same id again
// returns it, after any failover." (transactions.md, Exactly once)
func TestVerdictsOfRepeatedItems(t *testing.T) {
	h := newHistory(t, 99)
	h.generate(60)
	c := openTest(t, newDisk())
	defer c.close()
	kinds := map[outcome.Kind]int{}
	c.cfg.Applied = func(done []engine.Applied) {
		for _, a := range done {
			for _, v := range a.Verdicts {
				kinds[v.Kind]++
			}
		}
	}
	c.apply(h.entries)
	for _, kind := range []outcome.Kind{outcome.Executed, outcome.Duplicate, outcome.KeyReused, outcome.StaleSchema} {
		if kinds[kind] == 0 {
			t.Errorf("no verdict of kind %d among %v", kind, kinds)
		}
	}
}

// "the running digest of ordered writes and outcomes": a checkpoint's digests are
// those of its revision, whatever is applied while they are computed.
func TestCheckpointDigestsAreOfTheirRevision(t *testing.T) {
	h := newHistory(t, 5)
	h.generate(40)
	const id = 77
	cut := len(h.entries) / 2
	checkpoint := entry.Raw{Index: h.entries[cut-1].Index, Cmd: entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: id, TimeMillis: h.now, Contents: entry.ContentsAsked})}
	entries := append(append(append([]entry.Raw{}, h.entries[:cut-1]...), checkpoint), h.entries[cut:]...)
	var want Digests
	for way, size := range []int{1, 7, len(entries)} {
		c := openTest(t, newDisk())
		for at := 0; at < len(entries); at += size {
			c.apply(entries[at:min(at+size, len(entries))])
		}
		got, err := c.Digests(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		if way == 0 {
			want = got
		}
		if got != want || got.Revision == c.Position().Revision {
			t.Fatalf("in calls of %d: %+v, want %+v", size, got, want)
		}
		c.close()
	}
}

// "what bounds apply is apply" (architecture.md, A poison transaction must be
// impossible): an entry of cheap transactions with large results, far more than a
// batch of the store can take, is executed in part; the rest does nothing, and is
// executed when it is ordered again.
func TestEntryTakesNoMoreThanItsBudget(t *testing.T) {
	h := newHistory(t, 3)
	c := openTest(t, newDisk())
	defer c.close()
	var got []outcome.Verdict
	c.cfg.Applied = func(done []engine.Applied) { got = done[0].Verdicts }
	c.apply(h.entries)
	const items = 400
	b := entry.Batch{TimeMillis: h.now, SchemaVersion: h.compiled.Version}
	doc := fmt.Sprintf(`{"steps": [{"let": {"a": "params.p + params.p"}}, {"let": {"b": "a + a"}}, {"let": {"c": "b + b"}}, {"let": {"d": "c + c"}}], "params": {"p": %q}, "return": "[d, d, d, d]"}`, bytes.Repeat([]byte("x"), 10_000))
	typed, refusal := program.ParseTransaction([]byte(doc), h.compiled)
	if refusal != nil {
		t.Fatal(refusal)
	}
	for i := range items {
		b.Items = append(b.Items, entry.Item{ID: entry.ID{Key: fmt.Sprintf("k%d", i)}, Proc: -1, Source: typed.Source, Params: typed.Params})
	}
	before, rounds := c.Position().Revision, 0
	for total := uint64(len(b.Items)); len(b.Items) > 0; rounds++ {
		h.sequence++
		b.Origin = entry.Origin{Proposer: testSession, Sequence: h.sequence}
		h.index++
		c.apply([]entry.Raw{{Index: h.index, Cmd: entry.AppendBatch(nil, &b)}})
		done := 0
		for done < len(got) && got[done].Kind == outcome.Executed {
			done++
		}
		for _, v := range got[done:] {
			if v.Kind != outcome.Deferred {
				t.Fatalf("a verdict of kind %d after one was deferred", v.Kind)
			}
		}
		if done == 0 {
			t.Fatal("an entry got nowhere")
		}
		if b.Items = b.Items[done:]; len(b.Items) == 0 && c.Position().Revision != before+total {
			t.Fatalf("%d transactions took %d revisions", total, c.Position().Revision-before)
		}
	}
	if rounds < 2 {
		t.Errorf("nothing was deferred")
	}
}
