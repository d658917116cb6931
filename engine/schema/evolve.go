package schema

import (
	"fmt"
	"slices"

	"lockstep/engine/lang"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

// Evolve compiles a document as the successor of an old schema, nil at first.
// What the new document may change is in transactions.md (Schema); anything
// else is a problem that names it. The tx stands for the entry that applies the
// document: defaults of columns that are new to existing tables are evaluated
// under it, once, and are what old rows show from then on.
//
// The schema is not nil exactly where there are no problems.
func Evolve(old *Schema, doc *Document, env *lang.Env, tx *lang.Tx) (*Schema, Change, []Problem) {
	var ps tree.Problems
	tables := compileTables(doc, env, &ps)
	if !ps.None() {
		return nil, Change{}, ps.List()
	}
	e := evolution{doc: doc, ps: &ps, tx: tx, layout: Layout{Language: env.Version(), NextTable: 1, NextIndex: 1}}
	if old != nil {
		e.layout.NextTable, e.layout.NextIndex = old.Layout.NextTable, old.Layout.NextIndex
	}
	for _, t := range tables {
		var before *Table
		var numbers *TableLayout
		if old != nil {
			before, numbers = old.Table(t.Name), old.Layout.table(t.Name)
		}
		if before == nil {
			e.added(t)
		} else {
			e.carried(t, before, numbers)
		}
	}
	if !ps.None() {
		return nil, Change{}, ps.List()
	}
	next := assemble(doc, e.layout, tables)
	return next, Difference(old, next), nil
}

// Load compiles a schema that was applied before, from its stored parts.
func Load(canonical, layout []byte, env *lang.Env) (*Schema, error) {
	doc, err := reparse(canonical)
	if err != nil {
		return nil, err
	}
	numbers, err := DecodeLayout(layout)
	if err != nil {
		return nil, err
	}
	if env, err = env.At(numbers.Language); err != nil {
		return nil, fmt.Errorf("schema: the stored schema: %w", err)
	}
	var ps tree.Problems
	tables := compileTables(doc, env, &ps)
	if !ps.None() {
		return nil, fmt.Errorf("schema: compiling the stored schema document: %s", ps.List()[0])
	}
	for _, t := range tables {
		if l := numbers.table(t.Name); l == nil || !bind(t, l) {
			return nil, fmt.Errorf("%w: it does not know all of table %s", errLayout, t.Name)
		}
	}
	return assemble(doc, numbers, tables), nil
}

// evolution is one run of Evolve.
type evolution struct {
	doc    *Document
	ps     *tree.Problems
	tx     *lang.Tx
	layout Layout
}

// place is a cursor at a part of a table in the new document.
func (e *evolution) place(t *Table, keys ...string) tree.Cursor {
	c := e.doc.Cursor(e.ps).Field("tables").Field(t.Name)
	for _, key := range keys {
		c = c.Field(key)
	}
	return c
}

// added numbers a table that the old schema lacks.
func (e *evolution) added(t *Table) {
	l := TableLayout{Name: t.Name, ID: e.layout.NextTable, NextColumn: 1}
	e.layout.NextTable++
	for _, col := range t.Columns {
		l.Columns = append(l.Columns, ColumnLayout{Name: col.Name, ID: l.NextColumn})
		l.NextColumn++
	}
	for _, x := range t.Indexes {
		l.Indexes = append(l.Indexes, e.newIndex(x))
	}
	e.finish(t, l)
}

func (e *evolution) newIndex(x *Index) IndexLayout {
	l := IndexLayout{Name: x.Name, ID: e.layout.NextIndex}
	e.layout.NextIndex++
	return l
}

func (e *evolution) finish(t *Table, l TableLayout) {
	bind(t, &l)
	e.layout.Tables = append(e.layout.Tables, l)
}

// carried numbers a table that keeps its rows.
func (e *evolution) carried(t, before *Table, numbers *TableLayout) {
	if !slices.Equal(keyNames(t), keyNames(before)) {
		e.place(t, "key").Fail(tree.Invalid, "the key of table %s was %v and can't be changed to %v; add another table and move the rows", t.Name, keyNames(before), keyNames(t))
	}
	l := TableLayout{Name: t.Name, ID: numbers.ID, NextColumn: numbers.NextColumn}
	for i := range t.Columns {
		col := &t.Columns[i]
		if was := numbers.column(col.Name); was != nil {
			e.sameColumn(t, col, before)
			l.Columns = append(l.Columns, *was)
			continue
		}
		l.Columns = append(l.Columns, ColumnLayout{Name: col.Name, ID: l.NextColumn, Fill: e.fill(t, col)})
		l.NextColumn++
	}
	for _, x := range t.Indexes {
		if was := before.Index(x.Name); was != nil && sameIndex(t, x, before, was) {
			l.Indexes = append(l.Indexes, IndexLayout{Name: x.Name, ID: was.ID})
			continue
		}
		l.Indexes = append(l.Indexes, e.newIndex(x))
	}
	e.finish(t, l)
}

// sameColumn refuses to change a column that rows hold.
func (e *evolution) sameColumn(t *Table, col *Column, before *Table) {
	i, _ := before.Column(col.Name)
	was := &before.Columns[i]
	const remedy = "; add another column and drop this one later"
	switch {
	case was.Type.Kind != col.Type.Kind:
		e.place(t, "columns", col.Name, "type").Fail(tree.Invalid, "the type of column %s.%s was %s and can't be changed to %s%s", t.Name, col.Name, was.Type.Kind, col.Type.Kind, remedy)
	case was.Optional != col.Optional:
		e.place(t, "columns", col.Name).Fail(tree.Invalid, "the column %s.%s was %s and can't be made %s%s", t.Name, col.Name, presence(was), presence(col), remedy)
	case was.defaultText != col.defaultText:
		e.place(t, "columns", col.Name).Fail(tree.Invalid, "the default of column %s.%s can't be changed%s", t.Name, col.Name, remedy)
	}
}

func presence(c *Column) string {
	if c.Optional {
		return "optional"
	}
	return "required"
}

// fill is what existing rows show in a new column.
func (e *evolution) fill(t *Table, col *Column) value.Value {
	c := e.place(t, "columns", col.Name)
	if col.MustBeGiven() {
		c.Fail(tree.Invalid, "the new column %s.%s must be optional or have a default, since rows may exist", t.Name, col.Name)
		return value.Value{}
	}
	v, fault := evalFill(col, e.tx)
	if fault != nil {
		c.Field("default").Fail(tree.Invalid, "the default, which existing rows would show, can't be evaluated: %s", fault.Message())
	}
	return v
}

func keyNames(t *Table) []string { return columnNames(t, t.Key) }

func columnNames(t *Table, columns []int) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = t.Columns[c].Name
	}
	return names
}

// sameIndex tells whether an index is what it was: the same columns, by number,
// so that a column that was dropped and added again counts as another.
func sameIndex(t *Table, x *Index, before *Table, was *Index) bool {
	return x.Unique == was.Unique && slices.Equal(columnNames(t, x.Columns), columnNames(before, was.Columns))
}
