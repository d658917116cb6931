package schematest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"lockstep/cmd/lockstep/testfile"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// wantedRow is a row of the file: its columns as the table's types have them.
type wantedRow struct {
	node    *yaml.Node
	columns map[string]value.Value
	key     []value.Value
}

// wantedTable is what a file says of a table's rows. A column that is not named
// is not looked at.
type wantedTable struct {
	table *schema.Table
	node  *yaml.Node  // the list of rows that are there and no others; nil: has and lacks tell
	has   *yaml.Node  // rows that are there, or nil
	lacks *yaml.Node  // keys of rows that are not there, or nil
	rows  []wantedRow // of node or has
	gone  []wantedRow // of lacks
}

// wantedTables reads what is said of rows under the name rows.
func (r *reader) wantedTables(n *yaml.Node, c *program.Compiled) (list []wantedTable) {
	if n == nil || testfile.IsNull(testfile.Follow(n)) {
		return nil
	}
	r.Each(n, "rows", func(key, val *yaml.Node) {
		t := r.table(key, c)
		if t == nil {
			return
		}
		w := wantedTable{table: t}
		if m := testfile.Follow(val); m.Kind != yaml.MappingNode {
			w.node = m
			w.rows = r.wantedRows(val, t, "rows."+t.Name, true)
		} else {
			fields := r.Fields(val, "rows."+t.Name, "has", "lacks")
			w.has, w.lacks = testfile.Follow(fields["has"]), testfile.Follow(fields["lacks"])
			if w.has != nil {
				w.rows = r.wantedRows(w.has, t, "rows."+t.Name+".has", true)
			}
			if w.lacks != nil {
				w.gone = r.wantedRows(w.lacks, t, "rows."+t.Name+".lacks", false)
			}
		}
		list = append(list, w)
	})
	return list
}

func (r *reader) table(name *yaml.Node, c *program.Compiled) *schema.Table {
	t := c.Table(name.Value)
	if t == nil {
		var names []string
		for _, t := range c.Tables {
			names = append(names, t.Name)
		}
		r.Fail(name, "the schema has no table %q; it has %s", name.Value, strings.Join(names, ", "))
	}
	return t
}

func (r *reader) wantedRows(n *yaml.Node, t *schema.Table, what string, others bool) (rows []wantedRow) {
	for _, e := range r.List(n, what) {
		w := wantedRow{node: testfile.Follow(e), columns: map[string]value.Value{}}
		good := true
		r.Each(e, "a row of "+t.Name, func(key, val *yaml.Node) {
			v, ok := r.column(t, key, val, true)
			if i, _ := t.Column(key.Value); ok && !others && !t.IsKey(i) {
				r.Fail(key, "%s names rows by their keys; %s is no column of the key", what, key.Value)
				ok = false
			}
			w.columns[key.Value] = v
			good = good && ok
		})
		for _, i := range t.Key {
			name := t.Columns[i].Name
			if _, ok := w.columns[name]; !ok && good {
				r.Fail(e, "the row lacks %s, a column of the key of %s", name, t.Name)
				good = false
			}
			w.key = append(w.key, w.columns[name])
		}
		if good {
			rows = append(rows, w)
		}
	}
	return rows
}

// column reads a column's value by its type.
func (r *reader) column(t *schema.Table, key, val *yaml.Node, expected bool) (value.Value, bool) {
	typ := lang.Type{Kind: lang.KInt}
	if i, ok := t.Column(key.Value); ok {
		typ = t.Columns[i].Type
	} else if key.Value != schema.RevisionField || !expected {
		fields := t.RowType.Shape.Fields
		r.Fail(key, "the table %s has no column %q; it has %s", t.Name, key.Value, strings.Join(fields[:len(t.Columns)], ", "))
		return value.Value{}, false
	}
	before := len(r.Problems)
	raw := r.AppendJSON(nil, val)
	if len(r.Problems) > before {
		return value.Value{}, false
	}
	v, problem := lang.DecodeJSON(jsontext.NewDecoder(strings.NewReader(string(raw))), typ)
	if problem != nil {
		r.Fail(val, "the column %s of %s: %s", key.Value, t.Name, problem.Reason)
		return value.Value{}, false
	}
	return v, true
}

// fill puts the rows of given into a rig.
func (r *reader) fill(g *rig, given []tableRows) error {
	for _, t := range given {
		table := r.table(t.table, g.machine.Compiled())
		if table == nil {
			continue
		}
		for _, n := range t.rows {
			row, columns := map[string]json.RawMessage{}, []string(nil)
			before := len(r.Problems)
			r.Each(n, "a row of "+table.Name, func(key, val *yaml.Node) {
				if _, ok := r.column(table, key, val, false); ok {
					row[key.Value] = r.AppendJSON(nil, val)
					columns = append(columns, key.Value)
				}
			})
			if len(r.Problems) > before {
				continue
			}
			came, err := g.insert(table, columns, row)
			if err != nil {
				return err
			}
			if came.Status != committed {
				r.Fail(n, "this row of %s can't be there: %s: %s", table.Name, came.Code, came.Message)
			}
		}
	}
	return nil
}

// check compares the rows of a table with what is there.
func (w *wantedTable) check(d *testfile.Differ, g *rig) error {
	there, err := g.rows(w.table.Name)
	if err != nil {
		return err
	}
	place := "rows." + w.table.Name
	byKey, found := map[string]int{}, map[int]bool{}
	for i, row := range there {
		byKey[keyText(w.table.KeyOf(nil, row))] = i
	}
	for _, row := range w.rows {
		at := place + " " + program.KeyText(row.key)
		i, ok := byKey[keyText(row.key)]
		if !ok {
			d.Add(row.node, at, testfile.ShownNode(row.node), "no such row")
			continue
		}
		found[i] = true
		w.columns(d, row, there[i], at)
	}
	for _, row := range w.gone {
		if i, ok := byKey[keyText(row.key)]; ok {
			d.Add(row.node, place+" "+program.KeyText(row.key), "no such row", string(value.AppendJSON(nil, there[i])))
		}
	}
	if w.node == nil {
		return nil
	}
	for i, row := range there {
		if !found[i] {
			d.Add(w.node, place+" "+program.KeyText(w.table.KeyOf(nil, row)), "no such row", string(value.AppendJSON(nil, row)))
		}
	}
	return nil
}

// columns compares the columns that a row of the file names.
func (w *wantedTable) columns(d *testfile.Differ, row wantedRow, there value.Value, at string) {
	for i := 0; i+1 < len(row.node.Content); i += 2 {
		key, val := row.node.Content[i], row.node.Content[i+1]
		c, ok := w.table.RowType.Shape.Index(key.Value)
		if !ok {
			continue
		}
		want, got := value.AppendJSON(nil, row.columns[key.Value]), value.AppendJSON(nil, there.Field(c))
		if string(want) != string(got) {
			d.Add(val, fmt.Sprintf("%s %s", at, key.Value), string(want), string(got))
		}
	}
}

// keyText is a key as text that no other key has.
func keyText(key []value.Value) string {
	var text []byte
	for _, v := range key {
		text = append(value.AppendJSON(text, v), ' ')
	}
	return string(text)
}
