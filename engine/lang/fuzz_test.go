package lang

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"lockstep/engine/value"
)

// fuzzBudget is small, so that one input takes a few milliseconds at most.
const fuzzBudget = 50_000

// FuzzCompileEval: whatever the text, compiling refuses or succeeds, and what
// compiled ends within its budget with a value within the limits or a fault that
// has words; a second run is the same as the first.
func FuzzCompileEval(f *testing.F) {
	for _, seed := range []string{
		"src.balance >= params.amount", "[1, 2].map(x, x * n).filter(y, y in [2, 4])", "{'a': 1, 'b': params.doc.a}.map(k, k)",
		"params.doc.a[2].b.split('').join(src.id).replace('x', 'yy')", "tx.now + duration('1h') > timestamp('2026-01-01T00:00:00Z')",
		"gone == null || gone.balance / 0 > 1.5", "'x'.matches('[a-z]{1,3}$') && matches(src.id, 'a' + src.id)",
		"coalesce(src.credit, 1) + when(n > 1, 2)", "muldiv(big, 3, 4) - sum(params.lines.map(l, l.qty))", "has(src.note) ? -1u : 2u",
		"b'\\x00' + bytes('ä') == sha256('a')", "dyn([1, 1.5, null, {}])[n].z", "src{a: 1}", ".tx.now.getHours('UTC')", "1 = 2", "'",
		"src.?id", "[?a, b]", "{?'a': 1}", "`x`", "a.b.c(1)(2)", "@result", "__result__ + 1", "[1].map(@result, 1)", "if", "tx.random(0) < 1.0",
	} {
		f.Add(seed)
	}
	s := newScene(f)
	scopes := []*Scope{s.scope, s.scope.UnknownNulls(), NewScope(TxNone), NewScope(TxQuery)}
	wants := []*Type{nil, {Kind: KJSON}, {Kind: KInt}, {Kind: KBool, Nullable: true}, {Kind: KList, Elem: &Type{Kind: KString}}}
	f.Fuzz(func(t *testing.T, src string) {
		for i, scope := range scopes {
			for _, want := range wants[:1+(len(src)+i)%len(wants)] {
				x, p := s.env.Compile(src, scope, want)
				if p != nil {
					if p.Message == "" || p.Line < 1 || p.Column < 1 {
						t.Fatalf("%q: a problem without words or place: %+v", src, p)
					}
					continue
				}
				v, ft, used := s.eval(x, fuzzBudget)
				again, ft2, used2 := s.eval(x, fuzzBudget)
				switch {
				case used > fuzzBudget || v.TooLarge():
					t.Fatalf("%q: over the limits", src)
				case ft == nil && want != nil && want.Kind == KInt && v.Kind() != value.Int:
					t.Fatalf("%q: %s for an int", src, kindName(v))
				case ft != nil && (ft.Message() == "" || len(ft.A) > MaxOperandBytes+3 || len(ft.B) > MaxOperandBytes+3):
					t.Fatalf("%q: fault %+v", src, ft)
				case used != used2 || (ft == nil) != (ft2 == nil) || ft == nil && !value.Equal(v, again),
					ft != nil && *ft != *ft2:
					t.Fatalf("%q: another outcome the second time", src)
				}
			}
		}
	})
}

// FuzzDecodeJSON: whatever the bytes, decoding for a declared type refuses with a
// reason or yields a value that conforms to the type.
func FuzzDecodeJSON(f *testing.F) {
	for _, seed := range []string{
		`{"amount":30,"to":"bob","lines":[{"item":1,"qty":"2"}],"doc":{"a":[1e3,null]}}`, `{"amount":1.5}`, `[`, `{"lines":[{]}`,
		`{"amount":"9223372036854775808"}`, `{"to":"\ud800"}`, `null`, `{"tags":null,"tags":[]}`, "\xff", `{"amount":1e99999}`,
	} {
		f.Add([]byte(seed))
	}
	s := newScene(f)
	v, _ := s.scope.Lookup("params")
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, p := DecodeJSON(jsontext.NewDecoder(bytes.NewReader(raw)), v.Type)
		if p != nil {
			if p.Reason == "" {
				t.Fatalf("%q: no reason", raw)
			}
			return
		}
		if again, ft := Conform(got, v.Type); ft != nil || !value.Equal(got, again) {
			t.Fatalf("%q: %v", raw, ft)
		}
	})
}
