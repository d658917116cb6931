package replay

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/partition"
	"lockstep/engine/program"
	"lockstep/engine/recording"
	"lockstep/engine/schema"
	"lockstep/engine/store"
	"lockstep/engine/value"
)

var theEnv = sync.OnceValues(lang.NewEnv)

// bank is what was recorded: a fee of 1, and transfers up to what is there.
const bank = `
tables:
  accounts:
    columns: {id: {type: string}, balance: {type: int}, seen: {type: timestamp, optional: true}}
    key: [id]
    checks:
      - {expr: "row.balance >= 0", code: overdraft}
  fees:
    columns: {n: {type: int}, amount: {type: int}}
    key: [n]
procedures:
  open:
    params: {id: string, balance: int}
    steps:
      - insert: {table: accounts, row: {id: "params.id", balance: "params.balance", seen: "tx.now"}}
    return: "tx.uuid(0)"
  transfer:
    params: {from: string, to: string, amount: int, "note?": string}
    steps:
      - update: {table: accounts, key: ["params.from"], set: {balance: "row.balance - params.amount - 1"}}
      - update: {table: accounts, key: ["params.to"], set: {balance: "row.balance + params.amount"}}
      - insert: {table: fees, row: {n: "tx.revision", amount: "1"}}
    return: "params.amount"
  close:
    params: {id: string}
    steps:
      - delete: {table: accounts, key: ["params.id"]}
`

// node is a copy that is written to as a primary does, and recorded.
type node struct {
	t        testing.TB
	part     *partition.Partition
	env      *lang.Env
	index    uint64
	counter  uint64
	now      int64
	recorder *recording.Writer
	file     bytes.Buffer
}

func newNode(t testing.TB) *node {
	env, err := theEnv()
	must(t, err)
	n := &node{t: t, env: env, now: 1_700_000_000_000}
	n.part = partition.New(partition.Config{
		Group: "bank", Env: env, Store: store.Options{Dir: t.TempDir(), MemTableBytes: store.MinMemTableBytes},
		Applied: func([]engine.Applied) {}, Fatal: func(err error) { t.Error(err) },
	})
	_, err = n.part.Open(nil)
	must(t, err)
	t.Cleanup(func() { n.part.Close() })
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// record begins a recording: from the state as it is, or from the beginning, which
// then is now.
func (n *node) record(snapshot bool) {
	n.t.Helper()
	b := recording.Begin{Group: "bank", Node: "n1", Program: "test", TakenMillis: n.now, Snapshot: snapshot}
	f, err := n.part.Freeze()
	must(n.t, err)
	defer f.Close()
	if snapshot {
		p := f.Position()
		b.Language = uint64(p.Language)
		b.From = recording.Position{Index: p.Index, Revision: p.Revision, TimeMillis: p.NowMillis, Schema: p.Schema, Running: p.Digest}
	}
	n.recorder, err = recording.NewWriter(&n.file, b)
	must(n.t, err)
	if snapshot {
		must(n.t, f.Save(n.recorder, nil))
	}
}

// apply executes an entry, and records it.
func (n *node) apply(cmd []byte) {
	n.t.Helper()
	n.index += 2 // as the log leaves gaps
	must(n.t, n.part.Apply([]entry.Raw{{Index: n.index, Cmd: cmd}}))
	if n.recorder != nil {
		must(n.t, n.recorder.Entry(n.index, cmd))
	}
}

func (n *node) schema(text string) {
	n.t.Helper()
	doc, problems := schema.Parse([]byte(text))
	if problems != nil {
		n.t.Fatal(problems)
	}
	n.now += 5
	n.apply(entry.AppendSchema(nil, &entry.Schema{TimeMillis: n.now, Document: doc.Canonical()}))
}

// step takes a step of the schema change that is under way; false where none is.
func (n *node) step() bool {
	n.t.Helper()
	c, _ := n.part.Change()
	switch {
	case c == nil:
		return false
	case c.Phase == engine.PhaseBuilding:
		n.apply(entry.AppendBackfill(nil, &entry.Backfill{TimeMillis: n.now, Change: c.ID, Step: c.Step, Rows: 20}))
	default:
		n.apply(entry.AppendFinish(nil, &entry.Finish{TimeMillis: n.now, Change: c.ID}))
	}
	return true
}

// item types a document.
func (n *node) item(format string, args ...any) entry.Item {
	n.t.Helper()
	raw := fmt.Appendf(nil, format, args...)
	typed, refusal := program.ParseTransaction(raw, n.part.Compiled())
	if refusal != nil {
		n.t.Fatalf("%s: %v", raw, refusal)
	}
	print, err := value.Fingerprint(raw)
	must(n.t, err)
	n.counter++
	return entry.Item{ID: entry.ID{Session: 7, Counter: n.counter}, Fingerprint: print, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source}
}

// batch executes transactions in one entry.
func (n *node) batch(items ...entry.Item) {
	n.t.Helper()
	n.now += 10
	n.apply(entry.AppendBatch(nil, &entry.Batch{
		TimeMillis: n.now, Seed: [16]byte{byte(n.index), byte(n.index >> 8)}, SchemaVersion: n.part.Compiled().Version, Items: items,
	}))
}

func (n *node) open(id string, balance int) entry.Item {
	return n.item(`{"procedure": "open", "params": {"id": %q, "balance": %d}}`, id, balance)
}

func (n *node) transfer(from, to string, amount int) entry.Item {
	return n.item(`{"procedure": "transfer", "params": {"from": %q, "to": %q, "amount": %d}}`, from, to, amount)
}

// checkpoint orders a checkpoint, and a verdict that all agree with this copy.
func (n *node) checkpoint(id uint64, contents entry.Contents) {
	n.t.Helper()
	n.apply(entry.AppendCheckpoint(nil, &entry.Checkpoint{ID: id, TimeMillis: n.now, Contents: contents}))
	d, err := n.part.Digests(context.Background(), id)
	must(n.t, err)
	n.apply(entry.AppendVerdict(nil, &entry.Verdict{
		TimeMillis: n.now, Checkpoint: id, Revision: d.Revision, Running: d.Running,
		HasContent: d.HasContent, Content: d.Content, Agreed: []uint64{1, 2, 3},
	}))
}

// digest records what the copy has, with its content if asked for.
func (n *node) digest(content bool) {
	n.t.Helper()
	f, err := n.part.Freeze()
	must(n.t, err)
	defer f.Close()
	p := f.Position()
	d := recording.Digest{Index: p.Index, Revision: p.Revision, TimeMillis: p.NowMillis, Running: p.Digest, HasContent: content}
	if content {
		d.Content, err = f.Content(nil)
		must(n.t, err)
	}
	must(n.t, n.recorder.Digest(d))
}

// done ends the recording.
func (n *node) done() []byte {
	n.t.Helper()
	n.digest(true)
	must(n.t, n.recorder.Close(n.now))
	return n.file.Bytes()
}

// altered is a recording with entries changed by f, all checksums right.
func altered(t testing.TB, raw []byte, f func(index uint64, cmd []byte)) []byte {
	t.Helper()
	rd, err := recording.NewReader(bytes.NewReader(raw))
	must(t, err)
	var out bytes.Buffer
	w, err := recording.NewWriter(&out, rd.Begin())
	must(t, err)
	state := rd.State()
	buf := make([]byte, 4096)
	for {
		n, err := state.Read(buf)
		if err != nil {
			break
		}
		_, err = w.Write(buf[:n])
		must(t, err)
	}
	for {
		rec, err := rd.Next()
		must(t, err)
		switch rec.Kind {
		case recording.KindEntry:
			cmd := bytes.Clone(rec.Cmd)
			f(rec.Index, cmd)
			must(t, w.Entry(rec.Index, cmd))
		case recording.KindDigest:
			must(t, w.Digest(rec.Digest))
		case recording.KindEnd:
			must(t, w.Close(rec.TakenMillis))
			return out.Bytes()
		}
	}
}

func replayOf(t testing.TB, raw []byte, opt Options) *Report {
	t.Helper()
	r, err := tryReplay(t, raw, opt)
	must(t, err)
	return r
}

func tryReplay(t testing.TB, raw []byte, opt Options) (*Report, error) {
	t.Helper()
	env, err := theEnv()
	must(t, err)
	opt.Dir, opt.Env = t.TempDir(), env
	if opt.Examples == 0 {
		opt.Examples = DefaultExamples
	}
	return Run(context.Background(), bytes.NewReader(raw), opt)
}
