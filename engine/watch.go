package engine

import (
	"fmt"
	"slices"

	"lockstep/engine/keys"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// watch is what a schema change under way wants to know of a table.
type watch struct {
	look    *schema.Look
	present *schema.Table
	from    []int // for each column of the new table its position in the present one, -1: it is new
	frame   lang.Frame
	meter   lang.Meter  // of checks
	entries uint64      // cost of index entries, beside it
	filters []keyFilter // parallel to the new indexes: which entries of unique ones need no look-up
}

func newWatch(look *schema.Look, present *schema.Table) *watch {
	w := &watch{look: look, present: present}
	if present != nil {
		for i := range look.Table.Columns {
			at, ok := present.Column(look.Table.Columns[i].Name)
			if !ok {
				at = -1
			}
			w.from = append(w.from, at)
		}
	}
	w.filters = make([]keyFilter, len(look.Indexes))
	w.frame = lang.Frame{Slots: make([]value.Value, schema.FirstSlot), Meter: &w.meter, Tx: &lang.Tx{}}
	return w
}

// carried is a row as it will be under the new schema.
func (w *watch) carried(row value.Value) value.Value {
	t := w.look.Table
	fields := make([]value.Value, len(t.Columns)+1)
	for i, at := range w.from {
		if at < 0 {
			fields[i] = t.Columns[i].Fill
		} else {
			fields[i] = row.Field(at)
		}
	}
	fields[t.RevisionIndex()] = row.Field(w.present.RevisionIndex())
	return value.OfObject(t.RowType.Shape, fields)
}

// sameValues is the violation of a unique index by two rows.
func (w *watch) sameValues(x *schema.Index, key, holder string) *Violation {
	return w.violation("indexes."+x.Name, key, "has the same values as the row with key %s", holder)
}

// tooLong is the violation of an entry that no index can hold; nil if it can.
func (w *watch) tooLong(x *schema.Index, tuple []value.Value, entry []byte) *Violation {
	if len(entry) <= maxIndexKey {
		return nil
	}
	return w.violation("indexes."+x.Name, keyText(tuple), "has an entry of more than %d bytes", keys.MaxKey)
}

func (w *watch) violation(place, key, format string, args ...any) *Violation {
	return &Violation{
		Place: "tables." + w.look.Table.Name + "." + place, Key: key,
		Detail: "the row with key " + key + " " + fmt.Sprintf(format, args...),
	}
}

// check runs the new checks on a row; nil where it passes.
func (w *watch) check(tuple []value.Value, row value.Value) *Violation {
	for _, c := range w.look.Checks {
		ok, fault := c.Passes(&w.frame, row)
		place := func() string { return fmt.Sprintf("checks[%d]", slices.Index(w.look.Table.Checks, c)) }
		switch {
		case fault != nil && fault.Kind == lang.FaultCost:
			// As it would abort the transaction if the check held already.
			return w.violation(place(), keyText(tuple), "takes more than the limit of cost to check, with the other rows of its transaction")
		case fault != nil:
			return w.violation(place(), keyText(tuple), "can't be judged by the check %s: %s", c.Code, fault.Message())
		case !ok:
			return w.violation(place(), keyText(tuple), "does not pass the check %s", c.Code)
		}
	}
	return nil
}

// keyText shows a row's key in messages.
func keyText(tuple []value.Value) string {
	text := string(value.AppendJSON(nil, value.OfList(tuple)))
	if len(text) > maxKeyText {
		return clipBytes(text, maxKeyText)
	}
	return text
}

// holderText shows the key that an index entry holds.
func (w *watch) holderText(holder []byte) string {
	tuple, _, err := keys.Decode(holder, w.look.Table.KeyKinds(), nil)
	if err != nil {
		return "another"
	}
	return keyText(tuple)
}

// watchItem takes the rows that the item just executed has changed, each as it
// was before and as it is now, to the change under way. What an item did on the
// way to that is not looked at: the change wants the state to fit, not its
// history.
func (m *Machine) watchItem() error {
	c := m.change
	if c == nil || c.phase == PhaseFailed {
		return nil
	}
	limit := uint64(program.CostLimit)
	for pass := range 2 {
		for i := range m.rows.journal {
			u := &m.rows.journal[i]
			w := c.watches[keyTable(u.at.key)]
			if w == nil || u.changed == m.rows.item {
				continue // not a table that counts, or not the item's first change of the row
			}
			w.meter, w.entries = lang.Meter{Limit: limit}, 0
			var err error
			if pass == 0 {
				err = m.watchBefore(w, u)
			} else {
				err = m.watchAfter(c, w, u.at)
			}
			if err != nil || c.phase == PhaseFailed {
				return err
			}
			// The checks of all rows of an item share one budget, as they will when
			// they hold; all of it counts against the entry's.
			limit -= min(limit, w.meter.Used)
			m.meter.Used += w.meter.Used + w.entries
		}
	}
	return nil
}

// watchBefore removes the entries of a row as it was before, all rows before
// any is added: two rows may exchange their values.
func (m *Machine) watchBefore(w *watch, u *undo) error {
	if u.row.IsNull() {
		return nil
	}
	row := w.carried(u.row)
	tuple := w.look.Table.KeyOf(nil, row)
	own := appendTuple(nil, tuple)
	for i, x := range w.look.Indexes {
		if after := u.at.row; !after.IsNull() && sameColumns(x, row, w.carried(after)) {
			continue
		}
		k := appendIndexKey(nil, x, tuple, row)
		if x.Unique && !hasNull(x, row) {
			// The entry may be another row's: this one may not be in the index yet.
			holder, err := m.holder(w, i, k)
			if err != nil {
				return err
			}
			if string(holder) != string(own) {
				continue
			}
		}
		if len(k) <= maxIndexKey {
			m.rows.writeIndex(k, nil)
			m.written += len(k)
		}
	}
	return nil
}

// watchAfter checks a row as it is now and adds its entries.
func (m *Machine) watchAfter(c *change, w *watch, s *slot) error {
	if s.row.IsNull() {
		return nil
	}
	v, err := m.takeIn(w, w.carried(s.row))
	if v != nil {
		v.Detail += fmt.Sprintf("; revision %d wrote it", s.rev)
		c.breaks(*v)
		c.phase = PhaseFailed
	}
	return err
}

// takeIn checks a row, shown by the new schema, and adds its entries to the new
// indexes; what it has against the change, if anything.
func (m *Machine) takeIn(w *watch, row value.Value) (*Violation, error) {
	tuple := w.look.Table.KeyOf(nil, row)
	if v := w.check(tuple, row); v != nil {
		return v, nil
	}
	own := appendTuple([]byte{}, tuple)
	for i, x := range w.look.Indexes {
		k := appendIndexKey(nil, x, tuple, row)
		if v := w.tooLong(x, tuple, k); v != nil {
			return v, nil
		}
		w.entries += entryPutCost
		if x.Unique && !hasNull(x, row) {
			w.entries += m.change.getCost()
			holder, err := m.holder(w, i, k)
			if err != nil {
				return nil, err
			}
			if holder != nil && string(holder) != string(own) {
				return w.sameValues(x, keyText(tuple), w.holderText(holder)), nil
			}
		}
		m.rows.writeIndex(k, own)
		m.written += len(k) + len(own)
		if x.Unique && m.change.rows < filteredRows {
			w.filters[i].note(hashKey(string(k)))
		}
	}
	return nil, nil
}

// holder is the key of the row that has an entry of a new unique index, nil where
// none has.
func (m *Machine) holder(w *watch, index int, k []byte) ([]byte, error) {
	if m.change.rows < filteredRows && !w.filters[index].may(hashKey(string(k))) {
		return nil, nil
	}
	return m.rows.lookupIndex(k)
}

// getCost is what a look-up in a new unique index costs: a filter spares nearly all
// of them as long as there is one.
func (c *change) getCost() uint64 {
	if c.rows < filteredRows {
		return entryGetCost
	}
	return entryReadCost
}

// warmFilters reads some entries that were built before the copy was opened.
func (c *change) warmFilters(r Reader) error {
	for _, look := range c.what.Look {
		w := c.watches[look.Table.ID]
		for i, x := range look.Indexes {
			f := &w.filters[i]
			if !x.Unique || f.complete {
				continue
			}
			start := prefixKey(spaceIndexes, x.ID)
			return f.read(r, start, func(key []byte) uint64 { return hashKey(string(key)) })
		}
	}
	return nil
}

// applyBackfill brings some more of the rows that were there before the change
// began into it. It is applied on its own: what came before it is in the store.
func (m *Machine) applyBackfill() error {
	e, err := m.reader.Backfill()
	if err != nil {
		return err
	}
	c := m.change
	if c == nil || c.id != e.Change || c.step != e.Step || c.phase != PhaseBuilding {
		m.told(e.Origin, false)
		return nil
	}
	left := budget{rows: backfillRows, bytes: backfillBytes, cost: backfillCost}
	if e.Rows > 0 && e.Rows < backfillRows {
		left.rows = int(e.Rows)
	}
	for c.look < len(c.what.Look) && left.some() {
		if err := m.backfillTable(c, &left); err != nil {
			return err
		}
	}
	switch {
	case c.broken > 0:
		c.phase = PhaseFailed
	case c.look == len(c.what.Look):
		c.phase = PhaseBuilt
	}
	c.step++
	c.dirty = true
	m.told(e.Origin, true)
	return nil
}

// budget is what is left of a backfill.
type budget struct{ rows, bytes, cost int }

func (b *budget) some() bool { return b.rows > 0 && b.bytes > 0 && b.cost > 0 }

// backfillTable goes on in the present table, and to the next at its end.
func (m *Machine) backfillTable(c *change, left *budget) error {
	w := c.watches[c.what.Look[c.look].Table.ID]
	start := prefixKey(spaceRows, w.look.Table.ID)
	from := start
	if len(c.cursor) > 0 {
		from = append(slices.Concat(start, c.cursor), 0)
	}
	it := m.store.NewIter(from, prefixEnd(start))
	ok := it.First()
	for ; ok && left.some(); ok = it.Next() {
		row, _, err := decodeRow(it.Value(), w.look.Table)
		if err != nil {
			return closeWith(it, fmt.Errorf("row of table %s is damaged: %w", w.look.Table.Name, err))
		}
		before := m.written
		w.meter, w.entries = lang.Meter{Limit: program.CostLimit}, 0
		v, err := m.takeIn(w, row)
		if err != nil {
			return closeWith(it, err)
		}
		if v != nil {
			c.breaks(*v)
		}
		c.rows++
		c.cursor = append(c.cursor[:0], it.Key()[prefixBytes:]...)
		left.rows--
		left.bytes -= len(it.Value()) + m.written - before
		left.cost -= rowLookCost + int(w.meter.Used+w.entries)
	}
	if !ok && it.Err() == nil {
		c.look++
		c.cursor = c.cursor[:0]
	}
	return closeWith(it, it.Err())
}
