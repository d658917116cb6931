package engine

import (
	"bytes"
	"fmt"
	"iter"
	"slices"

	"lockstep/engine/keys"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// bounds are the store's keys that delimit a span, and what of it the store
// can't tell.
type bounds struct {
	low, high []byte // of the iterator
	// An entry of a unique index ends with the index's columns. Where a span goes
	// on into the row's key, rows are compared with these by columns and key.
	from, to []byte // nil: nothing to compare
}

// spanBounds finds where a span begins and ends.
func spanBounds(t *schema.Table, span *program.Span) bounds {
	head, columns := prefixKey(spaceRows, t.ID), len(t.Key)
	if span.Index != nil {
		head, columns = prefixKey(spaceIndexes, span.Index.ID), len(span.Index.Columns)
	}
	end := func(tail []value.Value) []byte {
		return keys.AppendTuple(keys.AppendTuple(bytes.Clone(head), span.Prefix), tail)
	}
	b := bounds{low: end(span.From)}
	if span.To != nil {
		b.high = end(span.To)
	} else {
		b.high = prefixEnd(end(nil))
	}
	n := len(span.Prefix)
	if span.Index == nil || !span.Index.Unique || n+max(len(span.From), len(span.To)) <= columns {
		return b
	}
	// An entry whose columns have no null ends with them: the store is asked for what
	// they alone delimit, and the rest is compared.
	cut := func(tail []value.Value) (key []byte, shorter bool) {
		all := append(append([]value.Value{}, span.Prefix...), tail...)
		if len(all) > columns && !slices.ContainsFunc(all[:columns], value.Value.IsNull) {
			all, shorter = all[:columns], true
		}
		return keys.AppendTuple(bytes.Clone(head), all), shorter
	}
	b.from, b.to = b.low, b.high
	b.low, _ = cut(span.From)
	high, shorter := cut(span.To)
	if b.high = high; shorter || span.To == nil {
		b.high = prefixEnd(high)
	}
	return b
}

// within tells whether a row, found by an entry of a unique index, lies in the
// span.
func (b *bounds) within(x *schema.Index, t *schema.Table, row value.Value) bool {
	if b.from == nil {
		return true
	}
	full := prefixKey(spaceIndexes, x.ID)
	for _, c := range x.Columns {
		full = keys.Append(full, row.Field(c))
	}
	full = appendTuple(full, t.KeyOf(nil, row))
	return bytes.Compare(full, b.from) >= 0 && bytes.Compare(full, b.to) < 0
}

// Scan visits the rows of a span as the present item sees them.
func (m *Machine) Scan(t *schema.Table, span *program.Span, visit func(value.Value) bool) error {
	b := spanBounds(t, span)
	m.rows.order()
	if span.Index == nil {
		return m.scanRows(t, &b, span.Desc, visit)
	}
	return m.scanIndex(t, &b, span, visit)
}

// scanRows merges the rows of the store with those that lie over it.
func (m *Machine) scanRows(t *schema.Table, b *bounds, desc bool, visit func(value.Value) bool) error {
	return merge(m.store, b, desc, &m.rows.gaps, m.rows.rowsBetween(b, desc), func(over *slot, key, raw []byte) (bool, error) {
		if over == nil {
			// A row that is cached is decoded already.
			over = m.rows.find(key)
		}
		if over != nil {
			return over.row.IsNull() || visit(over.row), nil
		}
		row, _, err := decodeRow(raw, t)
		if err != nil {
			return false, fmt.Errorf("row of table %s is damaged: %w", t.Name, err)
		}
		return visit(row), nil
	})
}

// scanIndex merges an index's entries likewise, and reads the row of each.
func (m *Machine) scanIndex(t *schema.Table, b *bounds, span *program.Span, visit func(value.Value) bool) error {
	var rowKey []byte
	return merge(m.store, b, span.Desc, &m.rows.gaps, m.rows.entriesBetween(b, span.Desc), func(over *indexSlot, _, tuple []byte) (bool, error) {
		if over != nil {
			if over.value == nil {
				return true, nil
			}
			tuple = over.value
		}
		rowKey = append(appendPrefix(rowKey[:0], spaceRows, t.ID), tuple...)
		s, err := m.slotAt(t, rowKey)
		if err != nil {
			return false, err
		}
		if s.row.IsNull() {
			return false, fmt.Errorf("%w: an entry of an index of table %s leads to no row", errState, t.Name)
		}
		return !b.within(span.Index, t, s.row) || visit(s.row), nil
	})
}

// Scan visits the rows of a span at the view's revision.
func (v *View) Scan(t *schema.Table, span *program.Span, visit func(value.Value) bool) error {
	b := spanBounds(t, span)
	nothing := func(func(*slot) bool) {}
	return merge(v.reader, &b, span.Desc, nil, nothing, func(_ *slot, _, raw []byte) (bool, error) {
		if span.Index == nil {
			row, _, err := decodeRow(raw, t)
			if err != nil {
				return false, fmt.Errorf("row of table %s is damaged: %w", t.Name, err)
			}
			return visit(row), nil
		}
		v.key = append(appendPrefix(v.key[:0], spaceRows, t.ID), raw...)
		row, _, err := readRow(v.reader, t, v.key, &v.buf)
		if err == nil && row.IsNull() {
			err = fmt.Errorf("%w: an entry of an index of table %s leads to no row", errState, t.Name)
		}
		if err != nil {
			return false, err
		}
		return !b.within(span.Index, t, row) || visit(row), nil
	})
}

// keyed is what has a key in the store's order.
type keyed interface{ storeKey() string }

func (s *slot) storeKey() string      { return s.key }
func (s *indexSlot) storeKey() string { return s.key }

// merge walks the store between bounds together with what lies over it, a
// sequence in the same order, and yields each key once: with what lies over it
// where there is such, else with the store's value. What lies over counts even
// where it takes the store's value away.
func merge[T keyed](r Reader, b *bounds, desc bool, g *gaps, over iter.Seq[T], yield func(over T, key, raw []byte) (bool, error)) error {
	if bytes.Compare(b.low, b.high) >= 0 {
		return nil
	}
	w := newWalk(r, b, desc, g)
	before := func(key string) bool { // the store's present key comes before
		c := bytes.Compare(w.it.Key(), []byte(key))
		return desc && c > 0 || !desc && c < 0
	}
	var none T
	var failed error
	more := true
	store := func() {
		more, failed = yield(none, w.it.Key(), w.it.Value())
		if more && failed == nil {
			w.next()
		}
	}
	for o := range over {
		key := o.storeKey()
		for w.ok && more && failed == nil && before(key) {
			store()
		}
		if !more || failed != nil {
			break
		}
		if more, failed = yield(o, nil, nil); !more || failed != nil {
			break
		}
		if w.ok && string(w.it.Key()) == key {
			w.next()
		}
	}
	for w.ok && more && failed == nil {
		store()
	}
	if failed != nil {
		return closeWith(w.it, failed)
	}
	return closeWith(w.it, w.it.Err())
}
