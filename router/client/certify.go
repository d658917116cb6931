package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"
)

// CertifyOptions say how patiently a Certify competes. The zero value is good.
type CertifyOptions struct {
	// Read is how fresh reads are. Any level is safe, for what is stale is found
	// out when the writes are certified; local and session spare the read a round
	// to the primary. After a conflict reads are at least as new as the conflict.
	Read ReadOptions

	// Attempts bounds how often it is tried; 0 means DefaultCertifyAttempts.
	Attempts int

	// Backoff is how long to wait after a conflict, the number of which begins at
	// 1; nil means Advised.
	Backoff func(conflict int, p *Problem) time.Duration
}

// Certified is what became of a Certify.
type Certified struct {
	*Outcome        // of the attempt that committed; nil where none did
	Attempts    int // that were made, the last one included
	LastID      string
	LastWritten []byte // the document that LastID names
}

// Contended says that each attempt lost a row that it had read to somebody else's
// write. Nothing was applied.
type Contended struct {
	Attempts int
	Last     *Problem // the last conflict
}

// Error names the row that was lost last.
func (c *Contended) Error() string {
	return fmt.Sprintf("gave up after %d attempts, each of which met a conflict: %s", c.Attempts, c.Last.Detail)
}

// Unwrap gives the last conflict.
func (c *Contended) Unwrap() error { return c.Last }

// Certify changes rows by what they hold, computed here: the peer/peer model
// (transactions.md, Two replication models). compute reads rows and says what to
// write; the writes are ordered with an `expect` step for each row that was read,
// which every copy judges alike: all rows are as they were read, and the writes
// happen, or one has changed, and nothing does.
//
// After such a conflict compute is called again on an Attempt of its own, so it
// must have no effects elsewhere; an error of compute's is returned as it is, and
// nothing is written. Every attempt is a transaction under a new id, for a conflict
// is a recorded outcome, which the same id would only get again; while an outcome
// is unknown, the same document goes under the same id. Where that is still so when
// the time is up, the error says Unknown, and Certified has what Transact needs to
// settle it.
//
// `expect` protects rows, those that are absent included, not ranges: a decision
// made on a range needs a row that its writers all update.
func (c *Client) Certify(ctx context.Context, group string, o CertifyOptions, compute func(*Attempt) error) (*Certified, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if o.Attempts <= 0 {
		o.Attempts = DefaultCertifyAttempts
	}
	if o.Backoff == nil {
		o.Backoff = Advised
	}
	done := &Certified{}
	for {
		a := &Attempt{ctx: ctx, client: c, group: group, read: o.Read, params: map[string]any{}, types: map[string]string{}}
		err := compute(a)
		if err == nil {
			err = a.err
		}
		if err != nil {
			return done, err
		}
		if done.LastWritten, err = a.document(); err != nil {
			return done, err
		}
		done.Attempts++
		done.LastID = NewID()
		done.Outcome, err = c.Transact(ctx, group, done.LastWritten, done.LastID)
		var p *Problem
		if !errors.As(err, &p) || !p.Recorded() || p.Code != "conflict" {
			return done, err
		}
		if done.Attempts >= o.Attempts {
			return done, &Contended{Attempts: done.Attempts, Last: p}
		}
		if !sleep(ctx, o.Backoff(done.Attempts, p)) {
			return done, &Contended{Attempts: done.Attempts, Last: p}
		}
		o.Read = o.Read.after(p.Revision)
	}
}

// after is how to read, having seen a revision: never behind it, where the level
// allows for that.
func (o ReadOptions) after(revision uint64) ReadOptions {
	switch o.Consistency {
	case "local", "bounded", "session":
		return ReadOptions{Consistency: "session", MinRevision: max(o.MinRevision, revision)}
	}
	return o
}

// Advised waits as the server advises on a conflict (retry_after_ms), and up to a
// quarter more, so that those who were advised alike come apart. The advice is a
// place at the end of a queue; who has lost often, as servers can't know, waits only
// a part of that, the less the more often, so that nobody is left behind. Without
// advice it is Exponential.
func Advised(conflict int, p *Problem) time.Duration {
	if p.RetryAfter <= 0 {
		return Exponential(conflict, p)
	}
	wait := p.RetryAfter
	if conflict > patientConflicts {
		wait = wait * patientConflicts / time.Duration(conflict)
	}
	return wait + mathrand.N(wait/4+1)
}

// Exponential waits without regard to the server's advice: up to twice as long each
// time.
func Exponential(conflict int, _ *Problem) time.Duration {
	return jitter(min(firstConflictPause<<min(conflict-1, 16), longestPause))
}

// Attempt is one try of a Certify: rows read, and what to write.
type Attempt struct {
	ctx    context.Context
	client *Client
	group  string
	read   ReadOptions
	err    error // the first one met

	expects []json.RawMessage
	steps   []json.RawMessage
	result  string
	params  map[string]any
	types   map[string]string
}

// Row reads a row, into the value that row points to as encoding/json does (nil:
// only its revision is wanted), and has the writes happen only if it has not
// changed. It gives the row's revision, 0 where there is none, and then leaves row
// alone. Key columns are strings, integers, bools, []byte and time.Time.
func (a *Attempt) Row(table string, row any, key ...any) (revision uint64, err error) {
	doc, revision, err := a.fetch(table, key)
	if err == nil && row != nil && doc != nil {
		if err = json.Unmarshal(doc, row); err != nil {
			err = fmt.Errorf("client: reading a row of %s: %w", table, err)
		}
	}
	if err != nil {
		a.fail(err)
		return 0, err
	}
	a.Expect(table, revision, key...)
	return revision, nil
}

// fetch reads a row and its revision.
func (a *Attempt) fetch(table string, key []any) (json.RawMessage, uint64, error) {
	texts, err := keyTexts(key)
	if err != nil {
		return nil, 0, err
	}
	doc, _, err := a.client.Row(a.ctx, a.group, table, texts, a.read)
	if HasCode(err, "not_found") {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var head struct {
		Revision uint64 `json:"_revision"`
	}
	if err := json.Unmarshal(doc, &head); err != nil || head.Revision == 0 {
		return nil, 0, fmt.Errorf("client: a row of %s came without its _revision: %s", table, excerpt(doc))
	}
	return doc, head.Revision, nil
}

// Expect has the writes happen only if the row was last written by this revision
// (0: there is none): for rows whose revision was had in another way, by a query or
// a page.
func (a *Attempt) Expect(table string, revision uint64, key ...any) {
	a.expects = a.step(a.expects, "expect", map[string]any{"table": table, "key": a.exprs(key), "revision": a.Param(int64(revision))})
}

// Insert, Upsert, Update and Delete write a row; values are those of Param.
func (a *Attempt) Insert(table string, row map[string]any) {
	a.steps = a.step(a.steps, "insert", map[string]any{"table": table, "row": a.named(row)})
}

// Upsert inserts or replaces a whole row.
func (a *Attempt) Upsert(table string, row map[string]any) {
	a.steps = a.step(a.steps, "upsert", map[string]any{"table": table, "row": a.named(row)})
}

// Update changes columns of the row under a key.
func (a *Attempt) Update(table string, set map[string]any, key ...any) {
	a.steps = a.step(a.steps, "update", map[string]any{"table": table, "key": a.exprs(key), "set": a.named(set)})
}

// Delete deletes the row under a key.
func (a *Attempt) Delete(table string, key ...any) {
	a.steps = a.step(a.steps, "delete", map[string]any{"table": table, "key": a.exprs(key)})
}

// Step adds any step of the language (transactions.md, Transaction) as its JSON is
// made of v, such as map[string]any{"require": map[string]any{"expr": "…"}}; its
// expressions name values by what Param gives.
func (a *Attempt) Step(v any) {
	doc, err := json.Marshal(v)
	if err != nil {
		a.fail(fmt.Errorf("client: writing a step: %w", err))
		return
	}
	a.steps = append(a.steps, doc)
}

// Return is the expression that the transaction's result is; without it, null.
func (a *Attempt) Return(expr string) { a.result = expr }

func (a *Attempt) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func (a *Attempt) step(list []json.RawMessage, name string, members map[string]any) []json.RawMessage {
	doc, err := json.Marshal(map[string]any{name: members})
	if err != nil {
		a.fail(fmt.Errorf("client: writing a step: %w", err))
		return list
	}
	return append(list, doc)
}
