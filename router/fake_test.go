package router

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
	"lockstep/router/order"
	"lockstep/router/windows"
)

// fakeGroup stands in for a copy, its log and its orderer: it executes at once
// and remembers. Transfers of more than 100 abort.
type fakeGroup struct {
	mu       sync.Mutex
	revision uint64
	applied  uint64 // index
	schema   *fakeCatalog
	outcomes map[entry.ID]outcome.Outcome
	rows     map[string]int64
	pending  map[entry.ID]bool
	changed  chan struct{} // closed and replaced whenever the copy gets on
	watchers []func()
	windows  *windows.Windows
	backlog  time.Duration

	// What tests put in the way.
	submit    func(*order.Request) bool // true: taken care of
	readIndex func(context.Context) (uint64, error)
	putSchema func(SchemaPut) (SchemaResult, error)
	// schemaWait is told that a schema change waits for its end, which never comes.
	schemaWait chan struct{}
	closed     bool

	submitted int
	counter   uint64
}

// fakeCatalog is a schema at a version.
type fakeCatalog struct {
	compiled *program.Compiled
	version  uint64
}

func (c *fakeCatalog) Version() uint64  { return c.version }
func (c *fakeCatalog) Document() []byte { return c.compiled.Doc.Canonical() }
func (c *fakeCatalog) AppendDerived(dst []byte) []byte {
	return c.compiled.AppendDerived(dst)
}
func (c *fakeCatalog) ParseTransaction(raw []byte) (program.Typed, *program.Refusal) {
	return program.ParseTransaction(raw, c.compiled)
}

// theEnv is the language environment, which is slow to build.
var theEnv = sync.OnceValues(lang.NewEnv)

func catalogOf(t testing.TB, text string, version uint64) *fakeCatalog {
	t.Helper()
	env, err := theEnv()
	if err != nil {
		t.Fatal(err)
	}
	doc, problems := schema.Parse([]byte(text))
	if problems != nil {
		t.Fatal(problems)
	}
	compiled, _, problems := program.Build(nil, doc, env)
	if problems != nil {
		t.Fatal(problems)
	}
	return &fakeCatalog{compiled: compiled, version: version}
}

func bankSchema(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("testdata/schema.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// newBank is a group with the bank's schema and two accounts.
func newBank(t testing.TB) *fakeGroup {
	return &fakeGroup{
		revision: 3, applied: 7, schema: catalogOf(t, bankSchema(t), 1),
		outcomes: map[entry.ID]outcome.Outcome{}, pending: map[entry.ID]bool{},
		rows: map[string]int64{"alice": 100, "bob": 100}, changed: make(chan struct{}),
	}
}

func (g *fakeGroup) Backlog() time.Duration { return g.backlog }

func (g *fakeGroup) Windows() *windows.Windows { return g.windows }

func (g *fakeGroup) advance(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	close(g.changed)
	g.changed = make(chan struct{})
}

func (g *fakeGroup) Submit(r *order.Request) {
	g.mu.Lock()
	g.submitted++
	if r.Item.ID.IsZero() {
		g.counter++
		r.Item.ID = entry.ID{Session: 0xabc, Counter: g.counter}
	}
	hook := g.submit
	g.mu.Unlock()
	if hook != nil && hook(r) {
		return
	}
	r.Done(order.Answer{Verdict: g.execute(&r.Item, r.SchemaVersion)})
}

// execute is what the log does with an item.
func (g *fakeGroup) execute(item *entry.Item, version uint64) outcome.Verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	if was, ok := g.outcomes[item.ID]; ok {
		if was.Fingerprint != item.Fingerprint {
			return outcome.Verdict{Kind: outcome.KeyReused}
		}
		return outcome.Verdict{Kind: outcome.Duplicate, Outcome: was}
	}
	if version != g.schema.version {
		return outcome.Verdict{Kind: outcome.StaleSchema}
	}
	g.revision++
	g.applied++
	o := outcome.Outcome{ID: item.ID, Fingerprint: item.Fingerprint, Revision: g.revision, TimeMillis: 1_800_000_000_000, Committed: true}
	o.Result = []byte(fmt.Sprint(g.revision))
	if item.Proc >= 0 {
		p := g.schema.compiled.Procs[item.Proc]
		if params, err := p.DecodeParams(item.Params); err == nil && p.Name == "transfer" {
			at, _ := params.Shape().Index("amount")
			if params.Field(at).Int() > 100 {
				o.Committed, o.Result = false, nil
				o.Code, o.Step, o.Message = "insufficient_funds", "steps[2]", "not enough"
			}
		}
	}
	g.outcomes[item.ID] = o
	return outcome.Verdict{Kind: outcome.Executed, Outcome: o}
}

// Given takes every id for one that was given.
func (g *fakeGroup) Given(entry.ID) (bool, error) { return true, nil }

func (g *fakeGroup) Pending(id entry.ID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pending[id]
}

func (g *fakeGroup) Applied() (uint64, uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.applied, g.revision
}

func (g *fakeGroup) wait(ctx context.Context, there func() bool) error {
	for {
		g.mu.Lock()
		ok, changed := there(), g.changed
		g.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (g *fakeGroup) WaitIndex(ctx context.Context, index uint64) error {
	return g.wait(ctx, func() bool { return g.applied >= index })
}

func (g *fakeGroup) WaitRevision(ctx context.Context, revision uint64) error {
	return g.wait(ctx, func() bool { return g.revision >= revision })
}

func (g *fakeGroup) ReadIndex(ctx context.Context) (uint64, error) {
	g.mu.Lock()
	hook, at := g.readIndex, g.applied
	g.mu.Unlock()
	if hook != nil {
		return hook(ctx)
	}
	return at, nil
}

func (g *fakeGroup) Watch(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watchers = append(g.watchers, f)
}

func (g *fakeGroup) Lag() uint64             { return 2 }
func (g *fakeGroup) KeyWindowSeconds() int64 { return 86400 }

func (g *fakeGroup) Catalog() Catalog {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.schema == nil {
		return nil
	}
	return g.schema
}

func (g *fakeGroup) PutSchema(ctx context.Context, put SchemaPut) (SchemaResult, error) {
	if g.schemaWait != nil {
		close(g.schemaWait)
		<-ctx.Done()
		return SchemaResult{}, &Problem{Code: "outcome_unknown", Detail: "the change goes on"}
	}
	return g.putSchema(put)
}

func (g *fakeGroup) View() (View, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errors.New("the copy is not open")
	}
	v := &fakeView{revision: g.revision, rows: maps.Clone(g.rows), outcomes: maps.Clone(g.outcomes)}
	if g.schema != nil {
		v.compiled = g.schema.compiled
	}
	return v, nil
}

// fakeView is a snapshot.
type fakeView struct {
	revision uint64
	rows     map[string]int64
	outcomes map[entry.ID]outcome.Outcome
	compiled *program.Compiled
}

func (v *fakeView) Revision() uint64 { return v.revision }
func (v *fakeView) Close()           {}

func (v *fakeView) table(name string) *program.Refusal {
	if name != "accounts" || v.compiled == nil {
		return &program.Refusal{Status: 404, Code: "unknown_table", Detail: "there is no table " + name}
	}
	return nil
}

func (v *fakeView) row(id string) value.Value {
	balance, ok := v.rows[id]
	if !ok {
		return value.Value{}
	}
	shape := value.NewShape("accounts", []string{"id", "balance", "_revision"})
	return value.OfObject(shape, []value.Value{value.OfString(id), value.OfInt(balance), value.OfInt(3)})
}

func (v *fakeView) Row(table string, key []string) (value.Value, *program.Refusal, error) {
	if r := v.table(table); r != nil {
		return value.Value{}, r, nil
	}
	return v.row(key[0]), nil, nil
}

func (v *fakeView) Page(table string, o PageOptions) ([]value.Value, string, *program.Refusal, error) {
	if r := v.table(table); r != nil {
		return nil, "", r, nil
	}
	var rows []value.Value
	last := ""
	for _, id := range slices.Sorted(maps.Keys(v.rows)) {
		if id <= o.After || len(o.Prefix) > 0 && !strings.HasPrefix(id, o.Prefix[0]) {
			continue
		}
		if len(rows) == o.Limit {
			return rows, last, nil, nil
		}
		rows, last = append(rows, v.row(id)), id
	}
	return rows, "", nil, nil
}

// Query gives its params back. With the param abort it aborts, with spin it goes on
// until it is stopped.
func (v *fakeView) Query(raw []byte, o QueryOptions) (QueryAnswer, *program.Refusal, error) {
	_, params, refusal := program.ParseQuery(raw, v.compiled)
	if refusal != nil {
		return QueryAnswer{}, refusal, nil
	}
	if _, spins := params.Shape().Index("spin"); spins {
		for used := uint64(1); ; used += 20_000 {
			if err := o.Poll(used); err != nil {
				return QueryAnswer{}, nil, err
			}
			runtime.Gosched()
		}
	}
	a := QueryAnswer{Result: params}
	if o.Explain {
		a.Trace = &program.Trace{Steps: []program.StepTrace{{Step: "steps[0]", Kind: "get", Runs: 1}}, Cost: 44}
	}
	if _, aborts := params.Shape().Index("abort"); aborts {
		a.Abort = &program.Abort{Code: "not_found", Step: "steps[0]", Message: "no such row"}
	}
	return a, nil, nil
}

func (v *fakeView) Outcome(id entry.ID) (outcome.Outcome, bool, error) {
	o, ok := v.outcomes[id]
	return o, ok, nil
}

// fakeCluster is a node with some groups; a nil group exists elsewhere.
type fakeCluster struct {
	Recovery // none of its methods is called

	groups  map[string]*fakeGroup
	unready []Unready
	create  func(GroupSpec) (bool, error)
	catchUp func() error // nil: there is nothing to catch up with
	closed  atomic.Int64 // recordings that were let go of
}

func (c *fakeCluster) CatchUp(context.Context) error {
	if c.catchUp == nil {
		return nil
	}
	return c.catchUp()
}

func (c *fakeCluster) Lookup(name string) (Group, bool) {
	g, known := c.groups[name]
	if g == nil {
		return nil, known
	}
	return g, true
}

func (c *fakeCluster) Groups() []GroupStatus {
	var all []GroupStatus
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		s := GroupStatus{Name: name, Primary: "n1", Partitions: []PartitionStatus{}}
		if g := c.groups[name]; g != nil {
			_, s.Revision = g.Applied()
			s.Partitions = append(s.Partitions, PartitionStatus{Node: "n1", Role: "primary", Status: "available", Revision: s.Revision})
		}
		all = append(all, s)
	}
	return all
}

func (c *fakeCluster) CreateGroup(_ context.Context, spec GroupSpec) (GroupStatus, bool, error) {
	created, err := c.create(spec)
	return GroupStatus{Name: spec.Name, Partitions: []PartitionStatus{}}, created, err
}

func (c *fakeCluster) Status() ClusterStatus {
	return ClusterStatus{Nodes: []NodeStatus{{Name: "n1", Status: "available", HTTP: "127.0.0.1:7400", Version: "dev"}}, Groups: c.Groups()}
}

func (c *fakeCluster) Unready() []Unready { return c.unready }

func (c *fakeCluster) Export(_ context.Context, group string, o ExportOptions) (Recording, error) {
	if o.From == "start" {
		return nil, &Problem{Code: "compacted", Detail: "the log begins with entry 9"}
	}
	return &fakeRecording{cluster: c, text: fmt.Sprintf("recording of %s for %v", group, o.Follow)}, nil
}

// fakeRecording writes a text; closed counts those that were let go of.
type fakeRecording struct {
	cluster *fakeCluster
	text    string
}

func (r *fakeRecording) Write(_ context.Context, w io.Writer) error {
	for _, part := range strings.SplitAfter(r.text, " ") {
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	return nil
}

func (r *fakeRecording) Close() { r.cluster.closed.Add(1) }

func (c *fakeCluster) Verify(context.Context, string) (VerifyReport, error) {
	return VerifyReport{Group: "bank", Revision: 3, Equal: true, Partitions: []VerifiedCopy{{Node: "n1", Revision: 3, Digest: "00ff"}}}, nil
}

func (c *fakeCluster) Trust(_ context.Context, group, node string) (GroupStatus, error) {
	if node != "n1" {
		return GroupStatus{}, &Problem{Code: "not_found", Detail: "the cluster has no node " + node}
	}
	return GroupStatus{Name: group, Primary: node, Partitions: []PartitionStatus{}}, nil
}

func (c *fakeCluster) HandOver(_ context.Context, group, node string) (Handover, error) {
	h := Handover{GroupStatus: GroupStatus{Name: group, Primary: node, Partitions: []PartitionStatus{}}, From: "n1"}
	switch node {
	case "n1":
		return h, nil
	case "n2":
		h.Changed, h.PauseMillis = true, 4.5
		return h, nil
	}
	return Handover{}, &Problem{Code: "not_found", Detail: "the cluster has no node " + node}
}
