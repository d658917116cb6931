package history

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"lockstep/policy"
)

// Recorder turns what is seen of one group into records: those that differ from
// what it recorded before. It writes nothing itself, and is not safe for
// concurrent use.
type Recorder struct {
	group string
	begun bool
	key   time.Time // everything was recorded last
	last  map[string]seen
	held  map[string]Record // by task and slot
}

// seen is a node as it was recorded last.
type seen struct {
	at   time.Time
	node policy.Candidate
}

// NewRecorder begins a recording of a group. Use another one after a pause in
// which it was not fed.
func NewRecorder(group string) *Recorder {
	return &Recorder{group: group, last: map[string]seen{}, held: map[string]Record{}}
}

// Status takes in what the group's nodes are now, all of them, and gives what is
// to be recorded, mostly nothing.
func (r *Recorder) Status(at time.Time, labels map[string]string, nodes []policy.Candidate) (records []Record) {
	if !r.begun {
		r.begun = true
		records, r.key = append(records, Record{At: at, Group: r.group, Begin: true, Labels: maps.Clone(labels)}), at
	}
	if at.Sub(r.key) >= Whole {
		records, r.key = r.again(at), at
	}
	rec := Record{At: at, Group: r.group}
	there := make(map[string]bool, len(nodes))
	for i := range nodes {
		c := clone(&nodes[i])
		there[c.Node.Name] = true
		before, known := r.last[c.Node.Name]
		if known && !(differs(&before.node, c) || at.Sub(before.at) >= Pace && measuresDiffer(&before.node, c)) {
			continue
		}
		r.last[c.Node.Name] = seen{at, *c}
		rec.set(c.Node.Name, c)
	}
	for name := range r.last {
		if !there[name] {
			delete(r.last, name)
			rec.set(name, nil)
		}
	}
	if rec.Nodes != nil {
		records = append(records, rec)
	}
	return records
}

// again has everything recorded anew, so that a recording of which the beginning
// is gone can be read from here on.
func (r *Recorder) again(at time.Time) (records []Record) {
	for name := range r.last {
		r.last[name] = seen{}
	}
	for _, key := range slices.Sorted(maps.Keys(r.held)) {
		rec := r.held[key]
		rec.At = at
		records = append(records, rec)
	}
	return records
}

func (r *Record) set(name string, c *policy.Candidate) {
	if r.Nodes == nil {
		r.Nodes = map[string]*policy.Candidate{}
	}
	r.Nodes[name] = c
}

func clone(c *policy.Candidate) *policy.Candidate {
	in := policy.Input{Candidates: []policy.Candidate{*c}}
	return &in.Clone().Candidates[0]
}

// differs tells whether something is another that is recorded at once.
func differs(a, b *policy.Candidate) bool {
	p, q := a.Partition, b.Partition
	return a.Node.Status != b.Node.Status || a.Node.Version != b.Node.Version || a.Node.Dedicated != b.Node.Dedicated || a.Node.Tasks != b.Node.Tasks ||
		a.Node.Primaries != b.Node.Primaries || !maps.Equal(a.Node.Labels, b.Node.Labels) || (p == nil) != (q == nil) ||
		p != nil && (p.Role != q.Role || p.Status != q.Status || p.Diverged != q.Diverged || (p.Lag == 0) != (q.Lag == 0))
}

// measuresDiffer tells whether a measurement has moved so far that it may matter.
func measuresDiffer(a, b *policy.Candidate) bool {
	const share = 0.02
	far := func(x, y float64) bool { return math.Abs(x-y) >= share }
	p, q := a.Partition, b.Partition
	return far(a.Node.CPU, b.Node.CPU) || far(a.Node.MemoryFree, b.Node.MemoryFree) || far(a.Node.DiskFree, b.Node.DiskFree) ||
		a.Node.Partitions != b.Node.Partitions || p != nil && q != nil && (p.Lag != q.Lag || p.LagTime.Round(time.Second) != q.LagTime.Round(time.Second))
}

// Assigned takes in who holds a slot of a task now, and gives what is to be
// recorded: nothing where that is recorded already.
func (r *Recorder) Assigned(rec Record) []Record {
	rec.Group = r.group
	key := fmt.Sprintf("%s#%d", rec.Task, rec.Slot)
	before, known := r.held[key]
	if known && before.Epoch == rec.Epoch && before.Holder == rec.Holder || !known && len(r.held) >= MaxTasks {
		return nil
	}
	r.held[key] = rec
	return []Record{rec}
}

// Log keeps the last lines of recordings within a bound: old ones make room. It is
// safe for concurrent use.
type Log struct {
	mu    sync.Mutex
	most  int
	bytes int
	lines [][]byte
}

// NewLog makes a log of at most so many bytes; 0: MaxLogBytes.
func NewLog(most int) *Log {
	if most <= 0 {
		most = MaxLogBytes
	}
	return &Log{most: most}
}

// Add appends records.
func (l *Log) Add(records ...Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range records {
		line, err := records[i].Append(nil)
		if err != nil {
			return err
		}
		l.lines = append(l.lines, line)
		l.bytes += len(line)
	}
	drop := 0
	for l.bytes > l.most && drop < len(l.lines) {
		l.bytes -= len(l.lines[drop])
		drop++
	}
	l.lines = slices.Delete(l.lines, 0, drop)
	return nil
}

// Bytes is a copy of what is kept. Where lines were dropped, nodes and holders are
// known from their next records on.
func (l *Log) Bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.lines...)
}
