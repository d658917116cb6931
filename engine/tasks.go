package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
)

// Assignment is one assignment of a task, as the group's log has it.
type Assignment struct {
	Holder      uint64 // the node; 0: nobody
	Epoch       uint64 // under which it was made
	SinceMillis int64  // Unix milliseconds, by the log's time
	Reason      entry.Reason
	Text        string // why, in a sentence
}

// Task is a task that was assigned once. It is remembered when nobody holds it
// any more, and when its definition is gone.
type Task struct {
	Name string
	Assignment
	// History are the assignments before the present one, oldest first, at most the
	// last assignmentsKept with the present one.
	History []Assignment
}

// Held is the epoch under which somebody holds the task; 0: nobody does.
func (t *Task) Held() int64 {
	if t.Holder == 0 {
		return 0
	}
	return int64(t.Epoch)
}

// tasks are a group's tasks, by name. A slice that was handed out is never
// changed: an assignment makes another.
type tasks struct {
	list  []Task
	dirty map[string]struct{} // assigned or forgotten since the last commit
}

func (ts *tasks) find(name string) (int, bool) {
	return slices.BinarySearchFunc(ts.list, name, func(t Task, name string) int { return strings.Compare(t.Name, name) })
}

// assign makes a the present assignment of a task, false where no more tasks can
// be remembered.
func (ts *tasks) assign(name string, a Assignment) bool {
	next := slices.Clone(ts.list)
	i, known := ts.find(name)
	if !known {
		if len(next) >= maxTasks {
			forgotten := longestFree(next)
			if forgotten < 0 {
				return false
			}
			ts.note(next[forgotten].Name)
			next = slices.Delete(next, forgotten, forgotten+1)
			if forgotten < i {
				i--
			}
		}
		next = slices.Insert(next, i, Task{Name: strings.Clone(name), Assignment: a})
	} else {
		t := &next[i]
		history := append(slices.Clone(t.History), t.Assignment)
		t.History = history[max(0, len(history)-assignmentsKept+1):]
		t.Assignment = a
	}
	ts.list = next
	ts.note(name)
	return true
}

func (ts *tasks) note(name string) {
	if ts.dirty == nil {
		ts.dirty = map[string]struct{}{}
	}
	ts.dirty[name] = struct{}{}
}

// longestFree is the task that nobody has held for longest; -1: all are held.
func longestFree(list []Task) int {
	at := -1
	for i := range list {
		if list[i].Holder == 0 && (at < 0 || list[i].Epoch < list[at].Epoch) {
			at = i
		}
	}
	return at
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
	switch {
	case a.Epoch != m.epoch+1:
		o.Code = program.CodeFenced
		o.Message = fmt.Sprintf("the group's last epoch is %d, so that the next one is %d", m.epoch, m.epoch+1)
	case !m.tasks.assign(a.Task, Assignment{Holder: a.Holder, Epoch: a.Epoch, SinceMillis: m.nowMillis, Reason: a.Reason, Text: a.Text}):
		o.Code = CodeTooMany
		o.Message = fmt.Sprintf("the group has %d tasks that are held, and can have no more", maxTasks)
	default:
		m.epoch = a.Epoch
		o.Committed = true
	}
	if m.awaited(a.Origin) {
		m.applied = append(m.applied, Applied{Sequence: a.Sequence, Verdicts: []outcome.Verdict{{Kind: outcome.Executed, Outcome: o}}})
	}
	return nil
}

// CodeTooMany is why a task was not assigned that would be one too many.
const CodeTooMany = "too_many"

// Tasks are the tasks that were ever assigned, by name, and the group's last
// epoch. What it returns is never changed.
func (m *Machine) Tasks() ([]Task, uint64) { return m.tasks.list, m.epoch }

// TaskEpoch is the epoch under which a task is held; 0 where it is held by
// nobody.
func (m *Machine) TaskEpoch(name string) (int64, error) {
	if i, ok := m.tasks.find(name); ok {
		return m.tasks.list[i].Held(), nil
	}
	return 0, nil
}

// TaskEpoch is that of the snapshot.
func (v *View) TaskEpoch(name string) (int64, error) {
	raw, ok, err := v.reader.Get(taskKey(name), nil)
	if err != nil || !ok {
		return 0, err
	}
	t, err := decodeTask(name, raw)
	return t.Held(), err
}

// fillTasks puts what was assigned since the last commit into the batch.
func (m *Machine) fillTasks() {
	for name := range m.tasks.dirty { // into a batch: each key once, in whatever order
		if i, ok := m.tasks.find(name); ok {
			m.batch.Set(taskKey(name), m.tasks.list[i].append(nil))
		} else {
			m.batch.Delete(taskKey(name))
		}
	}
	clear(m.tasks.dirty)
}

func (m *Machine) loadTasks() error {
	it := m.store.NewIter([]byte{spaceTasks}, []byte{spaceTasks + 1})
	for ok := it.First(); ok; ok = it.Next() {
		t, err := decodeTask(string(it.Key()[1:]), it.Value())
		if err != nil {
			return closeWith(it, err)
		}
		m.tasks.list = append(m.tasks.list, t)
	}
	return closeWith(it, it.Err())
}

// tasksFormat is the first byte of a task's record.
const tasksFormat = 1

// append appends a task as it is stored: the format, how many assignments, newest first, so
// that who asks for the present one has it at once.
func (t *Task) append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, tasksFormat), uint64(1+len(t.History)))
	dst = t.Assignment.append(dst)
	for _, a := range slices.Backward(t.History) {
		dst = a.append(dst)
	}
	return dst
}

func (a *Assignment) append(dst []byte) []byte {
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, a.Epoch), a.Holder)
	dst = binary.AppendUvarint(dst, uint64(a.SinceMillis))
	return appendPart(append(dst, byte(a.Reason)), []byte(a.Text))
}

func decodeTask(name string, raw []byte) (Task, error) {
	d := &changeDecoder{rest: raw}
	d.bad = d.byte() != tasksFormat
	t := Task{Name: name}
	for n := d.number(); n > 0 && !d.bad; n-- {
		t.History = append(t.History, Assignment{
			Epoch: d.number(), Holder: d.number(), SinceMillis: int64(d.number()), Reason: entry.Reason(d.byte()), Text: d.text(),
		})
	}
	if err := d.done("task " + name); err != nil || len(t.History) == 0 {
		return Task{}, errors.Join(err, missing(len(t.History) > 0, "assignment of task "+name))
	}
	t.Assignment = t.History[0]
	t.History = t.History[1:]
	slices.Reverse(t.History)
	return t, nil
}
