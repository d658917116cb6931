package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/router"
	"lockstep/router/order"
)

// schemaAttempts bounds how often a change is tried on top of another one that
// came between looking and ordering.
const schemaAttempts = 8

// PutSchema replaces the schema through the log, or tries it on the copy. What is
// logged names the schema that it was found to fit, and how many changes there
// were before, so that a change that is ordered late, or twice, can't undo
// another, and does not begin anew what was given up.
func (c *copyOf) PutSchema(ctx context.Context, put router.SchemaPut) (router.SchemaResult, error) {
	if put.Language != 0 {
		return c.switchLanguage(ctx, put)
	}
	doubt := error(nil) // an attempt may have been applied
	var first rehearsed
	for attempt := 0; ; attempt++ {
		doc, err := c.rehearse(ctx, put)
		switch {
		case err != nil && doubt != nil:
			return router.SchemaResult{}, doubt
		case err != nil || put.DryRun:
			return doc.result(doc.base), err
		case doc.underWay != 0:
			return c.awaitChange(ctx, &doc, doc.underWay)
		case doubt != nil && doc.ended(&first) != nil:
			return c.changeEnded(ctx, &first, doc.ended(&first))
		case !doc.changed:
			r := doc.result(doc.base)
			r.Changed, r.Created = doubt != nil, doc.base == 0 || doubt != nil && first.base == 0
			return r, nil
		case doubt != nil && doc.base != first.base:
			return router.SchemaResult{}, doubt // ours may have been, and another after it
		}
		first = doc
		v, err := c.order(ctx, &order.Request{Schema: &entry.Schema{Document: doc.canonical, IfMatch: precondition(doc.base), IfBegun: doc.begun + 1}})
		again := attempt < schemaAttempts && ctx.Err() == nil
		switch {
		case errors.Is(err, order.ErrOutcomeUnknown) && again:
			doubt = err
		case err != nil:
			return router.SchemaResult{}, err
		case engine.Begun(&v.Outcome) != 0:
			return c.awaitChange(ctx, &doc, engine.Begun(&v.Outcome))
		case v.Outcome.Committed:
			return c.schemaApplied(ctx, &doc, v.Outcome.Revision)
		case v.Outcome.Code != engine.CodeChanged || put.IfMatch != 0 || !again:
			return router.SchemaResult{}, c.refused(&v.Outcome)
		}
	}
}

// precondition is the If-Match of an entry that was found to fit a version.
func precondition(base uint64) uint64 {
	if base == 0 {
		return entry.NoSchema
	}
	return base
}

// schemaApplied answers for a change at a revision. Whoever is answered may ask
// this node next: it must know the schema.
func (c *copyOf) schemaApplied(ctx context.Context, doc *rehearsed, revision uint64) (router.SchemaResult, error) {
	if err := c.part.WaitRevision(ctx, revision); err != nil {
		return router.SchemaResult{}, &router.Problem{Code: "outcome_unknown", Group: c.name, Detail: fmt.Sprintf("the schema was changed at revision %d, which this node has not reached", revision)}
	}
	r := doc.result(revision)
	r.Changed = doc.base != revision
	return r, nil
}

// awaitChange waits for the end of a change in steps.
func (c *copyOf) awaitChange(ctx context.Context, doc *rehearsed, id uint64) (router.SchemaResult, error) {
	end, err := c.part.WaitChangeEnd(ctx, id)
	if err == nil && end != nil {
		return c.changeEnded(ctx, doc, end)
	}
	p := &router.Problem{Code: "outcome_unknown", Group: c.name, Change: c.schemaChange()}
	switch {
	case err == nil:
		p.Detail = "the change has ended, but how is no longer known here: read the schema"
	case p.Change != nil:
		p.Detail = fmt.Sprintf("the change goes on: %s; ask again with the same document to wait for its end", rowsText(p.Change))
	default:
		p.Detail = "the change goes on; ask again with the same document to wait for its end"
	}
	return router.SchemaResult{}, p
}

// changeEnded answers for a change in steps.
func (c *copyOf) changeEnded(ctx context.Context, doc *rehearsed, end *engine.ChangeEnd) (router.SchemaResult, error) {
	if end.Version == 0 {
		return router.SchemaResult{}, c.broken(end.First, end.Broken, fmt.Sprintf("as far as %d rows have been looked at", end.Rows), &doc.plan)
	}
	return c.schemaApplied(ctx, doc, end.Version)
}

// rehearsed is what was found of a document before anything was proposed.
type rehearsed struct {
	canonical []byte
	changed   bool   // it is another document than the present one
	base      uint64 // version of the present one; 0: there is none
	begun     uint64 // changes in steps begun so far
	underWay  uint64 // the change that the same document is made by already
	ends      []engine.ChangeEnd
	plan      router.SchemaPlan
}

func (r *rehearsed) result(version uint64) router.SchemaResult {
	return router.SchemaResult{Version: version, Created: r.base == 0, Changed: r.changed, Plan: r.plan}
}

// ended is the end of the change that an attempt in doubt has begun, if it has.
func (r *rehearsed) ended(attempt *rehearsed) *engine.ChangeEnd {
	for i := range r.ends {
		if e := &r.ends[i]; e.ID == attempt.begun+1 && e.Hash == sha256.Sum256(attempt.canonical) {
			return e
		}
	}
	return nil
}

// rehearse finds what is wrong with a document before anything is proposed. Of
// the rows that it would have to look at, a dry run looks at all, a change at a
// few: that spares most of those that fail any trouble.
func (c *copyOf) rehearse(ctx context.Context, put router.SchemaPut) (rehearsed, error) {
	if _, err := c.log.ReadIndex(ctx); err != nil {
		return rehearsed{}, &router.Problem{Code: "no_quorum", Group: c.name, Detail: "no majority of the group's copies answers"}
	}
	view, err := c.part.View()
	if err != nil {
		return rehearsed{}, err
	}
	defer view.Close()
	doc := rehearsed{base: view.Position().Schema}
	if doc.begun, doc.ends, err = view.ChangeEnds(); err != nil {
		return doc, err
	}
	if !put.DryRun {
		status, present, err := view.Change()
		if err != nil {
			return doc, err
		}
		if status != nil {
			return doc, c.join(&doc, put, status, present)
		}
	}
	limit := uint64(rehearsedRows)
	if put.DryRun {
		limit = 0
	}
	r := view.Rehearse(put.Document, limit, ctx.Done())
	doc.canonical, doc.changed, doc.plan = r.Canonical, r.Changed, planOf(&r)
	switch {
	case errors.Is(r.Err, engine.ErrStopped) && ctx.Err() != nil:
		return doc, ctx.Err()
	case r.Err != nil:
		return doc, r.Err
	case len(r.Problems) > 0:
		return doc, c.wrong(r.Problems)
	case r.Changed && put.IfMatch != 0 && put.IfMatch != doc.base:
		return doc, c.another(put.IfMatch, doc.base)
	case r.Broken > 0:
		return doc, c.broken(r.First, r.Broken, r.Extent(), &doc.plan)
	}
	return doc, nil
}

// join finds out whether a document is that of the change under way, and refuses
// any other.
func (c *copyOf) join(doc *rehearsed, put router.SchemaPut, status *engine.ChangeStatus, present []byte) error {
	parsed, problems := schema.Parse(put.Document)
	switch {
	case problems != nil:
		return c.wrong(problems)
	case put.IfMatch != 0 && put.IfMatch != doc.base:
		return c.another(put.IfMatch, doc.base)
	case string(parsed.Canonical()) != string(present):
		return &router.Problem{Code: engine.CodeInProgress, Group: c.name, Detail: status.Sentence(), Change: c.changeOf(status)}
	}
	doc.canonical, doc.changed, doc.underWay = parsed.Canonical(), true, status.ID
	return nil
}

func (c *copyOf) wrong(problems []schema.Problem) error {
	refusal := program.RefuseSchema(problems)
	return &router.Problem{Code: refusal.Code, Group: c.name, Detail: refusal.Detail, Errors: refusal.Errors}
}

func (c *copyOf) another(want, present uint64) error {
	return &router.Problem{Code: engine.CodeChanged, Group: c.name, Revision: present, Detail: fmt.Sprintf("the schema is at version %d, not %d; read it and try again", present, want)}
}

// broken is the refusal of a schema that existing rows break.
func (c *copyOf) broken(first []engine.Violation, count uint64, extent string, plan *router.SchemaPlan) error {
	p := &router.Problem{Code: engine.CodeInvalid, Group: c.name, Broken: count, Plan: plan}
	for _, v := range first {
		p.Errors = append(p.Errors, program.PointerDetail{Pointer: v.Place, Detail: v.Detail})
	}
	p.Detail = "a row breaks it"
	if count > 1 {
		p.Detail = fmt.Sprintf("%d rows break it", count)
	}
	p.Detail += ", " + extent
	if len(first) > 0 {
		p.Detail += ": " + first[0].String()
	}
	return p
}

func planOf(r *engine.Rehearsal) router.SchemaPlan {
	plan := router.SchemaPlan{Adds: r.Plan.Adds, Changes: r.Plan.Changes, Drops: r.Plan.Drops}
	for _, p := range r.Passes {
		plan.Passes = append(plan.Passes, router.SchemaPass{Table: p.Table, For: p.For, Rows: p.Rows, All: p.All})
	}
	return plan
}

func (c *copyOf) refused(o *outcome.Outcome) error {
	p := &router.Problem{Code: o.Code, Group: c.name, Detail: o.Message}
	if o.Code == engine.CodeInProgress {
		p.Change = c.schemaChange()
	} else {
		p.Revision = o.Revision
	}
	return p
}
