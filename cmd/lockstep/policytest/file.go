package policytest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"lockstep/cmd/lockstep/testfile"
	"lockstep/policy"
)

// File is a file of tests that was read.
type File struct {
	Path string

	root     *yaml.Node
	policies []*policy.Policy
	status   map[string]any
	tests    []test
}

// test is one test of a file.
type test struct {
	name   string
	node   *yaml.Node
	status map[string]any
	steps  []step
}

// step is one decision.
type step struct {
	node      *yaml.Node
	place     string
	after     time.Duration
	overrides policy.Overrides
	expect    *yaml.Node
	filled    bool // an empty expect is to be filled in
}

// reader reads the parts of a file.
type reader struct {
	testfile.Reader
	compiler *policy.Compiler
}

// Read reads a file of tests and compiles its policies. A *testfile.BadFile names
// what is wrong with either.
func Read(path string, compiler *policy.Compiler) (*File, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	bad := func(detail string) error {
		return &testfile.BadFile{Problems: []testfile.Problem{{File: path, Detail: detail}}}
	}
	if len(src) > testfile.MaxFileBytes {
		return nil, bad(fmt.Sprintf("%d bytes; a file of tests has at most %d", len(src), testfile.MaxFileBytes))
	}
	f := &File{Path: path}
	if f.root, err = testfile.Parse(src); err != nil {
		return nil, bad(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if f.root.Kind != yaml.DocumentNode {
		return nil, bad("the file is empty; it wants policies, status and tests")
	}
	r := &reader{Reader: testfile.Reader{File: path}, compiler: compiler}
	f.read(r, f.root.Content[0])
	if err := r.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) read(r *reader, top *yaml.Node) {
	fields := r.Fields(top, "the file", "policies", "status", "tests")
	if n := fields["policies"]; n != nil {
		for _, e := range r.List(n, "policies") {
			if p := r.policy(e); p != nil {
				f.policies = append(f.policies, p)
			}
		}
	}
	f.status = r.object(fields["status"], "status")
	if fields["tests"] == nil {
		r.Fail(top, "the file has no tests")
		return
	}
	list := r.List(fields["tests"], "tests")
	if len(list) > testfile.MaxTests {
		r.Fail(fields["tests"], "%d tests; a file has at most %d", len(list), testfile.MaxTests)
		return
	}
	names := map[string]bool{}
	for _, n := range list {
		t := r.test(n)
		if t.name != "" && names[t.name] {
			r.Fail(n, "there is another test of the name %q", t.name)
		}
		names[t.name] = true
		f.tests = append(f.tests, t)
	}
}

// policy reads a policy: a path beside the file, or the document itself.
func (r *reader) policy(n *yaml.Node) *policy.Policy {
	m, file, line := testfile.Follow(n), r.File, 0
	var src []byte
	if m.Kind == yaml.MappingNode {
		src, line = r.AppendJSON(nil, n), n.Line
	} else {
		name := r.Text(n, "a policy")
		if name == "" {
			return nil
		}
		if file = name; !filepath.IsAbs(name) {
			file = filepath.Join(filepath.Dir(r.File), name)
		}
		var err error
		if src, err = os.ReadFile(file); err != nil {
			r.Fail(n, "reading the policy: %s", err)
			return nil
		}
	}
	p, problems := r.compiler.Read(src)
	for _, x := range problems {
		if line == 0 {
			r.Problems = append(r.Problems, testfile.Problem{File: file, Line: x.Line, Detail: told(x)})
		} else {
			r.Fail(n, "%s", told(x))
		}
	}
	return p
}

// told is a problem without its line, which stands elsewhere.
func told(p policy.Problem) string {
	if p.Pointer == "" {
		return p.Detail
	}
	return p.Pointer + ": " + p.Detail
}

// object reads a mapping as JSON does.
func (r *reader) object(n *yaml.Node, what string) map[string]any {
	if n == nil || testfile.IsNull(testfile.Follow(n)) {
		return nil
	}
	if testfile.Follow(n).Kind != yaml.MappingNode {
		r.Fail(n, "%s is a mapping of names to values", what)
		return nil
	}
	r.Each(n, what, func(*yaml.Node, *yaml.Node) {})
	var v map[string]any
	if err := json.Unmarshal(r.AppendJSON(nil, n), &v); err != nil {
		r.Fail(n, "%s: %s", what, err)
	}
	return v
}

func (r *reader) test(n *yaml.Node) test {
	fields := r.Fields(n, "a test", "name", "status", "change", "after", "expect", "steps")
	t := test{node: n, status: r.object(fields["status"], "status")}
	if name := fields["name"]; name != nil {
		t.name = r.Text(name, "name")
	} else {
		r.Fail(n, "the test has no name")
	}
	if list := fields["steps"]; list != nil {
		for _, name := range []string{"change", "after", "expect"} {
			if extra := fields[name]; extra != nil {
				r.Fail(extra, "%s belongs into the steps", name)
			}
		}
		for i, e := range r.List(list, "steps") {
			s := r.step(e, r.Fields(e, "a step", "change", "after", "expect"))
			s.place = fmt.Sprintf("steps[%d]: ", i)
			t.steps = append(t.steps, s)
		}
	} else {
		t.steps = []step{r.step(n, fields)}
	}
	for i := range t.steps {
		if t.steps[i].expect != nil {
			return t
		}
	}
	r.Fail(n, "the test expects nothing: it wants expect")
	return t
}

func (r *reader) step(n *yaml.Node, fields map[string]*yaml.Node) step {
	s := step{node: n, expect: fields["expect"]}
	if after := fields["after"]; after != nil {
		d, err := time.ParseDuration(r.Text(after, "after"))
		if err != nil || d < 0 {
			r.Fail(after, "after is a span of time, such as 90s or 1h30m")
		}
		s.after = d
	}
	if change := fields["change"]; change != nil {
		o, problems := policy.ParseOverrides(r.AppendJSON(nil, change))
		for _, p := range problems {
			r.Fail(change, "%s", told(p))
		}
		s.overrides = o
	}
	if s.expect != nil {
		if m := testfile.Follow(s.expect); testfile.IsNull(m) {
			s.filled = true
		} else if m.Kind != yaml.MappingNode {
			r.Fail(s.expect, "expect is a mapping: choice, policy, candidates and so on")
		}
	}
	return s
}

// merged lays one object over another: objects within are merged, all else is
// replaced.
func merged(under, over map[string]any) map[string]any {
	out := make(map[string]any, len(under)+len(over))
	for k, v := range under {
		out[k] = v
	}
	for k, v := range over {
		a, okA := out[k].(map[string]any)
		b, okB := v.(map[string]any)
		if okA && okB {
			v = merged(a, b)
		}
		out[k] = v
	}
	return out
}
