package router

import (
	"context"
	"errors"
	"strconv"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/program"
	"lockstep/engine/value"
	"lockstep/router/spread"

	"github.com/valyala/fasthttp"
)

// errBehind says that this copy did not get there in time.
var errBehind = errors.New("this node's copy is behind")

// linearize waits until this copy has all that was acknowledged before the
// call: a shared read-index round, and then the copy's own progress. A round
// may take until patience, the copy until the deadline.
func (s *Server) linearize(f *front, deadline, patience time.Time) *Problem {
	w := s.readers.Get().(*reader)
	index, err := f.rounds.index(w, earlier(deadline, patience))
	s.readers.Put(w)
	if err != nil {
		if s.ctx.Err() != nil {
			return &Problem{Code: "draining", Detail: "this node is stopping"}
		}
		return &Problem{Code: "no_quorum", Detail: err.Error()}
	}
	return s.reach(f, index, deadline)
}

// reach waits until this copy has applied an index.
func (s *Server) reach(f *front, index uint64, deadline time.Time) *Problem {
	if at, _ := f.Applied(); at >= index {
		return nil
	}
	ctx, cancel := context.WithDeadline(s.ctx, deadline)
	defer cancel()
	return behind(f.WaitIndex(ctx, index))
}

// behind is the problem of a copy that was waited for in vain.
func behind(err error) *Problem {
	if err == nil {
		return nil
	}
	return &Problem{Code: "behind", Detail: errBehind.Error()}
}

// consistency is how fresh a read must be (interface.md, Reads).
type consistency struct {
	level    string
	revision uint64        // session
	lag      time.Duration // bounded
}

// readConsistency takes the level from the query parameters.
func readConsistency(rq *request) (consistency, *Problem) {
	c := consistency{level: "linearizable"}
	if len(rq.ctx.URI().QueryString()) == 0 {
		return c, nil
	}
	args := rq.ctx.QueryArgs()
	if level := args.Peek("consistency"); level != nil {
		c.level = string(level)
	}
	var err error
	switch c.level {
	case "linearizable", "local":
	case "session":
		if c.revision, err = strconv.ParseUint(string(args.Peek("min_revision")), 10, 64); err != nil {
			return c, &Problem{Code: "malformed", Detail: "min_revision: consistency=session needs a revision, a whole number, that the copy must have"}
		}
	case "bounded":
		millis, err := strconv.ParseUint(string(args.Peek("max_lag_ms")), 10, 63)
		if err != nil {
			return c, &Problem{Code: "malformed", Detail: "max_lag_ms: consistency=bounded needs a whole number of milliseconds"}
		}
		c.lag = time.Duration(min(millis, uint64(maxConsistencyLag.Milliseconds()))) * time.Millisecond
	default:
		return c, &Problem{Code: "malformed", Detail: "consistency: there are linearizable, session, bounded and local"}
	}
	return c, nil
}

// await brings this copy to where the read wants it.
func (s *Server) await(rq *request, f *front, c consistency, deadline time.Time) *Problem {
	switch c.level {
	case "local":
		return nil
	case "session":
		if _, at := f.Applied(); at >= c.revision {
			return nil
		}
		ctx, cancel := context.WithDeadline(s.ctx, deadline)
		defer cancel()
		return behind(f.WaitRevision(ctx, c.revision))
	case "bounded":
		if index, ok := f.rounds.recent(c.lag); ok {
			return s.reach(f, index, deadline)
		}
	}
	return s.linearize(f, deadline, earlier(rq.deadline, rq.start.Add(s.cfg.ReadPatience)))
}

// reading answers a read from a snapshot. Where it refuses for a reason that
// another schema might not have, schemaBound is true.
type reading func(rq *request, f *front, v View) (p *Problem, schemaBound bool)

// read serves a read: here once the copy is fresh enough, else by another copy.
func (s *Server) read(rq *request, f *front, answer reading) *Problem {
	level, p := readConsistency(rq)
	if p != nil {
		return p
	}
	set := s.otherCopies(rq)
	if answered, p := s.bring(rq, f, set, level); answered || p != nil {
		return p
	}
	if set != nil && rq.route == routeQuery {
		own, began := s.spread.Node(set.Own.Node), time.Now()
		own.Begin()
		defer func() { own.End(time.Since(began)) }()
	}
	caught := level.level == "linearizable"
	for {
		if !time.Now().Before(rq.deadline) {
			return &Problem{Code: "deadline_exceeded", Detail: "the deadline came before the read"}
		}
		p, schemaBound := s.answerFrom(rq, f, answer)
		if p == nil || !schemaBound || caught {
			return p
		}
		caught = true
		if p := s.linearize(f, rq.deadline, rq.deadline); p != nil {
			return p
		}
	}
}

// bring brings this copy to where the read wants it; answered: another copy has
// answered in its place.
func (s *Server) bring(rq *request, f *front, set *spread.Set, level consistency) (answered bool, p *Problem) {
	if set != nil {
		if s.sendsAway(rq, set, level.level) {
			if done, _ := s.readElsewhere(rq, set, level); done {
				return true, nil
			}
		}
		if ready, done := s.hedgeOwn(rq, f, set, level); ready || done {
			return done, nil
		}
	}
	local := rq.deadline
	if s.cfg.Forwarder != nil && !rq.forwarded && level.level != "local" {
		// Another copy needs time as well.
		half := rq.start.Add(rq.timeout / 2)
		local = earlier(half, rq.start.Add(max(localPatience, rq.timeout/10)))
	}
	if p = s.await(rq, f, level, local); p == nil || p.Code != "behind" {
		return false, p
	}
	if set != nil {
		if done, _ := s.readElsewhere(rq, set, level); done {
			return true, nil
		}
	}
	p = s.forward(rq, p)
	return p == nil, p
}

// answerFrom takes a snapshot for one answer.
func (s *Server) answerFrom(rq *request, f *front, answer reading) (*Problem, bool) {
	v, err := f.View()
	if err != nil {
		return copyClosed(err), false
	}
	defer v.Close()
	s.stamp(rq, v.Revision())
	return answer(rq, f, v)
}

// copyClosed is the problem of a copy that can't be read: it is starting, or
// has stopped.
func copyClosed(err error) *Problem {
	p := problemOf(err)
	if p.Code == "internal" {
		p.Code = "starting"
	}
	return p
}

// readFailed is the problem of a read that met an error of the store.
func readFailed(err error) *Problem {
	p := problemOf(err)
	if p.Code == "internal" {
		p.Code, p.Detail = "behind", "this node's copy can't be read: "+err.Error()
	}
	return p
}

// refusedRead is a parser's refusal of a read.
func refusedRead(r *program.Refusal) (*Problem, bool) {
	return refused(r), dependsOnSchema(r.Code)
}

// rows answers one row by its key, or a page.
func (s *Server) rows(rq *request, f *front, v View) (*Problem, bool) {
	args := rq.ctx.QueryArgs()
	if !args.Has("key") {
		return s.page(rq, v)
	}
	if args.Has("prefix") || args.Has("index") || args.Has("after") || args.Has("limit") {
		return &Problem{Code: "malformed", Detail: "key names one row; index, prefix, limit and after are for pages"}, false
	}
	row, refusal, err := v.Row(rq.arg, texts(args, "key"))
	switch {
	case err != nil:
		return readFailed(err), false
	case refusal != nil:
		return refusedRead(refusal)
	case row.IsNull():
		return &Problem{Code: "not_found", Detail: "there is no row with this key", Revision: v.Revision()}, false
	}
	out := s.takeBuffer()
	out.b = value.AppendJSON(out.b, row)
	s.answerJSON(rq, out)
	return nil, false
}

// texts are all values of a query parameter, in the order given.
func texts(args *fasthttp.Args, name string) []string {
	var all []string
	for _, b := range args.PeekMulti(name) {
		all = append(all, string(b))
	}
	return all
}

// getOutcome answers what became of a transaction, by a linearizable read.
func (s *Server) getOutcome(rq *request, f *front) *Problem {
	if wrong := entry.CheckKey(rq.arg); wrong != "" {
		return &Problem{Code: "malformed", Detail: wrong, ID: rq.arg}
	}
	id := entry.ParseID(rq.arg)
	if id.Key != "" {
		s.keyWindow(rq, f)
	}
	// Whether it is under way is asked before the read: what was ordered in
	// between is then found, or was never proposed.
	pending := f.Pending(id)
	for {
		if p := s.linearize(f, rq.deadline, earlier(rq.deadline, rq.start.Add(s.cfg.ReadPatience))); p != nil {
			if p.Code == "behind" {
				return s.forward(rq, p)
			}
			return p
		}
		answered, p := s.recordedOutcome(rq, f, id)
		if answered || p != nil {
			return p
		}
		if still := f.Pending(id); still || !pending {
			pending = still
			break
		}
		pending = false // it ended meanwhile: look once more
	}
	if !pending {
		return &Problem{Code: "unknown_transaction", ID: rq.arg, Detail: "no outcome of this id is recorded; a proposal may be under way, and only the same document under the same id settles it"}
	}
	out := s.takeBuffer()
	out.b = value.AppendJSONString(append(out.b, `{"id":`...), rq.arg)
	out.b = value.AppendJSONString(append(out.b, `,"group":`...), f.name)
	out.b = append(out.b, `,"status":"pending"}`...)
	s.answerJSON(rq, out)
	return nil
}

// recordedOutcome answers with the outcome, if there is one.
func (s *Server) recordedOutcome(rq *request, f *front, id entry.ID) (bool, *Problem) {
	v, err := f.View()
	if err != nil {
		return false, copyClosed(err)
	}
	defer v.Close()
	o, found, err := v.Outcome(id)
	if err != nil {
		return false, readFailed(err)
	}
	s.stamp(rq, v.Revision())
	if !found {
		return false, nil
	}
	out := s.takeBuffer()
	out.b = o.AppendJSON(out.b, f.name)
	s.answerJSON(rq, out)
	return true, nil
}

// answerJSON answers 200 with a document, and gives its buffer back.
func (s *Server) answerJSON(rq *request, out *buffer) {
	rq.ctx.SetContentTypeBytes(typeJSON)
	rq.ctx.SetBody(out.b)
	s.giveBuffer(out)
}
