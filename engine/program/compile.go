package program

import (
	"fmt"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/schema/tree"
)

// compiler compiles one program.
type compiler struct {
	env    *lang.Env
	schema *schema.Schema
	query  bool // only steps that read

	scope   *lang.Scope
	slots   map[string]int // the slot of a name; names of two branches share it
	next    int            // the next free slot
	count   int            // steps so far
	writes  bool
	apart   map[string]bool // names that the branches of an if bound differently
	inlined bool            // an unknown table is a refusal of its own (interface.md, Errors)
}

func newCompiler(env *lang.Env, s *schema.Schema, tx lang.TxScope, params *lang.ObjectType) *compiler {
	variable := lang.Var{Name: "params", Type: lang.Type{Kind: lang.KObject, Object: params}, Slot: schema.ParamsSlot}
	return &compiler{
		env: env, schema: s, query: tx == lang.TxQuery,
		scope: lang.NewScope(tx).With(variable),
		slots: map[string]int{}, next: schema.FirstSlot, apart: map[string]bool{},
	}
}

// program compiles the steps and the return of a program.
func (c *compiler) program(name string, params *lang.ObjectType, steps, result tree.Cursor) *Program {
	p := &Program{Name: name, ParamsType: params, ResultType: lang.Type{Kind: lang.KNull}}
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
	return c.exprIn(at, c.scope, want)
}

func (c *compiler) exprIn(at tree.Cursor, scope *lang.Scope, want *lang.Type) *lang.Expr {
	before := 0
	if at.Problems != nil {
		before = at.Problems.Len()
	}
	x := schema.Expression(at, c.env, scope, want)
	if x == nil && at.Here() && at.Node.Kind == tree.String && at.Problems.Len() > before {
		for _, name := range sortedNames(c.apart) {
			if strings.Contains(at.Node.Text, name) {
				at.Problems.Hint("the name " + name + " is bound in both branches of an if, but not with one type, so it is not in scope after it")
				break
			}
		}
	}
	return x
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

const stepNames = "get, insert, update, upsert, delete, require, let, if, expect"

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
	case "require":
		return c.requireStep(body, name)
	case "let":
		return c.letStep(body, name)
	case "if":
		return c.ifStep(body, name, depth)
	case "insert", "update", "upsert", "delete", "expect":
		if c.query {
			body.Fail(tree.Invalid, "a query only reads; %s belongs in a transaction", kind)
			return nil
		}
		return c.writingStep(kind, body, name)
	case "scan", "each", "emit", "expect_task":
		body.Fail(tree.Invalid, "the step %q is not available in this version; available are %s", kind, stepNames)
	default:
		body.Fail(tree.Malformed, "unknown step %q; steps are %s", kind, stepNames)
	}
	return nil
}

func (c *compiler) writingStep(kind string, body tree.Cursor, name string) step {
	c.writes = c.writes || kind != "expect"
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
	if _, bound := c.scope.Lookup(name); bound {
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
	c.scope = c.scope.With(lang.Var{Name: name, Type: t, Slot: slot})
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
