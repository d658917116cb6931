package engine

import (
	"fmt"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

// ExecuteAt executes a transaction where another history has it: at that
// history's revision and time, whether or not its id was executed before. It is
// for rehearsals, in which a copy lives through what another has lived through
// under a schema of its own; no copy of a group ever does it. The item is typed
// against the present schema, whatever version b names.
//
// What is not executed (the verdict is StaleSchema) does not fit the present
// schema.
func (m *Machine) ExecuteAt(b entry.Batch, it *entry.Item, revision uint64, nowMillis int64) (v outcome.Verdict, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: transaction %s: %v", ErrInternal, it.ID, r)
		}
	}()
	b.SchemaVersion = m.schema
	m.advance(b.TimeMillis)
	m.StandAt(revision-1, nowMillis)
	m.meter.Used = idleCost
	return m.perform(&b, it, true)
}

// StandAt sets the revision and the time that the next entry finds, for
// rehearsals: see ExecuteAt.
func (m *Machine) StandAt(revision uint64, nowMillis int64) {
	m.revision, m.nowMillis, m.dirty = revision, nowMillis, true
}
