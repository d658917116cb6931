package model_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

type doc = map[string]any

// text writes a document as JSON, its names in order.
func text(d any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(d); err != nil {
		panic(err)
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

type column struct {
	name, kind string
	optional   bool
	byDefault  any
}

type indexed struct {
	name    string
	columns []string
	unique  bool
}

type table struct {
	name    string
	columns []column
	key     []string
	indexes []indexed
	checks  []any
}

type param struct {
	name, kind string // or an object's kind, which is a document
	optional   bool
	fields     []param
}

type procedure struct {
	name   string
	params []param
	body   doc
	reads  bool // only
}

type schemaDoc struct {
	tables     []*table
	procedures []*procedure
	made       int
}

var keyKinds = []string{"int", "string", "bool", "uint", "bytes", "timestamp"}

func (t *table) column(name string) column {
	for _, c := range t.columns {
		if c.name == name {
			return c
		}
	}
	panic(name)
}

// newTable makes a table: a key of small values, and columns of any type.
func (g *gen) newTable(s *schemaDoc) *table {
	t := &table{name: fmt.Sprintf("t%d", s.made)}
	s.made++
	for i := range 1 + min(g.upTo(3), 2)%2 {
		c := column{name: fmt.Sprintf("k%d", i), kind: pick(g, keyKinds)}
		t.columns = append(t.columns, c)
		t.key = append(t.key, c.name)
	}
	for range 1 + g.upTo(4) {
		t.columns = append(t.columns, g.newColumn(s, false))
	}
	for range g.upTo(2) {
		g.addIndex(s, t)
	}
	for range min(g.upTo(3), 2) {
		g.addCheck(t)
	}
	return t
}

func (g *gen) newColumn(s *schemaDoc, later bool) column {
	s.made++
	c := column{name: fmt.Sprintf("c%d", s.made), kind: pick(g, append(slices.Clone(scalars), "json", "int", "string"))}
	switch {
	case g.one(3):
		c.optional = true
	case later || g.one(3):
		c.byDefault = g.defaultOf(c.kind, later)
	}
	return c
}

// defaultOf is an expression over tx alone; one that existing rows show draws
// nothing.
func (g *gen) defaultOf(kind string, later bool) any {
	saved := g.paths
	g.paths, g.tx, g.draws = nil, true, !later
	defer func() { g.paths, g.tx, g.draws = saved, false, false }()
	switch {
	case kind == "timestamp" && g.one(2):
		return "tx.now"
	case kind == "string" && !later && g.one(2):
		return pick(g, []string{"tx.uuid(0)", "tx.id"})
	case kind == "double" && !later && g.one(2):
		return "tx.random(1)"
	case kind == "int" && g.one(3):
		return "tx.revision"
	}
	if kind == "json" { // but for the last one, which is no json
		return pick(g, leaves[kind][:len(leaves[kind])-1])
	}
	return pick(g, leaves[kind])
}

func (g *gen) addIndex(s *schemaDoc, t *table) {
	var columns []string
	for _, c := range t.columns {
		if slices.Contains(keyKinds, c.kind) && len(columns) < 2 && (g.one(2) || columns == nil && !slices.Contains(t.key, c.name)) {
			columns = append(columns, c.name)
		}
	}
	if columns != nil {
		s.made++
		t.indexes = append(t.indexes, indexed{fmt.Sprintf("x%d", s.made), columns, g.one(3)})
	}
}

func (g *gen) addCheck(t *table) {
	saved := g.paths
	g.paths, g.tx, g.draws = nil, false, false
	g.bindRow("row", t, false)
	c := doc{"expr": g.checkExpr(t), "code": pick(g, []string{"bad", "wrong", "too_much"})}
	if g.one(2) {
		c["message"] = g.expr("string", 1)
	}
	t.checks = append(t.checks, c)
	g.paths = saved
}

// checkExpr is something that most rows pass.
func (g *gen) checkExpr(t *table) string {
	if g.one(2) {
		return g.expr("bool", 2) + " || " + operand(g.expr("bool", 1)) + " || " + pick(g, []string{"true", "row._revision > 2"})
	}
	c := pick(g, t.columns)
	if bound, ok := map[string]string{"int": "> -3", "uint": "< 1000u", "double": "< 1000.0", "string": "!= 'b'", "bool": "|| true",
		"bytes": "!= b'b'", "duration": "< duration('2h')"}[c.kind]; ok {
		return "row." + c.name + " " + bound
	}
	return g.expr("bool", 1) + " || true"
}

// mutate changes a schema as users do: things come and go.
func (g *gen) mutate(old *schemaDoc) *schemaDoc {
	s := &schemaDoc{made: old.made}
	for _, t := range old.tables {
		c := *t
		c.columns, c.indexes, c.checks = slices.Clone(t.columns), slices.Clone(t.indexes), slices.Clone(t.checks)
		s.tables = append(s.tables, &c)
	}
	before := map[string]int{}
	for _, t := range s.tables {
		before[t.name] = len(t.columns)
	}
	for range 1 + g.upTo(1) {
		t := pick(g, s.tables)
		switch g.upTo(9) {
		case 7, 8: // what rows show in new columns would be fixed as the change begins
			if len(t.columns) == before[t.name] {
				g.addIndex(s, t)
			}
		case 9:
			if len(t.columns) == before[t.name] {
				g.addCheck(t)
			}
		case 0, 1:
			if slices.ContainsFunc(old.tables, func(x *table) bool {
				return x.name == t.name && (len(x.indexes) != len(t.indexes) || len(x.checks) != len(t.checks))
			}) {
				break
			}
			t.columns = append(t.columns, g.newColumnLater(s))
		case 2:
			t.indexes = nil
		case 3:
			t.checks = nil
		case 4:
			s.tables = append(s.tables, g.newTable(s))
		case 5:
			g.dropColumn(t)
		case 6:
			if g.one(2) && len(s.tables) > 1 {
				s.tables = slices.DeleteFunc(s.tables, func(x *table) bool { return x == t })
			}
		}
	}
	g.addProcedures(s)
	return s
}

func (g *gen) newColumnLater(s *schemaDoc) column {
	c := g.newColumn(s, true)
	return c
}

// dropColumn drops the last column that nothing else names.
func (g *gen) dropColumn(t *table) {
	if len(t.columns) > len(t.key)+1 {
		t.columns = t.columns[:len(t.columns)-1]
		t.indexes, t.checks = nil, nil
	}
}

func (s *schemaDoc) text() string {
	tables, procedures := doc{wide: wideTable}, doc{}
	for _, t := range s.tables {
		columns, indexes := doc{}, doc{}
		for _, c := range t.columns {
			d := doc{"type": c.kind}
			if c.optional {
				d["optional"] = true
			}
			if c.byDefault != nil {
				d["default"] = c.byDefault
			}
			columns[c.name] = d
		}
		for _, x := range t.indexes {
			indexes[x.name] = doc{"columns": x.columns, "unique": x.unique}
		}
		d := doc{"columns": columns, "key": t.key}
		if len(indexes) > 0 {
			d["indexes"] = indexes
		}
		if len(t.checks) > 0 {
			d["checks"] = t.checks
		}
		tables[t.name] = d
	}
	for _, p := range s.procedures {
		d := doc{"steps": p.body["steps"]}
		if r, ok := p.body["return"]; ok {
			d["return"] = r
		}
		if len(p.params) > 0 {
			d["params"] = typesOf(p.params)
		}
		procedures[p.name] = d
	}
	return text(doc{"tables": tables, "procedures": procedures})
}

// typesOf are the declarations of params.
func typesOf(params []param) doc {
	d := doc{}
	for _, p := range params {
		name := p.name
		if p.optional {
			name += "?"
		}
		d[name] = p.declared()
	}
	return d
}

func (p param) declared() any {
	switch {
	case p.kind == "object":
		return typesOf(p.fields)
	case p.kind[0] == '[' && p.fields != nil:
		return []any{typesOf(p.fields)}
	case p.kind[0] == '[':
		return []any{p.kind[1 : len(p.kind)-1]}
	}
	return p.kind
}
