package schematest

import (
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"

	"lockstep/cmd/lockstep/testfile"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
)

// Options of a Suite.
type Options struct {
	Run    *regexp.Regexp // only tests whose names match; nil: all
	Update bool           // write what came into the files, in the place of what was expected
}

// Suite runs files of tests and gathers what came of them.
type Suite struct {
	opt     Options
	env     *lang.Env
	schemas map[string]*underTest // by path, an inline schema by its own file
	report  Report
}

// underTest is a schema with its coverage.
type underTest struct {
	doc      *schema.Document
	compiled *program.Compiled
	coverage *Coverage
}

// NewSuite makes a suite without files.
func NewSuite(opt Options) (*Suite, error) {
	env, err := lang.NewEnv()
	if err != nil {
		return nil, fmt.Errorf("making the language's environment: %w", err)
	}
	return &Suite{opt: opt, env: env, schemas: map[string]*underTest{}}, nil
}

// Add reads a file and runs its tests. A *testfile.BadFile names what is wrong with the
// file or its schema; other errors are of the engine or of reading and writing.
func (s *Suite) Add(path string) error {
	f, err := Read(path)
	if err != nil {
		return err
	}
	under, err := s.schema(&f.schema)
	if err != nil {
		return err
	}
	report := testfile.FileReport{File: path, Tests: []testfile.TestReport{}}
	changed := false
	for i := range f.tests {
		t := &f.tests[i]
		if s.opt.Run != nil && !s.opt.Run.MatchString(t.name) {
			continue
		}
		run := running{reader: &reader{testfile.Reader{File: path}}, test: t, under: under, update: s.opt.Update}
		if err := run.all(s.env, f.given); err != nil {
			return err
		}
		changed = changed || run.changed
		report.Tests = append(report.Tests, testfile.TestReport{Name: t.name, Line: t.node.Line, OK: len(run.diff.List) == 0, Updated: run.changed, Failures: run.diff.List})
	}
	s.report.Add(report)
	if changed {
		return testfile.Write(f.Path, f.root)
	}
	return nil
}

// schema compiles a schema, once.
func (s *Suite) schema(source *schemaSource) (*underTest, error) {
	if u := s.schemas[source.path]; u != nil {
		return u, nil
	}
	doc, problems := schema.Parse(source.src)
	u := &underTest{doc: doc}
	if problems == nil {
		u.compiled, _, problems = program.Build(nil, doc, s.env)
	}
	if problems != nil {
		bad := &testfile.BadFile{}
		for _, p := range problems {
			bad.Problems = append(bad.Problems, testfile.Problem{File: source.path, Line: p.Line, Detail: p.Pointer + ": " + p.Detail})
		}
		return nil, bad
	}
	u.coverage = newCoverage(source.path, doc)
	s.schemas[source.path] = u
	return u, nil
}

// Report is what came of all tests so far.
func (s *Suite) Report() *Report {
	s.report.Coverage = nil
	for _, path := range testfile.SortedKeys(s.schemas) {
		c := s.schemas[path].coverage
		c.count()
		s.report.Coverage = append(s.report.Coverage, c)
	}
	return &s.report
}

// running is one test on its way.
type running struct {
	reader  *reader // notes what is wrong with the test itself
	test    *test
	under   *underTest
	rig     *rig
	update  bool
	changed bool
	diff    testfile.Differ
}

// all runs a test from a fresh state.
func (r *running) all(env *lang.Env, given []tableRows) (err error) {
	if r.rig, err = newRig(env, r.under.doc, r.test.stamp); err != nil {
		return err
	}
	defer func() {
		if closed := r.rig.close(); err == nil {
			err = closed
		}
	}()
	for _, rows := range [][]tableRows{given, r.test.given} {
		if err := r.reader.fill(r.rig, rows); err != nil {
			return err
		}
	}
	if err := r.reader.Err(); err != nil {
		return err
	}
	for i := range r.test.actions {
		if err := r.action(&r.test.actions[i], fmt.Sprintf("transactions[%d]", i)); err != nil {
			return err
		}
	}
	if err := r.rows(r.test.rows, ""); err != nil {
		return err
	}
	return r.reader.Err()
}

// action does one transaction or query and compares what came of it.
func (r *running) action(a *action, place string) error {
	place += " " + a.label + ": "
	r.rig.pass(a.after)
	if a.assign != "" {
		return r.rig.assign(a.assign)
	}
	if a.proc != "" {
		r.rig.trace = r.under.coverage.tracer(a.proc)
	}
	do := func() (came, error) { return r.rig.transact(a.doc, a.id) }
	if a.query {
		do = func() (came, error) { return r.rig.query(a.doc) }
	}
	got, err := do()
	r.rig.trace = nil
	if err != nil {
		return fmt.Errorf("%s:%d: %w", r.reader.File, a.node.Line, err)
	}
	r.under.coverage.ended(a.proc, got)
	want := r.expectation(a)
	before := len(r.diff.List)
	want.compare(&r.diff, got, place)
	if r.update && (len(r.diff.List) > before || want.empty) {
		if a.expect != nil {
			if err := testfile.OwnCopy(a.expect); err != nil {
				return err
			}
			want = r.expectation(a)
		}
		want.amend(got)
		r.diff.List, r.changed = r.diff.List[:before], true
	}
	return r.rows(want.fields["rows"], place)
}

// expectation is what a test says of one outcome.
type expectation struct {
	action *action
	node   *yaml.Node            // the field expect, or nil
	empty  bool                  // it stands there without anything: to be filled in
	fields map[string]*yaml.Node // of it
	status string                // expected; empty: the code decides
}

var outcomeFields = []string{"status", "result", "code", "step", "message", "emitted", "rows"}

func (r *running) expectation(a *action) *expectation {
	e := &expectation{action: a, node: a.expect, status: committed, fields: map[string]*yaml.Node{}}
	if a.query {
		e.status = answered
	}
	if a.expect == nil {
		return e
	}
	if e.empty = testfile.IsNull(testfile.Follow(a.expect)); e.empty {
		return e
	}
	e.fields = r.reader.Fields(a.expect, "expect", outcomeFields...)
	success := e.status
	switch {
	case e.fields["status"] != nil:
		e.status = r.reader.Text(e.fields["status"], "status")
		if e.status != success && e.status != aborted && e.status != refused {
			r.reader.Fail(e.fields["status"], "status is %s, %s or %s", success, aborted, refused)
		}
	case e.fields["code"] != nil:
		e.status = ""
	case e.fields["step"] != nil || e.fields["message"] != nil:
		e.status = aborted
	}
	return e
}

// line is where differences of the outcome as a whole are told.
func (e *expectation) line() *yaml.Node {
	switch {
	case e.fields["status"] != nil:
		return e.fields["status"]
	case e.node != nil:
		return e.node
	}
	return e.action.node
}

func (e *expectation) compare(d *testfile.Differ, got came, place string) {
	failed := got.Status == aborted || got.Status == refused
	if e.status != got.Status && (e.status != "" || !failed) {
		want := e.status
		if want == "" {
			want = "aborted or refused"
		}
		if code := e.fields["code"]; code != nil {
			want += " " + code.Value
		}
		d.Add(e.line(), place+"outcome", want, got.String())
		return
	}
	if n := e.fields["result"]; n != nil {
		var result any
		if got.Result != nil && testfile.Decode(got.Result, &result) != nil {
			result = string(got.Result)
		}
		d.Compare(n, result, place+"result")
	}
	if n := e.fields["emitted"]; n != nil {
		d.Compare(n, got.messages(), place+"emitted")
	}
	for _, f := range []struct{ name, got string }{{"code", got.Code}, {"step", got.Step}, {"message", got.Message}} {
		if n := e.fields[f.name]; n != nil && testfile.Follow(n).Value != f.got {
			d.Add(n, place+f.name, testfile.Follow(n).Value, f.got)
		}
	}
}

// messages are those emitted, as a value of JSON.
func (c came) messages() any {
	list := []any{}
	for _, m := range c.Emitted {
		list = append(list, map[string]any{"topic": m.Topic, "value": testfile.JSONValue(m.Value)})
	}
	return list
}

// String tells what came in a line.
func (c came) String() string {
	switch c.Status {
	case committed, answered:
		return c.Status + " " + string(c.Result)
	}
	text := c.Status + " " + c.Code
	if c.Step != "" {
		text += " at " + c.Step
	}
	return text + ": " + c.Message
}

// rows compares what is there with what is expected.
func (r *running) rows(n *yaml.Node, place string) error {
	d := testfile.Differ{}
	tables := r.reader.wantedTables(n, r.rig.machine.Compiled())
	for i := range tables {
		if err := tables[i].check(&d, r.rig); err != nil {
			return err
		}
	}
	if len(d.List) == 0 || len(r.reader.Problems) > 0 {
		return nil
	}
	if r.update {
		return r.amendRows(n)
	}
	for _, f := range d.List {
		f.Place = place + f.Place
		r.diff.List = append(r.diff.List, f)
	}
	return nil
}

func (r *running) amendRows(n *yaml.Node) error {
	if err := testfile.OwnCopy(n); err != nil {
		return err
	}
	tables := r.reader.wantedTables(n, r.rig.machine.Compiled())
	for i := range tables {
		if err := tables[i].amend(r.rig); err != nil {
			return err
		}
	}
	r.changed = true
	return nil
}
