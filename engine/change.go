package engine

import (
	"slices"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
)

// Phase is how far a schema change under way is.
type Phase byte

// The phases of a schema change under way.
const (
	PhaseBuilding Phase = 1 // rows that were there before are still to be looked at
	PhaseBuilt    Phase = 2 // all were, and nothing is against the change
	PhaseFailed   Phase = 3 // a row breaks it: it waits to be given up
)

// String names the phase as status shows it.
func (p Phase) String() string {
	switch p {
	case PhaseBuilding:
		return "building"
	case PhaseBuilt:
		return "built"
	}
	return "failed"
}

// change is a schema change under way (transactions.md, Schema). From its begin
// on, new indexes are maintained and new checks watched for every write; at
// backfills, what was there before is brought in; at its finish it is the
// schema, or is as if it had never been.
type change struct {
	progress
	next    *program.Compiled // what will hold; the fills of its new columns may still change
	what    schema.Change
	watches map[uint32]*watch // by table
	dirty   bool              // progress is to be written
}

// progress is what of a change is replicated state, beside its document and
// layout.
type progress struct {
	id     uint64 // its number among the group's changes in steps, from 1
	base   uint64 // version of the schema that it replaces
	phase  Phase
	step   uint64 // backfills applied
	look   int    // which of the tables that are looked at is being read
	cursor []byte // key of the last row read there, without its prefix; empty: none yet
	rows   uint64 // rows looked at
	began  int64  // tx.now of its begin
	broken uint64 // rows known to break it
	first  []Violation
}

// Violation is what a row has against a schema change.
type Violation struct {
	Place  string // what it breaks: tables.accounts.checks[0], tables.accounts.indexes.by_owner
	Key    string // the row's key as JSON, clipped; empty where no single row is meant
	Detail string // for people
}

// String writes the violation in one line.
func (v Violation) String() string {
	if v.Place == "" {
		return v.Detail
	}
	return v.Place + ": " + v.Detail
}

// ChangeEnd is how a change in steps ended.
type ChangeEnd struct {
	ID      uint64
	Base    uint64 // version of the schema that it was to replace
	Version uint64 // of the schema that it made; 0: it was given up
	Rows    uint64 // rows looked at
	Broken  uint64 // of these, known to break it
	First   []Violation
	Hash    [32]byte // SHA-256 of its canonical document
}

// ChangeStatus is a change under way as others may see it.
type ChangeStatus struct {
	ID          uint64
	Base        uint64 // version of the schema that it replaces
	Phase       Phase
	BeganMillis int64 // tx.now of its begin
	Step        uint64
	Rows        uint64 // rows looked at so far
	Broken      uint64
	Tables      []uint32 // numbers of the tables whose rows are looked at
}

// Change is the schema change under way; nil where there is none.
func (m *Machine) Change() *ChangeStatus {
	if m.change == nil {
		return nil
	}
	s := m.change.status()
	for i := range m.change.what.Look {
		s.Tables = append(s.Tables, m.change.what.Look[i].Table.ID)
	}
	return &s
}

// ChangeEnds is how many changes were begun in steps, and how the last of them
// ended, oldest first. The list is not changed afterwards.
func (m *Machine) ChangeEnds() (begun uint64, ends []ChangeEnd) { return m.begun, m.ends }

func (p *progress) status() ChangeStatus {
	return ChangeStatus{ID: p.id, Base: p.base, Phase: p.phase, BeganMillis: p.began, Step: p.step, Rows: p.rows, Broken: p.broken}
}

// newChange joins the parts of a change.
func newChange(p progress, present, next *program.Compiled) *change {
	c := &change{progress: p, next: next, what: schema.Difference(present.Schema, next.Schema), watches: map[uint32]*watch{}}
	for i := range c.what.Look {
		w := newWatch(&c.what.Look[i], present.TableByID(c.what.Look[i].Table.ID))
		c.watches[w.look.Table.ID] = w
	}
	return c
}

// beginChange begins a change in steps.
func (m *Machine) beginChange(next *program.Compiled) {
	m.begun++
	m.change = newChange(progress{id: m.begun, base: m.schema, phase: PhaseBuilding, began: m.nowMillis}, m.compiled, next)
	m.change.dirty = true
	for _, w := range m.change.watches {
		for i := range w.filters {
			w.filters[i].complete = true // nothing is in the new indexes yet
		}
	}
	m.batch.Set(changeDocKey(), next.Doc.Canonical())
	m.batch.Set(changeLayoutKey(), next.Layout.AppendBinary(nil))
	m.batch.Set(changeEndsKey(), appendEnds(nil, m.begun, m.ends))
}

// noRows tells whether none of the tables to be looked at has a row.
func (m *Machine) noRows(what *schema.Change) (bool, error) {
	for i := range what.Look {
		start := prefixKey(spaceRows, what.Look[i].Table.ID)
		it := m.store.NewIter(start, prefixEnd(start))
		some := it.First()
		if err := closeWith(it, it.Err()); err != nil || some {
			return false, err
		}
	}
	return true, nil
}

// breaks notes that a row breaks the change.
func (c *change) breaks(v Violation) {
	c.broken++
	c.dirty = true
	if len(c.first) < violationsKept {
		c.first = append(c.first, v)
	}
}

// CodeStaleStep is the verdict on a backfill or finish that was proposed for
// another change or step than the present one: it did nothing.
const CodeStaleStep = "stale_step"

// told gives the proposer of a step its verdict.
func (m *Machine) told(o entry.Origin, done bool) {
	if !m.awaited(o) {
		return
	}
	v := outcome.Outcome{Committed: done, Revision: m.revision, TimeMillis: m.nowMillis}
	if !done {
		v.Code = CodeStaleStep
	}
	m.applied = append(m.applied, Applied{Sequence: o.Sequence, Verdicts: []outcome.Verdict{{Kind: outcome.Executed, Outcome: v}}})
}

// applyFinish ends the change under way. It is applied on its own, as a schema
// is.
func (m *Machine) applyFinish() error {
	e, err := m.reader.Finish()
	if err != nil {
		return err
	}
	c := m.change
	if c == nil || c.id != e.Change || c.phase == PhaseBuilding && !e.Abandon {
		m.told(e.Origin, false)
		return nil
	}
	m.advance(e.TimeMillis)
	if e.Abandon && c.phase != PhaseFailed {
		c.phase = PhaseFailed
		c.breaks(Violation{Detail: "the change was given up before it was complete"})
	}
	if c.phase == PhaseBuilt {
		if place, fault := c.next.Refill(m.compiled.Schema, &c.what, m.changeTx(m.revision+1)); fault != nil {
			c.phase = PhaseFailed
			c.breaks(Violation{Place: place, Detail: "the default, which existing rows would show, can't be evaluated: " + fault.Message()})
		}
	}
	if c.phase == PhaseBuilt {
		m.makePresent(c.next, c.what)
	} else {
		m.dropIndexes(c)
	}
	m.endChange(c)
	m.told(e.Origin, true)
	return nil
}

// dropIndexes removes what was built of new indexes.
func (m *Machine) dropIndexes(c *change) {
	for i := range c.what.Look {
		for _, x := range c.what.Look[i].Indexes {
			start := prefixKey(spaceIndexes, x.ID)
			m.batch.DeleteRange(start, prefixEnd(start))
		}
	}
}

// endChange forgets the change but for how it ended.
func (m *Machine) endChange(c *change) {
	end := ChangeEnd{ID: c.id, Base: c.base, Rows: c.rows, Broken: c.broken, First: c.first, Hash: sum(c.next.Doc.Canonical())}
	if c.phase == PhaseBuilt {
		end.Version = m.schema
	}
	// Readers may hold the former list: it is not changed.
	m.ends = append(slices.Clone(m.ends[max(0, len(m.ends)-endsKept+1):]), end)
	m.change = nil
	m.batch.Delete(changeKey())
	m.batch.Delete(changeDocKey())
	m.batch.Delete(changeLayoutKey())
	m.batch.Set(changeEndsKey(), appendEnds(nil, m.begun, m.ends))
}

// changeTx is the tx that defaults of new columns are evaluated under.
func (m *Machine) changeTx(revision uint64) *lang.Tx {
	return &lang.Tx{Revision: int64(revision), Now: instant(m.nowMillis)}
}
