package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
)

// ErrRefused says that the schema to rehearse is not taken; what it wraps says why.
var ErrRefused = errors.New("the schema is refused")

// rehearsal is the copy under the new schema, and what is told of it.
type rehearsal struct {
	run      *run
	document []byte   // canonical
	copy     *replica // nil until the recorded copy is where the schema shall hold
	index    uint64   // of the entries that are made for it
	holds    bool     // the new schema was applied
	typer    typer
	diffs    outcomeDiffs
	report   Rehearsal
}

// newRehearsal reads the schema.
func newRehearsal(r *run) (*rehearsal, error) {
	doc, problems := schema.Parse(r.opt.Schema)
	if problems != nil {
		return nil, refusedSchema(problemLines(problems))
	}
	h := &rehearsal{run: r, document: doc.Canonical()}
	h.diffs.examples = min(max(r.opt.Examples, 0), MaxExamples)
	h.report.From = max(r.opt.At, r.report.From.Revision)
	if r.opt.FromMillis > 0 {
		h.report.From = math.MaxUint64 // until an entry is stamped so
	}
	return h, nil
}

func refusedSchema(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }

func problemLines(problems []schema.Problem) string {
	lines := make([]string, len(problems))
	for i := range problems {
		lines[i] = problems[i].String()
	}
	return strings.Join(lines, "\n")
}

func (h *rehearsal) close() {
	if h.copy != nil {
		_ = h.copy.Close()
	}
}

// special lets the copy live through an entry that holds no transactions, before
// the recorded one does. Under its own schema it passes over changes of schema.
func (h *rehearsal) special(kind entry.Kind, raw entry.Raw) error {
	if err := h.reach(0); err != nil || h.copy == nil {
		return err
	}
	if kind == entry.KindCheckpoint || h.holds && changesSchema(kind) {
		return nil
	}
	h.stand()
	_, err := h.apply(raw.Cmd)
	h.typer.next = h.copy.Compiled() // anew in another version of the language
	return err
}

// changesSchema tells which entries change the schema, at once or in steps.
func changesSchema(kind entry.Kind) bool {
	return kind == entry.KindSchema || kind == entry.KindBackfill || kind == entry.KindFinish
}

// reach makes the copy where an entry of so many transactions may pass the revision
// before which the new schema shall not hold, and applies the schema where the
// recorded copy is there.
func (h *rehearsal) reach(transactions uint64) error {
	pos := h.run.recorded.Position()
	if h.copy == nil && (pos.Revision >= h.report.From || transactions >= h.report.From-pos.Revision) {
		if err := h.clone(); err != nil {
			return fmt.Errorf("copy the state at revision %d: %w", pos.Revision, err)
		}
	}
	if h.copy != nil && !h.holds && pos.Revision >= h.report.From {
		return h.change(pos.Revision, pos.NowMillis)
	}
	return nil
}

// clone makes the copy what the recorded one is.
func (h *rehearsal) clone() (err error) {
	if h.copy, err = h.run.openReplica("rehearsed"); err != nil {
		return err
	}
	f, err := h.run.recorded.Freeze()
	if err != nil {
		return err
	}
	defer f.Close()
	pr, pw := io.Pipe()
	go func() { _ = pw.CloseWithError(f.Save(pw, nil)) }()
	err = h.copy.RecoverFromSnapshot(pr, nil)
	_ = pr.Close()
	h.index = h.copy.Position().Index
	return err
}

// apply has the copy execute an entry under an index of its own.
func (h *rehearsal) apply(cmd []byte) ([]engine.Applied, error) {
	h.index++
	return h.copy.apply(entry.Raw{Index: h.index, Cmd: cmd})
}

// stand brings the copy's revision and time to the recorded one's.
func (h *rehearsal) stand() {
	pos := h.run.recorded.Position()
	h.copy.StandAt(pos.Revision, pos.NowMillis)
}

// change applies the new schema, in as many steps as it takes. A change that was
// under way is given up, for what is left of it in the recording is passed over.
func (h *rehearsal) change(revision uint64, nowMillis int64) error {
	h.copy.StandAt(revision, nowMillis)
	if under, _ := h.copy.Change(); under != nil {
		if _, err := h.apply(entry.AppendFinish(nil, &entry.Finish{TimeMillis: nowMillis, Change: under.ID, Abandon: true})); err != nil {
			return err
		}
	}
	done, err := h.apply(entry.AppendSchema(nil, &entry.Schema{TimeMillis: nowMillis, Document: h.document}))
	if err != nil {
		return err
	}
	if len(done) == 0 || len(done[0].Verdicts) == 0 {
		return errors.New("apply the schema: the engine does not say what became of it")
	}
	if o := &done[0].Verdicts[0].Outcome; !o.Committed {
		return refusedSchema(o.Message)
	}
	if err := h.steps(nowMillis); err != nil {
		return err
	}
	h.holds = true
	h.typer = typer{next: h.copy.Compiled()}
	h.copy.StandAt(revision, nowMillis)
	return h.copy.Settle()
}

// steps takes the steps of the change that was begun, as a primary would.
func (h *rehearsal) steps(nowMillis int64) error {
	var id uint64
	var before engine.ChangeStatus
	for {
		c, _ := h.copy.Change()
		if c == nil {
			break
		}
		if c.ID == before.ID && c.Phase == before.Phase && c.Step == before.Step {
			return errors.New("apply the schema: a step of it changes nothing")
		}
		id, before = c.ID, *c
		cmd := entry.AppendFinish(nil, &entry.Finish{TimeMillis: nowMillis, Change: c.ID})
		if c.Phase == engine.PhaseBuilding {
			cmd = entry.AppendBackfill(nil, &entry.Backfill{TimeMillis: nowMillis, Change: c.ID, Step: c.Step})
		}
		if _, err := h.apply(cmd); err != nil {
			return err
		}
	}
	if id == 0 {
		return nil // it was one step
	}
	end, err := h.copy.WaitChangeEnd(context.Background(), id) // it has ended: nothing is waited for
	if err != nil || end == nil || end.Version != 0 {
		return err
	}
	lines := []string{fmt.Sprintf("%d rows break it", end.Broken)}
	for _, v := range end.First {
		lines = append(lines, v.String())
	}
	return refusedSchema(strings.Join(lines, "\n"))
}

// batch has both copies execute an entry of transactions.
func (h *rehearsal) batch(raw entry.Raw) error {
	b, items := h.items(raw.Cmd)
	if h.report.From == math.MaxUint64 && b.TimeMillis >= h.run.opt.FromMillis {
		h.report.From = h.run.recorded.Position().Revision
	}
	if err := h.reach(uint64(len(items))); err != nil {
		return err
	}
	before := h.run.recorded.Compiled()
	at := h.run.recorded.Position().Revision
	done, err := h.run.recorded.apply(raw)
	if err != nil || len(done) == 0 {
		return err
	}
	verdicts := done[0].Verdicts
	h.run.count(verdicts)
	if h.copy == nil {
		return nil
	}
	for i := range verdicts {
		if verdicts[i].Kind != outcome.Executed || i >= len(items) {
			continue
		}
		o := &verdicts[i].Outcome
		if !h.holds && at >= h.report.From {
			if err := h.change(at, o.TimeMillis); err != nil {
				return err
			}
		}
		if err := h.item(b, &items[i], o, before); err != nil {
			return fmt.Errorf("rehearse transaction %s: %w", items[i].ID, err)
		}
		at = o.Revision
	}
	return h.copy.Settle()
}

// items reads a batch; none where it is corrupt, which the recorded copy finds too.
func (h *rehearsal) items(cmd []byte) (entry.Batch, []entry.Item) {
	r := &h.run.reader
	if _, err := r.Reset(cmd); err != nil {
		return entry.Batch{}, nil
	}
	b, err := r.Batch()
	if err != nil {
		return entry.Batch{}, nil
	}
	var items []entry.Item
	var it entry.Item
	for r.Next(&it) {
		items = append(items, it)
	}
	return b, items
}

// item has the copy execute what the recorded one executed, and compares.
func (h *rehearsal) item(b entry.Batch, it *entry.Item, o *outcome.Outcome, c *program.Compiled) error {
	typed, refusal := *it, (*program.Refusal)(nil)
	if h.holds {
		typed, refusal = h.typer.retype(c, it)
	}
	var v outcome.Verdict
	if refusal == nil {
		var err error
		if v, err = h.copy.ExecuteAt(b, &typed, o.Revision, o.TimeMillis); err != nil {
			return err
		}
		if v.Kind != outcome.Executed {
			return errors.New("it was typed for the new schema, which then does not take it")
		}
	}
	if !h.holds {
		return nil
	}
	h.report.Transactions++
	h.diffs.compare(pair{item: it, compiled: c, before: o, after: &v.Outcome, refusal: refusal})
	return nil
}

// finish compares the rows, and tells all.
func (h *rehearsal) finish() error {
	if err := h.reach(0); err != nil {
		return err
	}
	last := h.run.recorded.Position().Revision
	if !h.holds {
		return fmt.Errorf("the new schema shall hold after revision %d, and the recording ends at revision %d", h.report.From, last)
	}
	tables, err := h.compareTables()
	if err != nil {
		return fmt.Errorf("compare the rows at the end: %w", err)
	}
	h.diffs.tell(&h.report)
	h.report.Tables = tables
	h.report.Equal = h.report.Different == 0 && h.report.Untyped == 0
	for _, t := range tables {
		h.report.Equal = h.report.Equal && t.same()
	}
	h.run.report.Rehearsal = &h.report
	return nil
}
