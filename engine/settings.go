package engine

import (
	"lockstep/engine/outcome"
)

// applySettings has the group follow its settings as the catalog has them from here
// on. Older ones do nothing: of two leaders that copy them the one that read less
// is passed over (architecture.md, The catalog).
func (m *Machine) applySettings() error {
	s, err := m.reader.Settings()
	if err != nil {
		return err
	}
	m.advance(s.TimeMillis)
	o := outcome.Outcome{Revision: m.revision, TimeMillis: m.nowMillis}
	if s.Version > m.settings {
		m.settings, m.keep.span = s.Version, s.KeyRetentionMillis
		o.Committed = true
	}
	if m.awaited(s.Origin) {
		m.applied = append(m.applied, Applied{Sequence: s.Sequence, Verdicts: []outcome.Verdict{{Kind: outcome.Executed, Outcome: o}}})
	}
	return nil
}
