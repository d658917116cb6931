package schema

import (
	"lockstep/engine/lang"
	"lockstep/engine/value"
)

// Schema is a compiled schema: what transactions of a group run against. It is
// immutable but for Version and safe for concurrent use.
type Schema struct {
	Version  uint64 // the revision that applied it; set by the machine
	Language uint32 // the language version that it was compiled under
	Doc      *Document
	Layout   Layout
	Tables   []*Table // in byte order of their names

	byName map[string]*Table
	byID   map[uint32]*Table
}

// Table finds a table by name, or nil.
func (s *Schema) Table(name string) *Table { return s.byName[name] }

// TableByID finds a table by its number, or nil.
func (s *Schema) TableByID(id uint32) *Table { return s.byID[id] }

// Table is a compiled table.
type Table struct {
	Name    string
	ID      uint32
	Columns []Column // in byte order of their names; the fields of a row, before _revision
	Key     []int    // positions in Columns, in the key's order
	Indexes []*Index // in byte order of their names
	Checks  []*Check // in the document's order
	RowType *lang.ObjectType

	// How a row is stored: its columns by ascending number.
	StoredIDs []uint32      // numbers of all columns, ascending
	Stored    []int         // positions in Columns, parallel to StoredIDs
	Fills     []value.Value // what rows written before a column was added show, parallel to StoredIDs

	isKey []bool // by position in Columns
}

// RevisionIndex is the position of _revision among a row's fields.
func (t *Table) RevisionIndex() int { return len(t.Columns) }

// IsKey tells whether the column at a position is part of the key.
func (t *Table) IsKey(column int) bool { return t.isKey[column] }

// Column finds a column's position by name.
func (t *Table) Column(name string) (int, bool) {
	i, ok := t.RowType.Shape.Index(name)
	return i, ok && i < len(t.Columns)
}

// KeyKinds are the kinds of the key's values, in the key's order.
func (t *Table) KeyKinds() []value.Kind { return t.kinds(t.Key) }

// KeyOf appends the key of a row to dst.
func (t *Table) KeyOf(dst []value.Value, row value.Value) []value.Value {
	for _, c := range t.Key {
		dst = append(dst, row.Field(c))
	}
	return dst
}

func (t *Table) kinds(columns []int) []value.Kind {
	kinds := make([]value.Kind, len(columns))
	for i, c := range columns {
		kinds[i], _ = keyKind(t.Columns[c].Type.Kind)
	}
	return kinds
}

// Index finds an index by name, or nil.
func (t *Table) Index(name string) *Index {
	for _, x := range t.Indexes {
		if x.Name == name {
			return x
		}
	}
	return nil
}

// Column is a compiled column.
type Column struct {
	Name     string
	ID       uint32
	Type     lang.Type   // nullable where the column is optional
	Optional bool        // null is allowed
	Default  *lang.Expr  // over tx alone; nil where there is none
	Fill     value.Value // what rows older than the column show

	defaultText string // canonical text of the default, to tell a changed one
}

// MustBeGiven tells whether an insert has to name the column.
func (c *Column) MustBeGiven() bool { return !c.Optional && c.Default == nil }

// Index is a compiled index.
type Index struct {
	Name    string
	ID      uint32 // unique in the schema's whole history, over all tables
	Columns []int  // positions in Table.Columns
	Unique  bool
}

// Kinds are the kinds of the index's values, in its order.
func (x *Index) Kinds(t *Table) []value.Kind { return t.kinds(x.Columns) }

// Check is a compiled check.
type Check struct {
	Expr    *lang.Expr // over row alone, at RowSlot; comparisons with null are unknown
	Code    string
	Message *lang.Expr // or nil

	text string // canonical text of the whole check, to tell a new one
}

// Passes evaluates the check on a row; f needs RowSlot+1 slots. A check that
// meets a null column passes, as in SQL. A fault of another kind is returned.
// The frame's row slot is left holding the row, for Message.
func (c *Check) Passes(f *lang.Frame, row value.Value) (bool, *lang.Fault) {
	f.Slots[RowSlot] = row
	ok, fault := c.Expr.Eval(f)
	switch {
	case fault == nil:
		return ok.Kind() != value.Bool || ok.Bool(), nil // no boolean: null, which is unknown
	case fault.FromNull():
		return true, nil
	}
	return false, fault
}

// keyKind is the kind of value that a type allowed in keys and indexes has.
func keyKind(kind lang.Kind) (value.Kind, bool) {
	switch kind {
	case lang.KBool:
		return value.Bool, true
	case lang.KInt:
		return value.Int, true
	case lang.KUint:
		return value.Uint, true
	case lang.KString:
		return value.String, true
	case lang.KBytes:
		return value.Bytes, true
	case lang.KTimestamp:
		return value.Timestamp, true
	}
	return value.Null, false
}
