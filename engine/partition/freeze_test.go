package partition

import (
	"bytes"
	"testing"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/store"
)

// A rehearsal under the very schema of the history lives through the same: every
// outcome, every write, and with them the running digest.
func TestARehearsalOfTheSameIsTheSame(t *testing.T) {
	h := newHistory(t, 3)
	h.generate(120)
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	var done []engine.Applied
	open := func(dir string) *Partition {
		p := New(Config{
			Group: "bank", Env: env, Everyone: true,
			Store:   store.Options{Dir: dir, FS: newDisk(), MemTableBytes: store.MinMemTableBytes},
			Applied: func(a []engine.Applied) { done = append(done, a...) },
			Fatal:   func(err error) { t.Error(err) },
		})
		if _, err := p.Open(nil); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	recorded, rehearsed := open("recorded"), open("rehearsed")
	count := 0
	for _, raw := range h.entries {
		done = done[:0]
		if err := recorded.Apply([]entry.Raw{raw}); err != nil {
			t.Fatal(err)
		}
		verdicts := append([]engine.Applied(nil), done...)
		if entry.KindOf(raw.Cmd) != entry.KindBatch {
			if err := rehearsed.Apply([]entry.Raw{raw}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for i, v := range executedOf(t, raw.Cmd, verdicts) {
			got, err := rehearsed.ExecuteAt(v.batch, &v.item, v.verdict.Outcome.Revision, v.verdict.Outcome.TimeMillis)
			if err != nil {
				t.Fatal(err)
			}
			if want := outcome.AppendVerdict(nil, &v.verdict); !bytes.Equal(outcome.AppendVerdict(nil, &got), want) {
				t.Fatalf("item %d of entry %d: %+v, recorded %+v", i, raw.Index, got, v.verdict)
			}
			count++
		}
		if err := rehearsed.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	a, b := recorded.Position(), rehearsed.Position()
	if count < 100 || a.Digest != b.Digest || a.Revision != b.Revision {
		t.Errorf("after %d transactions: recorded %+v, rehearsed %+v", count, a, b)
	}
}

type executed struct {
	batch   entry.Batch
	item    entry.Item
	verdict outcome.Verdict
}

// executedOf pairs a batch's items with their verdicts, those that were executed.
func executedOf(t *testing.T, cmd []byte, done []engine.Applied) (out []executed) {
	var r entry.Reader
	if _, err := r.Reset(cmd); err != nil {
		t.Fatal(err)
	}
	b, err := r.Batch()
	if err != nil || len(done) == 0 {
		return nil // corrupt: nothing was done
	}
	var it entry.Item
	for i := 0; r.Next(&it); i++ {
		if v := done[0].Verdicts[i]; v.Kind == outcome.Executed {
			out = append(out, executed{b, it, v})
		}
	}
	return out
}

// What is frozen is of one point of the order, and stays so while entries go on.
func TestAFrozenStateStays(t *testing.T) {
	h := newHistory(t, 4)
	h.generate(60)
	c := openTest(t, newDisk())
	defer c.close()
	half := len(h.entries) / 2
	c.apply(h.entries[:half])
	f, err := c.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := c.Position()
	before, err := f.Content(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.apply(h.entries[half:])
	after, err := f.Content(nil)
	if err != nil || after != before || f.Position() != want || c.Position().Index == want.Index {
		t.Errorf("%v, position %+v, was %+v", err, f.Position(), want)
	}
	var stream bytes.Buffer
	if err := f.Save(&stream, nil); err != nil {
		t.Fatal(err)
	}
	next := openTest(t, newDisk())
	defer next.close()
	if err := next.RecoverFromSnapshot(&stream, nil); err != nil {
		t.Fatal(err)
	}
	if next.Position() != want {
		t.Errorf("recovered to %+v", next.Position())
	}
}
