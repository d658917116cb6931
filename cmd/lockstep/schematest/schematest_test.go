package schematest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lockstep/cmd/lockstep/testfile"
)

// The example applications' own tests pass, and leave no step untried.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/*/tests.yaml")
	if err != nil || len(files) == 0 {
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
	r := suite.Report()
	if r.Failed > 0 || r.Percent() < 100 {
		var b strings.Builder
		r.Text(&b, false)
		t.Errorf("%s%.1f%% covered", b.String(), r.Percent())
		for _, c := range r.Coverage {
			t.Error(strings.Join(c.Missing(), "\n"))
		}
	}
}

// What is written back without a change means the same, and is the same text
// where the file is written as the examples are.
func TestWritingBackChangesNothing(t *testing.T) {
	for _, src := range []string{
		"a: 1\n", "# top\n\na:\n  # one\n  b: {c: 1, d: [1, 2]} # behind\n\n  # two\n  e: x\n# end\n",
		"a:\n  - {b: 1}\n\n  # about c\n  - {c: 1}\n\nd: |\n  text\n\n  more\n",
	} {
		root, err := testfile.Parse([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		f := &File{root: root}
		out, err := testfile.Encode(f.root)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(src, "|") { // a blank line within a value: then the others are given up
			src = strings.Replace(strings.Replace(src, "{b: 1}\n\n", "{b: 1}\n", 1), "{c: 1}\n\n", "{c: 1}\n", 1)
		}
		if string(out) != src {
			t.Errorf("written back:\n%s\nwas:\n%s", out, src)
		}
	}
}

// Whatever a file holds, reading it ends with a File or with its mistakes; and
// what can be written back means the same.
func FuzzFile(f *testing.F) {
	src, err := os.ReadFile("../../../testdata/bank/tests.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(src)
	f.Add([]byte("schema: {procedures: {a: {}}}\ntests:\n  - {name: a, rows: {t: [&x {a: *x}]}}\n"))
	f.Add([]byte("tests: [{name: a, transactions: [{steps: [], expect: }]}]"))
	f.Add([]byte("a: &a [1]\nb: [*a, *a] # x\n\n# y\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte) {
		path := filepath.Join(dir, "f.yaml")
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := Read(path)
		if err != nil {
			return
		}
		before := testfile.ShownNode(file.root.Content[0])
		if testfile.Write(file.Path, file.root) != nil {
			return // refused, and the file is as it was
		}
		again, err := Read(path)
		if err != nil {
			t.Fatalf("written back it can't be read: %v", err)
		}
		if after := testfile.ShownNode(again.root.Content[0]); before != after {
			t.Errorf("written back it means %s, not %s", after, before)
		}
	})
}
