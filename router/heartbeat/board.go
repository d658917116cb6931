package heartbeat

import (
	"maps"
	"slices"
	"sync"
	"time"

	"lockstep/policy/supervision"
)

// Member is a node that is watched.
type Member struct {
	Name string
	// Wished is what an operator asked of it: draining, drained or nothing.
	Wished supervision.State
}

// Group is what is watched of a group, and how.
type Group struct {
	Config  supervision.Config
	Members []Member
}

// Event is a change of what a node is taken for, in one group's watch.
type Event struct {
	Group string
	supervision.Change
}

// Board has the watches of all groups: who is there, as this node sees it. It is
// safe for concurrent use.
type Board struct {
	self string
	all  string // the group that every node is a member of

	mu      sync.Mutex
	began   time.Time
	watches map[string]*supervision.Watch
}

// NewBoard makes a board of nobody. all names the group that has every node.
func NewBoard(self, all string) *Board {
	return &Board{self: self, all: all, began: time.Now(), watches: map[string]*supervision.Watch{}}
}

// now is the time of the watches: monotonic.
func (b *Board) now() time.Duration { return time.Since(b.began) }

// Set says what is watched from now on. A group that was watched before keeps what
// it knows. Settings that can't be used leave those from before.
func (b *Board) Set(groups map[string]Group) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.watches, func(name string, _ *supervision.Watch) bool { _, ok := groups[name]; return !ok })
	now := b.now()
	var bad error
	for name, g := range groups {
		if err := b.set(now, name, g); err != nil {
			bad = err
		}
	}
	return bad
}

func (b *Board) set(now time.Duration, name string, g Group) error {
	names := make([]string, len(g.Members))
	for i, m := range g.Members {
		names[i] = m.Name
	}
	w := b.watches[name]
	if w == nil {
		made, err := supervision.New(g.Config, b.self, names, now)
		if err != nil {
			return err
		}
		w = made
		b.watches[name] = w
	} else if err := w.SetMembers(now, names); err != nil {
		return err
	}
	for _, m := range g.Members {
		w.Wish(now, m.Name, m.Wished)
	}
	if w.Config() != g.Config {
		return w.SetConfig(now, g.Config)
	}
	return nil
}

// Beat is this node's heartbeat for another, without boot and sequence.
func (b *Board) Beat(to string) supervision.Beat {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.watches[b.all]
	if w == nil {
		return supervision.Beat{From: b.self}
	}
	return w.Beat(b.now(), to)
}

// Heard tells every watch of a heartbeat.
func (b *Board) Heard(beat *supervision.Beat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for _, w := range b.watches {
		w.Heard(now, beat)
	}
}

// Reached tells every watch what dialling a node showed.
func (b *Board) Reached(node string, r supervision.Reach) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	for _, w := range b.watches {
		w.Reached(now, node, r)
	}
}

// Tick judges, and gives what has changed, by groups and nodes.
func (b *Board) Tick() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	var out []Event
	for _, group := range slices.Sorted(maps.Keys(b.watches)) {
		for _, c := range b.watches[group].Tick(now) {
			out = append(out, Event{Group: group, Change: c})
		}
	}
	return out
}

// pause is how long may pass until the next Tick.
func (b *Board) pause() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := slowest
	for _, w := range b.watches {
		d = min(d, w.Config().Interval)
	}
	return d
}

// Status is what is known of a group's members, by name; of all nodes where group
// is the one that has them all. It is nil where the group is not watched here.
func (b *Board) Status(group string) []supervision.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.watches[group]; w != nil {
		return w.Status(b.now())
	}
	return nil
}

// At is the instant of a Status's Since.
func (b *Board) At(since time.Duration) time.Time { return b.began.Add(since).Round(0) }

// Settled tells whether the group was watched for long enough to decide by it.
func (b *Board) Settled(group string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.watches[group]
	return w != nil && w.Settled(b.now())
}
