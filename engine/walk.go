package engine

import (
	"encoding/binary"
	"fmt"

	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// PositionOf is the point of the order that a store or a snapshot reflects.
func PositionOf(r Reader) (Position, error) {
	m := Machine{store: r2s{r}}
	raw, ok, err := r.Get(appliedKey(), nil)
	switch {
	case err != nil:
	case ok && len(raw) == 8:
		m.index = binary.BigEndian.Uint64(raw)
	case ok:
		err = fmt.Errorf("%w: applied position", errState)
	}
	if err == nil {
		if raw, ok, err = r.Get(stateKey(), nil); err == nil && ok {
			err = m.decodeState(raw)
		}
	}
	if err != nil {
		return Position{}, fmt.Errorf("read the position: %w", err)
	}
	return m.Position(), nil
}

// RowIter walks over a table's rows in key order. It must be closed.
type RowIter struct {
	table *schema.Table
	it    Iterator
	begun bool
	err   error
}

// Rows walks over all rows of a table of the view's schema.
func (v *View) Rows(t *schema.Table) *RowIter {
	start := prefixKey(spaceRows, t.ID)
	return &RowIter{table: t, it: v.reader.NewIter(start, prefixEnd(start))}
}

// Next moves to the next row, the first at first; false at the end or after an
// error.
func (r *RowIter) Next() bool {
	if r.err != nil {
		return false
	}
	if !r.begun {
		r.begun = true
		return r.it.First()
	}
	return r.it.Next()
}

// Key is the key's columns as they are stored, which sort as the rows do; valid
// until the next move.
func (r *RowIter) Key() []byte { return r.it.Key()[prefixBytes:] }

// Row decodes the row. It is null after an error, which Close tells.
func (r *RowIter) Row() value.Value {
	row, _, err := decodeRow(r.it.Value(), r.table)
	if err != nil {
		r.err = fmt.Errorf("row of table %s is damaged: %w", r.table.Name, err)
		return value.Value{}
	}
	return row
}

// Close ends the walk and tells what went wrong with it.
func (r *RowIter) Close() error {
	if r.err == nil {
		r.err = r.it.Err()
	}
	return closeWith(r.it, r.err)
}
