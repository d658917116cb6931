package lang

import (
	"math"
	"strings"
	"testing"

	"lockstep/engine/value"
)

// TestEverythingMeetsEveryKind calls every function and operator of the table
// with values of every kind, as json lets a program do: the answer is a value
// within the limits or a fault, never a panic, and the same when asked again.
func TestEverythingMeetsEveryKind(t *testing.T) {
	env := newScene(t).env
	json := Type{Kind: KJSON}
	scope := NewScope(TxFull).With(Var{"a", json, 0}).With(Var{"b", json, 1}).With(Var{"c", json, 2}).With(Var{"d", json, 3})
	shape := value.NewShape("thing", []string{"x", "a"})
	m, _ := value.OfMap([]value.Value{value.OfInt(-1), value.OfString("a")}, []value.Value{value.OfInt(1), {}})
	kinds := []value.Value{
		{}, value.OfBool(true), value.OfInt(0), value.OfInt(-1), value.OfInt(math.MinInt64), value.OfInt(math.MaxInt64),
		value.OfUint(0), value.OfUint(math.MaxUint64), value.OfDouble(0), value.OfDouble(-1.5), value.OfDouble(math.MaxFloat64),
		value.OfString(""), value.OfString("a"), value.OfString("é.(é"), value.OfBytes("\xff"),
		value.OfTimestamp(value.MinTimestamp, 0), value.OfTimestamp(value.MaxTimestamp, 999_999_999), value.OfDuration(math.MinInt64),
		value.OfDuration(math.MaxInt64), value.OfList(nil), value.OfList([]value.Value{value.OfInt(3), value.OfString("a")}), m,
		value.OfObject(shape, []value.Value{value.OfInt(1), {}}),
	}
	for _, src := range everyForm() {
		x, p := env.Compile(src, scope, nil)
		if p != nil {
			t.Errorf("%s: %s", src, p)
			continue
		}
		frame := &Frame{Slots: make([]value.Value, 4), Tx: &Tx{ID: "t"}}
		eachTuple(kinds, len(variablesOf(src)), frame.Slots, func() {
			frame.Meter = &Meter{Limit: 100_000}
			v, ft := x.Eval(frame)
			frame.Meter = &Meter{Limit: 100_000}
			again, ft2 := x.Eval(frame)
			if (ft == nil) != (ft2 == nil) || ft != nil && *ft != *ft2 || ft == nil && (v.TooLarge() || !value.Equal(v, again)) {
				t.Fatalf("%s of %#v: %v %v", src, frame.Slots, ft, ft2)
			}
			if v.Kind() == value.Double && !finite(v.Double()) {
				t.Fatalf("%s of %#v is not finite", src, frame.Slots)
			}
		})
	}
}

// everyForm is each signature of the table as a source over a, b, c and d.
func everyForm() []string {
	forms := []string{"a.x", "has(a.x)", "a.all(e, e == b)", "a.exists(e, e)", "a.exists_one(e, e < b)", "a.map(e, [e, b])",
		"a.filter(e, e != b)", "[a, b]", "{a: b, c: 1}", "{'k': a}", "a ? b : c", "a[b]", "a in b", "!a", "-a"}
	for _, op := range []string{"+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "&&", "||"} {
		forms = append(forms, "a "+op+" b")
	}
	seen := map[string]bool{}
	for _, fn := range functions() {
		if operatorText(fn.name) != "" || strings.HasPrefix(fn.name, "@") {
			continue
		}
		for _, s := range fn.signatures {
			in, _, _ := strings.Cut(s, " -> ")
			args := []string{"a", "b", "c", "d"}[:len(splitTypes(in))]
			form := fn.name + "(" + strings.Join(args, ", ") + ")"
			if strings.HasPrefix(in, ".") {
				form = "a." + fn.name + "(" + strings.Join(args[1:], ", ") + ")"
			}
			if !seen[form] {
				seen[form] = true
				forms = append(forms, form)
			}
		}
	}
	return forms
}

// variablesOf are the variables among a, b, c and d that a form uses.
func variablesOf(src string) string {
	used := ""
	for _, name := range []string{"a", "b", "c", "d"} {
		for i := range len(src) {
			before := i == 0 || strings.IndexByte(" ([{!-", src[i-1]) >= 0
			after := i+1 == len(src) || strings.IndexByte(" )],:}.[", src[i+1]) >= 0
			if before && after && src[i:i+1] == name {
				used += name
				break
			}
		}
	}
	return used
}

// eachTuple puts each combination of n values into the slots.
func eachTuple(vals []value.Value, n int, slots []value.Value, visit func()) {
	if n == 0 {
		visit()
		return
	}
	step := 1
	if n == 4 {
		step = 3 // four arguments make many combinations
	}
	for i := 0; i < len(vals); i += step {
		slots[n-1] = vals[i]
		eachTuple(vals, n-1, slots, visit)
	}
}
