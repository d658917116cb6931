package golden

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/parser"

	"lockstep/engine/lang"
	"lockstep/engine/outcome"
)

// "All copies of a group compute the same" (transactions.md, Determinism) is shown for
// what the logs call: every function of the language's own table, operators and macros
// included, stands in a recorded transaction that commits. One that is added to the
// table and not to the expressions fails here; so does one that is added to those
// without "make golden".
func TestTheKitchenCallsEveryFunction(t *testing.T) {
	log := readLog(t, "kitchen")
	got := newReport()
	r := newReplica(t)
	defer r.close()
	called := map[string]int{}
	for _, e := range log {
		step(t, r, got, []logged{e})
		sequence, items := originOf(e.Cmd)
		for i, v := range got.verdicts[sequence] {
			if i < len(items) && v.Kind == outcome.Executed && v.Outcome.Committed {
				countCalls(t, items[i].Source, called)
			}
		}
	}
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	wanted := env.Functions()
	for _, m := range parser.AllMacros {
		wanted = append(wanted, m.Function())
	}
	for _, name := range wanted {
		if called[name] == 0 {
			t.Errorf("no transaction of the kitchen that commits calls %s: add it to expressions and run make golden", name)
		}
	}
}

// countCalls counts the calls in what an inline transaction returns.
func countCalls(t *testing.T, source []byte, called map[string]int) {
	if len(source) == 0 {
		return // a procedure's
	}
	var doc struct {
		Return any `json:"return"`
	}
	if err := json.Unmarshal(source, &doc); err != nil {
		t.Fatal(err)
	}
	text, ok := doc.Return.(string)
	if !ok {
		return
	}
	p, err := parser.NewParser() // without macros, which stay calls
	if err != nil {
		t.Fatal(err)
	}
	parsed, errs := p.Parse(common.NewTextSource(text))
	if len(errs.GetErrors()) > 0 {
		t.Fatal(text, errs.ToDisplayString())
	}
	ast.PreOrderVisit(parsed.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.CallKind {
			called[calledName(e.AsCall())]++
		}
	}))
}

// calledName is a function's name as the table has it: "math.abs", "size".
func calledName(c ast.CallExpr) string {
	name := c.FunctionName()
	if !c.IsMemberFunction() || c.Target().Kind() != ast.IdentKind {
		return name
	}
	switch space := c.Target().AsIdent(); space {
	case "math", "lists", "sets", "tx":
		return strings.Join([]string{space, name}, ".")
	}
	return name
}
