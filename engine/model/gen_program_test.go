package model_test

import (
	"encoding/json"
	"slices"
	"strings"
)

// writer writes the steps of a procedure or an inline transaction.
type writer struct {
	*gen
	schema *schemaDoc
	reads  bool // it only reads: a query can run it
	steps  int  // that may still be written
}

var readingSteps = []string{"get", "require", "let", "if", "scan", "each"}
var writingSteps = []string{"insert", "update", "upsert", "upsert set", "insert", "delete", "get", "update", "require", "let", "if", "scan", "each",
	"expect", "emit", "expect_task"}

// bindRow puts a row of a table in scope.
func (g *gen) bindRow(name string, t *table, nullable bool) {
	for _, c := range t.columns {
		g.paths = append(g.paths, path{src: name + "." + c.name, kind: c.kind, nullable: c.optional})
	}
	g.paths = append(g.paths, path{src: name + "._revision", kind: "int"}, path{src: name, kind: "row", nullable: nullable})
}

// bindRows puts a list of rows in scope.
func (g *gen) bindRows(name string, t *table) {
	for _, c := range t.columns {
		g.paths = append(g.paths, path{src: name + "[0]." + c.name, kind: c.kind, nullable: c.optional, fails: true})
		if !c.optional && slices.Contains([]string{"int", "uint", "double", "string"}, c.kind) {
			g.paths = append(g.paths, path{src: name + ".map(r, r." + c.name + ")", kind: "[" + c.kind + "]"})
		}
	}
	g.paths = append(g.paths, path{src: "size(" + name + ")", kind: "int"}, path{src: name, kind: "rows"},
		path{src: name + ".exists(r, r._revision == tx.revision)", kind: "bool"})
}

// newProgram writes params, steps and a result.
func (g *gen) newProgram(s *schemaDoc, reads bool, params []param) doc {
	g.paths, g.tx, g.draws = nil, true, !reads
	for _, p := range params {
		g.bindParam("params."+p.name, p)
	}
	p := &writer{gen: g, schema: s, reads: reads, steps: 8}
	d := doc{"steps": p.block(3, 1+g.upTo(3))}
	if !g.one(6) {
		d["return"] = p.result()
	}
	return d
}

func (g *gen) bindParam(src string, p param) {
	switch {
	case p.kind == "object":
		for _, f := range p.fields {
			g.bindParam(src+"."+f.name, f)
		}
	case p.fields != nil:
		g.paths = append(g.paths, path{src: "size(" + src + ")", kind: "int"})
		for _, f := range p.fields {
			if !f.optional && slices.Contains([]string{"int", "uint", "double", "string"}, f.kind) {
				g.paths = append(g.paths, path{src: src + ".map(l, l." + f.name + ")", kind: "[" + f.kind + "]"})
			}
		}
	default:
		g.paths = append(g.paths, path{src: src, kind: p.kind, nullable: p.optional})
		if p.kind == "json" {
			g.paths = append(g.paths, path{src: src + ".a", kind: "json"}, path{src: src + ".b", kind: "json"}, path{src: src + "[0]", kind: "json"})
		}
	}
}

// result is what a program returns: a value, or several by name.
func (p *writer) result() any {
	var whole []string
	for _, x := range p.paths {
		if x.kind == "row" || x.kind == "rows" || x.nullable {
			whole = append(whole, x.src)
		}
	}
	any := func() string {
		if len(whole) > 0 && p.one(2) {
			return pick(p.gen, whole)
		}
		return p.expr(pick(p.gen, resultKinds), 2)
	}
	switch p.upTo(3) {
	case 0:
		return any()
	case 1:
		return "{'a': " + any() + ", 'b': " + any() + "}"
	case 2:
		return "[" + any() + ", " + any() + ", " + any() + "]"
	}
	return "{'z': " + any() + ", 'é': [" + any() + "], 'B': " + any() + "}"
}

var resultKinds = []string{"int", "string", "bool", "double", "json", "uint", "[int]", "[string]", "{int}", "bytes", "timestamp", "duration", "[double]", "[uint]"}

// block writes steps one after the other.
func (p *writer) block(depth, n int) []any {
	steps := []any{}
	for range n {
		if p.steps--; p.steps >= 0 {
			steps = append(steps, p.step(depth))
		}
	}
	return steps
}

func (p *writer) step(depth int) doc {
	kinds := writingSteps
	if p.reads {
		kinds = readingSteps
	}
	for {
		kind := pick(p.gen, kinds)
		if depth == 0 && (kind == "if" || kind == "each") {
			continue
		}
		t := pick(p.gen, p.schema.tables)
		switch kind {
		case "get", "delete":
			return p.get(kind, t)
		case "insert", "upsert":
			return p.insert(kind, t)
		case "update", "upsert set":
			return p.update(kind, t)
		case "require":
			return doc{kind: p.require()}
		case "let":
			return doc{kind: p.let()}
		case "if":
			return doc{kind: p.branches(depth)}
		case "each":
			return doc{kind: p.each(depth)}
		case "scan":
			return doc{kind: p.scan(t)}
		case "expect":
			return doc{kind: doc{"table": t.name, "key": p.key(t), "revision": p.revision()}}
		case "expect_task":
			return doc{kind: doc{"task": pick(p.gen, taskNames), "epoch": pick(p.gen, []any{json.Number("1"), json.Number("2"), json.Number("3"), p.expr("int", 1)})}}
		case "emit":
			return doc{kind: doc{"topic": pick(p.gen, []string{"news", "orders"}), "value": p.expr(pick(p.gen, resultKinds), 2)}}
		}
	}
}

// key writes a key, mostly of the few values that rows have.
func (p *writer) key(t *table) []any {
	var k []any
	for _, name := range t.key {
		k = append(k, p.keyValue(t.column(name).kind))
	}
	return k
}

func (p *writer) keyValue(kind string) any {
	if p.one(3) {
		return p.expr(kind, 1)
	}
	if kind == "int" && p.one(2) {
		return pick(p.gen, []json.Number{"1", "2", "0", "-1", "1.0", "2e0"})
	}
	few := leaves[kind][:min(len(leaves[kind]), 3)]
	return pick(p.gen, few)
}

// given is the value of a column: an expression, or what stands for itself.
func (p *writer) given(c column) any {
	switch {
	case c.optional && p.one(5):
		return nil
	case c.optional && p.one(4):
		return p.nullable(c.kind, 1)
	case p.one(5):
		switch c.kind {
		case "int":
			return pick(p.gen, []json.Number{"1", "7", "-3", "5.0", "1e3"})
		case "uint":
			return json.Number("7")
		case "double":
			return pick(p.gen, []json.Number{"1", "2.5", "-0.125"})
		case "bool":
			return true
		case "json":
			return pick(p.gen, []any{json.Number("5"), json.Number("2.5"), true})
		}
	}
	return p.expr(c.kind, 2)
}

func (p *writer) get(kind string, t *table) doc {
	b := doc{"table": t.name, "key": p.key(t)}
	optional := !p.one(4)
	if optional {
		b["optional"] = true
	}
	if !p.one(4) {
		name := p.fresh()
		b["as"] = name
		p.bindRow(name, t, optional)
	}
	return doc{kind: b}
}

func (p *writer) as(b doc, t *table) {
	if p.one(2) {
		name := p.fresh()
		b["as"] = name
		p.bindRow(name, t, false)
	}
}

func (p *writer) insert(kind string, t *table) doc {
	row := doc{}
	for _, c := range t.columns {
		switch {
		case slices.Contains(t.key, c.name):
			row[c.name] = p.keyValue(c.kind)
		case !c.optional && c.byDefault == nil || p.one(2):
			row[c.name] = p.given(c)
		}
	}
	b := doc{"table": t.name, "row": row}
	p.as(b, t)
	return doc{kind: b}
}

func (p *writer) update(kind string, t *table) doc {
	b := doc{"table": t.name, "key": p.key(t)}
	upsert := kind == "upsert set"
	before := len(p.paths)
	p.bindRow("row", t, upsert)
	set := doc{}
	for _, c := range t.columns {
		switch {
		case slices.Contains(t.key, c.name):
		case upsert && !c.optional && c.byDefault == nil || p.one(2):
			set[c.name] = p.given(c)
			if upsert && p.one(2) {
				set[c.name] = "row == null ? " + operand(p.expr(c.kind, 0)) + " : row." + c.name
			}
		}
	}
	if len(set) == 0 {
		for _, c := range t.columns {
			if !slices.Contains(t.key, c.name) {
				set[c.name] = p.given(c)
				break
			}
		}
	}
	p.paths = p.paths[:before]
	b["set"] = set
	p.as(b, t)
	return doc{strings.Fields(kind)[0]: b}
}

func (p *writer) require() doc {
	b := doc{"expr": p.expr("bool", 2), "code": pick(p.gen, []string{"refused", "no_good", "out_of_stock"})}
	if !p.one(4) { // mostly it goes on
		b["expr"] = operand(p.expr("bool", 2)) + " || true"
	}
	if p.one(2) {
		b["message"] = p.expr("string", 1)
	}
	return b
}

var taskNames = []string{"sweep", "mow"}

var letKinds = []string{"int", "string", "bool", "double", "uint", "[int]", "json", "[string]", "timestamp", "duration", "{int}", "bytes", "[double]", "[uint]"}

func (p *writer) let() doc {
	b := doc{}
	var bound []path
	for range 1 + p.upTo(1) {
		name, kind := p.fresh(), pick(p.gen, letKinds)
		b[name] = p.expr(kind, 3)
		if kind == "int" && p.one(4) {
			b[name] = json.Number("5")
		}
		bound = append(bound, path{src: name, kind: kind, loose: true})
	}
	p.paths = append(p.paths, bound...)
	return b
}

// branches: what both bind with one type is in scope after them.
func (p *writer) branches(depth int) doc {
	b := doc{"expr": p.expr("bool", 2)}
	before := len(p.paths)
	name, kind := p.fresh(), pick(p.gen, letKinds)
	both := p.one(2)
	for _, branch := range []string{"then", "else"} {
		if branch == "else" && !both && p.one(2) {
			break
		}
		steps := p.block(depth-1, 1+p.upTo(1))
		if both {
			steps = append(steps, doc{"let": doc{name: p.sure(kind)}})
		}
		b[branch] = steps
		p.paths = p.paths[:before]
	}
	if both {
		p.paths = append(p.paths, path{src: name, kind: kind})
	}
	return b
}

func (p *writer) revision() any {
	switch p.upTo(3) {
	case 0:
		return json.Number("0")
	case 1:
		return "tx.revision - 1"
	case 2:
		return p.expr("int", 1)
	}
	for _, x := range p.paths {
		if strings.HasSuffix(x.src, "._revision") {
			return x.src
		}
	}
	return json.Number("1")
}

// each goes through a list.
func (p *writer) each(depth int) doc {
	before := len(p.paths)
	kind := pick(p.gen, []string{"int", "string", "double", "uint", "row"})
	b := doc{}
	var rows string
	if kind == "row" {
		kind = "int"
		for _, x := range p.paths {
			if x.kind == "rows" {
				rows = x.src
			}
		}
	}
	elem := p.fresh()
	if rows != "" {
		b["in"] = rows
		p.paths = append(p.paths, path{src: elem + "._revision", kind: "int"}, path{src: elem, kind: "row"})
	} else {
		b["in"] = p.expr("["+kind+"]", 2)
		p.paths = append(p.paths, path{src: elem, kind: kind, loose: true})
	}
	b["as"] = elem
	if p.one(2) {
		index := p.fresh()
		b["index"] = index
		p.paths = append(p.paths, path{src: index, kind: "int"})
	}
	b["do"] = p.block(depth-1, 1+p.upTo(1))
	into := ""
	collected := pick(p.gen, []string{"int", "string", "double", "uint"})
	if p.one(2) {
		b["collect"] = p.expr(collected, 2)
		into = p.fresh()
		b["into"] = into
	}
	p.paths = p.paths[:before]
	if into != "" {
		p.paths = append(p.paths, path{src: into, kind: "[" + collected + "]", loose: true})
	}
	return b
}

// scan reads a part of a table with any of the options.
func (p *writer) scan(t *table) doc {
	b := doc{"table": t.name}
	columns := slices.Clone(t.key)
	if len(t.indexes) > 0 && p.one(2) {
		x := pick(p.gen, t.indexes)
		b["index"] = x.name
		columns = slices.Concat(x.columns, t.key)
	}
	value := func(i int) any {
		c := t.column(columns[i])
		if c.optional && p.one(4) {
			return nil
		}
		return p.keyValue(c.kind)
	}
	n := 0
	if p.one(2) {
		var prefix []any
		for n = 0; n < len(columns) && len(prefix) <= p.upTo(1); n++ {
			prefix = append(prefix, value(n))
		}
		n = len(prefix)
		b["prefix"] = prefix
	}
	for _, bound := range []string{"from", "to"} {
		if n < len(columns) && p.one(3) {
			vals := []any{value(n)}
			if n+1 < len(columns) && p.one(2) {
				vals = append(vals, value(n+1))
			}
			b[bound] = vals
		}
	}
	if p.one(2) {
		before := len(p.paths)
		p.bindRow("row", t, false)
		b["where"] = p.expr("bool", 2)
		p.paths = p.paths[:before]
	}
	if p.one(3) {
		b["order"] = pick(p.gen, []string{"asc", "desc", "desc"})
	}
	if p.one(3) {
		b["limit"] = pick(p.gen, []any{json.Number("1"), json.Number("3"), "1 + 1", p.expr("int", 1)})
	}
	name := p.fresh()
	b["as"] = name
	if p.one(4) {
		b["count"] = true
		p.paths = append(p.paths, path{src: name, kind: "int"})
	} else {
		p.bindRows(name, t)
	}
	return b
}
