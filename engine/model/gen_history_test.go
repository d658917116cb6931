package model_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

var paramKinds = []string{"int", "string", "bool", "double", "uint", "json", "timestamp", "duration", "bytes", "[int]", "[string]", "[double]", "object", "[object]"}

func (g *gen) newParams() []param {
	var params []param
	for i := range 1 + g.upTo(3) {
		p := param{name: fmt.Sprintf("p%d", i), kind: pick(g, paramKinds), optional: g.one(4)}
		if strings.Contains(p.kind, "object") {
			p.optional = false
			for j := range 1 + g.upTo(2) {
				p.fields = append(p.fields, param{name: fmt.Sprintf("f%d", j), kind: pick(g, paramKinds[:9]), optional: g.one(3)})
			}
		}
		params = append(params, p)
	}
	return params
}

// addProcedures writes procedures for the tables that there are.
func (g *gen) addProcedures(s *schemaDoc) {
	s.procedures = nil
	for _, t := range s.tables {
		s.procedures = append(s.procedures, fill(t))
	}
	for i := range 1 + g.upTo(5) {
		p := &procedure{name: fmt.Sprintf("p%d", i), params: g.newParams(), reads: g.one(4)}
		p.body = g.newProgram(s, p.reads, p.params)
		s.procedures = append(s.procedures, p)
	}
}

// fill is a procedure that writes a row of its params.
func fill(t *table) *procedure {
	p := &procedure{name: "fill_" + t.name}
	row := doc{}
	for _, c := range t.columns {
		row[c.name] = "params." + c.name
		p.params = append(p.params, param{name: c.name, kind: c.kind, optional: c.optional})
	}
	p.body = doc{"steps": []any{doc{"upsert": doc{"table": t.name, "row": row, "as": "it"}}}, "return": "it"}
	return p
}

func (g *gen) newSchema() *schemaDoc {
	s := &schemaDoc{}
	for range 1 + min(g.upTo(2), 1) {
		s.tables = append(s.tables, g.newTable(s))
	}
	g.addProcedures(s)
	return s
}

// values are what params may be, in every form that JSON has for them.
var values = map[string][]any{
	"int": {json.Number("1"), json.Number("0"), json.Number("2"), json.Number("-1"), json.Number("3"), json.Number("7"), json.Number("1.0"), json.Number("2e0"), "12",
		"9223372036854775807", "-9223372036854775808", json.Number("9007199254740993")},
	"uint":     {json.Number("1"), json.Number("0"), json.Number("5"), "18446744073709551615", json.Number("9007199254740992"), json.Number("3.0")},
	"double":   {json.Number("1"), json.Number("2.5"), json.Number("-0.0"), json.Number("1e300"), json.Number("0.1"), json.Number("-3")},
	"string":   {"a", "b", "", "ab", "é", "12", "x\n\"", "日本", "😀", "a b", "[", "\u007f\u2028"},
	"bool":     {true, false},
	"bytes":    {"YQ==", "Yg==", "", "AP8="},
	"duration": {"1.5s", "0s", "-3600s", "90s", "0.000000001s"},
	"timestamp": {"2026-11-23T10:00:00Z", "2026-11-23T10:00:00.123Z", "1969-12-31T23:59:59.5Z", "2024-02-29T12:30:45+02:00",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"},
	"json": {json.Number("1"), "a", nil, true, json.Number("2.5"), json.Number("9007199254740993"), json.Number("1e2"), json.Number("12345678901234567890.5"),
		doc{"a": json.Number("1"), "b": []any{json.Number("2"), nil, "x"}}, []any{json.Number("1"), json.Number("2"), json.Number("3")}, []any{},
		doc{"b": doc{"a": "deep"}, "a": json.Number("9223372036854775807")}, []any{[]any{json.Number("1.5")}, false}, doc{}},
}

// argument is a value for a param.
func (g *gen) argument(p param) any {
	switch {
	case p.kind == "object":
		return g.arguments(p.fields)
	case p.kind == "[object]":
		l := []any{}
		for range g.upTo(2) {
			l = append(l, g.arguments(p.fields))
		}
		return l
	case p.kind[0] == '[':
		l := []any{}
		for range g.upTo(4) {
			l = append(l, pick(g, values[strings.Trim(p.kind, "[]")]))
		}
		return l
	}
	return pick(g, values[p.kind])
}

func (g *gen) arguments(params []param) doc {
	d := doc{}
	for _, p := range params {
		switch {
		case p.optional && g.one(3):
			if g.one(2) {
				d[p.name] = nil
			}
		default:
			d[p.name] = g.argument(p)
		}
	}
	return d
}

// call is a transaction that calls a procedure.
func (g *gen) call(p *procedure) doc {
	d := doc{"procedure": p.name}
	if len(p.params) > 0 {
		d["params"] = g.arguments(p.params)
	}
	return d
}

// inline is a transaction of steps, or a query. The types of its params come from
// JSON where JSON has them.
func (g *gen) inline(s *schemaDoc, reads bool) doc {
	params := g.newParams()
	types := doc{}
	given := doc{}
	for _, p := range params {
		if p.optional || slices.Contains([]string{"uint", "bytes", "timestamp", "duration", "[int]", "[string]", "[double]", "object", "[object]"}, p.kind) || g.one(3) {
			types[p.name] = p.declared()
			if p.optional {
				delete(types, p.name)
				types[p.name+"?"] = p.declared()
			}
			given[p.name] = g.argument(p)
			continue
		}
		switch p.kind {
		case "int":
			given[p.name] = pick(g, []json.Number{"1", "0", "2", "-1", "9223372036854775807"})
		case "double":
			given[p.name] = pick(g, []json.Number{"1.0", "0.5", "1e0", "-2.5"})
		case "json":
			given[p.name] = pick(g, []any{[]any{json.Number("1"), json.Number("2.5")}, doc{"a": json.Number("1"), "b": nil}})
		default:
			given[p.name] = g.argument(p)
		}
	}
	d := g.newProgram(s, reads, params)
	d["params"] = given
	if len(types) > 0 {
		d["types"] = types
	}
	return d
}
