package engine

import (
	"fmt"

	"lockstep/engine/outcome"
	"lockstep/engine/program"
)

// applyLanguage switches the group to another version of the language: the
// present schema is compiled anew under it, and becomes a schema version of its
// own, since what was typed under the old one must be typed again. It happens
// wholly or, where the schema does not compile under the new version, not at all.
//
// A program that does not know the version can't tell which, and can't execute
// what comes after: its copy stops, and says which program to run.
func (m *Machine) applyLanguage() error {
	l, err := m.reader.Language()
	if err != nil {
		return err
	}
	m.advance(l.TimeMillis)
	o, err := m.switchLanguage(l.Version, l.IfMatch)
	if err != nil {
		return err
	}
	if m.awaited(l.Origin) {
		o.TimeMillis = m.nowMillis
		m.applied = append(m.applied, Applied{Sequence: l.Sequence, Verdicts: []outcome.Verdict{{Kind: outcome.Executed, Outcome: o}}})
	}
	return nil
}

func (m *Machine) switchLanguage(version uint32, ifMatch uint64) (outcome.Outcome, error) {
	env, err := m.opt.Env.At(version)
	switch {
	case err != nil:
		return outcome.Outcome{}, fmt.Errorf("the group goes on in another language: %w", err)
	case version == m.language:
		return outcome.Outcome{Committed: true, Revision: m.schema}, nil
	case ifMatch != 0 && ifMatch != m.schema:
		return refusedChange(CodeChanged, fmt.Sprintf("the schema is at version %d, which is another than the switch was made for; read it and try again", m.schema), m.schema), nil
	case m.change != nil:
		status := m.change.status()
		return refusedChange(CodeInProgress, status.Sentence(), m.schema), nil
	}
	if m.compiled == nil {
		m.revision++
	} else {
		next, what, problems := program.BuildAt(m.compiled, m.compiled.Doc, env, m.changeTx(m.revision+1))
		if problems != nil {
			return refusedChange(CodeInvalid, joinProblems(problems), m.schema), nil
		}
		m.makePresent(next, what)
	}
	m.language, m.env = version, env
	m.probe = appendPart(append(m.probe[:0], m.digest[:]...), fmt.Appendf(nil, "language %d", version))
	m.digest = sum(m.probe)
	return outcome.Outcome{Committed: true, Revision: m.revision}, nil
}
