package program_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"lockstep/engine/keys"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// attempt sends one document and tells its outcome or refusal in a few words.
func attempt(t *testing.T, c *program.Compiled, st *memory, doc string) string {
	t.Helper()
	typed, refusal := program.ParseTransaction([]byte(doc), c)
	if refusal != nil {
		return refusal.Code + " " + refusal.Detail
	}
	p, refusal := findAnew(c, typed)
	if refusal != nil {
		t.Fatal(refusal)
	}
	params, err := p.DecodeParams(typed.Params)
	if err != nil {
		t.Fatal(err)
	}
	_, abort, err := st.execute(p, params, program.CostLimit)
	switch {
	case err != nil:
		t.Fatal(err)
	case abort != nil:
		return abort.Error()
	}
	return "committed"
}

// steps is an inline transaction of one step, many times; %d is its number.
func steps(n int, format, rest string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, format, i)
	}
	return `{"steps":[` + b.String() + `]` + rest + `}`
}

// TestBounds tries what is over a bound (transactions.md: "Over the budget of
// cost, rows, bytes, or a value … it aborts with cost_exceeded. … Errors of
// syntax, type, nesting and length are 422").
func TestBounds(t *testing.T) {
	c := bank(t)
	long := func(n int) string { return strings.Repeat("x", n) }
	bytes := func(n int) string { return strings.Repeat("~", n) }
	open := `{"insert":{"table":"accounts","row":{"id":"'%d'","owner":"params.o","balance":1}}}`
	for _, tt := range []struct{ name, doc, want string }{
		{"a key at its limit", `{"procedure":"open","params":{"id":"` + long(keys.MaxKey-3) + `","owner":"","balance":1}}`, "committed"},
		{"a key over its limit", `{"procedure":"open","params":{"id":"` + long(keys.MaxKey) + `","owner":"","balance":1}}`,
			"cost_exceeded at steps[0]: a key takes more than 4096 bytes"},
		{"a key read over its limit", `{"procedure":"balance","params":{"id":"` + long(2*keys.MaxKey) + `"}}`,
			"cost_exceeded at steps[0]: a key takes more than 4096 bytes"},
		{"a param over a mebibyte", `{"procedure":"open","params":{"id":"a","owner":"` + bytes(value.MaxBytes) + `","balance":1}}`,
			"cost_exceeded at params: a value is larger than 1048576 bytes or 100000 nodes"},
		{"more bytes than a transaction may write", steps(9, open, `,"params":{"o":"`+bytes(500_000)+`"}`),
			"cost_exceeded at steps[8]: the limit of bytes written, 4194304 a transaction, is exceeded"},
		{"a value that doubles", steps(40, `{"let":{"x%d":"params.a + params.a"}}`, `,"params":{"a":"`+long(700_000)+`"}`),
			"cost_exceeded at steps[0]: a value is larger than 1048576 bytes or 100000 nodes"},
		{"as many steps as allowed", steps(program.MaxSteps, `{"let":{"x%d":1}}`, ""), "committed"},
		{"too many steps", steps(program.MaxSteps+1, `{"let":{"x%d":1}}`, ""), "invalid /steps/256: a program has at most 256 steps"},
		{"too much text", steps(100, `{"let":{"x%d":"'`+long(200)+`'"}}`, ""),
			"invalid /steps/81/let/x81: too many expressions before and including this one, or too long ones; values belong in params, and long transactions in procedures"},
		{"a document that is too long", steps(200, `{"let":{"x%d":"'`+long(400)+`'"}}`, ""), "too long for an inline"},
		{"a document that is too deep", `{"procedure":"balance","params":{"id":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}}`,
			"invalid /params/id: is a list where a string is wanted"},
		{"JSON that is too deep", strings.Repeat("[", 20_000), "malformed "},
		{"steps that are too deep", `{"steps":[{"let":{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}]}`, "malformed "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := attempt(t, c, newMemory(), tt.doc)
			if !strings.HasPrefix(got, tt.want) && !strings.Contains(got, tt.want) {
				t.Errorf("got %.300s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestProblemsAreBounded: a schema that is wrong all over is told fifty times,
// and an inline transaction, which is compiled for anyone who sends one, a few.
func TestProblemsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("tables: {}\nprocedures:\n  p:\n    steps:\n")
	for i := range program.MaxSteps {
		fmt.Fprintf(&b, "      - let: {x%d: nobody}\n", i)
	}
	doc, problems := schema.Parse([]byte(b.String()))
	if problems != nil {
		t.Fatal(problems)
	}
	_, _, problems = program.Build(nil, doc, newEnv(t))
	if len(problems) != 50 {
		t.Errorf("%d problems are told of a schema, want 50", len(problems))
	}
	_, refusal := program.ParseTransaction([]byte(steps(200, `{"let":{"x%d":"nobody"}}`, "")), bank(t))
	if refusal == nil || len(refusal.Errors) != 8 {
		t.Errorf("an inline transaction is refused with %v, want 8 errors", refusal)
	}
}

// TestInlineConcurrently: one Compiled serves all requests of a node, and keeps
// the programs used last at hand without growing.
func TestInlineConcurrently(t *testing.T) {
	c := bank(t)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				doc := fmt.Sprintf(`{"steps":[],"return":"%d + %d"}`, i%50, g%2)
				if _, refusal := program.ParseTransaction([]byte(doc), c); refusal != nil {
					t.Error(refusal)
				}
			}
		})
	}
	wg.Wait()
	for _, kind := range []string{"'", "{"} { // the same text twice, and as a query
		doc := `{"steps":[],"return":"tx.revision == 1 ? \"` + kind + `\" : \"b\""}`
		typed, refusal := program.ParseTransaction([]byte(doc), c)
		if refusal != nil {
			t.Fatal(refusal)
		}
		first, _ := c.Inline(typed.Source)
		second, _ := c.Inline(typed.Source)
		if first != second {
			t.Error("a program that was compiled already is compiled again")
		}
		query, _, refusal := program.ParseQuery([]byte(doc), c)
		if refusal != nil || query == first {
			t.Errorf("a query of the same text is the transaction's program (%v)", refusal)
		}
	}
}
