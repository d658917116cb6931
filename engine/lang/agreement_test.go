package lang

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"pgregory.net/rapid"

	"lockstep/engine/value"
)

// TestAgreesWithCEL evaluates generated expressions with CEL's own interpreter
// and with ours: where Lockstep does not say otherwise, an expression means what
// CEL says that it means (transactions.md: "its expressions are CEL").
//
// Left out is what Lockstep defines differently on purpose: doubles that leave
// the finite, -0, ints and doubles beyond 2^53 compared exactly, the order of maps, text of doubles and spans, time zones.
func TestAgreesWithCEL(t *testing.T) {
	theirs, err := cel.NewEnv(cel.CrossTypeNumericComparisons(true),
		cel.Variable("i", cel.IntType), cel.Variable("u", cel.UintType), cel.Variable("d", cel.DoubleType),
		cel.Variable("s", cel.StringType), cel.Variable("l", cel.ListType(cel.IntType)),
		cel.Variable("m", cel.MapType(cel.StringType, cel.IntType)),
		cel.Variable("t", cel.TimestampType), cel.Variable("p", cel.DurationType))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	integer := Type{Kind: KInt}
	scope := NewScope(TxNone)
	for slot, v := range []Var{{Name: "i", Type: integer}, {Name: "u", Type: Type{Kind: KUint}}, {Name: "d", Type: Type{Kind: KDouble}},
		{Name: "s", Type: Type{Kind: KString}}, {Name: "l", Type: Type{Kind: KList, Elem: &integer}},
		{Name: "m", Type: Type{Kind: KMap, Elem: &integer}}, {Name: "t", Type: Type{Kind: KTimestamp}},
		{Name: "p", Type: Type{Kind: KDuration}}} {
		v.Slot = slot
		scope = scope.With(v)
	}
	m, _ := value.OfMap([]value.Value{value.OfString("a"), value.OfString("b")}, []value.Value{value.OfInt(1), value.OfInt(0)})
	slots := []value.Value{value.OfInt(7), value.OfUint(3), value.OfDouble(2.5), value.OfString("héllo"),
		value.OfList([]value.Value{value.OfInt(0), value.OfInt(3), value.OfInt(-2)}), m,
		value.OfTimestamp(1_795_428_000, 123_000_000), value.OfDuration(5_400_000_000_000)}
	activation := map[string]any{"i": int64(7), "u": uint64(3), "d": 2.5, "s": "héllo", "l": []int64{0, 3, -2},
		"m": map[string]int64{"a": 1, "b": 0}, "t": time.Unix(1_795_428_000, 123_000_000).UTC(), "p": 90 * time.Minute}

	agreed := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t}
		src := g.expr(rapid.SampledFrom(generated).Draw(t, "type"), 4)
		ast, iss := theirs.Compile(src)
		x, p := ours.Compile(src, scope, nil)
		if iss.Err() != nil || p != nil {
			t.Fatalf("%s\ncompiles there: %v\ncompiles here: %v", src, iss.Err(), p)
		}
		prg, err := theirs.Program(ast)
		if err != nil {
			t.Fatal(err)
		}
		want, _, err := prg.Eval(activation)
		got, ft := x.Eval(&Frame{Slots: slots, Meter: &Meter{Limit: 1_000_000}})
		if (err != nil) != (ft != nil) {
			t.Fatalf("%s\nthere: %v %v\nhere: %s %v", src, want, err, value.AppendJSON(nil, got), ft)
		}
		if err != nil {
			agreed["faults"]++
			return
		}
		agreed["values"]++
		if !sameValue(got, want) {
			t.Fatalf("%s\nthere: %v\nhere: %s", src, want, value.AppendJSON(nil, got))
		}
	})
	if agreed["values"] < agreed["faults"] || agreed["faults"] == 0 {
		t.Fatalf("the generator is lopsided: %v", agreed)
	}
}

// sameValue compares a value of ours with one of CEL's.
func sameValue(v value.Value, w ref.Val) bool {
	switch w := w.(type) {
	case types.Bool:
		return v.Kind() == value.Bool && v.Bool() == bool(w)
	case types.Int:
		return v.Kind() == value.Int && v.Int() == int64(w)
	case types.Uint:
		return v.Kind() == value.Uint && v.Uint() == uint64(w)
	case types.Double:
		return v.Kind() == value.Double && v.Double() == float64(w)
	case types.String:
		return v.Kind() == value.String && v.Str() == string(w)
	case types.Timestamp:
		return v.Kind() == value.Timestamp && v.Seconds() == w.Unix() && int(v.Nanos()) == w.Nanosecond()
	case types.Duration:
		return v.Kind() == value.Duration && v.Duration() == int64(w.Duration)
	case traits.Lister:
		if v.Kind() != value.List || types.Int(v.Len()) != w.Size() {
			return false
		}
		for i := range v.Len() {
			if !sameValue(v.At(i), w.Get(types.Int(i))) {
				return false
			}
		}
		return true
	}
	return false
}

// generator writes expressions that type-check.
type generator struct {
	t     *rapid.T
	vars  []string // variables of comprehensions, ints
	names int
}

// generated are the types that a whole expression may have.
var generated = []string{"bool", "int", "uint", "double", "string", "list", "timestamp", "duration"}

// productions are the forms of each type; $x stands for an expression of type x,
// and $v for the name of a fresh variable that the next $x may use.
var productions = map[string][]string{
	"bool": {"true", "false", "$int < $int", "$int >= $uint", "$double > $int", "$uint <= $double", "$string < $string",
		"$bool && $bool", "$bool || $bool", "!($bool)", "$bool ? $bool : $bool", "$int == $int", "$string != $string",
		"$list == $list", "$double == $double", "$uint != $uint", "$int in $list", "$string in m", "$timestamp < $timestamp",
		"$duration >= $duration", "$timestamp == $timestamp", "$string.contains($string)", "$string.startsWith($string)",
		"$string.endsWith($string)", "$string.matches('^h.*o')", "has(m.a)", "has(m.z)",
		"$list.all($v, $bool)", "$list.exists($v, $bool)", "$list.exists_one($v, $bool)", "m.all($k, m[$k] > $int)",
		"m.exists($k, m[$k] == $int)", "bool('true')", "$int / $int > $int", "dyn($int) == dyn($double)", "dyn($int) == dyn($string)"},
	"int": {"0", "1", "-3", "9223372036854775807", "-9223372036854775808", "i", "size(l)", "size($string)", "m['a']", "m.b", "m[$string]",
		"$int + $int", "$int - $int", "$int * $int", "$int / $int", "$int % $int", "-($int)", "$list[$int]", "l[1]",
		"$bool ? $int : $int", "int($uint)", "int($double)", "int('12')", "int('x')", "size($list)",
		"$timestamp.getFullYear()", "$timestamp.getMonth()", "$timestamp.getDate()", "$timestamp.getDayOfMonth()",
		"$timestamp.getDayOfWeek()", "$timestamp.getDayOfYear()", "$timestamp.getHours()", "$timestamp.getMinutes()",
		"$timestamp.getSeconds()", "$timestamp.getMilliseconds()", "$duration.getHours()", "$duration.getMinutes()",
		"$duration.getSeconds()", "$duration.getMilliseconds()", "int($timestamp)"},
	"uint": {"0u", "5u", "18446744073709551615u", "u", "$uint + $uint", "$uint - $uint", "$uint * $uint", "$uint / $uint",
		"$uint % $uint", "uint($int)", "uint($double)", "$bool ? $uint : $uint"},
	"double": {"0.5", "-2.25", "3.0", "d", "$double + $double", "$double - $double", "double(i)", "double(u)", "$bool ? $double : $double", "-($double)"},
	"string": {"'h'", "'llo'", "''", "s", "'a'", "'ü'", "$string + $string", "string($int)", "string($uint)", "string($bool)",
		"$bool ? $string : $string", "string(b'xy')", "string(t)"},
	"list": {"[0]", "l", "[$int, $int]", "$list + $list", "$list.map($v, $int)", "$list.filter($v, $bool)",
		"$list.map($v, $bool, $int)", "$bool ? $list : $list"},
	"timestamp": {"t", "timestamp('2024-02-29T23:59:59.5Z')", "timestamp('1969-12-31T23:00:00-05:00')", "timestamp('9999-12-31T23:59:59Z')",
		"$timestamp + $duration", "$duration + $timestamp", "$timestamp - $duration", "timestamp($int)", "$bool ? $timestamp : $timestamp"},
	"duration": {"p", "duration('1h15m30.918s')", "duration('-250ms')", "duration('1us')", "duration('9000000000s')", "$duration + $duration",
		"$duration - $duration", "$timestamp - $timestamp", "$bool ? $duration : $duration"},
}

func (g *generator) expr(typ string, depth int) string {
	forms := productions[typ]
	if depth == 0 {
		var leaves []string
		for _, f := range forms {
			if !strings.Contains(f, "$") {
				leaves = append(leaves, f)
			}
		}
		forms = leaves
	}
	if typ == "int" && len(g.vars) > 0 && rapid.IntRange(0, 2).Draw(g.t, "var") == 0 {
		return rapid.SampledFrom(g.vars).Draw(g.t, "name")
	}
	form := rapid.SampledFrom(forms).Draw(g.t, typ)
	return g.fill(form, depth-1)
}

// fill writes a production out.
func (g *generator) fill(form string, depth int) string {
	var b strings.Builder
	bound := len(g.vars)
	key := ""
	for form != "" {
		i := strings.IndexByte(form, '$')
		if i < 0 {
			b.WriteString(form)
			break
		}
		b.WriteString(form[:i])
		form = form[i+1:]
		n := 0
		for n < len(form) && form[n] >= 'a' && form[n] <= 'z' {
			n++
		}
		word := form[:n]
		form = form[n:]
		switch word {
		case "v":
			name := fmt.Sprintf("v%d", g.names)
			g.names++
			g.vars = append(g.vars, name)
			b.WriteString(name)
		case "k":
			if key == "" {
				key = fmt.Sprintf("k%d", g.names)
				g.names++
			}
			b.WriteString(key)
		default:
			inner := g.expr(word, depth)
			if strings.ContainsAny(inner, " ?-") {
				inner = "(" + inner + ")"
			}
			b.WriteString(inner)
		}
	}
	g.vars = g.vars[:bound]
	return b.String()
}
