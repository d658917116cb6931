package router

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"lockstep/engine/outcome"
)

// stream is a request of many transactions, one a line, and its answer, a line
// each in the order sent.
//
// The connection's goroutine writes answers (WriteTo, called by the server when
// the handler has returned); a second goroutine, the pump, reads lines, types
// them and hands them over. Between them is a queue of calls in the order of
// the lines. Its length, and the bytes of lines and answers in it, are bounded:
// where answers are not taken, lines are not read, and TCP tells the client.
type stream struct {
	srv     *Server
	front   *front // nil: lines are sent to a node that has a copy
	rq      *request
	ordered bool
	conn    net.Conn // nil: the body is here wholly (a forwarded request)
	spare   string   // stem of ids for lines without one, made by the node that forwarded them

	lines  lineReader
	queue  chan *call
	window window
	stop   chan struct{} // closed when answers can't be written any more
	pumped chan struct{} // closed when the pump has ended

	out   []byte
	timer *time.Timer
}

// window bounds what is under way. The pump waits in it, the writer opens it.
type window struct {
	sent     int          // lines handed over; the pump's own
	answered atomic.Int64 // lines answered
	bytes    atomic.Int64 // of lines and answers held
	largest  atomic.Int64 // the largest answer seen
	open     chan struct{}
}

// transactions serves a stream.
func (s *Server) transactions(rq *request, f *front) *Problem {
	h := &rq.ctx.Request.Header
	if h.Peek("Idempotency-Key") != nil {
		return badKey("Idempotency-Key: it names one transaction; give each line of a stream its own \"id\"")
	}
	if !h.IsHTTP11() {
		return &Problem{Code: "malformed", Detail: "a stream of transactions needs HTTP/1.1"}
	}
	if f == nil && (rq.forwarded || s.cfg.Forwarder == nil) {
		return &Problem{Code: "no_primary", Detail: "this node has no copy of the group"}
	}
	st := &stream{
		srv: s, front: f, rq: rq,
		ordered: rq.ctx.QueryArgs().GetBool("ordered"),
		queue:   make(chan *call, depth(h.ContentLength())),
		stop:    make(chan struct{}), pumped: make(chan struct{}),
		timer: time.NewTimer(time.Hour),
	}
	st.timer.Stop()
	st.window.open = make(chan struct{}, 1)
	if f != nil {
		s.stampLag(rq, f)
		s.keyWindow(rq, f)
	}
	if rq.forwarded {
		st.spare = string(h.Peek(headerSpareIDs))
	}
	if p := st.attach(); p != nil {
		return p
	}
	rq.ctx.SetContentTypeBytes(typeLines)
	if rq.forwarded {
		st.collect()
		return nil
	}
	rq.stream = true
	// Who sends slowly wants to know early that the stream is taken.
	rq.ctx.Response.ImmediateHeaderFlush = h.ContentLength() < 0 || h.ContentLength() > prefetchedBytes
	rq.ctx.SetBodyStream(st, -1)
	return nil
}

// attach finds the lines: on the connection, or in a forwarded request.
func (st *stream) attach() *Problem {
	body := st.rq.ctx.RequestBodyStream()
	if body != nil {
		st.conn = st.rq.ctx.Conn()
	} else {
		if p := st.srv.readBody(st.rq, maxForwardBytes); p != nil {
			return p
		}
		body = bytes.NewReader(st.rq.body.b)
	}
	from := &patientReader{body: body, conn: st.conn, idle: st.srv.cfg.StreamIdle, stop: st.stop, last: st.srv.stopping}
	st.lines.from = st.srv.lineBuffers.Get().(*bufio.Reader)
	st.lines.from.Reset(from)
	return nil
}

// depth is how many lines the queue must hold: a body of n bytes has no more.
func depth(n int) int {
	if n < 0 {
		return maxStreamLines
	}
	return min(maxStreamLines, n/2+1)
}

// Read is not used: the server writes the answer by WriteTo.
func (st *stream) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// SupportsBodyWriteTo tells the server to use WriteTo.
func (st *stream) SupportsBodyWriteTo() bool { return true }

// WriteTo serves the stream on the connection's goroutine; each write to w is
// flushed.
func (st *stream) WriteTo(w io.Writer) (int64, error) {
	st.srv.streams.Store(st, nil)
	defer st.srv.streams.Delete(st)
	count := &counter{w: w}
	var err error
	if st.front == nil {
		close(st.pumped)
		err = st.relay(count)
	} else {
		go st.pump()
		err = st.answers(count)
	}
	st.end()
	return count.n, err
}

// collect serves a forwarded stream into the response's body.
func (st *stream) collect() {
	body := &bodyWriter{ctx: st.rq.ctx}
	go st.pump()
	_ = st.answers(body)
	st.end()
}

// end waits until nothing touches the request any more.
func (st *stream) end() {
	close(st.stop)
	st.cut()
	<-st.pumped
	if st.conn != nil {
		// What is left of the body is passed over by the server.
		_ = st.conn.SetReadDeadline(time.Now().Add(drainTime))
	}
	st.lines.from.Reset(nil)
	st.srv.lineBuffers.Put(st.lines.from)
	if st.rq.stream {
		st.srv.metrics.observe(routeTransactions, fasthttp.StatusOK, time.Since(st.rq.start))
	}
}

// pump reads lines and hands them over, until the body ends.
func (st *stream) pump() {
	defer close(st.pumped)
	defer close(st.queue)
	defer st.srv.guard("reading a stream of transactions")
	for number := 1; ; number++ {
		line, err := st.lines.next(maxDocumentBytes)
		var c *call
		switch {
		case err == io.EOF:
			return
		case errors.Is(err, errLongLine):
			c = st.refusedLine(&Problem{Code: "too_large", Detail: "a line is over the limit of " + strconv.Itoa(maxDocumentBytes) + " bytes"})
		case err != nil:
			st.push(st.refusedLine(st.broken(err, number)))
			return
		default:
			if !st.window.wait(len(line), st.stop) {
				return
			}
			c = st.begin(line, number)
		}
		last := st.ordered && c.end() != nil // the writer may reuse c once it has it
		if !st.push(c) {
			return
		}
		if last {
			return
		}
	}
}

// begin hands a line over. In an ordered stream it waits for its end.
func (st *stream) begin(line []byte, number int) *call {
	c := st.srv.takeCall(st.front, nil, time.Now().Add(st.rq.timeout))
	c.own = append(c.own[:0], line...)
	c.raw, c.patient, c.cost = c.own, true, len(line)
	if st.spare != "" {
		c.spare = st.spare + "-" + strconv.Itoa(number)
	}
	if !st.ordered {
		c.start()
		return c
	}
	c.run()
	c.settled <- struct{}{}
	return c
}

// refusedLine is a call that ends with a problem before it begins.
func (st *stream) refusedLine(p *Problem) *call {
	c := st.srv.takeCall(st.front, nil, time.Now())
	c.problem = p
	c.settled <- struct{}{}
	return c
}

// push hands a call to the writer.
func (st *stream) push(c *call) bool {
	st.window.sent++
	select {
	case st.queue <- c:
		return true
	case <-st.stop:
		return false
	}
}

// broken is the last line of a stream that did not end well.
func (st *stream) broken(err error, number int) *Problem {
	at := " at line " + strconv.Itoa(number)
	select {
	case <-st.srv.stopping:
		return &Problem{Code: "draining", Detail: "the node is stopping; send the rest, from line " + strconv.Itoa(number) + " on, to another"}
	default:
	}
	if isTimeout(err) {
		return &Problem{Code: "deadline_exceeded", Detail: "no further line came in time," + at}
	}
	return &Problem{Code: "malformed", Detail: "the stream broke off" + at}
}

// cut wakes a pump that waits for a line.
func (st *stream) cut() {
	if st.conn != nil {
		_ = st.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// wait lets a line of n bytes through once there is room.
func (w *window) wait(n int, stop <-chan struct{}) bool {
	for !w.room() {
		select {
		case <-w.open:
		case <-stop:
			return false
		}
	}
	w.bytes.Add(int64(n))
	return true
}

// room tells whether another line may be under way.
func (w *window) room() bool {
	answered := w.answered.Load()
	under := int64(w.sent) - answered
	if under == 0 {
		return true
	}
	most := min(maxStreamLines, firstStreamLines+answered)
	if largest := w.largest.Load(); largest > 0 {
		most = min(most, max(minStreamLines, maxStreamBytes/largest))
	}
	return under < most && w.bytes.Load() < maxStreamBytes
}

// done counts a line as answered with an answer of the given size.
func (w *window) done(cost, size int) {
	w.bytes.Add(-int64(cost))
	if int64(size) > w.largest.Load() {
		w.largest.Store(int64(size))
	}
	w.answered.Add(1)
	select {
	case w.open <- struct{}{}:
	default:
	}
}

// answers writes each line's answer in the order of the lines.
func (st *stream) answers(w io.Writer) error {
	for {
		c, err := st.nextCall(w)
		if err != nil {
			return err
		}
		if c == nil {
			return st.flush(w)
		}
		answered, err := st.waitFor(c, w)
		if err != nil {
			return err
		}
		before := len(st.out)
		if answered {
			st.out = append(c.appendLine(st.out), '\n')
			st.window.done(c.cost, len(st.out)-before)
			st.srv.giveCall(c)
		} else { // the orderer keeps the call
			st.out = append(c.silence().appendJSON(st.out), '\n')
			st.window.done(c.cost, len(st.out)-before)
		}
		st.srv.metrics.lines.Inc()
		if len(st.out) >= streamFlushBytes {
			if err := st.flush(w); err != nil {
				return err
			}
		}
	}
}

// nextCall takes the next call; where there is none yet, what is finished goes
// out first. It is nil at the end.
func (st *stream) nextCall(w io.Writer) (*call, error) {
	select {
	case c := <-st.queue:
		return c, nil
	default:
	}
	if err := st.flush(w); err != nil {
		return nil, err
	}
	return <-st.queue, nil
}

// waitFor waits for a call's end, and tells whether it came. Finished answers
// wait with it for a moment.
func (st *stream) waitFor(c *call, w io.Writer) (bool, error) {
	select {
	case <-c.settled:
		return true, nil
	default:
	}
	if len(st.out) > 0 {
		st.timer.Reset(streamLinger)
		select {
		case <-c.settled:
			st.timer.Stop()
			return true, nil
		case <-st.timer.C:
		}
		if err := st.flush(w); err != nil {
			return false, err
		}
	}
	st.timer.Reset(time.Until(c.deadline) + 2*answerGrace)
	select {
	case <-c.settled:
		st.timer.Stop()
		return true, nil
	case <-st.timer.C:
		return false, nil
	}
}

// flush sends what is finished. A client that does not take it in time is let
// go.
func (st *stream) flush(w io.Writer) error {
	if len(st.out) == 0 {
		return nil
	}
	if st.conn != nil {
		if err := st.conn.SetWriteDeadline(time.Now().Add(st.srv.cfg.WriteTimeout)); err != nil {
			return err
		}
	}
	_, err := w.Write(st.out)
	st.out = st.out[:0]
	if cap(st.out) > maxStreamBytes {
		st.out = nil
	}
	return err
}

// appendLine appends the answer: an outcome, or a problem.
func (c *call) appendLine(dst []byte) []byte {
	if p := c.end(); p != nil {
		return p.appendJSON(dst)
	}
	if c.answer.Verdict.Kind == outcome.Executed {
		c.front.contention.answered.Add(1)
	}
	return c.outcome().AppendJSON(dst, c.front.name)
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// bodyWriter appends to a response's body.
type bodyWriter struct{ ctx *fasthttp.RequestCtx }

func (b *bodyWriter) Write(p []byte) (int, error) {
	b.ctx.Response.AppendBody(p)
	return len(p), nil
}
