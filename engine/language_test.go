package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/store"
)

// programs are two releases of this program: one that knows the first language
// version alone, and a later one that knows another as well.
func programs(t *testing.T) (old, new *lang.Env) {
	old, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	if new, err = lang.NewTrialEnv(); err != nil {
		t.Fatal(err)
	}
	return old, new
}

// copyIn opens a copy on a disk by a program.
func copyIn(t *testing.T, disk *vfs.MemFS, env *lang.Env) (*engine.Machine, *store.Store, error) {
	st, err := store.Open(store.Options{Dir: "copy", FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Open(testStore{st}, engine.Options{Local: session, Env: env})
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return m, st, nil
}

const languageSchema = `{"tables": {"t": {"columns": {"id": {"type": "int"}, "n": {"type": "int"}}, "key": ["id"]}},
	"procedures": {"put": {"params": {"id": "int"}, "steps": [{"upsert": {"table": "t", "row": {"id": "params.id", "n": "params.id * 2"}}}]}}}`

// languageLog is a log in which the language is switched in the middle.
type languageLog struct {
	t       *testing.T
	index   uint64
	counter uint64
}

func (l *languageLog) raw(cmd []byte) entry.Raw {
	l.index++
	return entry.Raw{Index: l.index, Cmd: cmd}
}

func (l *languageLog) origin() entry.Origin {
	return entry.Origin{Proposer: session, Sequence: l.index + 1}
}

// tx types a document as a router of the present schema does.
func (l *languageLog) tx(c *program.Compiled, doc string) entry.Raw {
	typed, refusal := program.ParseTransaction([]byte(doc), c)
	if refusal != nil {
		l.t.Fatal(refusal)
	}
	l.counter++
	return l.raw(entry.AppendBatch(nil, &entry.Batch{
		Origin: l.origin(), TimeMillis: 1_700_000_000_000, SchemaVersion: c.Version,
		Items: []entry.Item{{ID: entry.ID{Session: session, Counter: l.counter}, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source}},
	}))
}

func applied(t *testing.T, m *engine.Machine, e entry.Raw) outcome.Verdict {
	t.Helper()
	if err := m.Apply(e); err != nil {
		t.Fatal(err)
	}
	done, err := m.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return done[len(done)-1].Verdicts[0]
}

// "The language version is recorded with the schema and switched through the
// log" (transactions.md, Determinism). Two releases run side by side and agree
// until the log switches; then the one that does not know the version stops and
// says which program to run, and the other goes on. The first copy, run by the
// newer program, comes to the same state.
func TestTwoLanguageVersionsSideBySide(t *testing.T) {
	older, newer := programs(t)
	diskA, diskB := vfs.NewCrashableMem(), vfs.NewCrashableMem()
	a, storeA, err := copyIn(t, diskA, older)
	if err != nil {
		t.Fatal(err)
	}
	b, storeB, err := copyIn(t, diskB, newer)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = storeB.Close() }()
	l := &languageLog{t: t}
	both := func(e entry.Raw) outcome.Verdict {
		t.Helper()
		va, vb := applied(t, a, e), applied(t, b, e)
		if string(va.Outcome.AppendJSON(nil, "g")) != string(vb.Outcome.AppendJSON(nil, "g")) || a.Position() != b.Position() {
			t.Fatalf("the copies differ: %+v %+v", a.Position(), b.Position())
		}
		return va
	}
	both(l.raw(entry.AppendSchema(nil, &entry.Schema{Origin: l.origin(), TimeMillis: 1, Document: []byte(languageSchema)})))
	both(l.tx(a.Compiled(), `{"procedure": "put", "params": {"id": 4}}`))
	if _, refusal := program.ParseTransaction([]byte(`{"steps": [], "return": "trial(1)"}`), b.Compiled()); refusal == nil {
		t.Fatal("a function of the later version is known before the switch")
	}

	stale := l.tx(a.Compiled(), `{"procedure": "put", "params": {"id": 5}}`)
	l.index-- // it is ordered after the switch
	change := l.raw(entry.AppendLanguage(nil, &entry.Language{Origin: l.origin(), TimeMillis: 2, Version: lang.TrialVersion}))
	if err := storeA.Flush(); err != nil {
		t.Fatal(err)
	}
	err = a.Apply(change)
	if !errors.Is(err, lang.ErrUnknownVersion) || !strings.Contains(err.Error(), "version 1001, where this program knows [1]; run a program that knows it") {
		t.Fatalf("the older program applies the switch: %v", err)
	}
	if err := storeA.Close(); err != nil {
		t.Fatal(err)
	}
	before := b.Position()
	if v := applied(t, b, change); !v.Outcome.Committed || b.Position().Schema != before.Revision+1 || b.Position().Language != lang.TrialVersion {
		t.Fatalf("the newer program does not switch: %+v, %+v", v, b.Position())
	}
	stale.Index = l.index + 1
	l.index++
	if v := applied(t, b, stale); v.Kind != outcome.StaleSchema {
		t.Fatalf("what was typed in the old language is executed: %+v", v)
	}
	after := []entry.Raw{l.tx(b.Compiled(), `{"steps": [], "return": "trial(21) * 2"}`)}
	if v := applied(t, b, after[0]); string(v.Outcome.Result) != "42" {
		t.Fatalf("the new language is not spoken: %+v", v)
	}

	// The first copy, by the newer program, executes what it had not.
	a, storeA, err = copyIn(t, diskA, newer)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range append([]entry.Raw{change, stale}, after...) {
		applied(t, a, e)
	}
	if a.Position() != b.Position() {
		t.Fatalf("the copies differ after the switch:\n%+v\n%+v", a.Position(), b.Position())
	}
	if err := errors.Join(storeA.Flush(), storeA.Close()); err != nil {
		t.Fatal(err)
	}
	// "A binary that does not know it refuses to start the copy with a clear
	// message."
	if _, _, err = copyIn(t, diskA, older); !errors.Is(err, lang.ErrUnknownVersion) {
		t.Fatalf("the older program starts the copy: %v", err)
	}
	if a, storeA, err = copyIn(t, diskA, newer); err != nil || a.Position() != b.Position() {
		t.Fatalf("the newer program does not: %v", err)
	}
	_ = storeA.Close()
}
