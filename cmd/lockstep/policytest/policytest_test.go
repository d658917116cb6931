package policytest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/policy"
)

// The example policies' own tests pass.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/policies/*.test.yaml")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	suite, err := NewSuite(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if err := suite.Add(path); err != nil {
			t.Fatal(err)
		}
	}
	if r := suite.Report(); r.Failed > 0 {
		var b strings.Builder
		r.Text(&b, false)
		t.Error(b.String())
	}
}

// Each example is used by a test, and warns of nothing.
func TestEveryExampleIsTested(t *testing.T) {
	c, err := policy.NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../../testdata/policies/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	used, policies := "", []string{}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, ".test.yaml") {
			used += string(src)
			continue
		}
		policies = append(policies, filepath.Base(path))
		p, problems := c.Read(src)
		if problems != nil {
			t.Error(path, problems)
		} else if len(p.Warnings) > 0 {
			t.Error(path, p.Warnings)
		}
	}
	for _, name := range policies {
		if !strings.Contains(used, name) {
			t.Errorf("%s is in no test", name)
		}
	}
}

// Whatever a file holds, running it ends with a report or with its mistakes.
func FuzzFile(f *testing.F) {
	src, err := os.ReadFile("../../../testdata/policies/near-users.test.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(strings.Replace(string(src), "[near-users.yaml]", "[]", 1)))
	f.Add([]byte("policies: [{policy: p, task: '*'}]\nstatus: {task: primary, nodes: {n1: &x {}, n2: *x}}\ntests: [{name: a, expect: }]\n"))
	f.Add([]byte("status: {task: x, nodes: {}}\ntests: [{name: a, steps: [{after: 1s, expect: {choice: [a]}}]}]"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte) {
		path := filepath.Join(dir, "f.yaml")
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		suite, err := NewSuite(Options{Update: true})
		if err != nil {
			t.Fatal(err)
		}
		if suite.Add(path) != nil || suite.Report().Updated == 0 {
			return
		}
		again, err := NewSuite(Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Add(path); err != nil {
			t.Fatalf("written back it can't be read: %v", err)
		}
	})
}
