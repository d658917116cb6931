package lang

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/go-json-experiment/json/jsontext"

	"lockstep/engine/value"
)

// TestTranscripts replays the conversations under testdata: an expression a
// line, and what came of it (transactions.md, Transaction and Determinism).
//
// The command eval takes `want=` a type, `tx=none|query`, `unknown-nulls`,
// `cost` to show what was charged, and `limit=` a budget.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		s := newScene(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "eval":
				return s.transcript(t, d)
			case "decode":
				return s.decode(t, d)
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}

func (s *scene) transcript(t *testing.T, d *datadriven.TestData) string {
	scope, limit := s.scope, uint64(1_000_000)
	var want *Type
	if d.HasArg("want") {
		var name string
		d.ScanArgs(t, "want", &name)
		w := s.typeNamed(t, name)
		want = &w
	}
	if d.HasArg("tx") {
		var name string
		d.ScanArgs(t, "tx", &name)
		scope = NewScope(map[string]TxScope{"none": TxNone, "query": TxQuery}[name])
		for _, n := range s.scope.names {
			scope = scope.With(s.scope.vars[n])
		}
	}
	if d.HasArg("unknown-nulls") {
		scope = scope.UnknownNulls()
	}
	if d.HasArg("limit") {
		d.ScanArgs(t, "limit", &limit)
	}
	var out strings.Builder
	for _, src := range strings.Split(d.Input, "\n") {
		x, p := s.env.Compile(src, scope, want)
		if p != nil {
			fmt.Fprintf(&out, "problem %d:%d %s\n", p.Line, p.Column, p.Error())
			for _, line := range strings.Split(p.Snippet, "\n") {
				fmt.Fprintf(&out, "    | %s\n", line)
			}
			continue
		}
		v, ft, used := s.eval(x, limit)
		cost := ""
		if d.HasArg("cost") {
			cost = fmt.Sprintf(" [%d]", used)
		}
		if ft != nil {
			fmt.Fprintf(&out, "%s: %s: %s%s\n", x.Type(), ft.Code(), ft.Message(), cost)
			continue
		}
		fmt.Fprintf(&out, "%s: %s%s\n", x.Type(), value.AppendJSON(nil, v), cost)
	}
	return out.String()
}

func (s *scene) decode(t *testing.T, d *datadriven.TestData) string {
	var name string
	d.ScanArgs(t, "type", &name)
	want := s.typeNamed(t, name)
	var out strings.Builder
	for _, src := range strings.Split(d.Input, "\n") {
		v, p := DecodeJSON(jsontext.NewDecoder(strings.NewReader(src)), want)
		switch {
		case p != nil && p.Malformed:
			fmt.Fprintf(&out, "malformed %q %s\n", p.Pointer, p.Reason)
		case p != nil:
			fmt.Fprintf(&out, "refused %q %s\n", p.Pointer, p.Reason)
		default:
			fmt.Fprintf(&out, "%s %s\n", kindName(v), value.AppendJSON(nil, v))
		}
	}
	return out.String()
}

// typeNamed reads a type of a transcript: a scalar, [scalar], with ? behind it
// for one that takes null; params and row are the scene's.
func (s *scene) typeNamed(t *testing.T, name string) Type {
	t.Helper()
	bare, nullable := strings.CutSuffix(name, "?")
	if inner, ok := strings.CutPrefix(bare, "list-of-"); ok {
		elem := s.typeNamed(t, inner)
		return Type{Kind: KList, Elem: &elem, Nullable: nullable}
	}
	if inner, ok := strings.CutPrefix(bare, "map-of-"); ok {
		elem := s.typeNamed(t, inner)
		return Type{Kind: KMap, Elem: &elem, Nullable: nullable}
	}
	if v, ok := s.scope.Lookup(bare); ok {
		return v.Type
	}
	k, ok := KindOf(bare)
	if !ok {
		t.Fatalf("unknown type %s", name)
	}
	return Type{Kind: k, Nullable: nullable}
}
