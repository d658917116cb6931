package engine

import (
	"errors"
	"fmt"

	"lockstep/engine/entry"
	"lockstep/engine/keys"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// View reads a copy at one revision: no dirty data, no partial updates, nothing
// out of order. It is for one goroutine at a time.
type View struct {
	reader   Reader
	pos      Position
	keep     retention
	feed     feedRetention
	compiled *program.Compiled
	buf      []byte
	key      []byte
}

// Bounds of a page of rows.
const (
	DefaultPageRows = 100
	MaxPageRows     = 1000
	// MaxPageBytes ends a page early: the estimated size of its rows.
	MaxPageBytes = 4 << 20
)

// OpenView reads what a snapshot reflects. The present schema is used if it is
// the snapshot's, else the snapshot's own is compiled.
func OpenView(r Reader, present *program.Compiled, env *lang.Env) (*View, error) {
	m := Machine{store: r2s{r}}
	raw, ok, err := r.Get(stateKey(), nil)
	if err == nil && ok {
		err = m.decodeState(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("open a view: %w", err)
	}
	v := &View{reader: r, pos: m.Position(), keep: m.keep, feed: m.feedKept}
	if present != nil && present.Version == v.pos.Schema {
		v.compiled = present
		return v, nil
	}
	if v.compiled, err = loadSchema(r, v.pos.Schema, env); err != nil {
		return nil, fmt.Errorf("open a view: %w", err)
	}
	return v, nil
}

// r2s lets a Machine's decoder stand over a mere reader.
type r2s struct{ Reader }

func (r2s) NewBatch() Batch { return nil }

// Change is the schema change under way, with its document; nil where there is
// none.
func (v *View) Change() (*ChangeStatus, []byte, error) {
	p, ok, err := loadProgress(v.reader)
	if err != nil || !ok {
		return nil, nil, err
	}
	doc, ok, err := v.reader.Get(changeDocKey(), nil)
	if err != nil || !ok {
		return nil, nil, errors.Join(err, missing(ok, "document of a schema change under way"))
	}
	s := p.status()
	return &s, doc, nil
}

// ChangeEnds is how many schema changes were begun in steps, and how the last of
// them ended, oldest first.
func (v *View) ChangeEnds() (begun uint64, ends []ChangeEnd, err error) { return loadEnds(v.reader) }

// CountRows counts the rows of tables, by their numbers.
func CountRows(r Reader, tables []uint32, stop <-chan struct{}) (uint64, error) {
	n := uint64(0)
	const checkEvery = 1024
	for _, id := range tables {
		start := prefixKey(spaceRows, id)
		it := r.NewIter(start, prefixEnd(start))
		for ok := it.First(); ok; ok = it.Next() {
			if n++; n%checkEvery == 0 && stopped(stop) {
				return n, closeWith(it, ErrStopped)
			}
		}
		if err := closeWith(it, it.Err()); err != nil {
			return n, err
		}
	}
	return n, nil
}

// Position is the point of the order that the view reflects; its Index is 0.
func (v *View) Position() Position { return v.pos }

// Compiled is the schema of the view; nil before the first.
func (v *View) Compiled() *program.Compiled { return v.compiled }

// Outcome finds the recorded outcome of a transaction.
func (v *View) Outcome(id entry.ID) (outcome.Outcome, bool, error) {
	return findOutcome(v.reader, &v.keep, v.pos.Revision, id, &v.key)
}

// Given tells whether a router's id is known to have been given: its session has
// had a transaction executed under this counter or a later one.
func (v *View) Given(id entry.ID) (bool, error) {
	raw, ok, err := v.reader.Get(sessionKey(id.Session), nil)
	if err != nil || !ok {
		return false, err
	}
	w, err := decodeWindow(id.Session, raw)
	if err != nil {
		return false, err
	}
	return id.Counter <= w.high, nil
}

// ErrNoTable says that the schema has no such table.
var ErrNoTable = errors.New("the schema has no such table")

// InputError says what is wrong with a part of a read's parameters.
type InputError struct {
	Field  string // "key", "prefix", "index", "after", "limit"
	Detail string
}

func (e *InputError) Error() string { return e.Field + ": " + e.Detail }

// Row reads one row by the text of its key's columns; null where there is none.
func (v *View) Row(table string, key []string) (value.Value, error) {
	t, err := v.table(table)
	if err != nil {
		return value.Value{}, err
	}
	tuple, err := parseTuple(t, "key", key)
	if err != nil {
		return value.Value{}, err
	}
	if len(tuple) != len(t.Key) {
		return value.Value{}, &InputError{"key", fmt.Sprintf("the key of %s has %d columns and %d were given: write key= once for each, in order", table, len(t.Key), len(tuple))}
	}
	return v.Get(t, tuple)
}

func (v *View) table(name string) (*schema.Table, error) {
	if v.compiled == nil {
		return nil, ErrNoTable
	}
	if t := v.compiled.Table(name); t != nil {
		return t, nil
	}
	return nil, ErrNoTable
}

// Get, Scan, Put, Delete, Emit, Revision, LastWriter and TaskEpoch are what a query's program reads by.
func (v *View) Get(t *schema.Table, key []value.Value) (value.Value, error) {
	v.key = appendRowKey(v.key[:0], t, key)
	if len(v.key) > maxRowKey {
		return value.Value{}, nil
	}
	row, _, err := readRow(v.reader, t, v.key, &v.buf)
	return row, err
}

var errReadOnly = errors.New("a query can't write")

// Put refuses: a query's program has no step that writes.
func (v *View) Put(*schema.Table, []value.Value, value.Value, value.Value) (*program.Abort, error) {
	return nil, errReadOnly
}

// Delete refuses likewise.
func (v *View) Delete(*schema.Table, []value.Value, value.Value) error { return errReadOnly }

// Emit refuses likewise.
func (v *View) Emit(string, value.Value) error { return errReadOnly }

// Revision is the snapshot's.
func (v *View) Revision() int64 { return int64(v.pos.Revision) }

// LastWriter is the revision of the row.
func (v *View) LastWriter(t *schema.Table, key []value.Value) (int64, error) {
	row, err := v.Get(t, key)
	if err != nil || row.IsNull() {
		return 0, err
	}
	return row.Field(t.RevisionIndex()).Int(), nil
}

// parseTuple reads leading columns of a table's key from text, as they stand in
// an address: text as it is, numbers decimal, bytes base64url (interface.md).
func parseTuple(t *schema.Table, field string, texts []string) ([]value.Value, error) {
	return parseColumns(t, "the key of "+t.Name+" has", t.Key, t.KeyKinds(), field, texts)
}

// parseColumns reads the first of some columns likewise; whose says for an error
// what has them.
func parseColumns(t *schema.Table, whose string, columns []int, kinds []value.Kind, field string, texts []string) ([]value.Value, error) {
	if len(texts) > len(columns) {
		return nil, &InputError{field, fmt.Sprintf("%s %d columns and %d were given", whose, len(columns), len(texts))}
	}
	tuple := make([]value.Value, len(texts))
	size := 0
	for i, text := range texts {
		column := &t.Columns[columns[i]]
		v, err := value.ParseText(kinds[i], text)
		if err != nil {
			return nil, &InputError{field, fmt.Sprintf("%q is no %s, which column %s is", clip(text), column.Type.String(), column.Name)}
		}
		tuple[i] = v
		size += len(text)
	}
	if size > keys.MaxKey {
		return nil, &InputError{field, fmt.Sprintf("it is longer than any key: %d bytes", keys.MaxKey)}
	}
	return tuple, nil
}

func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
