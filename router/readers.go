package router

import (
	"context"
	"time"

	"github.com/valyala/fasthttp"

	"lockstep/router/spread"
)

// Readers knows which copies may serve the reads of a group, and asks them.
type Readers interface {
	// Readers are the copies that may serve a group's reads at present: by the policy
	// reader, available, not draining, not different from the majority, not far
	// behind. It is asked at every read: it must neither block nor make anything. nil:
	// nothing is known.
	Readers(group string) *spread.Set
	// Read asks a node, once. The bytes are for Server.ServeForwarded there.
	Read(ctx context.Context, node uint64, request []byte) (answer []byte, err error)
}

// headerSession names a client's session: its reads go to the same copy, as long as
// that is good, through whichever node they come.
const headerSession = "Lockstep-Session"

// headerServedBy names the node whose copy answered, where it is not this one.
const headerServedBy = "Lockstep-Served-By"

// otherCopies are the copies that may serve a read in this node's place; nil where it
// must be served here.
func (s *Server) otherCopies(rq *request) *spread.Set {
	if s.cfg.Readers == nil || rq.forwarded {
		return nil
	}
	set := s.cfg.Readers.Readers(rq.group)
	if set == nil || len(set.Others) == 0 {
		return nil
	}
	return set
}

// sendsAway tells whether another copy shall serve a read although there is one here:
// where this one may not, where the client's session keeps to another, and where many
// queries are open here.
func (s *Server) sendsAway(rq *request, set *spread.Set, level string) bool {
	if set.Own.Node == 0 {
		return true
	}
	if level != "linearizable" {
		if session := rq.ctx.Request.Header.Peek(headerSession); len(session) > 0 {
			all := append(append(make([]spread.Copy, 0, 8), set.Own), set.Others...)
			c, ok := s.spread.Choose(all, string(session), nil)
			return ok && c.Node != set.Own.Node
		}
	}
	if rq.route != routeQuery || level == "local" || s.spread.Node(set.Own.Node).Open() < int64(busyQueries*cap(s.heavy.slots)) {
		return false // a hop costs more than it saves
	}
	all := append(append(make([]spread.Copy, 0, 8), set.Own), set.Others...)
	c, ok := s.spread.Choose(all, "", nil)
	return ok && c.Node != set.Own.Node
}

// attempt is one copy's answer to a read.
type attempt struct {
	copy spread.Copy
	raw  []byte
	err  error
}

// readElsewhere has other copies answer a read: one, a second one where the first is
// late, the next where one can't. The first good answer wins, and nobody waits for
// the others any more. It reports false where none can serve; last is then what one of
// them said, if any did.
func (s *Server) readElsewhere(rq *request, set *spread.Set, level consistency) (done bool, last []byte) {
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	results := make(chan attempt, maxReadAttempts)
	var tried []uint64
	open := 0
	launch := func() bool {
		if len(tried) == maxReadAttempts || !time.Now().Before(rq.deadline) {
			return false
		}
		c, ok := s.nextCopy(rq, set, level, tried)
		if !ok {
			return false
		}
		tried = append(tried, c.Node)
		until := rq.deadline
		if len(tried) < len(set.Others) {
			until = earlier(until, time.Now().Add(s.attemptTime(rq))) // the next one needs time as well
		}
		raw, err := s.encodeRequest(rq, rq.bodyBytes(), until.Add(-min(time.Until(until)/10, answerGrace)), "", "")
		if err != nil {
			return false
		}
		open++
		go s.ask(ctx, until, c, raw, results)
		return true
	}
	if !launch() {
		return false, nil
	}
	s.hedge.Earn()
	began := time.Now()
	late := time.NewTimer(s.hedge.After())
	defer late.Stop()
	for open > 0 {
		select {
		case a := <-results:
			open--
			if a.err == nil && s.takeAnswer(rq, &a) {
				s.hedge.Note(time.Since(began))
				return true, nil
			}
			if a.err == nil {
				last = a.raw
			}
			launch()
		case <-late.C:
			s.hedge.Note(time.Since(began)) // a late one counts, however late it is
			if s.hedge.Spend() && launch() {
				s.metrics.hedged.Inc()
			}
		case <-ctx.Done():
			return false, last
		}
	}
	return false, last
}

// nextCopy is the copy that is asked next.
func (s *Server) nextCopy(rq *request, set *spread.Set, level consistency, tried []uint64) (spread.Copy, bool) {
	copies := set.Others
	if level.level == "session" {
		// Those that had the revision when they were last heard of need not be waited for.
		var have []spread.Copy
		for _, c := range copies {
			if c.Revision >= level.revision {
				have = append(have, c)
			}
		}
		if c, ok := s.spread.Choose(have, s.sessionOf(rq), tried); ok {
			return c, true
		}
	}
	switch level.level {
	case "local":
		if session := string(rq.ctx.Request.Header.Peek(headerSession)); session != "" {
			return s.spread.Choose(copies, session, tried)
		}
		return s.spread.Nearest(copies, tried)
	case "session", "bounded":
		return s.spread.Choose(copies, s.sessionOf(rq), tried)
	}
	return s.spread.Choose(copies, "", tried)
}

// sessionOf names the client's session: by its header, else by its connection.
func (s *Server) sessionOf(rq *request) string {
	if session := rq.ctx.Request.Header.Peek(headerSession); len(session) > 0 {
		return string(session)
	}
	if rq.ctx.ConnID() == 0 {
		return ""
	}
	var id [8]byte
	for i := range id {
		id[i] = byte(rq.ctx.ConnID() >> (8 * i))
	}
	return s.idPrefix + string(id[:])
}

// attemptTime is how long one copy gets while there are others.
func (s *Server) attemptTime(rq *request) time.Duration {
	if rq.route == routeQuery {
		return rq.timeout / 2 // it may well run for long
	}
	return max(localPatience, rq.timeout/10)
}

// ask asks one copy, on a goroutine of its own.
func (s *Server) ask(ctx context.Context, until time.Time, c spread.Copy, raw []byte, results chan<- attempt) {
	defer s.guard("asking another copy")
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	node := s.spread.Node(c.Node)
	node.Begin()
	began := time.Now()
	s.metrics.forwarded.Inc()
	answer, err := s.cfg.Readers.Read(ctx, c.Node, raw)
	node.End(time.Since(began))
	results <- attempt{copy: c, raw: answer, err: err}
}

// takeAnswer answers with what another copy said, unless another one may do better.
func (s *Server) takeAnswer(rq *request, a *attempt) bool {
	answer := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(answer)
	if err := decodeAnswer(a.raw, answer); err != nil {
		a.err = err
		return false
	}
	switch answer.StatusCode() {
	case fasthttp.StatusServiceUnavailable, fasthttp.StatusGatewayTimeout, fasthttp.StatusTooManyRequests:
		return false
	}
	s.relayResponse(rq, answer)
	rq.ctx.Response.Header.Set(headerServedBy, a.copy.Name)
	return true
}

// bodyBytes is the body that was read, if any.
func (rq *request) bodyBytes() []byte {
	if rq.body == nil {
		return nil
	}
	return rq.body.b
}

// readWithoutCopy serves a read at a node that has no copy of the group.
func (s *Server) readWithoutCopy(rq *request, otherwise *Problem) *Problem {
	set := s.otherCopies(rq)
	if set == nil {
		return s.forward(rq, otherwise)
	}
	level, p := readConsistency(rq)
	if p != nil {
		return p
	}
	done, last := s.readElsewhere(rq, set, level)
	switch {
	case done:
		return nil
	case last != nil && s.relayAnswer(rq, last) == nil:
		return nil
	}
	return s.forward(rq, otherwise)
}

// hedgeOwn waits for this node's copy as long as a read usually takes, and then has
// another one answer. ready: this copy is where the read wants it; done: another one
// has answered. With neither this copy goes on to be waited for.
func (s *Server) hedgeOwn(rq *request, f *front, set *spread.Set, level consistency) (ready, done bool) {
	if level.level == "local" {
		return true, false
	}
	s.hedge.Earn()
	if p := s.await(rq, f, level, earlier(rq.deadline, rq.start.Add(s.hedge.After()))); p == nil {
		s.hedge.Note(time.Since(rq.start))
		return true, false
	}
	s.hedge.Note(time.Since(rq.start)) // a late one counts, however late it is
	if !s.hedge.Spend() {
		return false, false
	}
	s.metrics.hedged.Inc()
	done, _ = s.readElsewhere(rq, set, level)
	return false, done
}
