package engine

import (
	"encoding/binary"
	"fmt"

	"lockstep/engine/outcome"
	"lockstep/engine/program"
)

// task is who holds a task, as the group's log has it.
type task struct {
	holder uint64 // the node; 0: nobody
	epoch  uint64 // under which it was assigned last
}

func taskKey(name string) []byte { return append([]byte{spaceTasks}, name...) }

// applyAssign assigns a task, or takes it from its holder. An epoch is the
// group's next one or the assignment does nothing: of two supervisors that
// decide at once only the first is obeyed, and whoever held the task before is
// fenced from here on (architecture.md, The way of a failure).
func (m *Machine) applyAssign() error {
	a, err := m.reader.Assign()
	if err != nil {
		return err
	}
	m.advance(a.TimeMillis)
	o := outcome.Outcome{Revision: a.Epoch, TimeMillis: m.nowMillis}
	if a.Epoch == m.epoch+1 {
		m.epoch = a.Epoch
		o.Committed = true
		val := binary.AppendUvarint(binary.AppendUvarint(nil, a.Epoch), a.Holder)
		m.tasks = append(m.tasks, feedEntry{taskKey(a.Task), val})
		if m.held == nil {
			m.held = map[string]task{}
		}
		m.held[a.Task] = task{holder: a.Holder, epoch: a.Epoch}
	} else {
		o.Code = program.CodeFenced
		o.Message = fmt.Sprintf("the group's last epoch is %d, so that the next one is %d", m.epoch, m.epoch+1)
	}
	if m.awaited(a.Origin) {
		m.applied = append(m.applied, Applied{Sequence: a.Sequence, Verdicts: []outcome.Verdict{{Kind: outcome.Executed, Outcome: o}}})
	}
	return nil
}

// TaskEpoch is the epoch under which a task is held; 0 where it is held by
// nobody.
func (m *Machine) TaskEpoch(name string) (int64, error) {
	t, ok := m.held[name]
	if !ok {
		var err error
		if t, err = readTask(m.store, name); err != nil {
			return 0, err
		}
	}
	return t.heldUnder(), nil
}

// TaskEpoch is that of the snapshot.
func (v *View) TaskEpoch(name string) (int64, error) {
	t, err := readTask(v.reader, name)
	return t.heldUnder(), err
}

func (t task) heldUnder() int64 {
	if t.holder == 0 {
		return 0
	}
	return int64(t.epoch)
}

func readTask(r Reader, name string) (task, error) {
	raw, ok, err := r.Get(taskKey(name), nil)
	if err != nil || !ok {
		return task{}, err
	}
	epoch, n := binary.Uvarint(raw)
	if n <= 0 {
		return task{}, fmt.Errorf("%w: task %s", errState, name)
	}
	holder, k := binary.Uvarint(raw[n:])
	if k <= 0 || n+k != len(raw) {
		return task{}, fmt.Errorf("%w: task %s", errState, name)
	}
	return task{holder: holder, epoch: epoch}, nil
}
