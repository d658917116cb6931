package model

import (
	"maps"
	"slices"
	"strings"
)

// Type is a declared type: of a column, a param, or of what is made of them.
type Type struct {
	Kind      string // bool, int, uint, double, string, bytes, timestamp, duration, json, list, map, object
	Optional  bool
	Elem, Key *Type
	Name      string // of an object
	Fields    map[string]*Type
}

// String is the type as messages name it.
func (t *Type) String() string {
	if t.Optional {
		return t.base() + "?"
	}
	return t.base()
}

func (t *Type) base() string {
	switch t.Kind {
	case "list":
		return "[" + t.Elem.String() + "]"
	case "object":
		return t.Name
	}
	return t.Kind
}

// typeOfParam reads int, [int] and {name: int, "other?": int}.
func typeOfParam(v any, name string) *Type {
	switch v := v.(type) {
	case string:
		return &Type{Kind: v}
	case []any:
		return &Type{Kind: "list", Elem: typeOfParam(v[0], name)}
	}
	return objectType(v.(map[string]any), name)
}

func objectType(fields map[string]any, name string) *Type {
	t := &Type{Kind: "object", Name: name, Fields: map[string]*Type{}}
	for field, v := range fields {
		base, optional := strings.CutSuffix(field, "?")
		ft := typeOfParam(v, base)
		ft.Optional = optional
		t.Fields[base] = ft
	}
	return t
}

// Table is a table with its rows.
type Table struct {
	name     string
	columns  map[string]*Type
	defaults map[string]any // an expression as it stands in the document
	key      []string
	indexes  map[string]indexDef
	checks   []check
	rows     map[string]*Object // by the JSON of their keys
	rowType  *Type
}

type indexDef struct {
	columns []string
	unique  bool
}

type check struct {
	expr, code string
	message    any
}

type procedure struct {
	params  *Type
	steps   []any
	returns any
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func words(v any) []string {
	var out []string
	for _, w := range list(v) {
		out = append(out, w.(string))
	}
	return out
}

func truth(v any) bool {
	b, _ := v.(bool)
	return b
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func readTable(name string, doc map[string]any) *Table {
	t := &Table{name: name, columns: map[string]*Type{}, defaults: map[string]any{}, key: words(doc["key"]),
		indexes: map[string]indexDef{}, rows: map[string]*Object{}}
	for column, v := range object(doc["columns"]) {
		c := object(v)
		t.columns[column] = &Type{Kind: str(c["type"]), Optional: truth(c["optional"])}
		if d, ok := c["default"]; ok {
			t.defaults[column] = d
		}
	}
	for index, v := range object(doc["indexes"]) {
		t.indexes[index] = indexDef{words(object(v)["columns"]), truth(object(v)["unique"])}
	}
	for _, v := range list(doc["checks"]) {
		c := object(v)
		t.checks = append(t.checks, check{str(c["expr"]), str(c["code"]), c["message"]})
	}
	t.rowType = &Type{Kind: "object", Name: name, Fields: maps.Clone(t.columns)}
	t.rowType.Fields["_revision"] = kind("int")
	return t
}

// keyOf is the text that tells rows apart.
func keyOf(vals []any) string { return JSON(List(vals)) }

func (t *Table) keyOfRow(row *Object) []any {
	var k []any
	for _, c := range t.key {
		k = append(k, row.Fields[c])
	}
	return k
}

func (t *Table) clone() *Table {
	c := *t
	c.rows = maps.Clone(t.rows)
	return &c
}

// compareNullable puts null before everything.
func compareNullable(a, b any) int {
	if a == nil || b == nil {
		return rank(a != nil) - rank(b != nil)
	}
	o, ok := compare(a, b)
	if !ok {
		panic("a column of two types")
	}
	return o
}

// sorted gives the rows in the order of some columns and then of the key.
func (t *Table) sorted(columns []string) []*Object {
	rows := slices.Collect(maps.Values(t.rows))
	columns = append(slices.Clone(columns), t.key...)
	slices.SortFunc(rows, func(a, b *Object) int {
		for _, c := range columns {
			if o := compareNullable(a.Fields[c], b.Fields[c]); o != 0 {
				return o
			}
		}
		return 0
	})
	return rows
}

// clash tells whether another row has what a unique index allows once.
func (t *Table) clash(ix indexDef, row *Object) bool {
	own := keyOf(t.keyOfRow(row))
	for key, other := range t.rows {
		if key == own {
			continue
		}
		same := true
		for _, c := range ix.columns {
			v, w := row.Fields[c], other.Fields[c]
			same = same && v != nil && w != nil && equal(v, w)
		}
		if same {
			return true
		}
	}
	return false
}

// Apply replaces the schema in one step, at a time in Unix milliseconds. It tells
// whether existing rows allow it; where they don't, nothing has changed. A
// document that is the present one changes nothing either.
func (g *Group) Apply(doc []byte, millis int64) bool {
	g.advance(millis)
	d := object(parseJSON(doc))
	if JSON(canonical(d)) == g.schema {
		return true
	}
	tables, ok := g.next(d)
	if !ok {
		return false
	}
	g.schema, g.tables = JSON(canonical(d)), tables
	g.procedures = map[string]*procedure{}
	for name, v := range object(d["procedures"]) {
		p := object(v)
		g.procedures[name] = &procedure{objectType(object(p["params"]), "params"), list(p["steps"]), p["return"]}
	}
	g.Revision++
	return true
}

// Begin begins a change that must look at rows: from here on it is known whether
// the rows would ever not have allowed it.
func (g *Group) Begin(doc []byte, millis int64) {
	g.advance(millis)
	g.pending, g.broken = doc, false
	g.watch()
}

// watch looks whether the rows allow the change under way.
func (g *Group) watch() {
	if g.pending != nil && !g.broken {
		_, ok := g.next(object(parseJSON(g.pending)))
		g.broken = !ok
	}
}

// Finish ends the change under way as another has found: applied, or given up. It
// tells whether that is possible: what is applied the rows must allow now, and
// what is given up they must not have allowed at some time, for a write counts
// that has been undone since.
func (g *Group) Finish(millis int64, applied bool) bool {
	g.advance(millis)
	doc, broken := g.pending, g.broken
	g.pending = nil
	if applied {
		return g.Apply(doc, millis)
	}
	return broken
}

// next are the tables by another schema; not ok where a row does not fit.
func (g *Group) next(d map[string]any) (tables map[string]*Table, ok bool) {
	tables = map[string]*Table{}
	for name, v := range object(d["tables"]) {
		t := readTable(name, object(v))
		if old := g.tables[name]; old != nil && !g.carryOver(old, t) {
			return nil, false
		}
		tables[name] = t
	}
	return tables, true
}

// carryOver takes rows to the new form of their table.
func (g *Group) carryOver(old, t *Table) bool {
	fill := map[string]any{}
	for column, typ := range t.columns {
		if old.columns[column] == nil {
			x := &run{g: g, tx: &tx{revision: g.Revision + 1, now: g.now()}}
			if d, ok := t.defaults[column]; ok {
				fill[column] = x.value(d, typ, nil)
			} else {
				fill[column] = nil
			}
		}
	}
	for key, row := range old.rows {
		fields := map[string]any{"_revision": row.Fields["_revision"]}
		for column := range t.columns {
			if v, ok := fill[column]; ok {
				fields[column] = v
			} else {
				fields[column] = row.Fields[column]
			}
		}
		t.rows[key] = &Object{Type: t.name, Fields: fields}
	}
	for _, row := range t.rows {
		for _, c := range t.checks {
			x := &run{g: g}
			if _, abort := try(func() bool { x.check(t, c, row); return true }); abort != nil {
				return false
			}
		}
		for _, ix := range t.indexes {
			if ix.unique && t.clash(ix, row) {
				return false
			}
		}
	}
	return true
}
