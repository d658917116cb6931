package lang

import (
	"fmt"
	"strings"
	"testing"

	"lockstep/engine/value"
)

// An outline tells what a source reads and what it compares, however it is written;
// names that a comprehension binds are not variables.
func TestOutline(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ src, reads, compared string }{
		{"1 + 2", "", ""},
		{"node.status == 'available' && 'x' != node.name", "node.name node.status", "node.status=available node.name=x"},
		{"node.status in ['a', \"b\"] || 'c' in node.list", "node.list node.status", "node.status=a node.status=b"},
		{"dyn(node).status == 'a'", "node.status", "node.status=a"},
		{"has(node.labels.zone) && node.labels['a.b/c'] == 'd'", "node.labels", ""},
		{"now.getHours() < 3 ? size(group.name) : -1", "group.name now", ""},
		{"[1].exists(node, node == 2) || lists.range(3).all(x, x < part.lag)", "part.lag", ""},
		{"{'k': node}.k == other", "node other", ""},
		{"all.map(n, n.status == 'a' && m.status == 'b')", "all m.status", "m.status=b"},
		{".node.status == node", "node node.status", ""},
	} {
		o, p := env.Outline(tt.src)
		if p != nil {
			t.Error(tt.src, p)
			continue
		}
		var compared []string
		for _, c := range o.Compared {
			compared = append(compared, c.Field+"="+c.Text)
		}
		if got := strings.Join(o.Reads, " "); got != tt.reads {
			t.Errorf("%s reads %s, not %s", tt.src, got, tt.reads)
		}
		if got := strings.Join(compared, " "); got != tt.compared {
			t.Errorf("%s compares %s, not %s", tt.src, got, tt.compared)
		}
	}
	o, _ := env.Outline("node.status == other")
	for what, want := range map[string]bool{"node": true, "node.status": true, "other": true, "nod": false, "node.stat": false, "node.status.x": false} {
		if o.Names(what) != want {
			t.Errorf("it names %s: %v", what, !want)
		}
	}
	for _, src := range []string{"", "1 +", strings.Repeat("(", 5000)} {
		if _, p := env.Outline(src); p == nil {
			t.Errorf("%.20q has an outline", src)
		}
	}
}

// A key that is missing reads as what its map's type says, and is a fault where that
// says nothing.
func TestMissingKeys(t *testing.T) {
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	empty, zero := value.OfString(""), value.OfInt(0)
	mapOf := func(k Kind, missing *value.Value) Type {
		return Type{Kind: KMap, Elem: &Type{Kind: k}, Missing: missing}
	}
	scope := NewScope(TxNone).With(Var{"labels", mapOf(KString, &empty), 0}).With(Var{"counts", mapOf(KInt, &zero), 1}).With(Var{"plain", mapOf(KString, nil), 2})
	one, _ := value.OfMap([]value.Value{value.OfString("a")}, []value.Value{value.OfString("b")})
	none, _ := value.OfMap(nil, nil)
	for src, want := range map[string]string{
		"labels.a": `"b"`, "labels.x": `""`, "labels['a']": `"b"`, "labels['x.y/z']": `""`, "has(labels.x)": "false", "'x' in labels": "false",
		"labels.x == ''": "true", "counts.x + 1": "1", "counts['x']": "0", "size(labels)": "1", "labels == {'a': 'b'}": "true",
		"plain.a": "fault no such key: \"a\"", "plain['a']": "fault no such key: \"a\"", "labels[string(1 / 0)]": "fault division by zero in /",
		"(1 > 2 ? labels : plain).a": "fault no such key: \"a\"",
	} {
		x, p := env.Compile(src, scope, nil)
		if p != nil {
			t.Error(src, p)
			continue
		}
		v, fault := x.Eval(&Frame{Slots: []value.Value{one, none, none}, Meter: &Meter{Limit: 1000}})
		got := string(value.AppendJSON(nil, v))
		if fault != nil {
			got = fmt.Sprint("fault ", fault.Message())
		}
		if got != want {
			t.Errorf("%s is %s, not %s", src, got, want)
		}
	}
}
