package engine

import (
	"errors"
	"fmt"
	"strconv"

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
	CodeInvalid    = "invalid"            // the message has a line a problem
	CodeChanged    = "changed"            // If-Match names another version than the present one
	CodeInProgress = "change_in_progress" // another change is under way
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
	if m.change != nil {
		if string(doc.Canonical()) == string(m.change.next.Doc.Canonical()) {
			return m.underWay(), nil // asked for again: whoever asks waits for the same end
		}
		status := m.change.status()
		return refusedChange(CodeInProgress, status.Sentence(), m.schema), nil
	}
	// Asking for what already is, is granted: a change that is sent twice.
	if m.compiled != nil && string(doc.Canonical()) == string(m.compiled.Doc.Canonical()) {
		return outcome.Outcome{Committed: true, Revision: m.schema}, nil
	}
	if e.IfBegun != 0 && e.IfBegun != m.begun+1 || e.IfMatch != 0 && e.IfMatch != m.schema && (e.IfMatch != entry.NoSchema || m.schema != 0) {
		return refusedChange(CodeChanged, fmt.Sprintf("the schema is at version %d, which is another than the change was made for; read it and try again", m.schema), m.schema), nil
	}
	next, what, problems := program.BuildAt(m.compiled, doc, m.env, m.changeTx(m.revision+1))
	if problems != nil {
		return refusedChange(CodeInvalid, joinProblems(problems), m.schema), nil
	}
	none, err := m.noRows(&what)
	if err != nil {
		return outcome.Outcome{}, err
	}
	if !none {
		m.beginChange(next)
		return m.underWay(), nil
	}
	m.makePresent(next, what)
	return outcome.Outcome{Committed: true, Revision: m.schema}, nil
}

// underWay is the verdict on a document whose change goes on in steps.
func (m *Machine) underWay() outcome.Outcome {
	return outcome.Outcome{Committed: true, Revision: m.schema, Result: strconv.AppendUint(nil, m.change.id, 10)}
}

// Begun is the number of the change that a schema entry began, or was found to
// ask for; 0 where the entry's verdict is final.
func Begun(o *outcome.Outcome) uint64 {
	if !o.Committed || len(o.Result) == 0 {
		return 0
	}
	id, err := strconv.ParseUint(string(o.Result), 10, 64)
	if err != nil {
		return 0
	}
	return id
}

// makePresent puts the next schema in the present one's place: the one step at
// which users see it.
func (m *Machine) makePresent(next *program.Compiled, what schema.Change) {
	m.revision++
	m.schema = m.revision
	next.Version = m.schema
	m.compiled = next
	m.storeSchema(next, what)
	m.rows.drop()
	m.chainSchema(next.Doc)
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

// Sentence says how far a change is, for people.
func (s *ChangeStatus) Sentence() string {
	state := fmt.Sprintf("%d rows have been looked at so far", s.Rows)
	switch s.Phase {
	case PhaseBuilt:
		state = fmt.Sprintf("all %d rows have been looked at, and it is about to hold", s.Rows)
	case PhaseFailed:
		state = "a row breaks it, and it is about to be given up"
	}
	return fmt.Sprintf("another change of schema version %d is under way: %s; wait for its end, or ask for the same document to wait with it", s.Base, state)
}

// storeSchema writes the schema: the document, the numbers, and the end of what
// was dropped.
func (m *Machine) storeSchema(next *program.Compiled, change schema.Change) {
	for _, id := range change.DroppedTables {
		start := prefixKey(spaceRows, id)
		m.batch.DeleteRange(start, prefixEnd(start))
	}
	for _, id := range change.DroppedIndexes {
		start := prefixKey(spaceIndexes, id)
		m.batch.DeleteRange(start, prefixEnd(start))
	}
	m.batch.Set(schemaKey(), next.Doc.Canonical())
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
