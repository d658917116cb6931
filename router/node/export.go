package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/partition"
	"lockstep/engine/recording"
	"lockstep/router"
	"lockstep/txlog"
)

// Export begins a recording of a group.
func (n *Node) Export(ctx context.Context, group string, o router.ExportOptions) (router.Recording, error) {
	c := n.copy(group)
	if group == systemGroup {
		return nil, &router.Problem{Code: "unknown_group", Group: group, Detail: fmt.Sprintf("there is no group %q", group)}
	}
	if c == nil {
		return n.relayedExport(ctx, group, o)
	}
	return n.ownExport(ctx, c, o)
}

// exportOf is a recording of this node's copy. What it holds of the group is a
// frozen state, for as long as that is being written or digested; the log is read
// beside Raft (txlog.Group.ReadLog).
type exportOf struct {
	node   *Node
	copy   *copyOf
	follow time.Duration
	state  *partition.Frozen // to begin with; nil: from the group's beginning

	out   *recording.Writer
	last  uint64 // index of the last entry written, or passed over
	close sync.Once
}

// ownExport begins a recording of a copy of this node.
func (n *Node) ownExport(ctx context.Context, c *copyOf, o router.ExportOptions) (*exportOf, error) {
	select {
	case n.exports <- struct{}{}:
	default:
		return nil, &router.Problem{Code: "overloaded", Group: c.name, Detail: fmt.Sprintf("this node writes %d recordings already: wait for one to end, or ask another node", cap(n.exports))}
	}
	e := &exportOf{node: n, copy: c, follow: o.Follow}
	if err := e.begin(ctx, o); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *exportOf) begin(ctx context.Context, o router.ExportOptions) error {
	// What was acknowledged before shall be in it. A copy that is cut off from the
	// others is recorded all the same: it may be just what somebody wants to look at.
	fresh, cancel := context.WithTimeout(ctx, exportFreshWait)
	_, _ = e.copy.ReadIndex(fresh)
	cancel()
	first, err := e.copy.log.FirstEntry()
	if err != nil {
		return exportProblem(e.copy.name, err)
	}
	switch {
	case first <= 1 && o.From != "now":
		return nil
	case o.From == "start" || o.From == "" && o.Follow == 0:
		return &router.Problem{Code: "compacted", Group: e.copy.name,
			Detail: fmt.Sprintf("the log of this copy begins with entry %d and no longer reaches back to the group's beginning: record its present state and what follows (from=now&follow=10m; --from-now --follow 10m)", first)}
	}
	if e.state, err = e.copy.part.Freeze(); err != nil {
		return exportProblem(e.copy.name, err)
	}
	return nil
}

// exportProblem is what a client is told of an error before the first byte.
func exportProblem(group string, err error) error {
	switch {
	case errors.Is(err, partition.ErrDiverged):
		return &router.Problem{Code: "diverged", Group: group, Detail: err.Error()}
	case errors.Is(err, partition.ErrClosed), errors.Is(err, txlog.ErrClosed):
		return &router.Problem{Code: "starting", Group: group, Detail: "this node's copy of the group is not open"}
	}
	return err
}

// Close lets go of the state and of the place among the node's recordings.
func (e *exportOf) Close() {
	e.close.Do(func() {
		if e.state != nil {
			e.state.Close()
		}
		<-e.node.exports
	})
}

// Write writes the recording.
func (e *exportOf) Write(ctx context.Context, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(e.node.ctx, func() { cancel(errors.New("the node is stopping")) })
	defer stop()
	sink := &sink{w: w}
	err := e.write(ctx, sink)
	if err == nil || sink.failed != nil || e.out == nil {
		return err
	}
	return errors.Join(err, e.out.Fail(err.Error()))
}

// sink remembers that it is the writer that failed: nothing more can be told to it.
type sink struct {
	w      io.Writer
	failed error
}

func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil {
		s.failed = err
	}
	return n, err
}

func (e *exportOf) write(ctx context.Context, w io.Writer) (err error) {
	b := recording.Begin{
		Group: e.copy.name, Node: e.node.cfg.Name, Program: Version,
		TakenMillis: time.Now().UnixMilli(), Snapshot: e.state != nil,
	}
	if e.state != nil {
		p := e.state.Position()
		b.Language = uint64(p.Language)
		b.From = recording.Position{Index: p.Index, Revision: p.Revision, TimeMillis: p.NowMillis, Schema: p.Schema, Running: p.Digest}
		e.last = p.Index
	}
	if e.out, err = recording.NewWriter(w, b); err != nil {
		return err
	}
	if e.state != nil {
		if err := e.state.Save(e.out, ctx.Done()); err != nil {
			return fmt.Errorf("write the state: %w", err)
		}
		e.state.Close()
	}
	if err := e.out.Flush(); err != nil {
		return err
	}
	if err := e.followUp(ctx); err != nil {
		return err
	}
	return e.finish(ctx)
}

// followUp records entries as they are applied, with what the copy has after them,
// for as long as it shall; less if the node stops.
func (e *exportOf) followUp(ctx context.Context) error {
	until, told := time.Now().Add(e.follow), time.Now()
	for !e.node.draining.Load() && time.Now().Before(until) {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		wait, cancel := context.WithTimeout(ctx, min(exportRound, time.Until(until)))
		err := e.copy.part.WaitIndex(wait, e.last+1)
		cancel()
		if errors.Is(err, partition.ErrClosed) {
			return err
		}
		pos := e.copy.part.Position()
		// Where nothing happens, the same digest once more finds out that the client
		// is gone.
		if pos.Index > e.last || time.Since(told) > exportSilence {
			told = time.Now()
			if err := e.upTo(ctx, pos); err != nil {
				return err
			}
			if err := e.out.Digest(digestOf(pos)); err != nil {
				return err
			}
		}
		if err := e.out.Flush(); err != nil {
			return err
		}
		pause(ctx, exportPause)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func digestOf(p engine.Position) recording.Digest {
	return recording.Digest{Index: p.Index, Revision: p.Revision, TimeMillis: p.NowMillis, Running: p.Digest}
}

// upTo records the entries that brought the copy to a position.
func (e *exportOf) upTo(ctx context.Context, pos engine.Position) error {
	err := e.copy.log.ReadLog(ctx, e.last+1, pos.Index, func(raw entry.Raw) error {
		return e.out.Entry(raw.Index, raw.Cmd)
	})
	if errors.Is(err, txlog.ErrCompacted) {
		return fmt.Errorf("the log was shortened faster than it was read; record again, and read faster: %w", err)
	}
	e.last = max(e.last, pos.Index)
	return err
}

// finish records what is left, and the digests of running and whole content at the
// end. The state is frozen only while its content is digested.
func (e *exportOf) finish(ctx context.Context) error {
	f, err := e.copy.part.Freeze()
	if err != nil {
		return err
	}
	content, err := f.Content(ctx.Done())
	f.Close()
	if err != nil {
		return fmt.Errorf("digest the content: %w", err)
	}
	if err := e.upTo(ctx, f.Position()); err != nil {
		return err
	}
	d := digestOf(f.Position())
	d.HasContent, d.Content = true, content
	if err := e.out.Digest(d); err != nil {
		return err
	}
	return e.out.Close(time.Now().UnixMilli())
}
