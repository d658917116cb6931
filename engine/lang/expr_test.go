package lang

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/datadriven"

	"lockstep/engine/value"
)

// TestScalarsCostNoAllocation: the guards and the sums of a transfer allocate
// nothing.
func TestScalarsCostNoAllocation(t *testing.T) {
	s := newScene(t)
	for _, src := range []string{
		"src.balance >= params.amount", "src.balance - params.amount", "params.amount > 0 && src.active",
		"src.id == params.to || src.balance * 2 > 10", "src.credit == null", "n in [1, 2, 3]", "params.doc.n == null",
		"tx.now > timestamp('2026-01-01T00:00:00Z')", "src.id.startsWith('al')", "params.lines.all(l, l.qty > 0)",
		"coalesce(src.credit, 0) + 1", "src.id.matches('^a')", "tx.revision", "min([3, 1, 2])",
	} {
		x := s.compile(t, src, nil)
		meter := &Meter{Limit: 1 << 60}
		s.frame.Meter = meter
		if n := testing.AllocsPerRun(100, func() { _, _ = x.Eval(s.frame) }); n != 0 {
			t.Errorf("%s: %v allocations", src, n)
		}
	}
}

// TestPlainReferencesAreKnown: callers take a short way for variables and their
// fields.
func TestPlainReferencesAreKnown(t *testing.T) {
	s := newScene(t)
	for src, want := range map[string]string{
		"n": "3 -1", "params.to": "0 1", "src.balance": "1 1", "gone.id": "2 0", ".n": "3 -1",
		"n + 0": "", "src.data.x": "", "params.lines[0].qty": "", "has(src.id)": "", "tx.id": "", "5": "",
	} {
		got := ""
		if slot, field, ok := s.compile(t, src, nil).SlotField(); ok {
			got = fmt.Sprint(slot, " ", field)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
	if _, _, ok := s.compile(t, "src.credit", &Type{Kind: KInt}).SlotField(); ok {
		t.Error("a reference whose value has to be checked is not plain")
	}
	if v, ok := s.compile(t, "-5", &Type{Kind: KInt}).Const(); !ok || v.Int() != -5 {
		t.Error("a literal is a constant")
	}
	if _, ok := s.compile(t, "2 + 3", nil).Const(); ok {
		t.Error("nothing is folded")
	}
}

// TestOneExpressionServesManyFrames: expressions and the environment are shared
// by goroutines.
func TestOneExpressionServesManyFrames(t *testing.T) {
	s := newScene(t)
	x := s.compile(t, "names.map(a, a + string(n)).exists(b, b == 'bob3')", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			frame := &Frame{Slots: s.frame.Slots, Meter: &Meter{Limit: 1 << 60}, Tx: s.frame.Tx}
			for range 50 {
				if v, ft := x.Eval(frame); ft != nil || !v.Bool() {
					t.Errorf("%v", ft)
					return
				}
				if _, p := s.env.Compile("src.balance + n", s.scope, nil); p != nil {
					t.Error(p)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestNames: "Names … match [a-z][a-z0-9_]* and are no CEL keywords. … tx, params
// and row can't be rebound."
func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "src": true, "a_1": true, "lines2": true, "": false, "A": false, "_a": false, "1a": false, "a-b": false,
		"in": false, "null": false, "let": false, "while": false, "tx": false, "params": false, "row": false, "ä": false,
		strings.Repeat("a", MaxNameBytes): true, strings.Repeat("a", MaxNameBytes+1): false,
	} {
		if IsName(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	if !IsColumnName("row") || IsColumnName("for") {
		t.Error("columns may have the names that variables may not, but no keyword")
	}
}

// TestFaultsAreFixed: numbers and words of faults stand in outcomes, so neither
// ever changes.
func TestFaultsAreFixed(t *testing.T) {
	datadriven.RunTest(t, "testdata/faults.txt", func(*testing.T, *datadriven.TestData) string {
		var out strings.Builder
		for k := FaultCost; k <= FaultNotText; k++ {
			ft := &Fault{Kind: k, A: "A", B: "B"}
			fmt.Fprintf(&out, "%2d %s: %s\n", k, ft.Code(), ft.Message())
		}
		return out.String()
	})
}

// TestMeterStopsAtTheLimit also where a charge would overflow it.
func TestMeterStopsAtTheLimit(t *testing.T) {
	m := Meter{Limit: 10}
	if ft := m.Charge(10); ft != nil {
		t.Fatal(ft)
	}
	if ft := m.Charge(1); ft == nil || m.Used != 10 {
		t.Fatalf("%v %d", ft, m.Used)
	}
	m = Meter{Used: 5, Limit: ^uint64(0)}
	if ft := m.Charge(^uint64(0)); ft == nil {
		t.Fatal("a charge beyond 64 bits went through")
	}
}

// TestConform brings values into declared types.
func TestConform(t *testing.T) {
	s := newScene(t)
	params, _ := s.scope.Lookup("params")
	fields := func(src string) value.Value {
		v, ft, _ := s.eval(s.compile(t, src, nil), budget)
		if ft != nil {
			t.Fatal(ft)
		}
		return v
	}
	for src, want := range map[string]string{
		"{'amount': 1, 'to': 'x', 'lines': [{'item': 1, 'qty': 2}], 'doc': null}": "",
		"{'amount': 1, 'to': 'x', 'lines': [{'item': 1}], 'doc': null}":           "no field qty in map",
		"{'amount': 1, 'to': 'x', 'lines': [], 'doc': 1, 'more': 1}":              "no field more in params",
		"{'amount': 1.0, 'to': 'x', 'lines': [], 'doc': 1}":                       "a value of type double where int is wanted",
		"params":   "",
		"[params]": "a value of type list where params is wanted",
	} {
		v, ft := Conform(fields(src), params.Type)
		got := ""
		if ft != nil {
			got = ft.Message()
		} else if v.Shape() != params.Type.Object.Shape {
			got = "no object"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
	if v, ft := Conform(value.OfJSONInt(1<<60), Type{Kind: KInt}); ft != nil || !value.Same(v, value.OfInt(1<<60)) {
		t.Error("an int out of json is an int like any other")
	}
}

func BenchmarkEval(b *testing.B) {
	s := newScene(b)
	for _, src := range []string{
		"src.balance >= params.amount",
		"src.balance - params.amount",
		"params.amount > 0 && src.balance >= params.amount",
		"{'from': src.balance - params.amount, 'to': src.balance + params.amount}",
		"params.lines.all(l, l.qty > 0)",
	} {
		x := s.compile(b, src, nil)
		b.Run(src, func(b *testing.B) {
			s.frame.Meter = &Meter{Limit: 1 << 62}
			b.ReportAllocs()
			for b.Loop() {
				_, _ = x.Eval(s.frame)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	s := newScene(b)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = s.env.Compile("src.balance >= params.amount && src.id != params.to", s.scope, nil)
	}
}
