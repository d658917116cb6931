package program

import (
	"fmt"
	"slices"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/schema/tree"
)

// compiler compiles one program.
type compiler struct {
	env     *lang.Env
	schema  *schema.Schema
	scratch *scratch
	size    *size // shared by all programs of a schema
	query   bool  // only steps that read

	base    *lang.Scope    // tx and params
	bound   []lang.Var     // the names in scope beside them, in the order they were bound
	slots   map[string]int // the slot of a name; names of two branches share it
	next    int            // the next free slot
	count   int            // steps so far
	writes  bool
	apart   map[string]bool // names that the branches of an if bound differently
	inlined bool            // an unknown table is a refusal of its own (interface.md, Errors)
}

// size bounds the work of compiling: every copy does it when it applies a
// schema or an inline transaction.
type size struct {
	expressions, bytes int // that may still come
	problems           int // after which compiling stops: a wrong expression takes longer than a right one
	told               bool
}

// take counts an expression; it notes a problem, once, when there are too many.
func (z *size) take(at tree.Cursor) bool {
	if at.Problems.Len() >= z.problems {
		return false
	}
	z.expressions--
	z.bytes -= len(at.Node.Text)
	if z.expressions >= 0 && z.bytes >= 0 {
		return true
	}
	if !z.told {
		z.told = true
		at.Fail(tree.Invalid, "too many expressions before and including this one, or too long ones; values belong in params, and long transactions in procedures")
	}
	return false
}

func (c *Compiled) newCompiler(tx lang.TxScope, params *lang.ObjectType, z *size) *compiler {
	variable := lang.Var{Name: "params", Type: lang.Type{Kind: lang.KObject, Object: params}, Slot: schema.ParamsSlot}
	return &compiler{
		env: c.env, schema: c.Schema, scratch: c.scratch, size: z, query: tx == lang.TxQuery,
		base:  lang.NewScope(tx).With(variable),
		slots: map[string]int{}, next: schema.FirstSlot, apart: map[string]bool{},
	}
}

// program compiles the steps and the return of a program.
func (c *compiler) program(name string, params *lang.ObjectType, steps, result tree.Cursor) *Program {
	p := &Program{Name: name, ParamsType: params, ResultType: lang.Type{Kind: lang.KNull}, scratch: c.scratch}
	for i, field := range params.Shape.Fields {
		p.Params = append(p.Params, Param{Name: field, Type: params.Fields[i]})
	}
	p.forms = paramForms(p.Params)
	p.steps = c.steps(steps, "steps", 1)
	if p.result = c.expr(result, nil); p.result != nil {
		p.ResultType = p.result.Type()
	}
	p.Slots, p.ReadOnly = c.next, !c.writes
	return p
}

// expr compiles an expression in the present scope.
func (c *compiler) expr(at tree.Cursor, want *lang.Type) *lang.Expr {
	return c.exprWith(at, nil, want)
}

// exprWith compiles an expression in the present scope and one more name. The
// scope that it is given holds only the names that it can mention, since
// declaring a name takes longer than reading it; where that fails, all of them
// are declared, for a message that knows them.
func (c *compiler) exprWith(at tree.Cursor, more *lang.Var, want *lang.Type) *lang.Expr {
	if !at.Here() || at.Node.Kind != tree.String {
		return schema.Expression(at, c.env, c.base, want)
	}
	if !c.size.take(at) {
		return nil
	}
	text := at.Node.Text
	if x, problem := c.env.Compile(text, c.scope(more, func(name string) bool { return strings.Contains(text, name) }), want); problem == nil {
		return x
	}
	before := at.Problems.Len()
	x := schema.Expression(at, c.env, c.scope(more, func(string) bool { return true }), want)
	if at.Problems.Len() > before {
		c.explainApart(at)
	}
	return x
}

// scope is the names in scope that are wanted.
func (c *compiler) scope(more *lang.Var, wanted func(string) bool) *lang.Scope {
	s := c.base
	for _, v := range c.bound {
		if wanted(v.Name) {
			s = s.With(v)
		}
	}
	if more != nil {
		s = s.With(*more)
	}
	return s
}

// explainApart adds to a problem that may come of a name that is not in scope
// any more.
func (c *compiler) explainApart(at tree.Cursor) {
	for _, name := range sortedNames(c.apart) {
		if strings.Contains(at.Node.Text, name) {
			at.Problems.Hint("the name " + name + " is bound in both branches of an if, but not with one type, so it is not in scope after it")
			return
		}
	}
}

// lookup finds a name that is bound.
func lookup(bound []lang.Var, name string) (lang.Var, bool) {
	i := slices.IndexFunc(bound, func(v lang.Var) bool { return v.Name == name })
	if i < 0 {
		return lang.Var{}, false
	}
	return bound[i], true
}

// steps compiles a list of steps; name is what aborts call the list.
func (c *compiler) steps(at tree.Cursor, name string, depth int) []step {
	if !at.Here() || !at.IsList() {
		return nil
	}
	if depth > MaxNesting {
		at.Fail(tree.Invalid, "steps nest at most %d levels", MaxNesting)
		return nil
	}
	var list []step
	for i, e := range at.Elements() {
		if c.count++; c.count > MaxSteps {
			e.Fail(tree.Invalid, "a program has at most %d steps", MaxSteps)
			return nil
		}
		if s := c.step(e, fmt.Sprintf("%s[%d]", name, i), depth); s != nil {
			list = append(list, s)
		}
	}
	return list
}

const stepNames = "get, scan, insert, update, upsert, delete, require, let, if, each, expect, expect_task, emit"

// step compiles one step, an object whose one key is the step's name.
func (c *compiler) step(at tree.Cursor, name string, depth int) step {
	if !at.IsMap() {
		return nil
	}
	entries := at.Entries()
	if len(entries) != 1 {
		at.Fail(tree.Malformed, "a step is an object with one field, its kind (%s); this one has %d", stepNames, len(entries))
		return nil
	}
	body := entries[0].Value
	switch kind := entries[0].Key; kind {
	case "get":
		return c.getStep(body, name)
	case "scan":
		return c.scanStep(body, name)
	case "require":
		return c.requireStep(body, name)
	case "let":
		return c.letStep(body, name)
	case "if":
		return c.ifStep(body, name, depth)
	case "each":
		return c.eachStep(body, name, depth)
	case "insert", "update", "upsert", "delete", "expect", "expect_task", "emit":
		if c.query {
			body.Fail(tree.Invalid, "a query only reads; %s belongs in a transaction", kind)
			return nil
		}
		return c.writingStep(kind, body, name)
	default:
		body.Fail(tree.Malformed, "unknown step %q; steps are %s", kind, stepNames)
	}
	return nil
}

func (c *compiler) writingStep(kind string, body tree.Cursor, name string) step {
	c.writes = c.writes || kind != "expect" && kind != "expect_task"
	switch kind {
	case "insert":
		return c.rowStep(body, name, false)
	case "update":
		return c.setStep(body, name, false)
	case "upsert":
		if body.Field("set").Here() || body.Field("key").Here() {
			return c.setStep(body, name, true)
		}
		return c.rowStep(body, name, true)
	case "delete":
		return c.deleteStep(body, name)
	case "emit":
		return c.emitStep(body, name)
	case "expect_task":
		return c.expectTaskStep(body, name)
	default:
		return c.expectStep(body, name)
	}
}

// table finds the table that a step names.
func (c *compiler) table(body tree.Cursor) *schema.Table {
	at := body.Field("table")
	name, ok := at.Text()
	if !ok {
		return nil
	}
	t := c.schema.Table(name)
	if t == nil {
		fault := tree.Invalid
		if c.inlined {
			fault = tree.UnknownTable
		}
		known := make([]string, 0, len(c.schema.Tables))
		for _, t := range c.schema.Tables {
			known = append(known, t.Name)
		}
		at.Fail(fault, "there is no table %q; %s", name, listed("tables", known))
	}
	return t
}

// listed tells the names that there are.
func listed(what string, names []string) string {
	switch {
	case len(names) == 0:
		return "there are no " + what
	case len(names) > maxShownNames:
		return what + " are " + strings.Join(names[:maxShownNames], ", ") + " and others"
	}
	return what + " are " + strings.Join(names, ", ")
}

// key compiles the expressions of a key, one for each column.
func (c *compiler) key(t *schema.Table, at tree.Cursor) []*lang.Expr {
	if t == nil || !at.Here() || !at.IsList() {
		return nil
	}
	parts := at.Elements()
	if len(parts) != len(t.Key) {
		names := make([]string, len(t.Key))
		for i, column := range t.Key {
			names[i] = t.Columns[column].Name
		}
		at.Fail(tree.Invalid, "the key of %s has %d columns (%s), not %d", t.Name, len(t.Key), strings.Join(names, ", "), len(parts))
		return nil
	}
	exprs := make([]*lang.Expr, len(parts))
	for i, part := range parts {
		exprs[i] = c.expr(part, &t.Columns[t.Key[i]].Type)
	}
	return exprs
}

// bind brings a name into scope and returns its slot; noSlot where the name is
// not there or can't be bound.
func (c *compiler) bind(at tree.Cursor, name string, t lang.Type) int {
	if !schema.BoundName(at, name) {
		return noSlot
	}
	if _, again := lookup(c.bound, name); again {
		at.Fail(tree.Invalid, "the name %q is bound already; a name is bound once", name)
		return noSlot
	}
	slot, ok := c.slots[name]
	if !ok {
		slot = c.next
		c.slots[name] = slot
		c.next++
	}
	delete(c.apart, name)
	c.bound = append(slices.Clip(c.bound), lang.Var{Name: name, Type: t, Slot: slot})
	return slot
}

// as binds the row that a step yields, where it asks for that.
func (c *compiler) as(body tree.Cursor, t *schema.Table, nullable bool) int {
	at := body.Field("as")
	if !at.Here() {
		return noSlot
	}
	name, ok := at.Text()
	if !ok || t == nil {
		return noSlot
	}
	return c.bind(at, name, lang.Type{Kind: lang.KObject, Object: t.RowType, Nullable: nullable})
}
