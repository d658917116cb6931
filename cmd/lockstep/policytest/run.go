package policytest

import (
	"encoding/json"
	"fmt"
	"regexp"

	"go.yaml.in/yaml/v3"

	"lockstep/cmd/lockstep/testfile"
	"lockstep/policy"
)

// Options of a Suite.
type Options struct {
	Run    *regexp.Regexp // only tests whose names match; nil: all
	Update bool           // write what came into the files, in the place of what was expected
}

// Suite runs files of tests and gathers what came of them.
type Suite struct {
	opt      Options
	compiler *policy.Compiler
	report   testfile.Report
}

// NewSuite makes a suite without files.
func NewSuite(opt Options) (*Suite, error) {
	c, err := policy.NewCompiler()
	if err != nil {
		return nil, err
	}
	return &Suite{opt: opt, compiler: c}, nil
}

// Report is what came of all tests so far.
func (s *Suite) Report() *testfile.Report { return &s.report }

// Add reads a file and runs its tests. A *testfile.BadFile names what is wrong
// with the file or its policies.
func (s *Suite) Add(path string) error {
	f, err := Read(path, s.compiler)
	if err != nil {
		return err
	}
	set, err := s.compiler.NewSet(f.policies...)
	if err != nil {
		return &testfile.BadFile{Problems: []testfile.Problem{{File: path, Detail: err.Error()}}}
	}
	report := testfile.FileReport{File: path, Tests: []testfile.TestReport{}}
	changed := false
	for i := range f.tests {
		t := &f.tests[i]
		if s.opt.Run != nil && !s.opt.Run.MatchString(t.name) {
			continue
		}
		r := running{Reader: testfile.Reader{File: path}, set: set, update: s.opt.Update}
		r.test(f, t)
		if err := r.Err(); err != nil {
			return err
		}
		changed = changed || r.changed
		report.Tests = append(report.Tests, testfile.TestReport{Name: t.name, Line: t.node.Line, OK: len(r.diff.List) == 0, Updated: r.changed, Failures: r.diff.List})
	}
	s.report.Add(report)
	if changed {
		return testfile.Write(f.Path, f.root)
	}
	return nil
}

// running is one test on its way.
type running struct {
	testfile.Reader // notes what is wrong with the test itself
	set             *policy.Set
	update, changed bool
	diff            testfile.Differ
}

func (r *running) test(f *File, t *test) {
	doc, err := json.Marshal(merged(f.status, t.status))
	if err != nil {
		r.Fail(t.node, "status: %s", err)
		return
	}
	in, problems := policy.ParseInput(doc)
	for _, p := range problems {
		r.Fail(t.node, "status: %s", told(p))
	}
	for i := range t.steps {
		if problems != nil {
			return
		}
		s := &t.steps[i]
		in = in.After(s.after)
		if in, problems = s.overrides.Apply(in); problems != nil {
			for _, p := range problems {
				r.Fail(s.node, "change: %s", told(p))
			}
			return
		}
		d, e := r.set.Explain(in)
		if s.expect != nil {
			r.compare(s, e)
		}
		in = in.Do(d)
	}
}

// compare notes where an explanation is not what was expected, or writes into the
// file what it is.
func (r *running) compare(s *step, e *policy.Explanation) {
	got, err := view(e)
	if err != nil {
		r.Fail(s.node, "%s", err)
		return
	}
	if s.filled {
		if r.update {
			n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
			for _, name := range []string{"choice", "policy", "reason"} {
				testfile.Set(n, name, testfile.ToNode(got[name]))
			}
			testfile.Replace(s.expect, n)
			r.changed = true
			return
		}
		r.diff.Add(s.expect, s.place+"expect", "something (--update fills it in)", testfile.Shown(map[string]any{"choice": got["choice"]}))
		return
	}
	if r.update {
		if err := testfile.OwnCopy(s.expect); err != nil {
			r.Fail(s.expect, "%s", err)
			return
		}
	}
	r.subset(testfile.Follow(s.expect), got, s.place)
}

// subset compares what is named, and nothing else.
func (r *running) subset(want *yaml.Node, got map[string]any, place string) {
	var gone []string
	defer func() {
		for _, name := range gone {
			testfile.Drop(want, name)
		}
	}()
	for i := 0; i+1 < len(want.Content); i += 2 {
		key, val := want.Content[i], want.Content[i+1]
		is, known := got[key.Value]
		if inner, ok := is.(map[string]any); ok && testfile.Follow(val).Kind == yaml.MappingNode {
			r.subset(testfile.Follow(val), inner, place+key.Value+".")
			continue
		}
		if !known && r.update {
			gone, r.changed = append(gone, key.Value), true
			continue
		}
		if !known {
			r.diff.Add(key, place+key.Value, testfile.ShownNode(val), testfile.Nothing)
			continue
		}
		before := len(r.diff.List)
		r.diff.Compare(val, is, place+key.Value)
		if r.update && len(r.diff.List) > before {
			testfile.Amend(val, is)
			r.diff.List, r.changed = r.diff.List[:before], true
		}
	}
}

// view is an explanation as tests name its parts: candidates by node, their
// expressions by source, with what came of each or its error.
func view(e *policy.Explanation) (map[string]any, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	var top any
	if err := testfile.Decode(text, &top); err != nil {
		return nil, err
	}
	got := top.(map[string]any)
	for _, name := range []string{"holder", "best", "cause"} {
		if _, ok := got[name]; !ok {
			got[name] = ""
		}
	}
	got["candidates"] = byName(got["candidates"], "node", func(c map[string]any) any {
		for _, list := range []string{"require", "prefer"} {
			c[list] = byName(c[list], "expr", func(x map[string]any) any {
				if x["error"] != nil {
					return x["error"]
				}
				return x["value"]
			})
		}
		if c["reason"] == nil {
			c["reason"] = ""
		}
		return c
	})
	got["not_used"] = byName(got["not_used"], "policy", func(x map[string]any) any { return x["reason"] })
	return got, nil
}

// byName makes a mapping of a list of objects.
func byName(list any, name string, of func(map[string]any) any) map[string]any {
	out := map[string]any{}
	elements, _ := list.([]any)
	for _, e := range elements {
		if x, ok := e.(map[string]any); ok {
			key := fmt.Sprint(x[name])
			delete(x, name)
			out[key] = of(x)
		}
	}
	return out
}
