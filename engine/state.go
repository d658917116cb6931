package engine

import (
	"fmt"

	"lockstep/engine/keys"
	"lockstep/engine/program"
	"lockstep/engine/rows"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// The Machine is what a running program reads and writes.
var _ program.State = (*Machine)(nil)

// Revision is the revision that the present item's writes carry.
func (m *Machine) Revision() int64 { return int64(m.revision) }

// Get returns the row under key, null where there is none, as the present item
// sees it.
func (m *Machine) Get(t *schema.Table, key []value.Value) (value.Value, error) {
	s, err := m.slot(t, key)
	if err != nil || s == nil {
		return value.Value{}, err
	}
	return s.row, nil
}

// LastWriter is the revision that wrote the row before the present item; 0
// where there was none.
func (m *Machine) LastWriter(t *schema.Table, key []value.Value) (int64, error) {
	s, err := m.slot(t, key)
	if err != nil || s == nil {
		return 0, err
	}
	return int64(m.rows.lastWriter(s)), nil
}

// slot finds or reads the row under key. It is nil where the key is longer than
// any stored one.
func (m *Machine) slot(t *schema.Table, key []value.Value) (*slot, error) {
	m.probe = appendRowKey(m.probe[:0], t, key)
	if len(m.probe) > maxRowKey {
		return nil, nil
	}
	return m.slotAt(t, m.probe)
}

// slotAt finds or reads the row under a store's key.
func (m *Machine) slotAt(t *schema.Table, key []byte) (*slot, error) {
	if s := m.rows.find(key); s != nil {
		return s, nil
	}
	row, rev, err := readRow(m.store, t, key, &m.rows.buf)
	if err != nil {
		return nil, err
	}
	return m.rows.add(key, row, rev), nil
}

// Put writes a row that was old before, null where there was none.
func (m *Machine) Put(t *schema.Table, key []value.Value, row, old value.Value) (*program.Abort, error) {
	s, err := m.slot(t, key)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return &program.Abort{Code: "cost_exceeded", Message: fmt.Sprintf("the key of a row of %s is longer than %d bytes", t.Name, keys.MaxKey)}, nil
	}
	if len(t.Indexes) > 0 {
		if abort, err := m.putIndexes(t, key, row, old); abort != nil || err != nil {
			return abort, err
		}
	}
	m.scratch = appendRow(m.scratch[:0], t, m.revision, row)
	m.written += len(s.key) + len(m.scratch)
	m.rows.write(s, row, m.revision, m.arena.keep(m.scratch))
	return nil, nil
}

// Delete removes a row that was old before.
func (m *Machine) Delete(t *schema.Table, key []value.Value, old value.Value) error {
	s, err := m.slot(t, key)
	if err != nil || s == nil {
		return err
	}
	for _, x := range t.Indexes {
		m.rows.writeIndex(appendIndexKey(nil, x, key, old), nil)
	}
	m.rows.write(s, value.Value{}, 0, nil)
	return nil
}

// putIndexes moves the row's index entries from the old row to the new.
func (m *Machine) putIndexes(t *schema.Table, key []value.Value, row, old value.Value) (*program.Abort, error) {
	for _, x := range t.Indexes {
		if !old.IsNull() && sameColumns(x, row, old) {
			continue
		}
		to := appendIndexKey(nil, x, key, row)
		if len(to) > maxIndexKey {
			return &program.Abort{Code: "cost_exceeded", Message: fmt.Sprintf("an entry of index %s.%s is longer than %d bytes", t.Name, x.Name, keys.MaxKey)}, nil
		}
		if x.Unique && !hasNull(x, row) {
			holder, err := m.rows.lookupIndex(to)
			if err != nil {
				return nil, err
			}
			if holder != nil {
				return &program.Abort{Code: "unique_violation", Message: fmt.Sprintf("another row of %s has the same values in the unique index %s", t.Name, x.Name)}, nil
			}
		}
		if !old.IsNull() {
			m.rows.writeIndex(appendIndexKey(nil, x, key, old), nil)
		}
		m.rows.writeIndex(to, appendTuple([]byte{}, key))
		m.written += 2 * len(to)
	}
	return nil, nil
}

// The longest keys in the store: a row's key, and an index entry's columns with
// the row's key, each behind its prefix.
const (
	maxRowKey   = prefixBytes + keys.MaxKey
	maxIndexKey = prefixBytes + 2*keys.MaxKey
)

// appendRowKey appends the store's key of a row.
func appendRowKey(dst []byte, t *schema.Table, key []value.Value) []byte {
	return appendTuple(appendPrefix(dst, spaceRows, t.ID), key)
}

// appendIndexKey appends the store's key of a row's entry in an index: the
// columns, and unless they alone must be unique, the row's key.
func appendIndexKey(dst []byte, x *schema.Index, key []value.Value, row value.Value) []byte {
	dst = appendPrefix(dst, spaceIndexes, x.ID)
	for _, c := range x.Columns {
		dst = keys.Append(dst, row.Field(c))
	}
	if x.Unique && !hasNull(x, row) {
		return dst
	}
	return appendTuple(dst, key)
}

func appendTuple(dst []byte, key []value.Value) []byte {
	for i := range key {
		dst = keys.Append(dst, key[i])
	}
	return dst
}

func sameColumns(x *schema.Index, a, b value.Value) bool {
	for _, c := range x.Columns {
		// A column that was not set is the very same value, which is cheap to see.
		if x, y := a.Field(c), b.Field(c); !value.Same(x, y) && !value.Equal(x, y) {
			return false
		}
	}
	return true
}

func hasNull(x *schema.Index, row value.Value) bool {
	for _, c := range x.Columns {
		if row.Field(c).IsNull() {
			return true
		}
	}
	return false
}

// appendRow appends a row as it is stored.
func appendRow(dst []byte, t *schema.Table, revision uint64, row value.Value) []byte {
	var few [16]value.Value
	vals := few[:0]
	for _, c := range t.Stored {
		vals = append(vals, row.Field(c))
	}
	return rows.Append(dst, revision, t.StoredIDs, vals)
}

// decodeRow reads a stored row.
func decodeRow(raw []byte, t *schema.Table) (value.Value, uint64, error) {
	var few [16]value.Value
	vals := few[:]
	if len(t.Stored) > len(few) {
		vals = make([]value.Value, len(t.Stored))
	}
	vals = vals[:len(t.Stored)]
	rev, err := rows.Decode(raw, t.StoredIDs, t.Fills, vals)
	if err != nil {
		return value.Value{}, 0, err
	}
	fields := make([]value.Value, len(t.Columns)+1)
	for i, c := range t.Stored {
		fields[c] = vals[i]
	}
	fields[t.RevisionIndex()] = value.OfInt(int64(rev))
	return value.OfObject(t.RowType.Shape, fields), rev, nil
}

// readRow reads the row under a store's key, null where there is none.
func readRow(r Reader, t *schema.Table, key []byte, buf *[]byte) (value.Value, uint64, error) {
	raw, ok, err := r.Get(key, (*buf)[:0])
	if err != nil || !ok {
		return value.Value{}, 0, err
	}
	*buf = raw
	row, rev, err := decodeRow(raw, t)
	if err != nil {
		return value.Value{}, 0, fmt.Errorf("row of table %s is damaged: %w", t.Name, err)
	}
	return row, rev, nil
}
