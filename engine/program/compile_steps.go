package program

import (
	"slices"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/schema/tree"
)

func (c *compiler) getStep(body tree.Cursor, name string) step {
	if !body.Object([]string{"table", "key"}, "as", "optional") {
		return nil
	}
	s := &getStep{at: name, optional: body.Field("optional").Flag()}
	s.table = c.table(body)
	s.key = c.key(s.table, body.Field("key"))
	s.as = c.as(body, s.table, s.optional)
	return s
}

func (c *compiler) deleteStep(body tree.Cursor, name string) step {
	if !body.Object([]string{"table", "key"}, "as", "optional") {
		return nil
	}
	s := &deleteStep{at: name, optional: body.Field("optional").Flag()}
	s.table = c.table(body)
	s.key = c.key(s.table, body.Field("key"))
	s.as = c.as(body, s.table, s.optional)
	return s
}

// rowStep compiles insert and the upsert of a whole row.
func (c *compiler) rowStep(body tree.Cursor, name string, replace bool) step {
	if !body.Object([]string{"table", "row"}, "as") {
		return nil
	}
	s := &rowStep{at: name, replace: replace, table: c.table(body)}
	if s.table == nil {
		return nil
	}
	row := body.Field("row")
	given := c.columns(s.table, row, nil, false)
	s.columns = c.filled(s.table, row, given, nil)
	s.as = c.as(body, s.table, false)
	return s
}

// setStep compiles update and the upsert that changes columns.
func (c *compiler) setStep(body tree.Cursor, name string, upsert bool) step {
	if !body.Object([]string{"table", "key", "set"}, "as") {
		return nil
	}
	s := &setStep{at: name, upsert: upsert, table: c.table(body)}
	if s.table == nil {
		return nil
	}
	s.key = c.key(s.table, body.Field("key"))
	row := lang.Type{Kind: lang.KObject, Object: s.table.RowType, Nullable: upsert}
	set := body.Field("set")
	given := c.columns(s.table, set, &lang.Var{Name: "row", Type: row, Slot: schema.RowSlot}, true)
	for i, x := range given {
		if x != nil {
			s.set = append(s.set, assignment{i, x})
		}
	}
	if upsert {
		s.insert = c.filled(s.table, set, given, s.table.IsKey)
	}
	s.as = c.as(body, s.table, false)
	return s
}

// columns compiles the entries of row or set; the result is by column, nil
// where there is no entry.
func (c *compiler) columns(t *schema.Table, at tree.Cursor, row *lang.Var, set bool) []*lang.Expr {
	given := make([]*lang.Expr, len(t.Columns))
	if !at.Here() || !at.IsMap() {
		return given
	}
	for _, e := range at.Entries() {
		i, ok := t.Column(e.Key)
		switch {
		case e.Key == schema.RevisionField:
			e.Value.Fail(tree.Invalid, "%s is written by the system", schema.RevisionField)
		case !ok:
			e.Value.Fail(tree.Invalid, "the table %s has no column %q; %s", t.Name, e.Key, listed("columns", t.RowType.Shape.Fields[:len(t.Columns)]))
		case set && t.IsKey(i):
			e.Value.Fail(tree.Invalid, "the column %q is part of the key of %s and can't be set; delete the row and insert another", e.Key, t.Name)
		default:
			given[i] = c.exprWith(e.Value, row, &t.Columns[i].Type)
		}
	}
	return given
}

// filled adds the defaults of columns that are not given, and refuses to leave
// out one that has none and can't be null. Columns that known tells of come
// from elsewhere.
func (c *compiler) filled(t *schema.Table, at tree.Cursor, given []*lang.Expr, known func(int) bool) []*lang.Expr {
	all := make([]*lang.Expr, len(given))
	for i := range given {
		col := &t.Columns[i]
		switch {
		case given[i] != nil:
			all[i] = given[i]
		case known != nil && known(i):
		case at.Field(col.Name).Here(): // refused already
		case col.MustBeGiven():
			at.Fail(tree.Invalid, "the column %q of %s must be given: it is not optional and has no default", col.Name, t.Name)
		default:
			all[i] = col.Default
		}
	}
	return all
}

func (c *compiler) requireStep(body tree.Cursor, name string) step {
	if !body.Object([]string{"expr", "code"}, "message") {
		return nil
	}
	s := &requireStep{at: name}
	s.expr = c.expr(body.Field("expr"), &lang.Type{Kind: lang.KBool})
	s.code, _ = schema.Code(body.Field("code"))
	s.message = c.expr(body.Field("message"), &lang.Type{Kind: lang.KString})
	return s
}

func (c *compiler) letStep(body tree.Cursor, name string) step {
	if !body.IsMap() {
		return nil
	}
	s := &letStep{at: name}
	entries := body.Entries()
	if len(entries) == 0 {
		body.Fail(tree.Malformed, "let names at least one value")
	}
	for _, e := range entries { // all before any is bound: they don't see each other
		s.names = append(s.names, binding{expr: c.expr(e.Value, nil)})
	}
	for i, e := range entries {
		t := lang.Type{Kind: lang.KJSON} // of an expression that was refused
		if x := s.names[i].expr; x != nil {
			t = x.Type()
		}
		s.names[i].slot = c.bind(e.Value, e.Key, t)
	}
	return s
}

func (c *compiler) ifStep(body tree.Cursor, name string, depth int) step {
	if !body.Object([]string{"expr", "then"}, "else") {
		return nil
	}
	s := &ifStep{at: name}
	s.expr = c.expr(body.Field("expr"), &lang.Type{Kind: lang.KBool})
	before := c.bound
	s.then = c.steps(body.Field("then"), name+".then", depth+1)
	then := c.bound
	c.bound = before
	s.another = c.steps(body.Field("else"), name+".else", depth+1)
	another := c.bound
	c.bound = before
	c.join(then, another)
	return s
}

// join brings into scope what both branches of an if bound with one type. A
// name has the same slot in both.
func (c *compiler) join(then, another []lang.Var) {
	for _, v := range then[len(c.bound):] {
		other, both := lookup(another, v.Name)
		switch {
		case !both:
		case v.Type.Equal(other.Type):
			c.bound = append(slices.Clip(c.bound), v)
		default:
			c.apart[v.Name] = true
		}
	}
}

func (c *compiler) expectStep(body tree.Cursor, name string) step {
	if !body.Object([]string{"table", "key", "revision"}) {
		return nil
	}
	s := &expectStep{at: name}
	s.table = c.table(body)
	s.key = c.key(s.table, body.Field("key"))
	s.revision = c.expr(body.Field("revision"), &lang.Type{Kind: lang.KInt})
	return s
}
