package lang

import (
	"strings"
	"testing"

	"lockstep/engine/value"
)

// budget is more than a transaction may use, so that what stops an expression
// here is stopped in earnest.
const budget = 4_000_000

// TestNothingBlowsUp evaluates short expressions that make, or look at, far more
// than they say (traps.md §1.1: "Once logged it kills every replica, again at
// every restart"). Each ends as cost_exceeded, having made little.
func TestNothingBlowsUp(t *testing.T) {
	s := newScene(t)
	long := strings.Repeat("x", 4000)
	doubled := func(seed, body string, times int) string {
		return seed + strings.Repeat(".map(v, "+body+")", times)
	}
	for name, src := range map[string]string{
		"lists doubled":           doubled("[[0, 0]]", "[v, v]", 22),
		"lists doubled, compared": doubled("[[0, 0]]", "[v, v]", 15) + " == " + doubled("[[0, 0]]", "[v, v]", 15),
		"lists concatenated":      doubled("[[0]]", "v + v", 30),
		"maps doubled":            doubled("[{'a': 0}]", "{'a': v, 'b': v}", 22),
		"keys doubled":            doubled("['k']", "v + v", 40),
		"text doubled":            doubled("['"+long+"']", "v + v", 20),
		"text replaced":           doubled("['aaaa']", "v.replace('a', 'aaaa')", 20),
		"empty text replaced":     doubled("['aaaa']", "v.replace('', v)", 12),
		"joined":                  doubled("['"+long+"']", "[v, v, v, v, v, v].join(v)", 12),
		"hex":                     doubled("['"+long+"']", "hex(bytes(v))", 20),
		"split":                   doubled("['"+long+"']", "v + v", 6) + ".map(v, v.split('')).map(v, [v, v])",
		"compared many times":     "[" + doubled("[[0, 0]]", "[v, v]", 12) + "].map(q, " + strings.Repeat("[1, 2, 3, 4, 5, 6, 7, 8].all(a, ", 6) + "q == q" + strings.Repeat(")", 6) + ")",
		"looked for many times":   "[" + doubled("['"+long+"']", "v + v", 7) + "].map(q, " + strings.Repeat("[1, 2, 3, 4, 5, 6, 7, 8].all(a, ", 5) + "!(q[0] in [q[0] + 'a', q[0] + 'b'])" + strings.Repeat(")", 5) + ")",
		"loops":                   strings.Repeat("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(a, ", 9) + "true" + strings.Repeat(")", 9),
		"patterns":                doubled("['"+long+"']", "v + v", 7) + ".all(v, [1, 2, 3, 4, 5, 6, 7, 8].all(a, !v.matches('(x+x+)+y') && !v.matches('((x{1,8}){1,8})y')))",
		"patterns made":           strings.Repeat("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].all(a, ", 5) + "!'b'.matches('" + strings.Repeat("a?", 200) + "' + string(a))" + strings.Repeat(")", 5),
		"hashes":                  doubled("['"+long+"']", "v + v", 7) + ".all(v, " + strings.Repeat("[1, 2, 3, 4, 5, 6, 7, 8].all(a, ", 4) + "sha256(v) != b''" + strings.Repeat(")", 4) + ")",
		"sorted":                  "lists.range(99999).map(i, '" + long[:8] + "' + string(-i)).map(a, lists.range(9).map(b, lists.range(99999).reverse().sort()))",
		"distinct":                "lists.range(9999).distinct()",
		"distinct text":           "[" + doubled("['"+long+"']", "v + v", 7) + "[0]].map(q, lists.range(99).map(i, q + string(i)).distinct())",
		"flattened":               doubled("[[0, 0]]", "[v, v].flatten()", 22),
		"reversed":                doubled("['"+long+"']", "v.reverse() + v", 20),
		"ranges":                  strings.Repeat("lists.range(99999).all(a, ", 3) + "true" + strings.Repeat(")", 3),
		"sets":                    "sets.equivalent(lists.range(9999), lists.range(9999).reverse())",
	} {
		x := s.compile(t, src, nil)
		v, ft, used := s.eval(x, budget)
		if ft == nil {
			t.Errorf("%s: came to %d nodes and %d bytes for %d", name, v.Size().Nodes, v.Size().Bytes, used)
		} else if ft.Code() != "cost_exceeded" {
			t.Errorf("%s: %s", name, ft.Message())
		}
	}
}

// TestSizeIsJudgedBeforeMaking: a value at the limit passes, one beyond it does
// not, and a fault that ends the transaction is not absorbed (transactions.md:
// "a value or result larger than 1 MiB or 100,000 nodes").
func TestSizeIsJudgedBeforeMaking(t *testing.T) {
	s := newScene(t)
	half := value.OfString(strings.Repeat("x", value.MaxBytes/2))
	s.frame.Slots[5] = value.OfList([]value.Value{half})
	s.scope = s.scope.With(Var{Name: "names", Type: Type{Kind: KList, Elem: &Type{Kind: KString}}, Slot: 5})
	for src, code := range map[string]string{
		"size(names[0] + names[0])":                          "",
		"size(names[0] + names[0] + '.')":                    "cost_exceeded",
		"size([names[0], names[0]])":                         "",
		"size([names[0], names[0], '.'])":                    "cost_exceeded",
		"names[0] + names[0] == 'a' || true":                 "",
		"(names[0] + names[0] + '.') == 'a' || true":         "cost_exceeded",
		"true || (names[0] + names[0] + '.') == 'a'":         "",
		"[1].exists(x, names[0] + names[0] + '.' == 'a')":    "cost_exceeded",
		"[1, 2].exists(x, x == 2 || names + names == names)": "",
		"size({names[0] + 'a': 1, names[0] + 'b': 2})":       "cost_exceeded",
		"size(names[0].replace('x', 'xx'))":                  "",
		"size(names[0].replace('x', 'xxx'))":                 "cost_exceeded",
		"size(names[0].split(''))":                           "cost_exceeded",
		"size(hex(bytes(names[0])))":                         "",
		"size(base64(bytes(names[0] + names[0])))":           "cost_exceeded",
		"size([names[0], names[0]].join())":                  "",
		"size([names[0], names[0]].join('.'))":               "cost_exceeded",
	} {
		_, ft, _ := s.eval(s.compile(t, src, nil), budget)
		if got := faultCode(ft); got != code {
			t.Errorf("%s: %q, want %q", src, got, code)
		}
	}
}

func faultCode(ft *Fault) string {
	if ft == nil {
		return ""
	}
	return ft.Code()
}

// TestCostIsTheSameEachTime evaluates over maps again and again: Go's order of
// maps must show neither in results nor in costs (traps.md §1.2: 12 results, 12
// costs).
func TestCostIsTheSameEachTime(t *testing.T) {
	s := newScene(t)
	for _, src := range []string{
		"{'a': 1, 'b': 2, 'c': 3, 'd': 4, 'e': 5, 'f': 6, 'g': 7, 'h': 8, 'i': 9}.map(k, k)",
		"{'a': 1, 'b': 2, 'c': 3, 'd': 4, 'e': 5, 'f': 6, 'g': 7, 'h': 8, 'i': 9}.exists(k, k == 'e')",
		"params.doc.map(k, k).filter(k, k != 'a')",
	} {
		first, _, cost := s.eval(s.compile(t, src, nil), budget)
		for range 50 {
			again, _, used := s.eval(s.compile(t, src, nil), budget)
			if used != cost || !value.Equal(first, again) {
				t.Fatalf("%s: %d and %d", src, cost, used)
			}
		}
	}
}

// TestHostileSourcesCompileQuickly: what a few kilobytes can make the checker do
// is bounded by refusing them (limits.go).
func TestHostileSourcesCompileQuickly(t *testing.T) {
	env := newScene(t).env
	scope := NewScope(TxFull)
	for name, src := range map[string]string{
		"empty lists":  "[" + strings.Repeat("[],", 2700) + "[]]",
		"empty maps":   "[" + strings.Repeat("{},", 2700) + "{}]",
		"dyn":          "[" + strings.Repeat("dyn(1)+dyn(2),", 570) + "1]",
		"index":        "[" + strings.Repeat("{}[[]],", 1100) + "1]",
		"nested maps":  strings.Repeat("[1].map(x,", 40) + "x" + strings.Repeat(")", 40),
		"nested lists": strings.Repeat("[", 60) + strings.Repeat("]", 60),
		"parentheses":  strings.Repeat("(", 4000) + "1" + strings.Repeat(")", 4000),
		"too long":     strings.Repeat("1 + ", MaxSourceBytes/4) + "1",
		"conditions":   strings.Repeat("true ? 1 : ", 700) + "1",
		"sums":         strings.Repeat("1 + ", 1000) + "1",
		"no UTF-8":     "'\xff'",
		"nothing":      " \n\t",
	} {
		if _, p := env.Compile(src, scope, nil); p == nil {
			t.Errorf("%s compiled", name)
		}
	}
	for name, src := range map[string]string{
		"many negations":   strings.Repeat("!", 8000) + "true",
		"many conjuncts":   strings.Repeat("1==1&&", 1000) + "true",
		"a long list":      "[" + strings.Repeat("1,", 3000) + "1]",
		"a long map":       "{" + mapEntries(500) + "}",
		"a sum of 60":      strings.Repeat("1 + ", 60) + "1",
		"half the nesting": strings.Repeat("[", 16) + strings.Repeat("]", 16),
	} {
		if _, p := env.Compile(src, scope, nil); p != nil {
			t.Errorf("%s: %s", name, p)
		}
	}
}

func mapEntries(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("'k" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "': " + "1")
	}
	return b.String()
}
