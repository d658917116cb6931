package txlog

import (
	"sync"

	"github.com/lni/dragonboat/v4"
)

// keeper keeps a group's log to about Config.LogBytes. The library drops log by number of entries only, and an
// entry may have a few bytes or some millions; so when the bytes applied since the last time reach half the
// limit, the keeper asks for a snapshot that leaves the other half in the log.
type keeper struct {
	group *Group
	step  uint64
	want  chan struct{}
	done  chan struct{}
	once  sync.Once

	mu    sync.Mutex
	marks []mark // ascending; one a step
	last  uint64 // bytes at the last request
}

// mark tells how many bytes had been applied when an index was.
type mark struct{ index, bytes uint64 }

// keeperMarks is how finely half of the limit is divided.
const keeperMarks = 16

func newKeeper(g *Group) *keeper {
	k := &keeper{
		group: g, step: max(1, g.host.cfg.LogBytes/2/keeperMarks),
		want: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go k.run()
	return k
}

// grown is told after every call of Apply. It only notes.
func (g *Group) grown(index, bytes uint64) {
	k := g.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.marks); n > 0 && bytes-k.marks[n-1].bytes < k.step {
		return
	}
	k.marks = append(k.marks, mark{index, bytes})
	if bytes-k.last < g.host.cfg.LogBytes/2 {
		return
	}
	select {
	case k.want <- struct{}{}:
	default:
	}
}

// cut is the index up to which the log may go so that half the limit is left; 0 when there is nothing to do.
func (k *keeper) cut() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.marks) == 0 {
		return 0
	}
	newest := k.marks[len(k.marks)-1]
	k.last = newest.bytes
	found := 0
	for i, m := range k.marks {
		if newest.bytes-m.bytes >= k.group.host.cfg.LogBytes/2 {
			found = i
		}
	}
	index := k.marks[found].index
	k.marks = append(k.marks[:0], k.marks[found:]...)
	return index
}

func (k *keeper) run() {
	for {
		select {
		case <-k.done:
			return
		case <-k.want:
		}
		if index := k.cut(); index > 1 {
			k.compact(index)
		}
	}
}

func (k *keeper) compact(index uint64) {
	g := k.group
	request, err := g.host.nh.RequestSnapshot(g.id,
		dragonboat.SnapshotOption{OverrideCompactionOverhead: true, CompactionIndex: index}, compactionWait)
	if err != nil {
		g.host.log().Debug("the log could not be shortened", "group", g.id, "error", err)
		return
	}
	select {
	case <-request.ResultC():
		request.Release()
	case <-k.done:
	}
}

func (k *keeper) close() { k.once.Do(func() { close(k.done) }) }
