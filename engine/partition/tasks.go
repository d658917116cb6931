package partition

import (
	"slices"
	"strings"
	"sync"

	"lockstep/engine"
)

// Tasks are a group's tasks as this copy has them.
type Tasks struct {
	List  []engine.Task // by name; it must not be changed
	Epoch uint64        // the group's last one: an assignment takes the next
	// Changed is closed when a task is assigned after that, or taken from its
	// holder. It is not closed with the copy: see Partition.Closed.
	Changed <-chan struct{}
}

// Find is the task of that name; not ok where it was never assigned.
func (t *Tasks) Find(name string) (engine.Task, bool) {
	i, ok := slices.BinarySearchFunc(t.List, name, func(t engine.Task, name string) int { return strings.Compare(t.Name, name) })
	if !ok {
		return engine.Task{}, false
	}
	return t.List[i], true
}

// Tasks reads who holds which task, under which epoch, since when and why, and the
// assignments before. It is cheap: nothing is copied.
func (p *Partition) Tasks() Tasks {
	// The channel first: what is assigned in between closes it.
	changed := p.assigned.next()
	now := p.published.Load()
	return Tasks{List: now.tasks, Epoch: now.epoch, Changed: changed}
}

// taskWatch wakes those who wait for an assignment: one channel for all, closed at
// each and replaced.
type taskWatch struct {
	mu      sync.Mutex
	changed chan struct{}
	epoch   uint64
}

func (w *taskWatch) init() { w.changed = make(chan struct{}) }

func (w *taskWatch) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// wake is called with each new position.
func (w *taskWatch) wake(epoch uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.epoch == epoch {
		return
	}
	w.epoch = epoch
	close(w.changed)
	w.changed = make(chan struct{})
}
