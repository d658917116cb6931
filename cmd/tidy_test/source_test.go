package tidy

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// maxLines of a file: what is longer is two things.
const maxLines = 500

func TestFilesAreShort(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > maxLines {
			t.Errorf("%s has %d lines, at most %d are allowed: take it apart", s.name, s.lines, maxLines)
		}
	}
}

// The package comment is a package's manual (style.md, habit 1): in doc.go, or in
// its only file.
func TestEveryPackageHasItsManual(t *testing.T) {
	count := map[string]int{}
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		count[s.dir]++
		if s.file.Doc == nil {
			continue
		}
		text := s.file.Doc.Text()
		if !strings.HasPrefix(text, "Package "+s.file.Name.Name+" ") && !strings.HasPrefix(text, "Command ") {
			t.Errorf("%s: the package comment must begin with \"Package %s\" or \"Command\"", s.name, s.file.Name.Name)
		}
		if documented[s.dir] {
			t.Errorf("%s: package %s has two package comments", s.name, s.dir)
		}
		documented[s.dir] = true
		if count[s.dir] > 1 && !strings.HasSuffix(s.name, "/doc.go") {
			t.Errorf("%s: the package comment belongs in doc.go", s.name)
		}
	}
	for dir := range count {
		if !documented[dir] {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// Work that is left for later stands in an issue, not in the source.
func TestNothingIsLeftForLater(t *testing.T) {
	marker := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)
	for _, name := range files(t) {
		if !textual(name) {
			continue
		}
		for i, line := range strings.Split(read(t, name), "\n") {
			if marker.MatchString(line) {
				t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// textual: people write it.
func textual(name string) bool {
	for _, end := range []string{".go", ".md", ".yaml", ".yml", ".sh", ".txt", ".txtar", "Makefile", ".ci/run"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// Nothing happens because a package is linked; tests neither sleep nor look away.
func TestHabits(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s:%d: init: do it where it is seen, when it is asked for", s.name, s.line(n))
				}
			case *ast.CallExpr:
				if what := forbiddenCall(s, n); what != "" {
					t.Errorf("%s:%d: %s", s.name, s.line(n), what)
				}
			}
			return true
		})
	}
}

func forbiddenCall(s *source, call *ast.CallExpr) string {
	f, ok := call.Fun.(*ast.SelectorExpr)
	x, named := exprName(f, ok)
	switch {
	case !named || !s.test:
		return ""
	case x == "time" && f.Sel.Name == "Sleep":
		return "a test that sleeps is slow or wrong: wait for what should happen"
	case (x == "t" || x == "b") && strings.HasPrefix(f.Sel.Name, "Skip"):
		return "a test that is skipped proves nothing: make it run or take it out"
	}
	return ""
}

func exprName(f *ast.SelectorExpr, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	id, ok := f.X.(*ast.Ident)
	if !ok {
		return "", false
	}
	return id.Name, true
}
