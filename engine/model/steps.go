package model

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// run is one execution of a program.
type run struct {
	g      *Group
	before map[string]*Table // as they were before the transaction
	tx     *tx
	scope  *scope
	at     string // the step that runs

	emitted []string

	stepsRun, rowsRead, bytesWritten int
}

// Budgets whose units the language's description has in plain words: steps, rows
// that are read, bytes of the rows that are written. That of cost is not modelled.
const (
	maxSteps = 100_000
	maxRows  = 10_000
	maxBytes = 4 << 20
)

// spend fails where a budget is used up; how that is put into words is open.
func spend(used *int, n, most int) {
	if *used += n; *used > most {
		fail("cost_exceeded", "")
	}
}

// row reads a row.
func (x *run) row(t *Table, key []any) *Object {
	spend(&x.rowsRead, 1, maxRows)
	return t.rows[keyOf(key)]
}

// value evaluates what stands in a document: text is an expression; numbers,
// booleans and null stand for themselves. A type says what is wanted.
func (x *run) value(v any, want *Type, s *scope) any {
	if s == nil {
		s = x.scope
	}
	var out any
	switch v := v.(type) {
	case string:
		e := &evaluator{tx: x.tx, used: x.count}
		out = e.eval(x.g.source.tree(v), s)
	case json.Number:
		if want != nil && (want.Kind == "int" || want.Kind == "uint" || want.Kind == "double") {
			return number(string(v), want.Kind)
		}
		out = fromJSON(v, false)
	default:
		out = v
	}
	if want != nil {
		x.count("type " + want.Kind)
		return conform(out, want)
	}
	return out
}

func (x *run) count(what string) { x.g.Used[what]++ }

func (x *run) bind(name any, v any, static *Type) {
	if n := str(name); n != "" {
		x.scope = x.scope.with(n, v, static)
	}
}

func (x *run) steps(steps []any, path string) {
	for i, s := range steps {
		at := path + "[" + strconv.Itoa(i) + "]"
		for kind, body := range object(s) { // one
			x.at = at
			x.count("step " + kind)
			spend(&x.stepsRun, 1, maxSteps)
			x.step(kind, object(body), at)
		}
	}
}

var typeBool, typeInt = kind("bool"), kind("int")

func (x *run) step(kind string, b map[string]any, at string) {
	t := x.g.tables[str(b["table"])]
	switch kind {
	case "get", "delete":
		key := x.key(t, b)
		row := x.row(t, key)
		if row == nil {
			if !truth(b["optional"]) {
				fail("not_found", "no row "+keyText(key)+" in "+t.name)
			}
			x.bind(b["as"], nil, t.rowType)
			return
		}
		if kind == "delete" {
			delete(t.rows, keyOf(key))
		}
		x.bind(b["as"], row, t.rowType)
	case "insert":
		x.insert(t, b)
	case "update":
		x.update(t, b)
	case "upsert":
		x.upsert(t, b)
	case "scan":
		x.scan(t, b)
	case "require":
		if !x.value(b["expr"], typeBool, nil).(bool) {
			fail(str(b["code"]), x.message(b["message"], "not true: "+sourceText(b["expr"]), nil))
		}
	case "let":
		vals := map[string]any{}
		for _, name := range sortedNames(b) {
			vals[name] = x.value(b[name], nil, nil)
		}
		outer := x.scope
		for name, v := range vals {
			var static *Type
			if src, ok := b[name].(string); ok {
				static = typeOf(x.g.source.tree(src), outer)
			}
			x.bind(name, v, static)
		}
	case "if":
		if x.value(b["expr"], typeBool, nil).(bool) {
			x.steps(list(b["then"]), at+".then")
		} else {
			x.steps(list(b["else"]), at+".else")
		}
	case "each":
		x.each(b, at)
	case "expect":
		x.expect(t, b)
	case "expect_task":
		x.expectTask(str(b["task"]), x.value(b["epoch"], typeInt, nil).(int64))
	case "emit":
		x.emitted = append(x.emitted, str(b["topic"])+" "+JSON(x.value(b["value"], nil, nil)))
	default:
		panic("unknown step " + kind)
	}
}

// message evaluates a message; one that fails does not hide the abort.
func (x *run) message(v any, otherwise string, s *scope) string {
	if v == nil {
		return otherwise
	}
	text, abort := try(func() any { return x.value(v, &Type{Kind: "string"}, s) })
	if abort != nil {
		return otherwise
	}
	return text.(string)
}

// sourceText is an expression as a message shows it.
func sourceText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

// keyText is a key as messages show it.
func keyText(key []any) string {
	var words []string
	for _, v := range key {
		words = append(words, JSON(v))
	}
	return "[" + strings.Join(words, ", ") + "]"
}

func (x *run) key(t *Table, b map[string]any) []any {
	return x.tuple(t, t.key, list(b["key"]))
}

// tuple evaluates values of some columns, in order.
func (x *run) tuple(t *Table, columns []string, exprs []any) []any {
	var vals []any
	for i, e := range exprs {
		vals = append(vals, x.value(e, t.columns[columns[i]], nil))
	}
	return vals
}

// fresh is a new row: its columns are evaluated in byte order of their names, each
// from what is given or else from its default; what has neither is null.
func (x *run) fresh(t *Table, key map[string]any, given map[string]any, s *scope) *Object {
	row := &Object{Type: t.name, Fields: map[string]any{}}
	for _, c := range sortedNames(t.columns) {
		e, isGiven := given[c]
		d, hasDefault := t.defaults[c]
		switch v, isKey := key[c]; {
		case isKey:
			row.Fields[c] = v
		case isGiven:
			row.Fields[c] = x.value(e, t.columns[c], s)
		case hasDefault:
			row.Fields[c] = x.value(d, t.columns[c], &scope{})
		default:
			row.Fields[c] = nil
		}
	}
	return row
}

// columns evaluates the entries of set, in byte order of their names.
func (x *run) columns(t *Table, exprs map[string]any, s *scope) map[string]any {
	vals := map[string]any{}
	for _, c := range sortedNames(exprs) {
		vals[c] = x.value(exprs[c], t.columns[c], s)
	}
	return vals
}

func (x *run) insert(t *Table, b map[string]any) {
	row := x.fresh(t, nil, object(b["row"]), nil)
	if key := t.keyOfRow(row); x.row(t, key) != nil {
		fail("already_exists", "the row "+keyText(key)+" is in "+t.name+" already")
	}
	x.write(t, row, b["as"])
}

func (x *run) update(t *Table, b map[string]any) {
	key := x.key(t, b)
	old := x.row(t, key)
	if old == nil {
		fail("not_found", "no row "+keyText(key)+" in "+t.name)
	}
	row := &Object{Type: t.name, Fields: maps.Clone(old.Fields)}
	maps.Copy(row.Fields, x.columns(t, object(b["set"]), x.scope.with("row", old, t.rowType)))
	x.write(t, row, b["as"])
}

func (x *run) upsert(t *Table, b map[string]any) {
	if given := object(b["row"]); given != nil {
		row := x.fresh(t, nil, given, nil)
		x.row(t, t.keyOfRow(row))
		x.write(t, row, b["as"])
		return
	}
	key := x.key(t, b)
	if t.rows[keyOf(key)] != nil {
		x.update(t, b)
		return
	}
	x.row(t, key)
	fixed := map[string]any{}
	for i, c := range t.key {
		fixed[c] = key[i]
	}
	x.write(t, x.fresh(t, fixed, object(b["set"]), x.scope.with("row", nil, t.rowType)), b["as"])
}

// write puts a row where the checks and the unique indexes allow it.
func (x *run) write(t *Table, row *Object, as any) {
	row.Fields["_revision"] = x.tx.revision
	size := 0
	for _, v := range row.Fields {
		size += 8
		switch v := v.(type) {
		case string:
			size += len(v)
		case Bytes:
			size += len(v)
		}
	}
	spend(&x.bytesWritten, size, maxBytes)
	for _, c := range t.checks {
		x.check(t, c, row)
	}
	for _, name := range sortedNames(t.indexes) {
		if ix := t.indexes[name]; ix.unique && t.clash(ix, row) {
			fail("unique_violation", "another row of "+t.name+" has the same values in the unique index "+name)
		}
	}
	t.rows[keyOf(t.keyOfRow(row))] = row
	x.bind(as, row, t.rowType)
}

// check fails where a row does not satisfy it; one that meets a null passes.
func (x *run) check(t *Table, c check, row *Object) {
	s := (&scope{}).with("row", row, t.rowType)
	holds, abort := try(func() bool {
		e := &evaluator{unknown: true, used: x.count}
		return conform(e.eval(x.g.source.tree(c.expr), s), typeBool).(bool)
	})
	switch {
	case abort != nil && abort.null:
	case abort != nil:
		panic(abort)
	case !holds:
		fail(c.code, x.message(c.message, "the row of "+t.name+" does not satisfy "+c.expr, s))
	}
}

// each runs steps once for each element.
func (x *run) each(b map[string]any, at string) {
	static := elementType(x, b["in"])
	v := x.value(b["in"], nil, nil)
	elems, ok := v.(List)
	switch {
	case v == nil:
		failNull("null where list is wanted")
	case !ok:
		fail("evaluation_error", "a value of type "+kindName(v)+" where list is wanted")
	}
	outer, into := x.scope, List{}
	for i, el := range elems {
		x.scope = outer
		x.bind(b["as"], el, static)
		x.bind(b["index"], int64(i), kind("int"))
		x.steps(list(b["do"]), at+".do")
		x.at = at
		if c, ok := b["collect"]; ok {
			into = append(into, x.value(c, nil, nil))
		}
	}
	x.scope = outer
	x.bind(b["into"], into, nil)
}

// elementType is the static type of the elements of an expression.
func elementType(x *run, v any) *Type {
	if src, ok := v.(string); ok {
		if t := typeOf(x.g.source.tree(src), x.scope); t != nil {
			return t.Elem
		}
	}
	return nil
}

// expect: the row's last writer before this transaction must be the one named.
func (x *run) expect(t *Table, b map[string]any) {
	key := x.key(t, b)
	want := x.value(b["revision"], kind("int"), nil).(int64)
	spend(&x.rowsRead, 1, maxRows)
	row := x.before[t.name].rows[keyOf(key)]
	is := "the row " + keyText(key) + " of " + t.name
	expected := "; revision " + strconv.FormatInt(want, 10) + " was expected"
	if want == 0 {
		expected = "; none was expected"
	}
	switch {
	case row == nil && want == 0:
	case row == nil:
		fail("conflict", is+" is not there"+expected)
	case row.Fields["_revision"] != want:
		fail("conflict", is+" was written by revision "+strconv.FormatInt(row.Fields["_revision"].(int64), 10)+expected)
	}
}

// expectTask: the task must be held under this epoch.
func (x *run) expectTask(task string, epoch int64) {
	under := ", not under " + strconv.FormatInt(epoch, 10)
	switch held := x.g.tasks[task]; {
	case held == 0:
		fail("fenced", "the task "+task+" is held by nobody"+under)
	case held != epoch:
		fail("fenced", "the task "+task+" is held under epoch "+strconv.FormatInt(held, 10)+under)
	}
}

// maxUnlimited is how many rows a scan without a limit may match.
const maxUnlimited = 1000

// scan reads rows in the order of an index or of the key.
func (x *run) scan(t *Table, b map[string]any) {
	columns := t.key
	var index []string
	if name := str(b["index"]); name != "" {
		index = t.indexes[name].columns
		columns = slices.Concat(index, t.key)
	}
	prefix := x.tuple(t, columns, list(b["prefix"]))
	from := x.tuple(t, columns[len(prefix):], list(b["from"]))
	to := x.tuple(t, columns[len(prefix):], list(b["to"]))
	limit, limited := int64(0), false
	if l, ok := b["limit"]; ok {
		limit, limited = x.value(l, kind("int"), nil).(int64), true
		if limit < 1 || limit > 10_000 {
			fail("evaluation_error", "the limit is "+strconv.FormatInt(limit, 10)+"; it is a number from 1 to 10000")
		}
	}
	var found List
	rows := t.sorted(index)
	if str(b["order"]) == "desc" {
		slices.Reverse(rows)
	}
	for _, row := range rows {
		if !x.inRange(row, columns, prefix, from, to) {
			continue
		}
		if limited && int64(len(found)) == limit {
			break
		}
		spend(&x.rowsRead, 1, maxRows)
		if w, ok := b["where"]; ok && !x.value(w, typeBool, x.scope.with("row", row, t.rowType)).(bool) {
			continue
		}
		found = append(found, row)
		if !limited && len(found) > maxUnlimited {
			fail("limit_exceeded", "more than 1000 rows of "+t.name+" match; give a limit, at most 10000, or a narrower range")
		}
	}
	if truth(b["count"]) {
		x.bind(b["as"], int64(len(found)), kind("int"))
		return
	}
	x.bind(b["as"], append(List{}, found...), listOf(t.rowType))
}

// inRange tells whether a row begins with prefix and lies between from and to,
// which go on after it and may name fewer columns than there are.
func (x *run) inRange(row *Object, columns []string, prefix, from, to []any) bool {
	for i, v := range prefix {
		if compareNullable(row.Fields[columns[i]], v) != 0 {
			return false
		}
	}
	order := func(bound []any) int {
		for i, v := range bound {
			if o := compareNullable(row.Fields[columns[len(prefix)+i]], v); o != 0 {
				return o
			}
		}
		return 0
	}
	return (len(from) == 0 || order(from) >= 0) && (len(to) == 0 || order(to) < 0)
}
