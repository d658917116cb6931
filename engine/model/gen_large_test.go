package model_test

import "encoding/json"

// wide is the table of transactions that go to the limits, which the others leave
// alone.
const wide = "wide"

var wideTable = doc{
	"columns": doc{"k": doc{"type": "int"}, "s": doc{"type": "string", "default": "''"}, "n": doc{"type": "int", "default": json.Number("0")}},
	"key":     []string{"k"},
	"indexes": doc{"by_n": doc{"columns": []string{"n"}}},
}

// large is a transaction about a limit: a little below it, or above. What it
// writes is gone at its end.
func (g *gen) large() doc {
	times := func(n int, do ...any) doc {
		return doc{"each": doc{"in": "params.l.filter(x, x < " + text(n) + ")", "as": g.fresh(), "do": do}}
	}
	d := doc{"types": doc{"l": []string{"int"}}}
	most := 0
	switch g.upTo(4) {
	case 0: // rows that match a scan without a limit
		most = 990 + g.upTo(20)
		scan := doc{"table": wide, "as": "r"}
		if g.one(2) {
			scan["count"] = true
		}
		if g.one(3) {
			scan["index"] = "by_n"
		}
		if g.one(3) {
			scan["where"] = "row.k > 4"
		}
		if g.one(4) {
			scan["limit"] = pick(g, []json.Number{"1", "1001", "10000"})
		}
		d["steps"] = []any{doc{"each": doc{"in": "params.l", "as": "x", "do": []any{doc{"insert": doc{"table": wide, "row": doc{"k": "x"}}}}}},
			doc{"scan": scan}, doc{"require": doc{"expr": "false", "code": "undone"}}}
	case 1: // rows that are read
		most = 98 + g.upTo(4)
		read := doc{"get": doc{"table": wide, "key": []string{"x * 1000 + y"}, "optional": true}}
		d["steps"] = []any{doc{"each": doc{"in": "params.l", "as": "x", "do": []any{doc{"each": doc{"in": "params.l", "as": "y", "do": []any{read}}}}}}}
	case 2: // steps
		most = pick(g, []int{300, 330})
		d["steps"] = []any{doc{"each": doc{"in": "params.l", "as": "x", "do": []any{doc{"each": doc{"in": "params.l", "as": "y", "do": []any{doc{"let": doc{"z": "y"}}}}}}}}}
	default: // the size of a value, and bytes that are written
		most = 25
		one := func(set doc) doc { return doc{"update": doc{"table": wide, "key": []int{1}, "set": set}} }
		d["steps"] = []any{doc{"insert": doc{"table": wide, "row": doc{"k": 1, "s": "'xyz'"}}},
			times(pick(g, []int{18, 17, 19, 20}), one(doc{"s": "row.s + row.s"})), times(g.upTo(5), one(doc{"n": "row.n + 1"})),
			doc{"delete": doc{"table": wide, "key": []int{1}, "as": "last"}}}
		d["return"] = "[last.n, size(last.s)]"
	}
	l := []int{}
	for i := range most {
		l = append(l, i)
	}
	d["params"] = doc{"l": l}
	return d
}
