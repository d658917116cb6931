package entry_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lockstep/engine/entry"
)

// golden is one entry of each kind, with every kind of field.
func golden() map[string][]byte {
	origin := entry.Origin{Proposer: 0x0102030405060708, Sequence: 300}
	batch := entry.Batch{
		Origin: origin, TimeMillis: 1_700_000_000_123, SchemaVersion: 7,
		Seed: [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		Items: []entry.Item{
			{ID: entry.ID{Session: 0xa1b2c3d4e5f60718, Counter: 129}, Fingerprint: entry.Fingerprint{0xff}, Proc: 2, Params: []byte{3, 1}},
			{ID: entry.ID{Key: "order-4711"}, Proc: -1, Source: []byte(`{"steps":[]}`), Params: nil},
		},
	}
	return map[string][]byte{
		"batch":       entry.AppendBatch(nil, &batch),
		"schema":      entry.AppendSchema(nil, &entry.Schema{Origin: origin, TimeMillis: 5, IfMatch: 3, IfBegun: 2, Document: []byte(`{"tables":{}}`)}),
		"language":    entry.AppendLanguage(nil, &entry.Language{Origin: origin, TimeMillis: 8, Version: 2, IfMatch: 300}),
		"assign":      entry.AppendAssign(nil, &entry.Assign{Origin: origin, TimeMillis: 7, Task: "sweep", Holder: 1 << 40, Epoch: 12, Reason: entry.ReasonRecovery, Text: "n1 is unavailable"}),
		"settings":    entry.AppendSettings(nil, &entry.Settings{Origin: origin, TimeMillis: 9, Version: 12, KeyRetentionMillis: 3_600_000}),
		"incarnation": entry.AppendIncarnation(nil, &entry.Incarnation{Origin: origin, TimeMillis: 9, Number: 300}),
		"checkpoint":  entry.AppendCheckpoint(nil, &entry.Checkpoint{Origin: origin, TimeMillis: 6, ID: 99, Contents: entry.ContentsScrubbed}),
		"verdict": entry.AppendVerdict(nil, &entry.Verdict{
			Origin: origin, TimeMillis: 7, Checkpoint: 99, Revision: 1000, Running: [32]byte{1}, HasContent: true, Content: [32]byte{2},
			Agreed: []uint64{1, 3}, Differed: []uint64{200}, Chosen: true,
		}),
		"backfill": entry.AppendBackfill(nil, &entry.Backfill{Origin: origin, TimeMillis: 7, Change: 4, Step: 200, Rows: 1000}),
		"finish":   entry.AppendFinish(nil, &entry.Finish{Origin: origin, TimeMillis: 8, Change: 4, Abandon: true}),
	}
}

// rewrite makes the files anew: a reviewed diff, for logs hold this format.
var rewrite = flag.Bool("rewrite", false, "make the golden files anew")

// "New fields mean a new version; the files under testdata hold one entry of
// each kind so that a change of the format is seen." (package comment)
func TestFormatIsAsItWas(t *testing.T) {
	for name, cmd := range golden() {
		path := filepath.Join("testdata", name+".hex")
		text := hex.Dump(cmd)
		if *rewrite {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			t.Errorf("%s is now\n%s\nand was\n%s", name, text, want)
		}
		if err := entry.Check(cmd); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// "an entry is understood wholly or not at all" (package comment): every entry
// that is cut, or has a byte too many, is refused.
func TestTornEntriesAreRefused(t *testing.T) {
	for name, cmd := range golden() {
		for n := range cmd {
			if err := entry.Check(cmd[:n]); !errors.Is(err, entry.ErrCorrupt) {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
		if err := entry.Check(append(bytes.Clone(cmd), 0)); !errors.Is(err, entry.ErrCorrupt) {
			t.Errorf("%s with a byte too many: %v", name, err)
		}
	}
	for _, head := range [][]byte{{2, 1}, {1, 0}, {1, 200}, {0, 0}} {
		if err := entry.Check(head); !errors.Is(err, entry.ErrVersion) {
			t.Errorf("version %d kind %d: %v", head[0], head[1], err)
		}
	}
}

// The primary stamps what it was sent, and changes nothing else.
func TestRestamp(t *testing.T) {
	origin := entry.Origin{Proposer: 9, Sequence: 1 << 40}
	for name, cmd := range golden() {
		got, err := entry.Restamp(nil, cmd, origin, 77)
		if name == "batch" {
			if err == nil {
				t.Error("a batch has a seed besides, and was stamped")
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := entry.Restamp(nil, got, entry.Origin{Proposer: 0x0102030405060708, Sequence: 300}, map[string]int64{"schema": 5, "checkpoint": 6, "assign": 7, "backfill": 7, "finish": 8, "verdict": 7, "language": 8, "settings": 9, "incarnation": 9}[name])
		if err != nil || !bytes.Equal(back, cmd) || bytes.Equal(got, cmd) || entry.Check(got) != nil {
			t.Errorf("%s: stamped and stamped back it is %x, was %x (%v)", name, back, cmd, err)
		}
	}
}

func genItem() *rapid.Generator[entry.Item] {
	return rapid.Custom(func(t *rapid.T) entry.Item {
		it := entry.Item{Proc: rapid.Int32Range(-1, 1000).Draw(t, "proc"), Params: rapid.SliceOf(rapid.Byte()).Draw(t, "params")}
		copy(it.Fingerprint[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "fingerprint"))
		if it.Proc < 0 {
			it.Source = rapid.SliceOf(rapid.Byte()).Draw(t, "source")
		}
		if rapid.Bool().Draw(t, "keyed") {
			it.ID.Key = rapid.StringMatching(`[ -~]{1,40}`).Draw(t, "key")
		} else {
			it.ID.Session = rapid.Uint64Min(1).Draw(t, "session")
			it.ID.Counter = rapid.Uint64Min(1).Draw(t, "counter")
		}
		return it
	})
}

// What is read is what was written, and has one encoding.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := entry.Batch{
			Origin:     entry.Origin{Proposer: rapid.Uint64().Draw(t, "proposer"), Sequence: rapid.Uint64().Draw(t, "sequence")},
			TimeMillis: rapid.Int64Range(0, 253402300799999).Draw(t, "time"), SchemaVersion: rapid.Uint64().Draw(t, "schema"),
			Items: rapid.SliceOfN(genItem(), 0, 20).Draw(t, "items"),
		}
		cmd := entry.AppendBatch(nil, &b)
		if again := reencode(t, cmd); !bytes.Equal(again, cmd) {
			t.Fatalf("read and written again:\n%x\nwas\n%x", again, cmd)
		}
	})
}

type failer interface{ Fatal(args ...any) }

// reencode reads an entry and writes what it read.
func reencode(t failer, cmd []byte) []byte {
	var r entry.Reader
	kind, err := r.Reset(cmd)
	if err != nil {
		t.Fatal(err)
	}
	switch kind {
	case entry.KindSchema:
		s, err := r.Schema()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendSchema(nil, &s)
	case entry.KindCheckpoint:
		c, err := r.Checkpoint()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendCheckpoint(nil, &c)
	case entry.KindLanguage:
		l, err := r.Language()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendLanguage(nil, &l)
	case entry.KindAssign:
		a, err := r.Assign()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendAssign(nil, &a)
	case entry.KindSettings:
		s, err := r.Settings()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendSettings(nil, &s)
	case entry.KindIncarnation:
		i, err := r.Incarnation()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendIncarnation(nil, &i)
	case entry.KindVerdict:
		v, err := r.Verdict()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendVerdict(nil, &v)
	case entry.KindBackfill:
		b, err := r.Backfill()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendBackfill(nil, &b)
	case entry.KindFinish:
		f, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return entry.AppendFinish(nil, &f)
	}
	b, err := r.Batch()
	if err != nil {
		t.Fatal(err)
	}
	var it entry.Item
	for r.Next(&it) {
		b.Items = append(b.Items, it)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return entry.AppendBatch(nil, &b)
}

// No bytes, however broken, may panic a node; and what is taken has one form.
func FuzzDecode(f *testing.F) {
	for _, cmd := range golden() {
		f.Add(cmd)
	}
	f.Fuzz(func(t *testing.T, cmd []byte) {
		if entry.Check(cmd) != nil {
			return
		}
		if again := reencode(t, cmd); !bytes.Equal(again, cmd) {
			t.Fatalf("read and written again:\n%x\nwas\n%x", again, cmd)
		}
	})
}

// "the client's ... else one that the router makes" (transactions.md, Exactly
// once): an id is known by its text, and has one.
func TestIDs(t *testing.T) {
	own := entry.ID{Session: 0xabc, Counter: 42}
	if got := own.String(); got != "ls-0000000000000abc-42" {
		t.Errorf("a router's id reads %s", got)
	}
	if got := entry.ParseID(own.String()); got != own {
		t.Errorf("%s is read as %+v", own, got)
	}
	for _, key := range []string{"order-1", "ls-0000000000000abc-042", "ls-0000000000000ABC-42", "ls-0000000000000000-1", "ls-0000000000000abc-0", "ls-0000000000000abc-", "ls-abc-1", "ls-0000000000000abc-18446744073709551616"} {
		if got := entry.ParseID(key); got.Key != key {
			t.Errorf("%q is read as %+v, not as a client's key", key, got)
		}
	}
	for key, want := range map[string]string{
		"a": "", strings.Repeat("x", 255): "", "": "empty", strings.Repeat("x", 256): "256 bytes", "a\n": "byte 1", "é": "byte 0",
	} {
		if got := entry.CheckKey(key); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q", key, got)
		}
	}
}
