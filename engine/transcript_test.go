package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/store"
	"lockstep/engine/value"
)

// testStore lets the machine use a store on a disk in memory.
type testStore struct{ *store.Store }

func (s testStore) NewIter(lo, hi []byte) engine.Iterator { return s.Store.NewIter(lo, hi) }
func (s testStore) NewBatch() engine.Batch                { return s.Store.NewBatch() }

// scene is a machine that a transcript talks to.
type scene struct {
	t        *testing.T
	disk     *vfs.MemFS
	env      *lang.Env
	store    *store.Store
	machine  *engine.Machine
	index    uint64
	sequence uint64
	counter  uint64
	millis   int64
}

const session = 0xa11ce

func newScene(t *testing.T) *scene {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, env: env, disk: vfs.NewCrashableMem(), millis: 1_700_000_000_000}
	s.open()
	t.Cleanup(func() { _ = s.store.Close() })
	return s
}

func (s *scene) open() {
	var err error
	if s.store, err = store.Open(store.Options{Dir: "copy", FS: s.disk}); err != nil {
		s.t.Fatal(err)
	}
	if s.machine, err = engine.Open(testStore{s.store}, engine.Options{Local: session, Env: s.env}); err != nil {
		s.t.Fatal(err)
	}
	s.index = s.machine.Position().Index
}

// "A reader checks them by eye": what users write, what the log says of it, and
// what is there afterwards (transactions.md).
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		s := newScene(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return s.command(t, d)
		})
	})
}

// command does what one part of a transcript asks.
func (s *scene) command(t *testing.T, d *datadriven.TestData) string {
	s.t = t
	for _, a := range d.CmdArgs {
		if a.Key == "after" {
			ms, err := strconv.ParseInt(a.Vals[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			s.millis += ms
		}
	}
	switch d.Cmd {
	case "schema":
		return s.schema(d)
	case "backfill":
		return s.backfill(d)
	case "finish":
		return s.finish(d)
	case "change":
		return s.change()
	case "rehearse":
		return s.rehearse(d.Input)
	case "entry":
		return s.entry(d)
	case "query":
		return s.query(d, d.Input)
	case "rows":
		return s.rows(d)
	case "outcome":
		return s.outcome(strings.TrimSpace(d.Input))
	case "assign":
		return s.assign(d)
	case "pass":
		return s.pass(d)
	case "settings":
		return s.settings(d)
	case "incarnation":
		return s.incarnation(d)
	case "tasks":
		return s.tasks()
	case "emitted":
		return s.emitted()
	case "crash":
		return s.crash(d.HasArg("flushed"))
	case "position":
		p := s.machine.Position()
		return fmt.Sprintf("revision %d, schema %d, now %d, keys kept %ds", p.Revision, p.Schema, p.NowMillis-1_700_000_000_000, p.KeyWindowMillis/1000)
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

func (s *scene) apply(cmd []byte) string {
	s.index++
	if err := s.machine.Apply(entry.Raw{Index: s.index, Cmd: cmd}); err != nil {
		return "the copy stops: " + err.Error() + "\n"
	}
	done, err := s.machine.Commit()
	if err != nil {
		s.t.Fatal(err)
	}
	var out strings.Builder
	for _, a := range done {
		for i := range a.Verdicts {
			out.WriteString(verdict(&a.Verdicts[i]) + "\n")
		}
	}
	return out.String()
}

func verdict(v *outcome.Verdict) string {
	switch v.Kind {
	case outcome.Executed, outcome.Duplicate:
		prefix := ""
		if v.Kind == outcome.Duplicate {
			prefix = "recorded before: "
		}
		if id := engine.Begun(&v.Outcome); id > 0 && v.Outcome.ID.IsZero() {
			return fmt.Sprintf("change %d is under way, version %d holds", id, v.Outcome.Revision)
		}
		if v.Outcome.ID.IsZero() { // of a schema
			return fmt.Sprintf("%sapplied: %t, version %d%s", prefix, v.Outcome.Committed, v.Outcome.Revision, reason(&v.Outcome))
		}
		return prefix + string(v.Outcome.AppendJSON(nil, "g"))
	case outcome.KeyReused:
		return "the id was used with another document"
	case outcome.StaleSchema:
		return "typed against another schema"
	case outcome.Expired:
		return "too old to tell"
	}
	return "?"
}

func reason(o *outcome.Outcome) string {
	if o.Code == "" {
		return ""
	}
	return ", " + o.Code + ": " + o.Message
}

func (s *scene) origin() entry.Origin {
	s.sequence++
	return entry.Origin{Proposer: session, Sequence: s.sequence}
}

func (s *scene) schema(d *datadriven.TestData) string {
	e := entry.Schema{Origin: s.origin(), TimeMillis: s.millis, Document: []byte(d.Input)}
	if doc, problems := schema.Parse([]byte(d.Input)); problems == nil {
		e.Document = doc.Canonical()
	}
	if d.HasArg("if-match") {
		d.ScanArgs(s.t, "if-match", &e.IfMatch)
	}
	return s.apply(entry.AppendSchema(nil, &e))
}

// entry orders one entry; each line of the input is a transaction, with an
// optional id before it: "key=abc {…}" or "id=3 {…}".
func (s *scene) entry(d *datadriven.TestData) string {
	b := entry.Batch{Origin: s.origin(), TimeMillis: s.millis, Seed: [16]byte{1, 2, 3}}
	compiled := s.machine.Compiled()
	if compiled != nil {
		b.SchemaVersion = compiled.Version
	}
	if d.HasArg("typed-against") {
		d.ScanArgs(s.t, "typed-against", &b.SchemaVersion)
	}
	for line := range strings.Lines(d.Input) {
		it, doc := s.id(strings.TrimSpace(line))
		typed, refusal := program.ParseTransaction([]byte(doc), compiled)
		if refusal != nil {
			return "refused: " + refusal.Error()
		}
		fingerprint, err := value.Fingerprint([]byte(doc))
		if err != nil {
			s.t.Fatal(err)
		}
		it.Fingerprint, it.Proc, it.Params, it.Source = fingerprint, int32(typed.Proc), typed.Params, typed.Source
		b.Items = append(b.Items, it)
	}
	return s.apply(entry.AppendBatch(nil, &b))
}

func (s *scene) id(line string) (entry.Item, string) {
	if key, ok := strings.CutPrefix(line, "key="); ok {
		key, doc, _ := strings.Cut(key, " ")
		return entry.Item{ID: entry.ParseID(key)}, doc
	}
	if number, ok := strings.CutPrefix(line, "id="); ok {
		number, doc, _ := strings.Cut(number, " ")
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		return entry.Item{ID: entry.ID{Session: session, Counter: n}}, doc
	}
	s.counter++
	return entry.Item{ID: entry.ID{Session: session, Counter: s.counter}}, line
}

func (s *scene) view() *engine.View {
	v, err := engine.OpenView(testStore{s.store}, s.machine.Compiled(), s.env)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// query answers a query: all at once, or page after page of limit=N rows; with
// explain it tells how it went, and where the budget is set, budget=N times a
// transaction's.
func (s *scene) query(d *datadriven.TestData, doc string) string {
	var o engine.QueryOptions
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "limit":
			d.ScanArgs(s.t, "limit", &o.Limit)
		case "budget":
			d.ScanArgs(s.t, "budget", &o.Budget)
		case "next":
			o.After = a.Vals[0]
		case "explain":
			o.Explain = true
		}
	}
	var out strings.Builder
	for {
		text, next := s.page(doc, o)
		out.WriteString(text)
		if o.After = next; next == "" {
			return out.String()
		}
		out.WriteString("\n…\n")
	}
}

func (s *scene) page(doc string, o engine.QueryOptions) (text, next string) {
	v := s.view()
	p, params, refusal := program.ParseQuery([]byte(doc), v.Compiled())
	if refusal != nil {
		return "refused: " + refusal.Error(), ""
	}
	o.Document[0] = byte(len(doc))
	a, err := v.Run(p, params, o)
	var input *engine.InputError
	switch {
	case errors.As(err, &input):
		return "refused: " + err.Error(), ""
	case err != nil:
		s.t.Fatal(err)
	case a.Abort != nil:
		text = "aborted: " + a.Abort.Error()
	default:
		text = string(value.AppendJSON(nil, a.Result))
	}
	if a.Trace != nil {
		for _, t := range a.Trace.Steps {
			var line bytes.Buffer
			enc := json.NewEncoder(&line)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(t); err != nil {
				s.t.Fatal(err)
			}
			text += "\n" + strings.TrimSpace(line.String())
		}
		text += fmt.Sprintf("\n%d steps, %d rows of %d, cost %d of %d", a.Trace.Executed, a.Trace.RowsRead, a.Trace.RowsLimit, a.Trace.Cost, a.Trace.CostLimit)
	}
	return text, a.Next
}

// rows shows a page: rows TABLE [prefix=a,b] [key=a,b] [limit=N].
func (s *scene) rows(d *datadriven.TestData) string {
	table, limit := d.CmdArgs[0].Key, engine.DefaultPageRows
	var o engine.PageOptions
	v := s.view()
	for _, a := range d.CmdArgs[1:] {
		switch a.Key {
		case "prefix":
			o.Prefix = a.Vals
		case "index":
			d.ScanArgs(s.t, "index", &o.Index)
		case "limit":
			d.ScanArgs(s.t, "limit", &limit)
		case "key":
			row, err := v.Row(table, a.Vals)
			return show(row, err)
		}
	}
	var out strings.Builder
	for o.Limit = limit; ; {
		page, err := v.Page(table, o)
		if err != nil {
			return show(value.Value{}, err)
		}
		for _, row := range page.Rows {
			out.Write(append(value.AppendJSON(nil, row), '\n'))
		}
		if o.After = page.Next; o.After == "" {
			return out.String()
		}
		out.WriteString("…\n")
	}
}

func show(row value.Value, err error) string {
	var input *engine.InputError
	if errors.As(err, &input) || errors.Is(err, engine.ErrNoTable) {
		return "refused: " + err.Error()
	}
	if err != nil {
		return "failed: " + err.Error()
	}
	return string(value.AppendJSON(nil, row))
}

func (s *scene) outcome(id string) string {
	o, ok, err := s.view().Outcome(entry.ParseID(id))
	if err != nil {
		s.t.Fatal(err)
	}
	if !ok {
		return "unknown"
	}
	return string(o.AppendJSON(nil, "g"))
}

// assign assigns a task: assign TASK holder=N epoch=N [reason=N] [why=TEXT].
func (s *scene) assign(d *datadriven.TestData) string {
	a := entry.Assign{Origin: s.origin(), TimeMillis: s.millis, Task: d.CmdArgs[0].Key}
	d.ScanArgs(s.t, "holder", &a.Holder)
	d.ScanArgs(s.t, "epoch", &a.Epoch)
	reasonOf := int(entry.ReasonNormal)
	d.MaybeScanArgs(s.t, "reason", &reasonOf)
	d.MaybeScanArgs(s.t, "why", &a.Text)
	a.Reason = entry.Reason(reasonOf)
	s.index++
	if err := s.machine.Apply(entry.Raw{Index: s.index, Cmd: entry.AppendAssign(nil, &a)}); err != nil {
		s.t.Fatal(err)
	}
	done, err := s.machine.Commit()
	if err != nil {
		s.t.Fatal(err)
	}
	o := done[0].Verdicts[0].Outcome
	return fmt.Sprintf("assigned: %t%s", o.Committed, reason(&o))
}

// incarnation begins the group anew.
func (s *scene) incarnation(d *datadriven.TestData) string {
	i := entry.Incarnation{Origin: s.origin(), TimeMillis: s.millis}
	d.ScanArgs(s.t, "number", &i.Number)
	s.index++
	if err := s.machine.Apply(entry.Raw{Index: s.index, Cmd: entry.AppendIncarnation(nil, &i)}); err != nil {
		s.t.Fatal(err)
	}
	done, err := s.machine.Commit()
	if err != nil {
		s.t.Fatal(err)
	}
	o := done[0].Verdicts[0].Outcome
	return fmt.Sprintf("begun anew: %t, incarnation %d", o.Committed, s.machine.Position().Incarnation)
}

// pass orders entries that do nothing, a second after each other.
func (s *scene) pass(d *datadriven.TestData) string {
	var entries int
	d.ScanArgs(s.t, "entries", &entries)
	for range entries {
		s.millis += 1000
		s.apply(entry.AppendAssign(nil, &entry.Assign{Origin: s.origin(), TimeMillis: s.millis, Task: "none", Epoch: 1 << 40, Reason: entry.ReasonNormal}))
	}
	return fmt.Sprintf("keys kept %ds", s.machine.Position().KeyWindowMillis/1000)
}

func (s *scene) settings(d *datadriven.TestData) string {
	e := entry.Settings{Origin: s.origin(), TimeMillis: s.millis}
	var minutes int64
	d.ScanArgs(s.t, "version", &e.Version)
	d.ScanArgs(s.t, "minutes", &minutes)
	e.KeyRetentionMillis = minutes * 60_000
	s.index++
	if err := s.machine.Apply(entry.Raw{Index: s.index, Cmd: entry.AppendSettings(nil, &e)}); err != nil {
		s.t.Fatal(err)
	}
	done, err := s.machine.Commit()
	if err != nil {
		s.t.Fatal(err)
	}
	p := s.machine.Position()
	return fmt.Sprintf("followed: %t, version %d, keys kept %ds", done[0].Verdicts[0].Outcome.Committed, p.Settings, p.KeyWindowMillis/1000)
}

// tasks shows the tasks and what is remembered of them.
func (s *scene) tasks() string {
	var out strings.Builder
	list, epoch := s.machine.Tasks()
	fmt.Fprintf(&out, "last epoch %d\n", epoch)
	for _, t := range list {
		fmt.Fprintf(&out, "%s: %s\n", t.Name, assignment(t.Assignment))
		for _, a := range t.History {
			fmt.Fprintf(&out, "  before: %s\n", assignment(a))
		}
	}
	return out.String()
}

func assignment(a engine.Assignment) string {
	return strings.TrimSpace(fmt.Sprintf("node %d under %d since %d, %s %s", a.Holder, a.Epoch, a.SinceMillis, a.Reason, a.Text))
}

// emitted shows the messages of the change feed.
func (s *scene) emitted() string {
	var out strings.Builder
	list, earliest, err := s.view().Emitted(0, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	fmt.Fprintf(&out, "kept from revision %d\n", earliest)
	for _, e := range list {
		for _, m := range e.Messages {
			fmt.Fprintf(&out, "%d %s %s\n", e.Revision, m.Topic, m.Value)
		}
	}
	return out.String()
}

// crash loses what was not flushed; the log would now deliver it again.
func (s *scene) crash(flushed bool) string {
	if flushed {
		if err := s.store.Flush(); err != nil {
			s.t.Fatal(err)
		}
	}
	disk := s.disk.CrashClone(vfs.CrashCloneCfg{})
	if err := s.store.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.disk = disk
	s.open()
	return fmt.Sprintf("at revision %d", s.machine.Position().Revision)
}
