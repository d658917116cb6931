package replay

import (
	"bytes"
	"encoding/json"
	"slices"

	"lockstep/engine"
	"lockstep/engine/partition"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// TableDiff is how one table's rows differ at the end.
type TableDiff struct {
	Table string `json:"table"`
	// Only says that the table is in one schema alone: "before" or "after". Its rows
	// are counted as being there only.
	Only       string `json:"only,omitempty"`
	OnlyBefore uint64 `json:"only_before"`
	OnlyAfter  uint64 `json:"only_after"`
	Changed    uint64 `json:"changed"`
	// ColumnsBefore and ColumnsAfter are in one schema alone, and not compared.
	ColumnsBefore []string  `json:"columns_only_before,omitempty"`
	ColumnsAfter  []string  `json:"columns_only_after,omitempty"`
	Examples      []RowDiff `json:"examples"`
}

// RowDiff is one row that differs: whole where it is on one side only, else the
// columns that are not equal.
type RowDiff struct {
	Key    json.RawMessage `json:"key"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

func (t *TableDiff) same() bool { return t.OnlyBefore+t.OnlyAfter+t.Changed == 0 }

// compareTables compares all rows of both copies as they are now.
func (h *rehearsal) compareTables() ([]TableDiff, error) {
	before, err := h.run.recorded.View()
	if err != nil {
		return nil, err
	}
	defer before.Close()
	after, err := h.copy.View()
	if err != nil {
		return nil, err
	}
	defer after.Close()
	diffs := []TableDiff{}
	for _, name := range tableNames(before, after) {
		c := comparison{a: sideOf(before, name), b: sideOf(after, name), examples: h.diffs.examples}
		c.diff.Table, c.diff.Examples = name, []RowDiff{}
		if err := c.run(); err != nil {
			return nil, err
		}
		diffs = append(diffs, c.diff)
	}
	return diffs, nil
}

// tableNames are those of both, in order.
func tableNames(views ...*partition.View) []string {
	var names []string
	for _, v := range views {
		if c := v.Compiled(); c != nil {
			for _, t := range c.Tables {
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// side is a table in one of the copies.
type side struct {
	view  *partition.View
	table *schema.Table // nil: the schema has none of that name
	rows  *engine.RowIter
	more  bool
}

func sideOf(v *partition.View, name string) side {
	s := side{view: v}
	if c := v.Compiled(); c != nil {
		s.table = c.Table(name)
	}
	return s
}

func (s *side) open() {
	if s.table != nil {
		s.rows = s.view.Rows(s.table)
		s.more = s.rows.Next()
	}
}

func (s *side) close() error {
	if s.rows == nil {
		return nil
	}
	return s.rows.Close()
}

// comparison walks through a table on both sides at once, in key order.
type comparison struct {
	a, b     side
	columns  [][2]int // of both, by their place in each
	examples int
	diff     TableDiff
}

func (c *comparison) run() error {
	switch {
	case c.b.table == nil:
		c.diff.Only = "before"
	case c.a.table == nil:
		c.diff.Only = "after"
	default:
		c.pairColumns()
	}
	c.a.open()
	c.b.open()
	for c.a.more || c.b.more {
		c.step()
	}
	err := c.a.close()
	if other := c.b.close(); err == nil {
		err = other
	}
	return err
}

// step passes over the lowest key.
func (c *comparison) step() {
	order := 0
	switch {
	case !c.b.more:
		order = -1
	case !c.a.more:
		order = 1
	default:
		order = bytes.Compare(c.a.rows.Key(), c.b.rows.Key())
	}
	switch {
	case order < 0:
		if c.diff.OnlyBefore++; c.room(c.diff.OnlyBefore) {
			row := c.a.rows.Row()
			c.show(c.a.table, row, allOf(c.a.table, row), nil)
		}
	case order > 0:
		if c.diff.OnlyAfter++; c.room(c.diff.OnlyAfter) {
			row := c.b.rows.Row()
			c.show(c.b.table, row, nil, allOf(c.b.table, row))
		}
	default:
		c.both()
	}
	if order <= 0 {
		c.a.more = c.a.rows.Next()
	}
	if order >= 0 {
		c.b.more = c.b.rows.Next()
	}
}

// room tells whether the n-th difference of a kind is shown.
func (c *comparison) room(n uint64) bool { return n <= uint64(c.examples) }

// both compares a row that is on both sides.
func (c *comparison) both() {
	a, b := c.a.rows.Row(), c.b.rows.Row()
	if a.IsNull() || b.IsNull() {
		return // damaged: the end tells
	}
	var differ [][2]int
	for _, at := range c.columns {
		if !value.Same(a.Field(at[0]), b.Field(at[1])) && !value.Equal(a.Field(at[0]), b.Field(at[1])) {
			differ = append(differ, at)
		}
	}
	if len(differ) == 0 {
		return
	}
	if c.diff.Changed++; !c.room(c.diff.Changed) {
		return
	}
	before, after := make([]int, len(differ)), make([]int, len(differ))
	for i, at := range differ {
		before[i], after[i] = at[0], at[1]
	}
	c.show(c.a.table, a, columnsOf(c.a.table, a, before), columnsOf(c.b.table, b, after))
}

func (c *comparison) show(t *schema.Table, row value.Value, before, after json.RawMessage) {
	if row.IsNull() {
		return
	}
	key := clip(value.AppendJSON(nil, value.OfList(t.KeyOf(nil, row))))
	c.diff.Examples = append(c.diff.Examples, RowDiff{Key: key, Before: before, After: after})
}

// pairColumns finds the columns of both tables, and those of one alone.
func (c *comparison) pairColumns() {
	for i := range c.a.table.Columns {
		name := c.a.table.Columns[i].Name
		if j, ok := c.b.table.Column(name); ok {
			c.columns = append(c.columns, [2]int{i, j})
		} else {
			c.diff.ColumnsBefore = append(c.diff.ColumnsBefore, name)
		}
	}
	for j := range c.b.table.Columns {
		name := c.b.table.Columns[j].Name
		if _, ok := c.a.table.Column(name); !ok {
			c.diff.ColumnsAfter = append(c.diff.ColumnsAfter, name)
		}
	}
}

// allOf is a row as a JSON object, without its revision.
func allOf(t *schema.Table, row value.Value) json.RawMessage {
	if row.IsNull() {
		return nil
	}
	all := make([]int, len(t.Columns))
	for i := range all {
		all[i] = i
	}
	return columnsOf(t, row, all)
}

// columnsOf is some columns of a row as a JSON object.
func columnsOf(t *schema.Table, row value.Value, columns []int) json.RawMessage {
	doc := []byte{'{'}
	for i, at := range columns {
		if i > 0 {
			doc = append(doc, ',')
		}
		doc = append(value.AppendJSONString(doc, t.Columns[at].Name), ':')
		doc = value.AppendJSON(doc, row.Field(at))
	}
	return clip(append(doc, '}'))
}
