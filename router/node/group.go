package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/partition"
	"lockstep/engine/program"
	"lockstep/engine/value"
	"lockstep/router"
	"lockstep/router/order"
	"lockstep/txlog"
)

// A copy is what the router serves a group from.
var _ router.Group = (*copyOf)(nil)

// Submit hands a transaction to the orderer.
func (c *copyOf) Submit(r *order.Request) { c.orderer.Load().Submit(r) }

// Backlog is how long what is under way here takes at the present rate.
func (c *copyOf) Backlog() time.Duration { return c.orderer.Load().Backlog() }

// Given tells whether a router's id is known to have been given. This router's
// own orderer knows by itself which it made.
func (c *copyOf) Given(id entry.ID) (bool, error) {
	if id.Session == c.session {
		return true, nil
	}
	v, err := c.part.View()
	if err != nil {
		return false, err
	}
	defer v.Close()
	return v.Given(id)
}

// Pending tells whether a transaction is being ordered.
func (c *copyOf) Pending(id entry.ID) bool { return c.orderer.Load().Pending(id) }

// Applied is the log index and the revision of the copy.
func (c *copyOf) Applied() (index, revision uint64) {
	pos := c.part.Position()
	return pos.Index, pos.Revision
}

// WaitIndex and WaitRevision wait for the copy to get there.
func (c *copyOf) WaitIndex(ctx context.Context, index uint64) error {
	return c.part.WaitIndex(ctx, index)
}

// WaitRevision waits for a revision.
func (c *copyOf) WaitRevision(ctx context.Context, revision uint64) error {
	return c.part.WaitRevision(ctx, revision)
}

// ReadIndex is one confirmed round.
func (c *copyOf) ReadIndex(ctx context.Context) (uint64, error) {
	index, err := c.log.ReadIndex(ctx)
	switch {
	case err == nil:
		// The log has waited for its own state machine to apply that far; what
		// it counts beyond the copy's own entries can't be waited for here.
		return min(index, c.part.Position().Index), nil
	case errors.Is(err, txlog.ErrNoLeader), errors.Is(err, txlog.ErrNoQuorum):
		return 0, &router.Problem{Code: "no_quorum", Group: c.name, Detail: "no majority of the group's copies answers; a read with consistency=local or session does not need one"}
	}
	return 0, err
}

// Watch has f called when the leader changes.
func (c *copyOf) Watch(f func()) { c.log.Watch(func(txlog.LeaderEvent) { f() }) }

// Lag is how many revisions the copy is behind the primary as last heard.
func (c *copyOf) Lag() uint64 {
	leader, _, ok := c.log.Leader()
	if !ok || leader == c.self {
		return 0
	}
	at := c.primaries.revision(leader, c.name)
	if own := c.part.Position().Revision; at > own {
		return at - own
	}
	return 0
}

// KeyWindowSeconds is how long clients' keys are certainly kept.
func (c *copyOf) KeyWindowSeconds() int64 { return c.part.Position().KeyWindowMillis / 1000 }

// View opens a snapshot.
func (c *copyOf) View() (router.View, error) {
	v, err := c.part.View()
	if err != nil {
		return nil, err
	}
	return &viewOf{v, c.queryBudget}, nil
}

// Catalog is the copy's present schema.
func (c *copyOf) Catalog() router.Catalog {
	compiled := c.part.Compiled()
	if compiled == nil {
		return nil
	}
	return c.catalogs.of(compiled)
}

// schemaCatalog is one version of a schema.
type schemaCatalog struct{ compiled *program.Compiled }

func (s *schemaCatalog) Version() uint64  { return s.compiled.Version }
func (s *schemaCatalog) Document() []byte { return s.compiled.Doc.Canonical() }
func (s *schemaCatalog) AppendDerived(dst []byte) []byte {
	return s.compiled.AppendDerived(dst)
}
func (s *schemaCatalog) ParseTransaction(raw []byte) (program.Typed, *program.Refusal) {
	return program.ParseTransaction(raw, s.compiled)
}

// catalogs keeps the present schema's catalog, so that asking makes none.
type catalogs struct {
	mu   sync.RWMutex
	last *schemaCatalog
}

func (k *catalogs) of(c *program.Compiled) *schemaCatalog {
	k.mu.RLock()
	last := k.last
	k.mu.RUnlock()
	if last != nil && last.compiled == c {
		return last
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = &schemaCatalog{c}
	return k.last
}

// order submits a request and waits for its answer.
func (c *copyOf) order(ctx context.Context, r *order.Request) (outcome.Verdict, error) {
	done := make(chan order.Answer, 1)
	r.Deadline = deadlineOf(ctx)
	r.Done = func(a order.Answer) { done <- a }
	c.Submit(r)
	a := <-done             // by the deadline, whatever happens
	return a.Verdict, a.Err // the router knows the orderer's errors
}

func deadlineOf(ctx context.Context) time.Time {
	if at, ok := ctx.Deadline(); ok {
		return at
	}
	return time.Now().Add(defaultWait)
}

// defaultWait bounds what is asked without a deadline (interface.md: 30 s).
const defaultWait = 30 * time.Second

// viewOf is a view whose errors are the refusals that users are shown.
type viewOf struct {
	*partition.View
	queryBudget int
}

func (v *viewOf) Revision() uint64 { return v.Position().Revision }

func (v *viewOf) Row(table string, key []string) (value.Value, *program.Refusal, error) {
	row, err := v.View.Row(table, key)
	refusal, err := readRefusal(table, err)
	return row, refusal, err
}

func (v *viewOf) Page(table string, o router.PageOptions) ([]value.Value, string, *program.Refusal, error) {
	p, err := v.View.Page(table, engine.PageOptions(o))
	refusal, err := readRefusal(table, err)
	return p.Rows, p.Next, refusal, err
}

func (v *viewOf) Query(raw []byte, o router.QueryOptions) (router.QueryAnswer, *program.Refusal, error) {
	compiled := v.Compiled()
	if compiled == nil {
		return router.QueryAnswer{}, &program.Refusal{Status: 422, Code: program.CodeInvalid, Detail: "the group has no schema yet: apply one first"}, nil
	}
	p, params, refusal := program.ParseQuery(raw, compiled)
	if refusal != nil {
		return router.QueryAnswer{}, refusal, nil
	}
	run := engine.QueryOptions{Budget: v.queryBudget, Poll: o.Poll, Limit: o.Limit, After: o.After, Explain: o.Explain}
	if o.Limit > 0 {
		// What is the same query is told by its canonical form, whoever sends it.
		var c value.Canonicalizer
		print, err := c.Fingerprint(raw)
		if err != nil {
			return router.QueryAnswer{}, &program.Refusal{Status: 400, Code: program.CodeMalformed, Detail: err.Error()}, nil
		}
		run.Document = print
	}
	a, err := v.Run(p, params, run)
	refusal, err = readRefusal("", err)
	return router.QueryAnswer(a), refusal, err
}

func readRefusal(table string, err error) (*program.Refusal, error) {
	var input *engine.InputError
	switch {
	case errors.Is(err, engine.ErrNoTable):
		return &program.Refusal{Status: 404, Code: program.CodeUnknownTable, Detail: fmt.Sprintf("the schema has no table %q", table)}, nil
	case errors.As(err, &input):
		return &program.Refusal{Status: 400, Code: program.CodeMalformed, Detail: input.Error(),
			Errors: []program.PointerDetail{{Pointer: "?" + input.Field, Detail: input.Detail}}}, nil
	}
	return nil, err
}
