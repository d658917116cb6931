package engine

import (
	"crypto/sha256"
	"fmt"

	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// indexEntry is an entry of a new index for a row that exists already.
type indexEntry struct{ key, value []byte }

// inspect looks at the existing rows of the tables that have new checks or
// indexes. It returns the entries of the new indexes, or what forbids the
// change. It looks at no more than maxRowsInspected rows, for every copy waits
// while it does.
func inspect(r Reader, change schema.Change) ([]indexEntry, string, error) {
	ins := inspection{reader: r, unique: map[string]bool{}}
	for i := range change.Look {
		if err := ins.table(&change.Look[i]); err != nil || ins.problem != "" {
			return nil, ins.problem, err
		}
	}
	return ins.entries, "", nil
}

type inspection struct {
	reader  Reader
	rows    int
	entries []indexEntry
	unique  map[string]bool
	problem string
}

func (ins *inspection) table(look *schema.Look) error {
	start := prefixKey(spaceRows, look.Table.ID)
	it := ins.reader.NewIter(start, prefixEnd(start))
	for ok := it.First(); ok && ins.problem == ""; ok = it.Next() {
		if ins.rows++; ins.rows > maxRowsInspected {
			ins.problem = fmt.Sprintf("tables.%s: a new check or index would have to look at more than %d rows, which this version does not do while the group runs; add it while the table is smaller, or add another table and move the rows", look.Table.Name, maxRowsInspected)
			break
		}
		row, _, err := decodeRow(it.Value(), look.Table)
		if err != nil {
			return closeWith(it, fmt.Errorf("row of table %s is damaged: %w", look.Table.Name, err))
		}
		ins.row(look, row, it.Key()[len(start):])
	}
	return closeWith(it, it.Err())
}

func (ins *inspection) row(look *schema.Look, row value.Value, key []byte) {
	name := func() string { return string(value.AppendJSON(nil, value.OfList(look.Table.KeyOf(nil, row)))) }
	f := lang.Frame{Slots: make([]value.Value, schema.FirstSlot), Meter: &lang.Meter{Limit: program.CostLimit}, Tx: &lang.Tx{}}
	for _, c := range look.Checks {
		ok, fault := c.Passes(&f, row)
		if fault != nil || !ok {
			ins.problem = fmt.Sprintf("tables.%s.checks: the row with key %s does not pass the check %s", look.Table.Name, name(), c.Code)
			return
		}
	}
	tuple := look.Table.KeyOf(nil, row)
	for _, x := range look.Indexes {
		k := appendIndexKey(nil, x, tuple, row)
		if len(k) > maxIndexKey {
			ins.problem = fmt.Sprintf("tables.%s.indexes.%s: the entry of the row with key %s is too long", look.Table.Name, x.Name, name())
			return
		}
		if x.Unique && !hasNull(x, row) {
			if ins.unique[string(k)] {
				ins.problem = fmt.Sprintf("tables.%s.indexes.%s: the row with key %s has the same values as another", look.Table.Name, x.Name, name())
				return
			}
			ins.unique[string(k)] = true
		}
		ins.entries = append(ins.entries, indexEntry{key: k, value: append([]byte{}, key...)})
	}
}

func sum(b []byte) [32]byte { return sha256.Sum256(b) }
