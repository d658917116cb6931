package schema

import (
	"slices"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

// keyTypes are the types that keys and indexes may have, as messages list them.
const keyTypes = "bool, int, uint, string, bytes or timestamp"

// compileTables compiles the tables of a document, without numbers yet.
func compileTables(doc *Document, env *lang.Env, ps *tree.Problems) []*Table {
	section := doc.Cursor(ps).Field("tables")
	entries := section.Entries()
	if len(entries) > MaxTables {
		section.Fail(tree.Invalid, "%d tables; a schema has at most %d", len(entries), MaxTables)
		return nil
	}
	if n := countExpressions(entries); n > MaxTableExpressions {
		section.Fail(tree.Invalid, "%d defaults and checks; a schema has at most %d", n, MaxTableExpressions)
		return nil
	}
	var tables []*Table
	for _, e := range entries {
		if !ColumnName(e.Value, "table", e.Key) {
			continue
		}
		if t := compileTable(e.Key, e.Value, env); t != nil {
			tables = append(tables, t)
		}
	}
	return tables
}

// countExpressions counts what there is to compile, whatever its shape.
func countExpressions(tables []tree.Entry) int {
	n := 0
	for _, t := range tables {
		for _, col := range t.Value.Field("columns").Entries() {
			if col.Value.Field("default").Here() {
				n++
			}
		}
		n += len(t.Value.Field("checks").Elements())
	}
	return n
}

func compileTable(name string, c tree.Cursor, env *lang.Env) *Table {
	if !c.Object([]string{"columns", "key"}, "indexes", "checks") {
		return nil
	}
	t := &Table{Name: name}
	before := c.Problems.Len()
	compileColumns(t, c.Field("columns"), env)
	if c.Problems.Len() > before || len(t.Columns) == 0 {
		return nil // what follows would only repeat it
	}
	t.RowType = rowType(t)
	compileKey(t, c.Field("key"))
	compileIndexes(t, c.Field("indexes"))
	compileChecks(t, c.Field("checks"), env)
	return t
}

// rowType is the object type of a table's rows.
func rowType(t *Table) *lang.ObjectType {
	names := make([]string, 0, len(t.Columns)+1)
	types := make([]lang.Type, 0, len(t.Columns)+1)
	for _, col := range t.Columns {
		names, types = append(names, col.Name), append(types, col.Type)
	}
	names, types = append(names, RevisionField), append(types, lang.Type{Kind: lang.KInt})
	return &lang.ObjectType{Name: t.Name, Shape: value.NewShape(t.Name, names), Fields: types}
}

func compileColumns(t *Table, c tree.Cursor, env *lang.Env) {
	if !c.IsMap() {
		return
	}
	entries := c.Entries()
	switch {
	case len(entries) == 0:
		c.Fail(tree.Invalid, "a table needs at least one column, for its key")
	case len(entries) > MaxColumns:
		c.Fail(tree.Invalid, "%d columns; a table has at most %d", len(entries), MaxColumns)
		return
	}
	scope := lang.NewScope(lang.TxFull)
	for _, e := range entries {
		if ColumnName(e.Value, "column", e.Key) && e.Value.Object([]string{"type"}, "optional", "default") {
			t.Columns = append(t.Columns, compileColumn(e.Key, e.Value, env, scope))
		}
	}
}

func compileColumn(name string, c tree.Cursor, env *lang.Env, scope *lang.Scope) Column {
	col := Column{Name: name, Optional: c.Field("optional").Flag()}
	typeField := c.Field("type")
	text, ok := typeField.Text()
	if !ok {
		return col
	}
	if col.Type, ok = ScalarType(text); !ok {
		typeField.Fail(tree.Invalid, "unknown type %q; a column's type is one of %s", text, typeNames)
		return col
	}
	col.Type.Nullable = col.Optional
	if def := c.Field("default"); def.Here() {
		col.Default = Expression(def, env, scope, &col.Type)
		col.defaultText = string(def.Node.AppendCanonical(nil))
	}
	return col
}

func compileKey(t *Table, c tree.Cursor) {
	t.isKey = make([]bool, len(t.Columns))
	t.Key = columnList(t, c, "key")
	for i, at := range t.Key {
		if col := t.Columns[at]; col.Optional {
			c.Fail(tree.Invalid, "the key's column %q is optional; a key has no nulls", col.Name)
		}
		t.isKey[t.Key[i]] = true
	}
}

func compileIndexes(t *Table, c tree.Cursor) {
	if !c.Here() || !c.IsMap() {
		return
	}
	if n := len(c.Entries()); n > MaxIndexes {
		c.Fail(tree.Invalid, "%d indexes; a table has at most %d", n, MaxIndexes)
		return
	}
	for _, e := range c.Entries() {
		if Name(e.Value, "index", e.Key) && e.Value.Object([]string{"columns"}, "unique") {
			columns := columnList(t, e.Value.Field("columns"), "index")
			t.Indexes = append(t.Indexes, &Index{Name: e.Key, Columns: columns, Unique: e.Value.Field("unique").Flag()})
		}
	}
}

// columnList reads the columns of a key or an index.
func columnList(t *Table, c tree.Cursor, what string) []int {
	if !c.Here() || !c.IsList() {
		return nil
	}
	elements := c.Elements()
	if len(elements) == 0 || len(elements) > MaxKeyColumns {
		c.Fail(tree.Invalid, "the %s names %d columns; it needs 1 to %d", what, len(elements), MaxKeyColumns)
		return nil
	}
	var columns []int
	for _, e := range elements {
		name, ok := e.Text()
		if !ok {
			continue
		}
		i, ok := t.Column(name)
		switch {
		case !ok:
			e.Fail(tree.Invalid, "the table %s has no column %q", t.Name, name)
		case slices.Contains(columns, i):
			e.Fail(tree.Invalid, "the column %q stands in the %s twice", name, what)
		case !keyable(t.Columns[i].Type.Kind):
			e.Fail(tree.Invalid, "the column %q is of type %s; in a key or an index, columns are %s", name, t.Columns[i].Type.Kind, keyTypes)
		default:
			columns = append(columns, i)
		}
	}
	return columns
}

func keyable(kind lang.Kind) bool {
	_, ok := keyKind(kind)
	return ok
}

func compileChecks(t *Table, c tree.Cursor, env *lang.Env) {
	if !c.Here() || !c.IsList() {
		return
	}
	elements := c.Elements()
	if len(elements) > MaxChecks {
		c.Fail(tree.Invalid, "%d checks; a table has at most %d", len(elements), MaxChecks)
		return
	}
	row := lang.Var{Name: "row", Type: lang.Type{Kind: lang.KObject, Object: t.RowType}, Slot: RowSlot}
	scope := lang.NewScope(lang.TxNone).With(row)
	for _, e := range elements {
		if !e.Object([]string{"expr", "code"}, "message") {
			continue
		}
		check := &Check{text: string(e.Node.AppendCanonical(nil))}
		check.Code, _ = Code(e.Field("code"))
		check.Expr = Expression(e.Field("expr"), env, scope.UnknownNulls(), &lang.Type{Kind: lang.KBool})
		check.Message = Expression(e.Field("message"), env, scope, &lang.Type{Kind: lang.KString})
		t.Checks = append(t.Checks, check)
	}
}

// bind gives a table and its parts the numbers of a layout. Something that the
// layout lacks is a programmer's error or a damaged store: ok is false.
func bind(t *Table, layout *TableLayout) (ok bool) {
	t.ID = layout.ID
	for i := range t.Columns {
		col := &t.Columns[i]
		at := slices.IndexFunc(layout.Columns, func(c ColumnLayout) bool { return c.Name == col.Name })
		if at < 0 {
			return false
		}
		col.ID, col.Fill = layout.Columns[at].ID, layout.Columns[at].Fill
	}
	for _, x := range t.Indexes {
		at := slices.IndexFunc(layout.Indexes, func(l IndexLayout) bool { return l.Name == x.Name })
		if at < 0 {
			return false
		}
		x.ID = layout.Indexes[at].ID
	}
	t.Stored = make([]int, len(t.Columns))
	for i := range t.Stored {
		t.Stored[i] = i
	}
	slices.SortFunc(t.Stored, func(a, b int) int { return int(t.Columns[a].ID) - int(t.Columns[b].ID) })
	for _, at := range t.Stored {
		t.StoredIDs = append(t.StoredIDs, t.Columns[at].ID)
		t.Fills = append(t.Fills, t.Columns[at].Fill)
	}
	return true
}

// assemble makes a schema of tables that have their numbers.
func assemble(doc *Document, layout Layout, tables []*Table) *Schema {
	s := &Schema{Language: layout.Language, Doc: doc, Layout: layout, Tables: tables, byName: map[string]*Table{}, byID: map[uint32]*Table{}}
	slices.SortFunc(s.Tables, func(a, b *Table) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range tables {
		s.byName[t.Name], s.byID[t.ID] = t, t
	}
	return s
}
