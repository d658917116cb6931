package node

import (
	"context"
	"errors"
	"fmt"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/router"
	"lockstep/router/order"
)

// schemaAttempts bounds how often a change is tried on top of another one that
// came between looking and ordering.
const schemaAttempts = 8

// PutSchema replaces the schema through the log, or tries it on the copy. What is
// logged names the schema that it was found to fit, so that a change that is
// ordered late, or twice, can't undo another.
func (c *copyOf) PutSchema(ctx context.Context, put router.SchemaPut) (router.SchemaResult, error) {
	doubt := error(nil) // an attempt may have been applied
	var first uint64
	for attempt := 0; ; attempt++ {
		doc, err := c.rehearse(ctx, put)
		switch {
		case err != nil && doubt != nil:
			return router.SchemaResult{}, doubt
		case err != nil || put.DryRun || !doc.changed:
			return router.SchemaResult{Version: doc.base, Created: doc.base == 0 || doubt != nil && first == 0, Changed: doc.changed || doubt != nil, Drops: doc.drops}, err
		case doubt != nil && doc.base != first:
			return router.SchemaResult{}, doubt // ours may have been, and another after it
		}
		first = doc.base
		v, err := c.submitSchema(ctx, &entry.Schema{Document: doc.canonical, IfMatch: precondition(doc.base)})
		again := attempt < schemaAttempts && ctx.Err() == nil
		switch {
		case errors.Is(err, order.ErrOutcomeUnknown) && again:
			doubt = err
		case err != nil:
			return router.SchemaResult{}, err
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
	return router.SchemaResult{Version: revision, Created: doc.base == 0, Changed: doc.base != revision, Drops: doc.drops}, nil
}

type rehearsed struct {
	canonical []byte
	changed   bool   // it is another document than the present one
	base      uint64 // version of the present one; 0: there is none
	drops     []string
}

// rehearse finds what is wrong with a document before anything is proposed.
func (c *copyOf) rehearse(ctx context.Context, put router.SchemaPut) (rehearsed, error) {
	if _, err := c.log.ReadIndex(ctx); err != nil {
		return rehearsed{}, &router.Problem{Code: "no_quorum", Group: c.name, Detail: "no majority of the group's copies answers"}
	}
	view, err := c.part.View()
	if err != nil {
		return rehearsed{}, err
	}
	defer view.Close()
	r := view.Rehearse(put.Document)
	switch {
	case r.Err != nil:
		return rehearsed{}, r.Err
	case len(r.Problems) > 0:
		refusal := program.RefuseSchema(r.Problems)
		return rehearsed{}, &router.Problem{Code: refusal.Code, Group: c.name, Detail: refusal.Detail, Errors: refusal.Errors}
	case r.Rows != "":
		return rehearsed{}, &router.Problem{Code: "invalid", Group: c.name, Detail: r.Rows}
	case r.Changed && put.IfMatch != 0 && put.IfMatch != view.Position().Schema:
		return rehearsed{}, &router.Problem{Code: "changed", Group: c.name, Revision: view.Position().Schema, Detail: fmt.Sprintf("the schema is at version %d, not %d; read it and try again", view.Position().Schema, put.IfMatch)}
	}
	return rehearsed{canonical: r.Canonical, changed: r.Changed, base: view.Position().Schema, drops: r.Drops}, nil
}

func (c *copyOf) refused(o *outcome.Outcome) error {
	return &router.Problem{Code: o.Code, Group: c.name, Revision: o.Revision, Detail: o.Message}
}

// submitSchema orders a change and waits for the verdict.
func (c *copyOf) submitSchema(ctx context.Context, change *entry.Schema) (outcome.Verdict, error) {
	return c.order(ctx, &order.Request{Schema: change})
}
