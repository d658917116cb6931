package program

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

// Compiled is a schema with its procedures compiled: all that a group's
// transactions run against. Safe for concurrent use.
type Compiled struct {
	*schema.Schema
	Procs []*Program // in byte order of their names

	env     *lang.Env
	byName  map[string]int
	queries []func() queryForm // parallel to Procs; compiled when they are first asked for
	scratch *scratch
	inline  *inlineCache // compiled inline transactions and queries
}

// queryForm is a procedure compiled as a query, or why it can't be one.
type queryForm struct {
	program *Program
	refusal string
}

// Procedure finds a procedure's index in Procs by name.
func (c *Compiled) Procedure(name string) (int, bool) {
	i, ok := c.byName[name]
	return i, ok
}

// Build is BuildAt where no entry is at hand, to try a document: the defaults of
// columns that are new to existing tables are evaluated under an empty
// transaction, in the year 1970.
func Build(old *Compiled, doc *schema.Document, env *lang.Env) (*Compiled, schema.Change, []schema.Problem) {
	return BuildAt(old, doc, env, &lang.Tx{Now: value.OfTimestamp(0, 0)})
}

// BuildAt compiles a document as the successor of what a group runs now, nil at
// first. It is a pure function of its arguments: what one copy takes or
// refuses, all do. tx stands for the entry that applies the document; see
// schema.Evolve.
//
// Compiled is not nil exactly where there are no problems.
func BuildAt(old *Compiled, doc *schema.Document, env *lang.Env, tx *lang.Tx) (*Compiled, schema.Change, []schema.Problem) {
	var before *schema.Schema
	if old != nil {
		before = old.Schema
	}
	s, change, problems := schema.Evolve(before, doc, env, tx)
	if problems != nil {
		return nil, schema.Change{}, problems
	}
	var ps tree.Problems
	c := compileAll(s, env, &ps)
	if !ps.None() {
		return nil, schema.Change{}, ps.List()
	}
	return c, change, nil
}

// Load compiles what was applied before, from its stored parts.
func Load(canonical, layout []byte, env *lang.Env) (*Compiled, error) {
	s, err := schema.Load(canonical, layout, env)
	if err != nil {
		return nil, err
	}
	if env, err = env.At(s.Language); err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	var ps tree.Problems
	c := compileAll(s, env, &ps)
	if !ps.None() {
		return nil, fmt.Errorf("program: compiling the stored procedures: %s", ps.List()[0])
	}
	return c, nil
}

// compileAll compiles the procedures of a schema.
func compileAll(s *schema.Schema, env *lang.Env, ps *tree.Problems) *Compiled {
	c := &Compiled{Schema: s, env: env, byName: map[string]int{}, scratch: &scratch{}, inline: newInlineCache(MaxCachedInlines)}
	section := s.Doc.Cursor(ps).Field("procedures")
	entries := section.Entries()
	if len(entries) > MaxProcedures {
		section.Fail(tree.Invalid, "%d procedures; a schema has at most %d", len(entries), MaxProcedures)
		return c
	}
	z := &size{MaxSchemaExpressions, MaxSchemaText, tree.MaxProblems, false}
	for _, e := range entries {
		if !schema.Name(e.Value, "procedure", e.Key) {
			continue
		}
		p := c.compileProcedure(e.Key, e.Value, lang.TxFull, z)
		if p == nil {
			continue
		}
		c.byName[e.Key] = len(c.Procs)
		c.Procs = append(c.Procs, p)
		c.queries = append(c.queries, sync.OnceValue(func() queryForm { return c.asQuery(p, e) }))
	}
	return c
}

// compileProcedure compiles one procedure.
func (c *Compiled) compileProcedure(name string, at tree.Cursor, tx lang.TxScope, z *size) *Program {
	if !at.Object(nil, "params", "steps", "return") {
		return nil
	}
	params, ok := paramsType(at.Field("params"))
	if !ok {
		return nil
	}
	return c.newCompiler(tx, params, z).program(name, params, at.Field("steps"), at.Field("return"))
}

// paramsType reads declared params; none are declared where the node is not there.
func paramsType(at tree.Cursor) (*lang.ObjectType, bool) {
	if !at.Here() || at.Node.Kind == tree.Null {
		return emptyParams(), true
	}
	if !at.IsMap() {
		return nil, false
	}
	if n := len(at.Entries()); n > MaxParams {
		at.Fail(tree.Invalid, "%d params; a program has at most %d", n, MaxParams)
		return nil, false
	}
	return schema.ObjectType(at, "params")
}

func emptyParams() *lang.ObjectType {
	return &lang.ObjectType{Name: "params", Shape: value.NewShape("params", nil)}
}

// asQuery compiles a procedure that only reads as a query, in which tx shows
// less.
func (c *Compiled) asQuery(p *Program, e tree.Entry) queryForm {
	if !p.ReadOnly {
		return queryForm{refusal: "the procedure " + p.Name + " writes; a query only reads"}
	}
	var ps tree.Problems
	at := e.Value
	at.Problems = &ps
	q := c.compileProcedure(p.Name, at, lang.TxQuery, &size{MaxSchemaExpressions, MaxSchemaText, tree.MaxProblems, false})
	if !ps.None() {
		return queryForm{refusal: "the procedure " + p.Name + " can't be run as a query: " + ps.List()[0].Detail}
	}
	return queryForm{program: q}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
