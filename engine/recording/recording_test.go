package recording

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rewrite makes the golden files anew: a reviewed diff, for files that people keep
// have this format.
var rewrite = flag.Bool("rewrite", false, "make the golden files anew")

func filled(b byte) (d [32]byte) {
	for i := range d {
		d[i] = b
	}
	return d
}

// content is what a recording holds.
type content struct {
	begin   Begin
	state   []byte
	records []Record // the end excepted
	taken   int64
}

// golden has every kind of record with every kind of field.
func golden() content {
	return content{
		begin: Begin{
			Group: "bank", Node: "n2", Program: "0.1.0", Language: 1, TakenMillis: 1_700_000_000_123, Snapshot: true,
			From: Position{Index: 300, Revision: 200, TimeMillis: 1_700_000_000_001, Schema: 2, Running: filled(0xaa)},
		},
		state: []byte("the state"),
		records: []Record{
			{Kind: KindEntry, Index: 302, Cmd: []byte{1, 1, 2, 3}},
			{Kind: KindDigest, Digest: Digest{Index: 302, Revision: 201, TimeMillis: 1_700_000_000_009, Running: filled(0xbb)}},
			{Kind: KindEntry, Index: 310, Cmd: nil},
			{Kind: KindDigest, Digest: Digest{Index: 311, Revision: 201, TimeMillis: 1_700_000_000_009, Running: filled(0xbb), HasContent: true, Content: filled(0xcc)}},
		},
		taken: 1_700_000_000_555,
	}
}

func write(t fataler, c content) []byte {
	var out bytes.Buffer
	w, err := NewWriter(&out, c.begin)
	must(t, err)
	_, err = w.Write(c.state)
	must(t, err)
	for _, r := range c.records {
		if r.Kind == KindEntry {
			must(t, w.Entry(r.Index, r.Cmd))
		} else {
			must(t, w.Digest(r.Digest))
		}
	}
	must(t, w.Close(c.taken))
	return out.Bytes()
}

// read reads all of a recording.
func read(raw []byte) (content, error) {
	var c content
	rd, err := NewReader(bytes.NewReader(raw))
	if err != nil {
		return c, err
	}
	c.begin = rd.Begin()
	if c.state, err = io.ReadAll(rd.State()); err != nil {
		return c, err
	}
	for {
		rec, err := rd.Next()
		switch {
		case errors.Is(err, io.EOF):
			return c, nil
		case err != nil:
			return c, err
		case rec.Kind == KindEnd:
			c.taken = rec.TakenMillis
		default:
			rec.Cmd = bytes.Clone(rec.Cmd)
			c.records = append(c.records, rec)
		}
	}
}

type fataler interface{ Fatal(...any) }

func must(t fataler, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *rapid.T, got, want content) {
	if got.begin != want.begin || !bytes.Equal(got.state, want.state) || got.taken != want.taken || len(got.records) != len(want.records) {
		t.Fatalf("read %+v, written %+v", got, want)
	}
	for i, r := range want.records {
		if g := got.records[i]; g.Kind != r.Kind || g.Index != r.Index || !bytes.Equal(g.Cmd, r.Cmd) || g.Digest != r.Digest {
			t.Fatalf("record %d: read %+v, written %+v", i, g, r)
		}
	}
}

// plainOf takes the blocks of a recording apart: its records as they were.
func plainOf(t *testing.T, raw []byte) []byte {
	rd, err := NewReader(bytes.NewReader(raw))
	must(t, err)
	plain := bytes.Clone(rd.plain[:rd.bytes])
	for !rd.ended {
		before := rd.blocks
		_, err := rd.Next()
		must(t, err)
		if rd.blocks > before {
			plain = append(plain, rd.plain[:len(rd.plain)]...)
		}
	}
	return plain
}

// What was once written is still read, and records are written as they were: the
// files under testdata are of the first version. (zstd's own bytes may differ from
// one version of the library to the next.)
func TestFormatIsAsItWas(t *testing.T) {
	raw := write(t, golden())
	file, text := filepath.Join("testdata", "v1.lockstep"), filepath.Join("testdata", "v1.records.hex")
	records := hex.Dump(plainOf(t, raw))
	if *rewrite {
		must(t, os.WriteFile(file, raw, 0o644))
		must(t, os.WriteFile(text, []byte(records), 0o644))
	}
	want, err := os.ReadFile(text)
	must(t, err)
	if records != string(want) {
		t.Errorf("the records are now\n%s\nand were\n%s", records, want)
	}
	old, err := os.ReadFile(file)
	must(t, err)
	got, err := read(old)
	must(t, err)
	if again := hex.Dump(plainOf(t, write(t, got))); again != string(want) {
		t.Errorf("the old file is read as\n%s", again)
	}
}

func genContent() *rapid.Generator[content] {
	return rapid.Custom(func(t *rapid.T) content {
		var c content
		c.begin = Begin{
			Group: rapid.StringN(0, 20, 63).Draw(t, "group"), Node: "n1", Program: "x",
			Language: rapid.Uint64().Draw(t, "language"), TakenMillis: rapid.Int64Range(0, 1<<60).Draw(t, "taken"),
		}
		index := uint64(0)
		if rapid.Bool().Draw(t, "snapshot") {
			index = rapid.Uint64Range(0, 1<<50).Draw(t, "from")
			c.begin.Snapshot = true
			c.begin.From = Position{Index: index, Revision: rapid.Uint64().Draw(t, "revision"), Running: filled(7)}
			c.state = bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "state"), rapid.IntRange(1, 8000).Draw(t, "times"))
		}
		for range rapid.IntRange(0, 20).Draw(t, "records") {
			if rapid.IntRange(0, 3).Draw(t, "kind") > 0 {
				index += rapid.Uint64Range(1, 1<<20).Draw(t, "step")
				size := rapid.SampledFrom([]int{0, 1, 100, 70_000, blockBytes, 1 << 20}).Draw(t, "size")
				c.records = append(c.records, Record{Kind: KindEntry, Index: index, Cmd: bytes.Repeat([]byte{byte(index)}, size)})
				continue
			}
			index += rapid.Uint64Range(0, 3).Draw(t, "step")
			d := Digest{Index: index, Revision: rapid.Uint64().Draw(t, "revision"), Running: filled(9), HasContent: rapid.Bool().Draw(t, "content")}
			if d.HasContent {
				d.Content = filled(3)
			}
			c.records = append(c.records, Record{Kind: KindDigest, Digest: d})
		}
		c.taken = rapid.Int64Range(0, 1<<60).Draw(t, "closed")
		return c
	})
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := genContent().Draw(t, "content")
		raw := write(t, want)
		got, err := read(raw)
		must(t, err)
		same(t, got, want)
		s, err := Summarize(bytes.NewReader(raw))
		must(t, err)
		if s.Bytes != uint64(len(raw)) || s.Begin != want.begin {
			t.Fatalf("summary %+v of %d bytes", s, len(raw))
		}
	})
}

// "A file without its trailer was cut." (package comment) And no byte can be
// changed without being found.
func TestDamageIsFound(t *testing.T) {
	raw := write(t, golden())
	for n := range raw {
		if _, err := read(raw[:n]); !errors.Is(err, ErrDamaged) || n >= headerBytes && !strings.Contains(err.Error(), "it was cut") {
			t.Errorf("cut to %d of %d bytes: %v", n, len(raw), err)
		}
		bad := bytes.Clone(raw)
		bad[n] ^= 0x10
		if _, err := read(bad); err == nil {
			t.Errorf("byte %d can be changed", n)
		}
	}
	if _, err := read(append(bytes.Clone(raw), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("a byte too many: %v", err)
	}
}

// An error says where: which block, and where in the file it begins.
func TestDamageHasAPlace(t *testing.T) {
	raw := write(t, golden())
	raw[headerBytes+blockHead+3] ^= 1
	_, err := read(raw)
	if want := "the recording is damaged: the checksum of a block is wrong, in block 0, which begins at byte 20"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// "A failure stands in place of the end where the writer had to give up, and says
// why." (package comment)
func TestAWriterThatGivesUpSaysWhy(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, Begin{Group: "bank"})
	must(t, err)
	must(t, w.Entry(1, []byte("x")))
	must(t, w.Fail("the log was shortened"))
	if _, err := read(out.Bytes()); !errors.Is(err, ErrGivenUp) || !strings.Contains(err.Error(), "the log was shortened") {
		t.Errorf("%v", err)
	}
}

// Records that are well formed one by one but make no recording are refused.
func TestRecordsHaveTheirOrder(t *testing.T) {
	for name, f := range map[string]func(w *Writer){
		"indexes ascend":          func(w *Writer) { w.Entry(5, nil); w.Entry(5, nil) },
		"digests ascend":          func(w *Writer) { w.Entry(5, nil); w.Digest(Digest{Index: 4}) },
		"the state comes first":   func(w *Writer) { w.Entry(5, nil); w.Write([]byte("x")) },
		"none where none is said": func(w *Writer) { w.Write([]byte("x")) },
		"one beginning":           func(w *Writer) { w.record(kindBegin, new(Begin).append(nil)) },
		"one end":                 func(w *Writer) { w.record(KindEnd, []byte{0}) },
		"kinds are known":         func(w *Writer) { w.record(9, nil) },
	} {
		var out bytes.Buffer
		w, err := NewWriter(&out, Begin{Group: "bank"})
		must(t, err)
		f(w)
		must(t, w.Close(0))
		if _, err := read(out.Bytes()); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a file says of its sizes, reading it takes a block's bound of memory,
// and nothing panics (package comment: it never believes a length).
func FuzzReader(f *testing.F) {
	raw := write(f, golden())
	f.Add(raw, true)
	f.Add(raw[:len(raw)/2], true)
	f.Add([]byte(magic), false)
	f.Add(plainGolden(f), true)
	f.Fuzz(func(t *testing.T, b []byte, wrap bool) {
		if wrap { // records with right checksums around them, so that the fuzzer gets through
			var out bytes.Buffer
			w, err := NewWriter(&out, Begin{})
			must(t, err)
			w.plain = append(w.plain[:0], b[:min(len(b), maxPlainBytes)]...)
			must(t, w.finish())
			_, _ = read(out.Bytes())
		}
		_, _ = read(b)
	})
}

func plainGolden(f *testing.F) []byte {
	g := golden()
	body := g.begin.append(nil)
	b := append(binary.AppendUvarint([]byte{byte(kindBegin)}, uint64(len(body))), body...)
	return append(b, byte(kindSnapshot), 1, 'x', byte(KindEnd), 1, 0)
}
