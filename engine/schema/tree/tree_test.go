package tree_test

import (
	"strings"
	"testing"

	"lockstep/engine/schema/tree"
)

var limits = tree.Limits{Bytes: 1000, Depth: 8, Nodes: 50}

// TestPlaces: a place is shown as people write it and as RFC 6901 does.
func TestPlaces(t *testing.T) {
	p := (*tree.Path)(nil).Key("steps").Index(3).Key("a/b~c")
	if got, want := p.String(), "steps[3].a/b~c"; got != want {
		t.Errorf("dotted: %s, want %s", got, want)
	}
	if got, want := p.Pointer(), "/steps/3/a~1b~0c"; got != want {
		t.Errorf("pointer: %s, want %s", got, want)
	}
	if got := (*tree.Path)(nil).String() + (*tree.Path)(nil).Pointer(); got != "" {
		t.Errorf("the document itself is %q, want nothing", got)
	}
}

// TestLines: nodes of both forms know the line that they stand on.
func TestLines(t *testing.T) {
	for _, src := range []string{"{\n \"a\": [1,\n 2],\n\"b\": \"x\"}", "\na: [1,\n 2]\nb: x"} {
		n, problems := tree.Parse([]byte(src), limits)
		if problems != nil {
			t.Fatal(problems)
		}
		a := n.Get("a")
		if a.Line != 2 || a.Items[1].Line != 3 || n.Get("b").Line != 4 {
			t.Errorf("in %q the lines are %d, %d, %d, want 2, 3, 4", src, a.Line, a.Items[1].Line, n.Get("b").Line)
		}
		if got, want := string(n.AppendCanonical(nil)), `{"a":[1,2],"b":"x"}`; got != want {
			t.Errorf("canonical %s, want %s", got, want)
		}
	}
}

// TestLimits: what is over a limit is refused with one problem that names it.
func TestLimits(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"bytes", strings.Repeat("#", 1001), "1001 bytes"},
		{"nodes", "[" + strings.Repeat("1, ", 60) + "1]", "more than 50 values"},
		{"nodes of JSON", `{"a":[` + strings.Repeat("1, ", 60) + "1]}", "more than 50 values"},
		{"depth", strings.Repeat("[", 20) + strings.Repeat("]", 20), "deeper than 8 levels"},
		{"depth of JSON", `{"a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "}", "deeper than 8 levels"},
		{"text", "a: \xff", "not UTF-8"},
		{"a number", `{"a": 1e999}`, "does not fit a double"},
	} {
		n, problems := tree.Parse([]byte(tt.src), limits)
		if n != nil || len(problems) != 1 || !strings.Contains(problems[0].Detail, tt.want) {
			t.Errorf("%s: %v %v, want one problem with %q", tt.name, n, problems, tt.want)
		}
	}
}

// TestNumbers: numbers have one canonical form each, and doubles stay doubles.
func TestNumbers(t *testing.T) {
	for src, want := range map[string]string{
		"-0": "0", "-0.0": "0.0", "1.0": "1.0", "1e3": "1000.0", "1e21": "1e+21", "1E-7": "1e-07", "0.10": "0.1",
		"9223372036854775808": "9223372036854775808", "5e-324": "5e-324",
	} {
		n, problems := tree.Parse([]byte(`{"n":`+src+`}`), limits)
		if problems != nil {
			t.Errorf("%s: %v", src, problems)
			continue
		}
		if got := string(n.AppendCanonical(nil)); got != `{"n":`+want+`}` {
			t.Errorf("%s becomes %s, want %s", src, got, want)
		}
	}
}
