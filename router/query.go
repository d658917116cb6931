package router

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"lockstep/engine/program"
	"lockstep/engine/value"
	"lockstep/router/windows"

	"github.com/valyala/fasthttp"
)

// query runs a read-only document.
func (s *Server) query(rq *request, f *front, v View) (*Problem, bool) {
	o, p := queryOptions(rq.ctx.QueryArgs())
	if p != nil {
		return p, false
	}
	turn := &queryTurn{srv: s, deadline: rq.deadline, windows: f.Windows()}
	defer turn.end()
	o.Poll = turn.poll
	began := time.Now()
	a, refusal, err := v.Query(rq.body.b, o)
	switch {
	case err != nil:
		return readFailed(err), false
	case refusal != nil:
		return refusedRead(refusal)
	}
	var explained []byte
	if a.Trace != nil {
		if explained, err = explanation(a.Trace, time.Since(began)); err != nil {
			return &Problem{Code: "internal", Detail: err.Error()}, false
		}
	}
	if a.Abort != nil {
		p := abortOf(a.Abort, f.name, v.Revision())
		p.explained = explained
		return p, false
	}
	out := s.takeBuffer()
	out.b = strconv.AppendUint(append(out.b, `{"revision":`...), v.Revision(), 10)
	out.b = value.AppendJSON(append(out.b, `,"result":`...), a.Result)
	if a.Next != "" {
		out.b = value.AppendJSONString(append(out.b, `,"next":`...), a.Next)
	}
	if explained != nil {
		out.b = append(append(out.b, `,"explain":`...), explained...)
	}
	out.b = append(out.b, '}')
	s.answerJSON(rq, out)
	return nil, false
}

// queryOptions reads what the address says beside the consistency.
func queryOptions(args *fasthttp.Args) (o QueryOptions, p *Problem) {
	if text := args.Peek("explain"); text != nil {
		yes, err := strconv.ParseBool(string(text))
		if err != nil {
			return o, &Problem{Code: "malformed", Detail: "explain: write true or false"}
		}
		o.Explain = yes
	}
	o.After = string(args.Peek("after"))
	if args.Has("limit") || o.After != "" {
		o.Limit, p = pageLimit(args, program.MaxScanLimit)
	}
	return o, p
}

// pageLimit reads how many rows a page has.
func pageLimit(args *fasthttp.Args, most int) (int, *Problem) {
	text := args.Peek("limit")
	if text == nil {
		return defaultPageRows, nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > most {
		return 0, &Problem{Code: "malformed", Detail: "limit: write a whole number from 1 to " + strconv.Itoa(most)}
	}
	return n, nil
}

// explanation is a trace as users see it, with how long the query took.
func explanation(t *program.Trace, took time.Duration) ([]byte, error) {
	doc := struct {
		*program.Trace
		Millis float64 `json:"time_ms"`
	}{t, float64(took.Microseconds()) / 1000}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // conditions are to be read
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("write an explanation: %w", err)
	}
	return bytes.TrimSpace(text.Bytes()), nil
}

// page answers rows in the order of the key, or of an index.
func (s *Server) page(rq *request, v View) (*Problem, bool) {
	args := rq.ctx.QueryArgs()
	limit, p := pageLimit(args, maxPageRows)
	if p != nil {
		return p, false
	}
	rows, next, refusal, err := v.Page(rq.arg, PageOptions{
		Index: string(args.Peek("index")), Prefix: texts(args, "prefix"), Limit: limit, After: string(args.Peek("after")),
	})
	if err != nil {
		return readFailed(err), false
	}
	if refusal != nil {
		return refusedRead(refusal)
	}
	out := s.takeBuffer()
	out.b = strconv.AppendUint(append(out.b, `{"revision":`...), v.Revision(), 10)
	out.b = append(out.b, `,"rows":[`...)
	for i, row := range rows {
		out.b = value.AppendJSON(comma(out.b, i), row)
	}
	out.b = append(out.b, ']')
	if next != "" {
		out.b = value.AppendJSONString(append(out.b, `,"next":`...), next)
	}
	out.b = append(out.b, '}')
	s.answerJSON(rq, out)
	return nil, false
}

// heavyGate bounds how many heavy queries run at once, so that a node's copies go
// on applying the log whatever is asked of them. A query is light, and never
// waits, until it has used what a transaction may.
type heavyGate struct {
	slots   chan struct{}
	waiting atomic.Int64
	took    atomic.Int64 // ns: moving mean of how long one has its place
}

func newHeavyGate(slots int) *heavyGate {
	return &heavyGate{slots: make(chan struct{}, max(1, slots))}
}

// enter waits for a place until the context ends.
func (g *heavyGate) enter(ctx context.Context) *Problem {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > maxHeavyWaiting {
		return &Problem{Code: "overloaded", heavy: true, Detail: "as many heavy queries as this node takes are waiting already: try another node, read less, or by an index (explain=true tells what a query reads)"}
	}
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return tooLate("the deadline came while the query waited for other heavy ones to end")
	}
}

// leave gives a place back that was held for some time.
func (g *heavyGate) leave(held time.Duration) {
	was := g.took.Load()
	if was == 0 {
		was = int64(held)
	}
	g.took.Store(was + (int64(held)-was)/8) // of two at once one may be lost
	<-g.slots
}

// backlog is how long those that wait take at the present rate.
func (g *heavyGate) backlog() time.Duration {
	return time.Duration(g.took.Load() * g.waiting.Load() / int64(cap(g.slots)))
}

// queryTurn watches over one query while it runs.
type queryTurn struct {
	srv      *Server
	deadline time.Time
	windows  *windows.Windows
	heavy    bool // it has a place among the heavy ones
	since    time.Time
}

func (t *queryTurn) poll(used uint64) error {
	if !time.Now().Before(t.deadline) {
		return tooLate("the deadline came while the query ran: narrow what it reads, read in pages (limit=), or allow more time (timeout=)")
	}
	if t.srv.ctx.Err() != nil {
		return &Problem{Code: "draining", Detail: "this node is stopping"}
	}
	if t.heavy || used <= program.CostLimit {
		return nil
	}
	if now := time.Now(); t.windows != nil {
		if closure, closed := t.windows.Closed(windows.HeavyQueries, now); closed {
			return closedNow(&closure, windows.HeavyQueries, now)
		}
	}
	ctx, cancel := context.WithDeadline(t.srv.ctx, t.deadline)
	defer cancel()
	if p := t.srv.heavy.enter(ctx); p != nil {
		return p
	}
	t.heavy, t.since = true, time.Now()
	return nil
}

func (t *queryTurn) end() {
	if t.heavy {
		t.srv.heavy.leave(time.Since(t.since))
	}
}

func tooLate(detail string) *Problem {
	return &Problem{Code: "deadline_exceeded", Detail: detail}
}
