package engine

import (
	"fmt"

	"lockstep/engine/entry"
)

// Judged is what the last verdicts of the log said. The copies that they speak of
// are the same rows whatever they say: a verdict is kept beside the state, outside
// of its digests, and what becomes of a copy that differs is not decided here.
type Judged struct {
	Last    *entry.Verdict // nil: there was none
	Content *entry.Verdict // the last with an agreed digest of whole contents
	// Held is the verdict that no majority agrees, until one does: a difference
	// that only whole contents showed is settled by whole contents.
	Held *entry.Verdict
}

// What a verdict is remembered as; the bytes are part of the format on disk.
const (
	asLast    = 'v'
	asContent = 'c'
	asHeld    = 'h'
)

// Judged is what the verdicts say that Apply has met.
func (m *Machine) Judged() Judged { return m.judged }

func (m *Machine) applyVerdict(cmd []byte) error {
	v, err := m.reader.Verdict()
	if err != nil {
		return err
	}
	m.acknowledge(v.Origin)
	m.judged.Last = &v
	m.batch.Set(verdictKey(asLast), cmd)
	switch held := m.judged.Held; {
	case v.Held():
		m.judged.Held = &v
		m.batch.Set(verdictKey(asHeld), cmd)
	case held != nil && (v.HasContent || !held.HasContent):
		m.judged.Held = nil
		m.batch.Delete(verdictKey(asHeld))
	}
	if v.HasContent && !v.Held() {
		m.judged.Content = &v
		m.batch.Set(verdictKey(asContent), cmd)
	}
	return nil
}

func (m *Machine) loadJudged() error {
	for _, k := range []struct {
		as byte
		to **entry.Verdict
	}{{asLast, &m.judged.Last}, {asContent, &m.judged.Content}, {asHeld, &m.judged.Held}} {
		raw, ok, err := m.store.Get(verdictKey(k.as), nil)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		var r entry.Reader
		if kind, err := r.Reset(raw); err != nil || kind != entry.KindVerdict {
			return fmt.Errorf("%w: a verdict", errState)
		}
		v, err := r.Verdict()
		if err != nil {
			return fmt.Errorf("%w: a verdict: %w", errState, err)
		}
		*k.to = &v
	}
	return nil
}
