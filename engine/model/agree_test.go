package model_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/model"
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

const session = 0x5e55

// pair is the engine and the model, told the same.
type pair struct {
	t        *rapid.T
	g        *gen
	env      *lang.Env
	disk     *vfs.MemFS
	store    *store.Store
	machine  *engine.Machine
	model    *model.Group
	schema   *schemaDoc
	index    uint64
	sequence uint64
	counter  uint64
	epoch    uint64
	millis   int64
	sent     []sent
	seen     *coverage
	told     strings.Builder // the history, for a reader
}

type sent struct {
	item entry.Item
	doc  string
}

func (p *pair) tell(format string, args ...any) { fmt.Fprintf(&p.told, format+"\n", args...) }

func (p *pair) fail(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("%s\n%s", p.told.String(), fmt.Sprintf(format, args...))
}

func newPair(t *rapid.T, env *lang.Env, seen *coverage) *pair {
	p := &pair{t: t, g: &gen{t: t}, env: env, disk: vfs.NewMem(), model: model.NewGroup(), millis: 1_700_000_000_000, seen: seen}
	p.open()
	return p
}

func (p *pair) open() {
	var err error
	if p.store, err = store.Open(store.Options{Dir: "copy", FS: p.disk}); err != nil {
		p.t.Fatal(err)
	}
	if p.machine, err = engine.Open(testStore{p.store}, engine.Options{Local: session, Env: p.env}); err != nil {
		p.t.Fatal(err)
	}
}

// restart closes the copy and opens it again: what it knows now comes from the
// disk alone.
func (p *pair) restart() {
	p.tell("restart")
	if err := p.store.Flush(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.store.Close(); err != nil {
		p.t.Fatal(err)
	}
	p.open()
	p.seen.kinds["restart"]++
}

func (p *pair) close() {
	if err := p.store.Close(); err != nil {
		p.t.Fatal(err)
	}
	for what, n := range p.model.Used {
		p.seen.kinds[what] += n
	}
}

func (p *pair) origin() entry.Origin {
	p.sequence++
	return entry.Origin{Proposer: session, Sequence: p.sequence}
}

// apply executes entries and commits them together.
func (p *pair) apply(cmds ...[]byte) []outcome.Verdict {
	for _, cmd := range cmds {
		p.index++
		if err := p.machine.Apply(entry.Raw{Index: p.index, Cmd: cmd}); err != nil {
			p.fail("the copy stops: %v", err)
		}
	}
	done, err := p.machine.Commit()
	if err != nil {
		p.fail("the copy stops: %v", err)
	}
	var all []outcome.Verdict
	for _, a := range done {
		all = append(all, a.Verdicts...)
	}
	return all
}

// change applies a schema to both.
func (p *pair) change(s *schemaDoc) {
	src := s.text()
	p.tell("schema at %d\n%s", p.millis, src)
	d, problems := schema.Parse([]byte(src))
	if problems != nil {
		p.fail("refused: %v", problems)
	}
	if _, _, problems := program.Build(p.machine.Compiled(), d, p.env); problems != nil {
		p.fail("refused: %v", problems)
	}
	vs := p.apply(entry.AppendSchema(nil, &entry.Schema{Origin: p.origin(), TimeMillis: p.millis, Document: d.Canonical()}))
	if len(vs) != 1 {
		p.fail("%d verdicts of a schema", len(vs))
	}
	got := &vs[0].Outcome
	if engine.Begun(got) > 0 {
		p.steps(s, src)
		return
	}
	if want := p.model.Apply([]byte(src), p.millis); got.Committed != want {
		p.fail("engine applied: %t (%s %s)\nmodel applied:  %t", got.Committed, got.Code, got.Message, want)
	}
	p.schema = s
	p.seen.kinds["schema applied at once"]++
	p.compareTables()
}

// steps brings a change that must look at rows to its end, with transactions in
// between.
func (p *pair) steps(s *schemaDoc, src string) {
	p.model.Begin([]byte(src), p.millis)
	id := p.machine.Change().ID
	for p.machine.Change().Phase == engine.PhaseBuilding {
		now := p.machine.Change()
		rows := 1 + p.g.upTo(20)
		p.tell("backfill of %d rows", rows)
		p.apply(entry.AppendBackfill(nil, &entry.Backfill{Origin: p.origin(), TimeMillis: p.millis, Change: id, Step: now.Step, Rows: uint64(rows)}))
		if p.g.one(2) {
			p.entry(1 + p.g.upTo(3))
		}
	}
	p.tell("finish at %d", p.millis)
	p.apply(entry.AppendFinish(nil, &entry.Finish{Origin: p.origin(), TimeMillis: p.millis, Change: id}))
	_, ends := p.machine.ChangeEnds()
	end := ends[len(ends)-1]
	applied := end.Version != 0
	if !p.model.Finish(p.millis, applied) {
		p.fail("engine applied: %t %v\nmodel applied:  %t", applied, end.First, !applied)
	}
	if applied {
		p.schema = s
	}
	p.seen.kinds[fmt.Sprintf("schema applied in steps: %t", applied)]++
	p.compareTables()
}

// batch is an entry of transactions, with what each is called.
type batch struct {
	model.Entry
	ids, docs []string
}

// entry orders an entry of some transactions; now and then more than one before
// the engine commits.
func (p *pair) entry(n int) {
	var batches []batch
	var cmds [][]byte
	for more := true; more; more = len(batches) < 3 && p.g.one(4) {
		b, cmd := p.batch(n)
		batches, cmds = append(batches, b), append(cmds, cmd)
	}
	verdicts := p.apply(cmds...)
	for _, b := range batches {
		p.tell("entry at %d, seed %x", b.Millis, b.Seed)
		for i, name := range b.ids {
			p.tell("%s %s", name, b.docs[i])
			if len(verdicts) == 0 {
				p.fail("no verdict")
			}
			want, verdict := p.model.Execute(b.Entry, name, []byte(b.docs[i]))
			p.compare(verdicts[0], want, verdict)
			verdicts = verdicts[1:]
			p.seen.transactions++
		}
	}
	p.compareTables()
}

func (p *pair) batch(n int) (batch, []byte) {
	p.millis += int64(p.g.upTo(2000)) - 200
	out := batch{Entry: model.Entry{Millis: p.millis}}
	for i := range out.Seed {
		out.Seed[i] = byte(p.sequence) + byte(i)
	}
	b := entry.Batch{Origin: p.origin(), TimeMillis: p.millis, Seed: out.Seed, SchemaVersion: p.machine.Compiled().Version}
	for range n {
		s := p.transaction()
		out.docs, out.ids = append(out.docs, s.doc), append(out.ids, string(s.item.ID.Append(nil)))
		b.Items = append(b.Items, s.item)
	}
	return out, entry.AppendBatch(nil, &b)
}

// transaction writes a document and gives it an id, or sends one again.
func (p *pair) transaction() sent {
	if len(p.sent) > 0 && p.g.one(20) {
		s := pick(p.g, p.sent)
		if p.g.one(3) {
			s.doc = text(p.document())
			again, ok := p.typed(s.doc)
			if ok {
				again.ID = s.item.ID
				s.item = again
			}
		}
		return s
	}
	for {
		d := text(p.document())
		if it, ok := p.typed(d); ok {
			p.counter++
			it.ID = entry.ID{Session: session, Counter: p.counter}
			if p.g.one(4) {
				it.ID = entry.ID{Key: fmt.Sprintf("key-%d", p.counter)}
			}
			p.sent = append(p.sent, sent{it, d})
			return p.sent[len(p.sent)-1]
		}
	}
}

func (p *pair) document() doc {
	if p.g.one(500) {
		return p.g.large()
	}
	if p.g.one(40) {
		return p.g.inline(p.schema, false)
	}
	fills := len(p.schema.tables) // come first
	if p.g.one(4) {
		return p.g.call(pick(p.g, p.schema.procedures[:fills]))
	}
	return p.g.call(pick(p.g, p.schema.procedures[fills:]))
}

// typed is what the primary makes of a document.
func (p *pair) typed(d string) (entry.Item, bool) {
	typed, refusal := program.ParseTransaction([]byte(d), p.machine.Compiled())
	if refusal != nil {
		p.fail("%s\nrefused: %v", d, refusal)
	}
	fingerprint, err := value.Fingerprint([]byte(d))
	if err != nil {
		p.fail("%s\n%v", d, err)
	}
	return entry.Item{Fingerprint: fingerprint, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source}, true
}

// compare: the same verdict, and the same outcome byte for byte.
func (p *pair) compare(v outcome.Verdict, want model.Outcome, verdict model.Verdict) {
	kinds := map[outcome.Kind]model.Verdict{outcome.Executed: model.Executed, outcome.Duplicate: model.Duplicate, outcome.KeyReused: model.KeyReused}
	kind, known := kinds[v.Kind]
	if !known || kind != verdict {
		p.fail("engine's verdict: %s\nmodel's verdict:  %s", verdictNames[kind], verdictNames[verdict])
	}
	p.seen.kinds[verdictNames[verdict]]++
	if verdict == model.KeyReused {
		return
	}
	if want.Code == "cost_exceeded" && want.Message == "" {
		want.Message = v.Outcome.Message
	}
	got := describe(int64(v.Outcome.Revision), v.Outcome.TimeMillis, v.Outcome.Committed, v.Outcome.Code, v.Outcome.Step, v.Outcome.Message, string(v.Outcome.Result))
	wanted := describe(want.Revision, want.Millis, want.Committed, want.Code, want.Step, want.Message, want.Result)
	if got != wanted {
		p.fail("engine: %s\nmodel:  %s", got, wanted)
	}
	if verdict == model.Executed {
		p.seen.count(want)
	}
}

var verdictNames = []string{"executed", "duplicate", "key reused"}

func describe(revision, millis int64, committed bool, code, step, message, result string) string {
	if committed {
		return fmt.Sprintf("%d at %d committed %s", revision, millis, result)
	}
	return fmt.Sprintf("%d at %d aborted %s at %s: %s", revision, millis, code, step, message)
}

// assign gives a task to a node or takes it away, mostly under the next epoch.
func (p *pair) assign() {
	a := entry.Assign{Origin: p.origin(), TimeMillis: p.millis, Task: pick(p.g, taskNames), Holder: uint64(p.g.upTo(2)), Epoch: p.epoch + 1,
		Reason: entry.Reason(1 + p.g.upTo(3)), Text: pick(p.g, []string{"", "the node stops", "größer"})}
	if p.g.one(4) {
		a.Epoch++
	}
	p.tell("assign %s to %d under %d", a.Task, a.Holder, a.Epoch)
	verdicts := p.apply(entry.AppendAssign(nil, &a))
	want := p.model.Assign(p.millis, a.Task, a.Holder, int64(a.Epoch), a.Reason.String()+" "+a.Text)
	if got := verdicts[0].Outcome.Committed; got != want {
		p.fail("engine assigned: %t\nmodel assigned:  %t", got, want)
	}
	if want {
		p.epoch = a.Epoch
	}
	p.seen.kinds[fmt.Sprintf("task assigned: %t", want)]++
	p.compareTask(a.Task)
}

// compareTask: both remember the same assignments of a task.
func (p *pair) compareTask(name string) {
	var got []string
	list, _ := p.machine.Tasks()
	for _, t := range list {
		if t.Name != name {
			continue
		}
		for _, a := range append(slices.Clone(t.History), t.Assignment) {
			got = append(got, fmt.Sprintf("%d under %d since %d: %s %s", a.Holder, a.Epoch, a.SinceMillis, a.Reason, a.Text))
		}
	}
	if want := p.model.Assigned[name]; !slices.Equal(got, want) {
		p.fail("engine remembers of %s: %q\nmodel remembers:  %q", name, got, want)
	}
}

// compareFeed: the same messages in the same order.
func (p *pair) compareFeed() {
	v, err := engine.OpenView(testStore{p.store}, p.machine.Compiled(), p.env)
	if err != nil {
		p.fail("%v", err)
	}
	list, _, err := v.Emitted(0, 1_000_000)
	if err != nil {
		p.fail("%v", err)
	}
	var got []string
	for _, e := range list {
		for _, m := range e.Messages {
			got = append(got, fmt.Sprintf("%d %s %s", e.Revision, m.Topic, m.Value))
		}
	}
	if a, b := strings.Join(got, "\n"), strings.Join(p.model.Emitted, "\n"); a != b {
		p.fail("emitted\nengine:\n%s\nmodel:\n%s", a, b)
	}
}

// compareTables: the same rows, everywhere.
func (p *pair) compareTables() {
	v, err := engine.OpenView(testStore{p.store}, p.machine.Compiled(), p.env)
	if err != nil {
		p.fail("%v", err)
	}
	if int64(v.Position().Revision) != p.model.Revision {
		p.fail("engine's revision %d, model's %d", v.Position().Revision, p.model.Revision)
	}
	for _, t := range append([]*table{{name: wide}}, p.schema.tables...) {
		var got []string
		for after := ""; ; {
			page, err := v.Page(t.name, engine.PageOptions{Limit: engine.MaxPageRows, After: after})
			if err != nil {
				p.fail("%v", err)
			}
			for _, row := range page.Rows {
				got = append(got, string(value.AppendJSON(nil, row)))
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if a, b := strings.Join(got, "\n"), strings.Join(p.model.Rows(t.name), "\n"); a != b {
			p.fail("table %s\nengine:\n%s\nmodel:\n%s", t.name, a, b)
		}
	}
}

// query runs something that only reads on both.
func (p *pair) query() {
	d := p.g.inline(p.schema, true)
	if procs := p.readers(); len(procs) > 0 && !p.g.one(3) {
		d = p.g.call(pick(p.g, procs))
	}
	src := text(d)
	p.tell("query %s", src)
	v, err := engine.OpenView(testStore{p.store}, p.machine.Compiled(), p.env)
	if err != nil {
		p.fail("%v", err)
	}
	prog, params, refusal := program.ParseQuery([]byte(src), v.Compiled())
	if refusal != nil {
		p.fail("refused: %v", refusal)
	}
	a, err := v.Run(prog, params, engine.QueryOptions{})
	if err != nil {
		p.fail("%v", err)
	}
	want := p.model.Query([]byte(src))
	got := model.Outcome{Committed: a.Abort == nil}
	if a.Abort != nil {
		got.Code, got.Step, got.Message = a.Abort.Code, a.Abort.Step, a.Abort.Message
	} else {
		got.Result = string(value.AppendJSON(nil, a.Result))
	}
	if got != want {
		p.fail("engine: %+v\nmodel:  %+v", got, want)
	}
	p.seen.kinds["query"]++
}

func (p *pair) readers() []*procedure {
	var all []*procedure
	for _, x := range p.schema.procedures {
		if x.reads {
			all = append(all, x)
		}
	}
	return all
}

// fill writes some rows to begin with.
func (p *pair) fill() {
	for range p.g.upTo(8) {
		p.entry(1 + p.g.upTo(3))
	}
}

// history is one random history, on both.
func (p *pair) history(entries int) {
	p.change(p.g.newSchema())
	p.fill()
	for range entries {
		switch {
		case p.g.one(30):
			p.change(p.g.mutate(p.schema))
		case p.g.one(10):
			p.query()
		case p.g.one(12):
			p.assign()
		case p.g.one(20):
			p.restart()
		default:
			p.entry(1 + p.g.upTo(15))
		}
	}
	p.compareFeed()
}
