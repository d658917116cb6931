package node

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lockstep/engine"
	"lockstep/policy"
	"lockstep/policy/history"
	"lockstep/router"
	"lockstep/router/node/chronicle"
	"lockstep/router/tasks"
	"lockstep/txlog"
)

// historyDir is where a node keeps what it recorded of the groups that it led.
const historyDir = "history"

// chroniclers record the groups that this node leads; only historyLoop uses them.
type chroniclers map[string]*chronicler

// chronicler records one group, for as long as this node leads it.
type chronicler struct {
	shard    uint64
	recorder *history.Recorder
	file     *chronicle.File
	looked   time.Time // when it was last fed
	broken   bool      // the last append failed, and that was said
}

// historyLoop records the status and the assignments of the groups that this node
// leads, for the leader's view is what the policies decide by.
func (n *Node) historyLoop() {
	led := chroniclers{}
	tick := time.NewTicker(historyEvery)
	defer tick.Stop()
	swept := uint64(0)
	for {
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			for _, c := range led {
				_ = c.file.Close()
			}
			return
		}
		for _, c := range n.allCopies() {
			if c.name != systemGroup && c.log != nil && c.log.IsLeader() {
				n.chronicle(led, c)
			} else if x := led[c.name]; x != nil {
				_ = x.file.Close()
				delete(led, c.name)
			}
		}
		if cat := n.catalog.Load(); cat.revision != swept {
			swept = cat.revision
			n.sweepHistory(cat, led)
		}
	}
}

// chronicle records what is new of one group.
func (n *Node) chronicle(led chroniclers, c *copyOf) {
	x := led[c.name]
	if x == nil || x.shard != c.shard {
		x = &chronicler{shard: c.shard, file: chronicle.New(n.historyPath(c.shard), historyBytes)}
		led[c.name] = x
	}
	in, err := n.placementInput(c.name, policy.TaskPrimary)
	if err != nil {
		return // the catalog read here does not have the group any more, or not yet
	}
	if x.recorder != nil && x.file.Full() {
		if err = x.file.Turn(); err == nil {
			x.recorder = nil // what begins a file is readable for itself
		}
	}
	if x.recorder == nil {
		x.recorder = history.NewRecorder(c.name)
	}
	var lines []byte
	if err == nil {
		lines, err = x.lines(&in, n.catalog.Load(), c)
	}
	if err == nil && len(lines) > 0 {
		err = x.file.Append(lines)
	}
	if err != nil {
		x.recorder = nil // there is a gap: what comes after it begins anew
		if !x.broken {
			n.cfg.Log.Warn("the status of a group can't be recorded; it is tried again", "group", c.name, "error", err)
		}
	}
	x.broken = err != nil
}

// lines are what is to be appended.
func (x *chronicler) lines(in *policy.Input, cat *catalog, c *copyOf) (out []byte, err error) {
	records := x.recorder.Status(in.Now, in.Group.Labels, in.Candidates)
	for _, t := range c.part.Tasks().List {
		records = append(records, x.recorder.Assigned(x.assigned(in.Now, cat, &t))...)
	}
	x.looked = in.Now
	for i := range records {
		if out, err = records[i].Append(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// assigned is the record of who holds a slot now. One that was assigned since the last
// look has its own time.
func (x *chronicler) assigned(now time.Time, cat *catalog, t *engine.Task) history.Record {
	rec := history.Record{At: now, Task: tasks.SlotOf(t.Name), Epoch: t.Epoch, Cause: policy.Cause(t.Reason.String()), Why: t.Text}
	if _, number, several := strings.Cut(t.Name, "#"); several {
		slot, _ := strconv.Atoi(number)
		rec.Slot = max(slot-1, 0)
	}
	if t.Holder != 0 {
		rec.Holder = cat.nodeName(txlog.NodeID(t.Holder))
	}
	if at := time.UnixMilli(t.SinceMillis).UTC(); !x.looked.IsZero() && at.After(x.looked) && at.Before(now) {
		rec.At = at
	}
	if row, ok := cat.task(rec.Task); ok && row.group == cat.groupOf(x.shard) {
		rec.Labels = row.definition.Labels
	}
	return rec
}

// groupOf is the name of the group of a shard; empty: there is none.
func (c *catalog) groupOf(shard uint64) string {
	for _, g := range c.groups {
		if g.shard == shard {
			return g.name
		}
	}
	return ""
}

func (n *Node) historyPath(shard uint64) string {
	return filepath.Join(n.folder.dir, historyDir, strconv.FormatUint(shard, 10)+".ndjson")
}

// sweepHistory removes what was recorded of groups that are gone.
func (n *Node) sweepHistory(cat *catalog, led chroniclers) {
	list, err := os.ReadDir(filepath.Join(n.folder.dir, historyDir))
	if err != nil || cat.version == 0 {
		return // there is none, or the catalog has not been read yet
	}
	for _, e := range list {
		text, _, _ := strings.Cut(e.Name(), ".")
		shard, err := strconv.ParseUint(text, 10, 64)
		if err != nil || cat.groupOf(shard) != "" || slices.ContainsFunc(n.allCopies(), func(c *copyOf) bool { return c.shard == shard }) {
			continue
		}
		for name, x := range led {
			if x.shard == shard {
				_ = x.file.Close()
				delete(led, name)
			}
		}
		if err := chronicle.Remove(n.historyPath(shard)); err != nil {
			n.cfg.Log.Warn("what was recorded of a group that is gone can't be removed", "error", err)
		}
	}
}

// ownHistory is what this node has recorded of a group, from a while before an instant
// on: within that while everything was recorded anew.
func (n *Node) ownHistory(group string, since time.Time) (string, error) {
	g, ok := n.catalog.Load().group(group)
	if !ok {
		return "", nil
	}
	text, err := chronicle.Read(n.historyPath(g.shard))
	if err != nil || since.IsZero() {
		return string(text), err
	}
	from := since.Add(-2 * history.Whole).UTC().Format(time.RFC3339)
	for rest := text; len(rest) > 0; {
		line, more, _ := bytes.Cut(rest, []byte("\n"))
		if at, ok := bytes.CutPrefix(line, []byte(`{"at":"`)); ok && string(at[:min(len(from)-1, len(at))]) >= from[:len(from)-1] {
			return string(rest), nil
		}
		rest = more
	}
	return "", nil
}

// History is the recorded status and assignments of a group from an instant on, put
// together of what each node has recorded while it led the group. missing are nodes
// that did not answer.
func (n *Node) History(ctx context.Context, group string, since time.Time) (lines []byte, missing []string, err error) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	var all bytes.Buffer
	take := func(node, part string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			missing = append(missing, node)
			return
		}
		all.WriteString(part)
	}
	var from uint64
	if !since.IsZero() {
		from = uint64(max(since.UnixMilli(), 0))
	}
	for _, row := range n.catalog.Load().nodes {
		if row.id == n.id {
			part, err := n.ownHistory(group, since)
			take(row.name, part, err)
			continue
		}
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, historyWait)
			defer cancel()
			var part string
			err := n.askTaskAt(ctx, row.id, taskQuestion{Op: "history", Group: group, After: &from}, &part)
			take(row.name, part, err)
		})
	}
	asking.Wait()
	slices.Sort(missing)
	rec, err := history.Read(&all)
	if err != nil {
		return nil, missing, &router.Problem{Code: "internal", Group: group, Detail: "what was recorded can't be read: " + err.Error()}
	}
	records := rec.Records
	if !since.IsZero() {
		records = rec.Since(since)
	}
	for i := range records {
		if lines, err = records[i].Append(lines); err != nil {
			return nil, missing, err
		}
	}
	return lines, missing, nil
}

// historyAnswer answers another node's question for what was recorded here.
func (n *Node) historyAnswer(q taskQuestion) (string, error) {
	if q.After == nil {
		return "", errors.New("the time is missing")
	}
	var since time.Time
	if *q.After > 0 {
		since = time.UnixMilli(int64(*q.After))
	}
	return n.ownHistory(q.Group, since)
}
