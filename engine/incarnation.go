package engine

import (
	"fmt"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

// incarnationSkips is how many revisions and epochs a new incarnation leaves out:
// more than a group can have acknowledged beyond what the copy had that it begins
// with, so that no revision, cursor or epoch ever means two things.
const incarnationSkips = 1_000_000

// applyIncarnation begins the group anew: revisions and epochs skip a million, and
// whoever held a task holds it no more (architecture.md, The catalog).
func (m *Machine) applyIncarnation() error {
	i, err := m.reader.Incarnation()
	if err != nil {
		return err
	}
	m.advance(i.TimeMillis)
	o := outcome.Outcome{Revision: m.revision, TimeMillis: m.nowMillis}
	if i.Number > m.begunAnew {
		m.begunAnew = i.Number
		m.revision += incarnationSkips
		m.epoch += incarnationSkips
		for _, t := range m.tasks.list {
			if t.Holder == 0 {
				continue
			}
			m.epoch++
			m.tasks.assign(t.Name, Assignment{Epoch: m.epoch, SinceMillis: m.nowMillis, Reason: entry.ReasonRecovery, Text: "the group was recovered from one of its copies"})
		}
		m.probe = appendPart(append(m.probe[:0], m.digest[:]...), fmt.Appendf(nil, "incarnation %d", i.Number))
		m.digest = sum(m.probe)
		o.Committed, o.Revision = true, m.revision
	}
	if m.awaited(i.Origin) {
		m.applied = append(m.applied, Applied{Sequence: i.Sequence, Verdicts: []outcome.Verdict{{Kind: outcome.Executed, Outcome: o}}})
	}
	return nil
}
