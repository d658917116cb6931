package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/partition"
	"lockstep/router"
	"lockstep/router/order"
)

// driveChanges proposes the steps of schema changes under way for as long as this
// node is the group's primary. How far a change is stands in the group's state: a
// new primary goes on where the last one was, and a step that both propose is
// done once.
func (n *Node) driveChanges(c *copyOf) {
	for {
		change, moved := c.part.Change()
		var pause time.Duration
		switch {
		case change == nil:
			pause = -1 // until there is one
		case !c.log.IsLeader():
			pause = changeLook
		default:
			n.countRows(c, change)
			pause = n.changeStep(c, change)
			moved = nil // by the step itself
		}
		if !n.rest(c, pause, moved) {
			return
		}
	}
}

// rest waits for a time, below zero without an end, or until moved is closed. It
// returns false when the copy or the node ends.
func (n *Node) rest(c *copyOf, pause time.Duration, moved <-chan struct{}) bool {
	var over <-chan time.Time
	if pause >= 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-moved:
	case <-n.ctx.Done():
		return false
	case <-c.part.Closed():
		return false
	}
	return true
}

// changeStep proposes the next step and waits until it is done. It returns how
// long to leave the group to others: as long as the step took, so that a change
// takes at most about half of what the group can do.
func (n *Node) changeStep(c *copyOf, change *engine.ChangeStatus) time.Duration {
	ctx, cancel := context.WithTimeout(n.ctx, changeStepWait)
	defer cancel()
	r := &order.Request{}
	if change.Phase == engine.PhaseBuilding {
		r.Backfill = &entry.Backfill{Change: change.ID, Step: change.Step}
	} else {
		r.Finish = &entry.Finish{Change: change.ID}
	}
	began := time.Now()
	v, err := c.order(ctx, r)
	if err != nil {
		if n.ctx.Err() == nil {
			n.cfg.Log.Info("a step of a schema change is tried again", "group", c.name, "change", change.ID, "step", change.Step, "reason", err)
		}
		return changeRetry
	}
	if r.Finish != nil && v.Outcome.Committed {
		n.logEnd(c, change)
	}
	return min(max(time.Since(began), changePauseLeast), changePauseMost)
}

func (n *Node) logEnd(c *copyOf, change *engine.ChangeStatus) {
	end, err := c.part.WaitChangeEnd(n.ctx, change.ID)
	if err != nil || end == nil {
		return
	}
	if end.Version == 0 {
		n.cfg.Log.Info("a schema change was given up", "group", c.name, "change", end.ID, "rows", end.Rows, "broken", end.Broken)
		return
	}
	n.cfg.Log.Info("a schema change holds", "group", c.name, "change", end.ID, "version", end.Version, "rows", end.Rows)
}

// rowCount is how many rows a change has to look at, as counted when this node
// first saw it as primary.
type rowCount struct {
	change uint64
	rows   uint64
}

// countRows counts the rows of a change's tables once, beside its steps: for
// status alone, and therefore not replicated.
func (n *Node) countRows(c *copyOf, change *engine.ChangeStatus) {
	if was := c.counted.Load(); was != nil && was.change == change.ID {
		return
	}
	c.counted.Store(&rowCount{change: change.ID})
	tables := change.Tables
	n.work.Go(func() {
		rows, err := c.part.CountRows(tables, n.ctx.Done())
		switch {
		case err == nil:
			c.counted.Store(&rowCount{change: change.ID, rows: rows})
		case !errors.Is(err, partition.ErrClosed) && n.ctx.Err() == nil:
			n.cfg.Log.Warn("the rows of a schema change can't be counted", "group", c.name, "error", err)
		}
	})
}

// schemaChange is the change under way at this copy as status shows it; nil where
// there is none.
func (c *copyOf) schemaChange() *router.SchemaChange {
	change, _ := c.part.Change()
	if change == nil {
		return nil
	}
	return c.changeOf(change)
}

func (c *copyOf) changeOf(change *engine.ChangeStatus) *router.SchemaChange {
	s := &router.SchemaChange{
		Change: change.ID, Version: change.Base, State: change.Phase.String(),
		Started:  string(outcome.AppendTime(nil, change.BeganMillis)),
		RowsDone: change.Rows,
	}
	if count := c.counted.Load(); count != nil && count.change == change.ID {
		s.RowsTotal = max(count.rows, change.Rows)
		if count.rows == 0 {
			s.RowsTotal = 0
		}
	}
	return s
}

// rowsText says how far a change is.
func rowsText(s *router.SchemaChange) string {
	if s.RowsTotal == 0 {
		return fmt.Sprintf("%d rows have been looked at", s.RowsDone)
	}
	return fmt.Sprintf("%d of about %d rows have been looked at", s.RowsDone, s.RowsTotal)
}
