package engine

import (
	"errors"
	"fmt"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// Codes of a refused schema change, in the verdict that its proposer gets.
// Refusals are not recorded and take no revision.
const (
	CodeInvalid = "invalid" // the message has a line a problem
	CodeChanged = "changed" // If-Match names another version than the present one
)

// applySchema replaces the group's schema, wholly or not at all. It is applied
// on its own: what came before it is in the store (Partition.Apply sees to it).
func (m *Machine) applySchema() error {
	e, err := m.reader.Schema()
	if err != nil {
		return err
	}
	m.advance(e.TimeMillis)
	o, err := m.changeSchema(&e)
	if err != nil {
		return err
	}
	if m.awaited(e.Origin) {
		o.TimeMillis = m.nowMillis
		m.applied = append(m.applied, Applied{Sequence: e.Sequence, Verdicts: []outcome.Verdict{{Kind: outcome.Executed, Outcome: o}}})
	}
	return nil
}

func refusedChange(code, message string, version uint64) outcome.Outcome {
	return outcome.Outcome{Code: code, Message: message, Revision: version}
}

func (m *Machine) changeSchema(e *entry.Schema) (outcome.Outcome, error) {
	doc, problems := schema.Parse(e.Document)
	if problems != nil {
		return refusedChange(CodeInvalid, joinProblems(problems), m.schema), nil
	}
	// Asking for what already is, is granted: a change that is sent twice.
	if m.compiled != nil && string(doc.Canonical()) == string(m.compiled.Doc.Canonical()) {
		return outcome.Outcome{Committed: true, Revision: m.schema}, nil
	}
	if e.IfMatch != 0 && e.IfMatch != m.schema && (e.IfMatch != entry.NoSchema || m.schema != 0) {
		return refusedChange(CodeChanged, fmt.Sprintf("the schema is at version %d, which is another than the change was made for; read it and try again", m.schema), m.schema), nil
	}
	next, change, problems := program.BuildAt(m.compiled, doc, m.opt.Env, m.changeTx(m.revision+1))
	if problems != nil {
		return refusedChange(CodeInvalid, joinProblems(problems), m.schema), nil
	}
	entries, problem, err := inspect(m.store, change)
	if err != nil {
		return outcome.Outcome{}, err
	}
	if problem != "" {
		return refusedChange(CodeInvalid, problem, m.schema), nil
	}
	m.revision++
	m.schema = m.revision
	next.Version = m.schema
	m.compiled = next
	m.storeSchema(doc, next, change, entries)
	m.rows.drop()
	m.chainSchema(doc)
	return outcome.Outcome{Committed: true, Revision: m.schema}, nil
}

// changeTx is the tx that defaults of new columns are evaluated under.
func (m *Machine) changeTx(revision uint64) *lang.Tx {
	return &lang.Tx{Revision: int64(revision), Now: instant(m.nowMillis)}
}

// instant is a timestamp of Unix milliseconds.
func instant(millis int64) value.Value {
	return value.OfTimestamp(millis/1000, int32(millis%1000)*1e6)
}

func (m *Machine) chainSchema(doc *schema.Document) {
	m.probe = append(m.probe[:0], m.digest[:]...)
	m.probe = appendPart(m.probe, []byte("schema"))
	m.probe = appendPart(m.probe, doc.Canonical())
	m.digest = sum(m.probe)
}

// storeSchema writes the change: the document, the numbers, index entries of
// existing rows, and the end of what was dropped.
func (m *Machine) storeSchema(doc *schema.Document, next *program.Compiled, change schema.Change, entries []indexEntry) {
	for _, id := range change.DroppedTables {
		start := prefixKey(spaceRows, id)
		m.batch.DeleteRange(start, prefixEnd(start))
	}
	for _, id := range change.DroppedIndexes {
		start := prefixKey(spaceIndexes, id)
		m.batch.DeleteRange(start, prefixEnd(start))
	}
	for _, e := range entries {
		m.batch.Set(e.key, e.value)
	}
	m.batch.Set(schemaKey(), doc.Canonical())
	m.batch.Set(layoutKey(), next.Layout.AppendBinary(nil))
}

// loadSchema compiles the schema that a store or snapshot holds; nil where
// version is 0.
func loadSchema(r Reader, version uint64, env *lang.Env) (*program.Compiled, error) {
	if version == 0 {
		return nil, nil
	}
	doc, ok, err := r.Get(schemaKey(), nil)
	if err != nil || !ok {
		return nil, errors.Join(err, missing(ok, "schema document"))
	}
	layout, ok, err := r.Get(layoutKey(), nil)
	if err != nil || !ok {
		return nil, errors.Join(err, missing(ok, "schema layout"))
	}
	c, err := program.Load(doc, layout, env)
	if err != nil {
		return nil, err
	}
	c.Version = version
	return c, nil
}

func missing(ok bool, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%w: the %s is missing", errState, what)
}

func joinProblems(problems []schema.Problem) string {
	var b []byte
	for i := range problems {
		if i > 0 {
			b = append(b, '\n')
		}
		b = append(b, problems[i].String()...)
	}
	return string(b)
}

// Rehearsal is what a schema document would do.
type Rehearsal struct {
	Canonical []byte           // the document as it would be logged
	Changed   bool             // false where it is the present one
	Drops     []string         // what goes with all its data: tables.NAME, tables.NAME.columns.NAME
	Problems  []schema.Problem // of the document
	Rows      string           // what existing rows have against it; "" if nothing
	Err       error            // the copy could not be read
}

// Rehearse finds what a document would do to the view's copy, and changes
// nothing.
func (v *View) Rehearse(document []byte, env *lang.Env) Rehearsal {
	doc, problems := schema.Parse(document)
	if problems != nil {
		return Rehearsal{Problems: problems}
	}
	r := Rehearsal{Canonical: doc.Canonical()}
	if v.compiled != nil && string(r.Canonical) == string(v.compiled.Doc.Canonical()) {
		return r
	}
	r.Changed = true
	tx := lang.Tx{Revision: int64(v.pos.Revision) + 1, Now: instant(v.pos.NowMillis)}
	next, change, problems := program.BuildAt(v.compiled, doc, env, &tx)
	if problems != nil {
		r.Problems = problems
		return r
	}
	_, r.Rows, r.Err = inspect(v.reader, change)
	r.Drops = drops(v.compiled, next)
	return r
}

// drops names the tables and columns that the next schema has no more.
func drops(present, next *program.Compiled) []string {
	var names []string
	if present == nil {
		return nil
	}
	for _, was := range present.Tables {
		t := next.Table(was.Name)
		if t == nil {
			names = append(names, "tables."+was.Name)
			continue
		}
		for i := range was.Columns {
			if _, ok := t.Column(was.Columns[i].Name); !ok {
				names = append(names, "tables."+was.Name+".columns."+was.Columns[i].Name)
			}
		}
	}
	return names
}
