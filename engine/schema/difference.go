package schema

import (
	"slices"

	"lockstep/engine/lang"
	"lockstep/engine/value"
)

// Change is what replacing one schema by another means for stored rows.
type Change struct {
	DroppedTables  []uint32 // numbers whose rows and index entries go
	DroppedIndexes []uint32 // numbers whose entries go, those of dropped tables included
	Look           []Look   // tables whose rows must be looked at before the schema may hold
}

// Look is a table that keeps its rows and has new indexes or checks, to which
// those rows must conform.
type Look struct {
	Table   *Table // of the new schema
	Indexes []*Index
	Checks  []*Check
}

// NoRows tells whether the change can be made without looking at any row.
func (c *Change) NoRows() bool { return len(c.Look) == 0 }

// Difference finds what replacing one schema by its successor means for rows. It
// goes by the numbers alone, so that a copy that is opened in the middle of a
// change finds the same as the one that began it. old is nil at first.
func Difference(old, next *Schema) Change {
	var c Change
	if old == nil {
		return c
	}
	for _, t := range next.Tables {
		before := old.TableByID(t.ID)
		if before == nil {
			continue
		}
		look := Look{Table: t}
		for _, x := range t.Indexes {
			if before.indexByID(x.ID) == nil {
				look.Indexes = append(look.Indexes, x)
			}
		}
		for _, k := range t.Checks {
			if !before.hasCheck(k) {
				look.Checks = append(look.Checks, k)
			}
		}
		if len(look.Indexes)+len(look.Checks) > 0 {
			c.Look = append(c.Look, look)
		}
	}
	for _, was := range old.Tables {
		t := next.TableByID(was.ID)
		if t == nil {
			c.DroppedTables = append(c.DroppedTables, was.ID)
		}
		for _, x := range was.Indexes {
			if t == nil || t.indexByID(x.ID) == nil {
				c.DroppedIndexes = append(c.DroppedIndexes, x.ID)
			}
		}
	}
	slices.Sort(c.DroppedTables)
	slices.Sort(c.DroppedIndexes)
	return c
}

func (t *Table) indexByID(id uint32) *Index {
	for _, x := range t.Indexes {
		if x.ID == id {
			return x
		}
	}
	return nil
}

func (t *Table) hasCheck(k *Check) bool {
	return slices.ContainsFunc(t.Checks, func(was *Check) bool { return was.text == k.text })
}

// Refill evaluates anew, under tx, what old rows show in columns that old lacks,
// for a change that was begun under another transaction than the one that makes
// it hold. What the change had to know when it looked at rows stays: the columns
// of its new indexes, and in a table with new checks all. Nobody else may know
// the schema yet. A default that can't be evaluated is told by its place.
func (s *Schema) Refill(old *Schema, change *Change, tx *lang.Tx) (place string, fault *lang.Fault) {
	for _, t := range s.Tables {
		before := old.TableByID(t.ID)
		if before == nil {
			continue
		}
		for i := range t.Columns {
			col := &t.Columns[i]
			if _, known := before.Column(col.Name); known || change.knew(t, i) {
				continue
			}
			v, fault := evalFill(col, tx)
			if fault != nil {
				return "tables." + t.Name + ".columns." + col.Name + ".default", fault
			}
			s.setFill(t, col, v)
		}
	}
	return "", nil
}

// knew tells whether looking at rows took the fill of a table's column.
func (c *Change) knew(t *Table, column int) bool {
	for i := range c.Look {
		if look := &c.Look[i]; look.Table == t {
			return len(look.Checks) > 0 || slices.ContainsFunc(look.Indexes, func(x *Index) bool { return slices.Contains(x.Columns, column) })
		}
	}
	return false
}

func (s *Schema) setFill(t *Table, col *Column, v value.Value) {
	col.Fill = v
	t.Fills[slices.Index(t.StoredIDs, col.ID)] = v
	s.Layout.table(t.Name).column(col.Name).Fill = v
}

// evalFill is what rows older than a column show: its default, else null.
func evalFill(col *Column, tx *lang.Tx) (value.Value, *lang.Fault) {
	if col.Default == nil {
		return value.Value{}, nil
	}
	v, fault := col.Default.Eval(&lang.Frame{Slots: make([]value.Value, FirstSlot), Tx: tx, Meter: &lang.Meter{Limit: fillCost}})
	if fault == nil {
		v, fault = lang.Conform(v, col.Type)
	}
	return v, fault
}
