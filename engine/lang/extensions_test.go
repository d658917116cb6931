package lang

import (
	"testing"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"

	"lockstep/engine/value"
)

// Functions that CEL's extensions have too give what theirs give, faults
// included (transactions.md: "its expressions are CEL").
func TestAgreesWithExtensions(t *testing.T) {
	theirs, err := cel.NewEnv(ext.Lists(), ext.Math(), ext.Sets(), ext.Strings())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	for _, src := range []string{
		"lists.range(0)", "lists.range(5)", "[1, 2, 3, 4].slice(0, 4)", "[1, 2, 3, 4].slice(1, 3)", "[1].slice(1, 1)",
		"[1].slice(0, 2)", "[1].slice(1, 0)", "[1].slice(-1, 0)", "[[1, 2], [], [3]].flatten()", "[[[1]], [[2]]].flatten()",
		"[1, 2, 1, 3, 2].distinct()", "['b', 'a', 'b'].distinct()", "[[1], [1], [2]].distinct()", "[3, 1, 2].sort()", "['b', 'B', ''].sort()", "[2.5, -1.0].sort()",
		"[true, false].sort()", "[1, 2, 3].reverse()", "'héllo'.reverse()", "''.reverse()",
		"math.least(3, 1, 2)", "math.least([2.5, 1.5])", "math.greatest(3u, 1u)", "math.greatest([1, 5, 3])", "math.greatest([1][1], 2)",
		"math.bitAnd(12, 10)", "math.bitOr(12u, 10u)", "math.bitXor(-1, 10)", "math.bitNot(0)", "math.bitNot(0u)",
		"math.bitShiftLeft(1, 63)", "math.bitShiftLeft(1, 64)", "math.bitShiftLeft(1u, 3)", "math.bitShiftLeft(1, -1)",
		"math.bitShiftRight(-1024, 3)", "math.bitShiftRight(1024u, 3)", "math.bitShiftRight(-1, 64)", "math.bitShiftRight(1, -1)",
		"math.sqrt(2)", "math.sqrt(81u)", "math.sqrt(6.25)", "math.abs(-3)", "math.sign(-2.5)", "math.round(-2.5)", "math.trunc(-2.5)",
		"sets.contains([1, 2], [])", "sets.contains([], [1])", "sets.contains([1, 2, 3], [3, 3, 1])", "sets.contains([1], [1, 2])",
		"sets.intersects([], [])", "sets.intersects([1, 2], [2])", "sets.intersects(['a'], ['b'])",
		"sets.equivalent([], [])", "sets.equivalent([1, 1, 2], [2, 1])", "sets.equivalent([1], [1, 2])",
	} {
		ast, iss := theirs.Compile(src)
		x, problem := ours.Compile(src, NewScope(TxNone), nil)
		if iss.Err() != nil || problem != nil {
			t.Errorf("%s\ncompiles there: %v\ncompiles here: %v", src, iss.Err(), problem)
			continue
		}
		program, err := theirs.Program(ast)
		if err != nil {
			t.Fatal(err)
		}
		want, _, err := program.Eval(cel.NoVars())
		got, fault := x.Eval(&Frame{Meter: &Meter{Limit: 1_000_000}})
		if (err != nil) != (fault != nil) || err == nil && !sameValue(got, want) {
			t.Errorf("%s\nthere: %v %v\nhere: %s %v", src, want, err, value.AppendJSON(nil, got), fault)
		}
	}
}
