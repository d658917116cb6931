package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"lockstep/engine/entry"
	"lockstep/engine/recording"
)

// history records some of everything: what commits, what aborts, the same id
// twice, a batch for another schema, a corrupt entry, a change of schema, and
// checkpoints with verdicts.
func history(n *node) {
	twice := n.open("alice", 100)
	n.batch(twice, n.open("bob", 100), n.open("carol", 5))
	n.batch(n.transfer("alice", "bob", 30), twice, n.transfer("carol", "bob", 30))
	n.checkpoint(1, entry.ContentsNone)
	n.batch(n.item(`{"steps": [{"update": {"table": "accounts", "key": ["params.id"], "set": {"balance": "row.balance + int(tx.random(0) * 10.0)"}}}], "params": {"id": "bob"}}`))
	n.apply(entry.AppendBatch(nil, &entry.Batch{TimeMillis: n.now, SchemaVersion: 99, Items: []entry.Item{n.transfer("alice", "bob", 1)}}))
	n.apply(entry.AppendBatch(nil, &entry.Batch{TimeMillis: n.now, Items: []entry.Item{n.transfer("alice", "bob", 1)}})[:20])
	n.checkpoint(2, entry.ContentsScrubbed)
	n.digest(false)
	n.schema(strings.Replace(bank, `amount - 1"`, `amount - 2"`, 1))
	for range 300 {
		n.batch(n.transfer("bob", "alice", 1), n.transfer("alice", "bob", 1))
	}
	n.checkpoint(3, entry.ContentsAsked)
}

// "It re-executes an exported range of a group's log from a snapshot on any machine
// and compares digests at each checkpoint."
func TestAReplayComesOutEqual(t *testing.T) {
	for name, snapshot := range map[string]bool{"from the beginning": false, "from a state": true} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			if !snapshot {
				n.record(false)
			}
			n.schema(bank)
			if snapshot {
				n.batch(n.open("dora", 7))
				n.record(true)
			}
			history(n)
			r := replayOf(t, n.done(), Options{})
			want := Compared{Equal: 5, Verdicts: 3}
			changes := uint64(2)
			if snapshot {
				want.Equal++ // the state itself
				changes--
			}
			if !r.Equal || r.Compared != want || r.SchemaChanges != changes {
				t.Errorf("%+v", r)
			}
			pos := n.part.Position()
			if r.To.Revision != pos.Revision || r.To.Index != pos.Index-2 || r.Transactions != 6+600 && !snapshot || r.PassedOver != 2 || r.Aborted == 0 {
				t.Errorf("the copy is at %+v, the report %+v", pos, r)
			}
		})
	}
}

// "A tampered file (one outcome-relevant byte in an entry, checksums recomputed) is
// found different", and the range of revisions is told.
func TestATamperedEntryIsFound(t *testing.T) {
	n := newNode(t)
	n.record(false)
	n.schema(bank)
	n.batch(n.open("alice", 100), n.open("bob", 100))
	n.checkpoint(1, entry.ContentsNone)
	n.batch(n.transfer("alice", "bob", 30))
	tampered := n.index
	n.checkpoint(2, entry.ContentsNone)
	n.batch(n.transfer("alice", "bob", 2))
	raw := n.done()
	r := replayOf(t, altered(t, raw, func(index uint64, cmd []byte) {
		if index == tampered {
			cmd[len(cmd)-8] ^= 1 // within the params
		}
	}), Options{})
	first := r.Compared.First
	if r.Equal || r.Compared.Equal != 1 || r.Compared.Different != 2 || first == nil || first.After != 3 || first.By != 4 || first.What == "" {
		t.Errorf("%+v, first %+v", r.Compared, first)
	}
}

// A row that was altered in the state that a recording begins with is found by the
// content at the end, although no transaction touches it.
func TestATamperedStateIsFound(t *testing.T) {
	n := newNode(t)
	n.schema(bank)
	n.batch(n.open("alice", 100), n.open("mallory", 100))
	n.record(true)
	n.batch(n.transfer("alice", "alice", 1))
	n.digest(false)
	raw := n.done()

	// The state is replaced by that of a copy in which mallory has more.
	other := newNode(t)
	other.schema(bank)
	other.batch(other.open("alice", 100), other.open("mallory", 100))
	rich, err := other.part.Freeze()
	must(t, err)
	defer rich.Close()
	var state bytes.Buffer
	must(t, rich.Save(&state, nil))
	forged := bytes.Replace(state.Bytes(), []byte("mallory"), []byte("malorie"), -1)
	rd, err := recording.NewReader(bytes.NewReader(raw))
	must(t, err)
	var out bytes.Buffer
	w, err := recording.NewWriter(&out, rd.Begin())
	must(t, err)
	_, err = w.Write(forged)
	must(t, err)
	must(t, w.Close(0))
	if _, err := tryReplay(t, out.Bytes(), Options{}); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a state with its checksum wrong: %v", err)
	}

	// With its checksums right: mallory is made richer by a rehearsal's means.
	must(t, other.part.Apply([]entry.Raw{{Index: other.index + 1, Cmd: nil}}))
	it := other.item(`{"steps": [{"update": {"table": "accounts", "key": ["'mallory'"], "set": {"balance": "1000000"}}}]}`)
	pos := other.part.Position()
	_, err = other.part.ExecuteAt(entry.Batch{TimeMillis: other.now}, &it, pos.Revision, pos.NowMillis)
	must(t, err)
	must(t, other.part.Settle())
	f, err := other.part.Freeze()
	must(t, err)
	defer f.Close()
	out.Reset()
	b := rd.Begin()
	b.From.Index = f.Position().Index
	w, err = recording.NewWriter(&out, b)
	must(t, err)
	must(t, f.Save(w, nil))
	for {
		rec, err := rd.Next()
		if err != nil {
			break
		}
		switch rec.Kind {
		case recording.KindEntry:
			must(t, w.Entry(rec.Index, rec.Cmd))
		case recording.KindDigest:
			must(t, w.Digest(rec.Digest))
		}
	}
	must(t, w.Close(0))
	if r := replayOf(t, out.Bytes(), Options{}); r.Equal || r.Compared.First == nil {
		t.Errorf("%+v", r)
	}
}

// A verdict that the replay does not come to is a difference as well, and one that
// there was no majority is told.
func TestVerdictsAreCompared(t *testing.T) {
	n := newNode(t)
	n.record(false)
	n.schema(bank)
	n.batch(n.open("alice", 100))
	n.recorder.Entry(n.index+1, entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: 9, Contents: entry.ContentsScrubbed}))
	n.recorder.Entry(n.index+2, entry.AppendVerdict(nil, &entry.Verdict{Checkpoint: 9, Revision: 2, Running: n.part.Position().Digest, HasContent: true, Agreed: []uint64{1, 2}, Differed: []uint64{3}}))
	n.index += 2
	n.batch(n.open("bob", 1))
	n.apply(entry.AppendVerdict(nil, &entry.Verdict{Checkpoint: 9, Differed: []uint64{1, 2}}))
	r := replayOf(t, n.done(), Options{})
	if r.Equal || r.Compared.Different != 1 || r.Compared.Undecided != 1 || r.Compared.First.What != "content digest" || r.Compared.First.Recorded != strings.Repeat("00", 32) {
		t.Errorf("%+v, %+v", r.Compared, r.Compared.First)
	}
}

// What can't be executed or compared is an error, not a verdict.
func TestWhatIsNoRecordingIsRefused(t *testing.T) {
	n := newNode(t)
	n.record(false)
	n.schema(bank)
	n.batch(n.open("alice", 100))
	raw := bytes.Clone(n.done())
	if _, err := tryReplay(t, raw[:len(raw)-1], Options{}); !errors.Is(err, recording.ErrDamaged) {
		t.Errorf("cut: %v", err)
	}
	newer := altered(t, raw, func(_ uint64, cmd []byte) { cmd[0] = 99 })
	if _, err := tryReplay(t, newer, Options{}); !errors.Is(err, entry.ErrVersion) {
		t.Errorf("of a newer program: %v", err)
	}
	var out bytes.Buffer
	w, err := recording.NewWriter(&out, recording.Begin{Language: 99})
	must(t, err)
	must(t, w.Close(0))
	if _, err := tryReplay(t, out.Bytes(), Options{}); err == nil || !strings.Contains(err.Error(), "version 99, where this program knows") {
		t.Errorf("of another language: %v", err)
	}
}

// The digest at the end is the one that `lockstep verify` shows for a copy.
func TestTheDigestIsThatOfACopy(t *testing.T) {
	n := newNode(t)
	n.record(false)
	n.schema(bank)
	n.batch(n.open("alice", 100))
	a := replayOf(t, n.done(), Options{})
	f, err := n.part.Freeze()
	must(t, err)
	defer f.Close()
	content, err := f.Content(nil)
	must(t, err)
	running := f.Position().Digest
	if want := sha256.Sum256(append(content[:], running[:]...)); a.Digest != hex.EncodeToString(want[:]) || !a.Equal {
		t.Errorf("%+v", a)
	}
}
