package router

import (
	"context"
	"errors"
	"strconv"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/value"
	"lockstep/router/order"
	"lockstep/router/windows"
)

// call is one transaction on its way: typed, handed over, answered. It is used
// by the handler of a single transaction and for each line of a stream, and
// reused afterwards.
type call struct {
	srv      *Server
	front    *front
	raw      []byte // the document; it is needed again where the schema changed
	own      []byte // room for raw where nobody else keeps it
	key      string // from the request's header; empty: the document's, or none
	spare    string // the id where the client gave none; empty: the orderer makes one
	deadline time.Time
	keyed    bool // a client's id
	caught   bool // this copy has caught up for this call already
	begun    bool // it was handed over once
	patient  bool // a full queue is waited for: a line of a stream
	waiting  bool // somebody waits for answered; else the answer is settled by itself
	gone     bool // never answered: it belongs to the orderer for ever

	canonical value.Canonicalizer // its room is kept from one call to the next

	req      order.Request
	answer   order.Answer
	answered chan struct{} // the orderer has answered; holds one
	timer    *time.Timer

	problem *Problem      // the end, where the transaction was refused
	settled chan struct{} // the end is known; holds one; for lines alone
	cost    int           // bytes that a stream counts it for
}

func newCall(s *Server) *call {
	c := &call{srv: s, answered: make(chan struct{}, 1), settled: make(chan struct{}, 1)}
	c.timer = time.NewTimer(time.Hour)
	c.timer.Stop()
	c.req.Done = c.done
	return c
}

// takeCall takes a call for a document; raw stays the caller's.
func (s *Server) takeCall(f *front, raw []byte, deadline time.Time) *call {
	c := s.calls.Get().(*call)
	c.front, c.raw, c.deadline = f, raw, deadline
	return c
}

// giveCall puts a call back that has ended.
func (s *Server) giveCall(c *call) {
	if c.gone {
		return
	}
	if cap(c.own) > maxKeptBytes {
		c.own = nil
	}
	c.front, c.raw, c.key, c.spare, c.problem = nil, nil, "", "", nil
	c.keyed, c.caught, c.begun, c.patient, c.waiting, c.cost = false, false, false, false, false, 0
	c.answer = order.Answer{}
	c.req.Item, c.req.SchemaVersion, c.req.Cost, c.req.Attempted = entry.Item{}, 0, 0, false
	s.calls.Put(c)
}

// step is how far a call has come.
type step int

const (
	ended     step = iota // problem or answer is the end
	ordering              // done will be called
	mustCatch             // the refusal depends on the schema: this copy must catch up first
)

// begin types the document and hands it over.
func (c *call) begin() step {
	catalog := c.front.catalog()
	typed, refusal := catalog.ParseTransaction(c.raw)
	if refusal != nil {
		if dependsOnSchema(refusal.Code) && !c.caught {
			return mustCatch
		}
		return c.refuse(refused(refusal))
	}
	if c.req.Item.ID.IsZero() {
		id, p := c.identify(typed.Keyed)
		if p != nil {
			return c.refuse(p)
		}
		if p := c.trust(id); p != nil {
			if !c.caught {
				return mustCatch
			}
			return c.refuse(p)
		}
		c.req.Item.ID = id
	}
	c.req.Item.Proc, c.req.Item.Params, c.req.Item.Source = int32(typed.Proc), typed.Params, typed.Source
	c.req.SchemaVersion, c.req.Deadline = catalog.Version(), c.deadline
	if w := c.front.Windows(); w != nil && !c.begun {
		now := time.Now()
		if closure, closed := w.Closed(windows.Updates, now); closed {
			return c.shut(&closure, now)
		}
	}
	return c.submit()
}

// dependsOnSchema tells whether another schema could have led to another answer
// (transactions.md, Exactly once).
func dependsOnSchema(code string) bool {
	return code == "unknown_procedure" || code == "unknown_table" || code == "invalid"
}

// identify finds the transaction's id, zero where the orderer shall make one, and
// notes the document's fingerprint: whatever the id, sent again with another
// document it must be refused.
func (c *call) identify(inDocument string) (entry.ID, *Problem) {
	text := c.key
	if text == "" {
		text = inDocument
	} else if inDocument != "" && inDocument != text {
		return entry.ID{}, badKey("the id in the document is another one than the Idempotency-Key")
	}
	if text == "" {
		text = c.spare
	}
	if text != "" {
		if wrong := entry.CheckKey(text); wrong != "" {
			return entry.ID{}, badKey(wrong)
		}
		c.keyed = true
	}
	print, err := c.canonical.Fingerprint(c.raw, "id")
	if err != nil {
		return entry.ID{}, &Problem{Code: "malformed", Detail: err.Error()}
	}
	c.req.Item.Fingerprint = print
	if text == "" {
		return entry.ID{}, nil
	}
	return entry.ParseID(text), nil
}

// trust refuses an id that has the form of a router's and is not known to be
// one's: ids are what keeps transactions apart, so nobody may make up another's.
func (c *call) trust(id entry.ID) *Problem {
	if id.Session == 0 {
		return nil
	}
	given, err := c.front.Given(id)
	switch {
	case err != nil:
		return problemOf(err)
	case given:
		return nil
	}
	return &Problem{Code: "invalid", unknown: true, Group: c.front.name, ID: id.String(),
		Detail: "ids that begin with ls- are given by routers, and this one is not known to have been given: send the document again to the node that named the id, or use an id of your own"}
}

func (c *call) refuse(p *Problem) step {
	p.unknown = p.unknown || c.req.Attempted
	c.problem = p
	return ended
}

// done is the orderer's answer. It runs on the orderer's goroutine and does not
// block.
func (c *call) done(a order.Answer) {
	c.answer = a
	switch {
	case c.waiting:
		c.answered <- struct{}{}
	case c.unsettled():
		go c.settle(ended)
	default:
		c.settled <- struct{}{}
	}
}

// unsettled tells whether the answer is not yet the end.
func (c *call) unsettled() bool {
	if c.answer.Err != nil {
		return c.patient && errors.Is(c.answer.Err, order.ErrOverloaded)
	}
	return c.answer.Verdict.Kind == outcome.StaleSchema
}

// run brings the call to its end on the caller's goroutine.
func (c *call) run() {
	c.waiting = true
	c.follow(c.begin())
}

// follow goes on from a step to the end.
func (c *call) follow(at step) {
	pause := retryPauseMin
	for {
		switch at {
		case mustCatch:
			if p := c.catchUp(); p != nil {
				c.problem = p
				return
			}
			at = c.begin()
		case ordering:
			if !c.await() {
				return
			}
			at = ended
		case ended:
			if c.problem != nil || !c.unsettled() {
				return
			}
			if c.answer.Err != nil {
				pause = c.rest(pause)
			} else if p := c.renew(); p != nil {
				c.problem = p
				return
			}
			if !time.Now().Before(c.deadline) {
				c.giveUp()
				return
			}
			c.answer = order.Answer{}
			at = c.begin()
		}
	}
}

// settle brings a line of a stream to its end on a goroutine of its own, for
// what is rare: the copy must catch up, the schema changed, the queue is full.
func (c *call) settle(at step) {
	defer c.srv.guard("a transaction of a stream")
	c.waiting = true
	c.follow(at)
	c.settled <- struct{}{}
}

// start begins a line of a stream; settled tells the end.
func (c *call) start() {
	switch at := c.begin(); at {
	case ended:
		c.settled <- struct{}{}
	case mustCatch:
		go c.settle(at)
	}
}

// await waits for the orderer's answer. The orderer keeps the deadline; should
// it not, the call is abandoned.
func (c *call) await() bool {
	c.timer.Reset(time.Until(c.deadline) + answerGrace)
	select {
	case <-c.answered:
		c.timer.Stop()
		return true
	case <-c.timer.C:
		c.gone, c.problem = true, c.silence()
		return false
	}
}

// silence is the end of a call that the orderer does not answer.
func (c *call) silence() *Problem {
	return &Problem{Code: "outcome_unknown", Detail: "no answer came", Group: c.front.name, ID: c.req.Item.ID.String()}
}

// catchUp brings this node's copy up to all that was acknowledged before now.
func (c *call) catchUp() *Problem {
	c.caught = true
	return c.srv.linearize(c.front, c.deadline, c.deadline)
}

// renew waits, after the log found the document typed against an old schema,
// until this copy has a newer one.
func (c *call) renew() *Problem {
	if c.front.catalog().Version() > c.req.SchemaVersion {
		return nil
	}
	p := c.catchUp()
	if p != nil && c.req.Attempted {
		return problemOf(order.ErrOutcomeUnknown)
	}
	return p
}

// rest pauses before a full queue is tried again, and returns the next pause.
func (c *call) rest(pause time.Duration) time.Duration {
	c.timer.Reset(min(pause, time.Until(c.deadline)))
	<-c.timer.C
	return min(2*pause, retryPauseMax)
}

// giveUp ends a call whose deadline came between two attempts.
func (c *call) giveUp() {
	if c.answer.Err != nil {
		return // still overloaded: that is the answer
	}
	if c.req.Attempted {
		c.answer = order.Answer{Err: order.ErrOutcomeUnknown}
		return
	}
	c.answer = order.Answer{Err: order.ErrDeadline}
}

// end is the problem that a call ended with; nil where there is an outcome.
func (c *call) end() *Problem {
	p := c.problem
	switch {
	case c.gone:
		return p
	case p != nil:
	case c.answer.Err != nil:
		p = problemOf(c.answer.Err)
	case c.answer.Verdict.Kind == outcome.KeyReused:
		p = &Problem{Code: "idempotency_key_reused", Detail: "another document was sent under this id"}
	case c.answer.Verdict.Kind == outcome.Expired:
		p = &Problem{Code: "unknown_transaction", Detail: "the id is too old: whether it was executed is no longer known, and it never will be now"}
	default:
		return nil
	}
	p.Group = c.front.name
	c.srv.advise(p, c.front)
	if p.ID == "" && !c.req.Item.ID.IsZero() {
		p.ID = c.req.Item.ID.String()
	}
	return p
}

// outcome is what the log recorded, where end is nil.
func (c *call) outcome() *outcome.Outcome { return &c.answer.Verdict.Outcome }

// problemOf makes a problem of an error of the orderer or of the group.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		found := *p
		return &found
	}
	p = &Problem{Detail: err.Error()}
	for _, known := range [...]struct {
		err  error
		code string
	}{
		{order.ErrOverloaded, "overloaded"},
		{order.ErrNoPrimary, "no_primary"},
		{order.ErrDeadline, "deadline_exceeded"},
		{order.ErrDraining, "draining"},
		{order.ErrTooLarge, "too_large"},
		{order.ErrDiverged, "diverged"},
		{order.ErrUnknownID, "invalid"},
		{order.ErrOutcomeUnknown, "outcome_unknown"},
		{context.DeadlineExceeded, "deadline_exceeded"},
	} {
		if errors.Is(err, known.err) {
			p.Code = known.code
			return p
		}
	}
	p.Code = "internal"
	return p
}

// transact serves one transaction.
func (s *Server) transact(rq *request, f *front) *Problem {
	if len(rq.ctx.URI().QueryString()) > 0 && rq.ctx.QueryArgs().Has("explain") {
		return &Problem{Code: "malformed", Detail: "explain is for queries: a transaction is ordered and executed, not explained; send its reading steps to …/query?explain=true"}
	}
	key, present, p := idempotencyKey(&rq.ctx.Request.Header)
	if p == nil && present {
		if wrong := entry.CheckKey(key); wrong != "" {
			p = badKey("Idempotency-Key: " + wrong)
		}
	}
	if p != nil {
		return p
	}
	c := s.takeCall(f, rq.body.b, rq.deadline)
	c.key = key
	c.run()
	if c.gone {
		rq.body = nil // the orderer may still hold what was made of it
		return c.problem
	}
	if p := c.end(); p != nil {
		if c.keyed {
			s.keyWindow(rq, f)
		}
		s.giveCall(c)
		return p
	}
	s.answerOutcome(rq, f, &c.answer.Verdict, c.keyed)
	s.giveCall(c)
	return nil
}

// answerOutcome answers with an outcome: 200 for a commit, 409 for an abort.
func (s *Server) answerOutcome(rq *request, f *front, v *outcome.Verdict, keyed bool) {
	o := &v.Outcome
	s.stamp(rq, o.Revision)
	if keyed {
		s.keyWindow(rq, f)
	}
	now := time.Now()
	if v.Kind == outcome.Executed { // what is in the record is answered sooner
		f.contention.note(now.Sub(rq.start))
	}
	if !o.Committed {
		p := abortedBy(o, f.name)
		f.contention.adviseOn(p, o, now)
		s.refuse(rq, p)
		return
	}
	out := s.takeBuffer()
	out.b = o.AppendJSON(out.b, f.name)
	rq.ctx.SetContentTypeBytes(typeJSON)
	rq.ctx.SetBody(out.b)
	s.giveBuffer(out)
}

// abortedBy is an abort as a problem.
func abortedBy(o *outcome.Outcome, group string) *Problem {
	return &Problem{
		aborted: true, Code: o.Code, Detail: o.Message, Step: o.Step,
		ID: o.ID.String(), Revision: o.Revision, Group: group,
	}
}

// abortOf is a query's abort as a problem.
func abortOf(a *program.Abort, group string, revision uint64) *Problem {
	return &Problem{aborted: true, Code: a.Code, Detail: a.Message, Step: a.Step, Group: group, Revision: revision}
}

// keyWindow tells how long clients' keys are really kept.
func (s *Server) keyWindow(rq *request, f *front) {
	var b [20]byte
	rq.ctx.Response.Header.SetCanonical(headerKeyWindow, strconv.AppendInt(b[:0], f.KeyWindowSeconds(), 10))
}
