package router

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// export serves a recording of a group: a state, the entries from there on, and
// what comes while it follows. What can be refused is refused before the first
// byte; after it, the recording itself says that it was given up.
func (s *Server) export(rq *request) *Problem {
	o, p := exportOptions(rq)
	if p != nil {
		return p
	}
	// A forwarded request is answered as a whole, and a recording is not: nodes that
	// have no copy have one relayed to them by other means (Cluster.Export).
	if rq.forwarded {
		return &Problem{Code: "starting", Detail: "this node has no copy of the group"}
	}
	begin, cancelBegin := context.WithDeadline(s.ctx, rq.deadline)
	defer cancelBegin()
	rec, err := s.cfg.Cluster.Export(begin, rq.group, o)
	if err != nil {
		return problemOf(err)
	}
	h := &rq.ctx.Response.Header
	h.Set(fasthttp.HeaderContentDisposition, "attachment; filename="+strconv.Quote(rq.group+".lockstep"))
	rq.ctx.SetContentTypeBytes(typeRecording)
	rq.stream = true
	rq.ctx.SetBodyStream(&exportStream{srv: s, rq: rq, rec: rec, conn: rq.ctx.Conn()}, -1)
	return nil
}

// exportOptions reads what to record.
func exportOptions(rq *request) (o ExportOptions, p *Problem) {
	args := rq.ctx.QueryArgs()
	switch from := string(args.Peek("from")); from {
	case "", "start", "now":
		o.From = from
	default:
		return o, &Problem{Code: "malformed", Detail: "from: write start, for the group's beginning, or now, for its present state; without it, start where the log reaches back so far, else now"}
	}
	if text := string(args.Peek("follow")); text != "" {
		d, err := time.ParseDuration(text)
		seconds, number := strconv.ParseFloat(text, 64)
		if number == nil && seconds >= 0 && seconds <= MaxExportFollow.Seconds() { // NaN is neither
			d, err = time.Duration(seconds*float64(time.Second)), nil
		}
		if err != nil || d < 0 || d > MaxExportFollow {
			return o, &Problem{Code: "malformed", Detail: "follow: write for how long, such as 30s, at most " + MaxExportFollow.String()}
		}
		o.Follow = d
	}
	return o, nil
}

// exportStream writes a recording on the connection's own goroutine.
type exportStream struct {
	srv  *Server
	rq   *request
	rec  Recording
	conn net.Conn
}

// Read is not used: the server writes the answer by WriteTo.
func (e *exportStream) Read([]byte) (int, error) {
	return 0, fmt.Errorf("read a recording: %w", io.ErrNoProgress)
}

// SupportsBodyWriteTo tells the server to use WriteTo.
func (e *exportStream) SupportsBodyWriteTo() bool { return true }

// Close lets go of what a recording that was never written holds.
func (e *exportStream) Close() error {
	e.rec.Close()
	return nil
}

// WriteTo writes the recording. Each write to w is sent at once.
func (e *exportStream) WriteTo(w io.Writer) (int64, error) {
	defer e.rec.Close()
	defer e.srv.guard("writing a recording")
	ctx, cancel := context.WithCancel(e.srv.ctx)
	defer cancel()
	out := &pacedWriter{w: w, conn: e.conn}
	err := e.rec.Write(ctx, out)
	status := fasthttp.StatusOK
	if err != nil {
		status = fasthttp.StatusInternalServerError
		e.srv.log.Info("a recording was not finished", "group", e.rq.group, "request", string(e.rq.ctx.Response.Header.Peek(headerRequestID)), "error", err)
	}
	e.srv.metrics.observe(routeExport, status, time.Since(e.rq.start))
	return out.n, err
}

// pacedWriter lets a client go that takes less than exportRate on the average: for
// as long as a state is being sent, what is overwritten stays on the node's disk.
// Time in which there was nothing to send does not count.
type pacedWriter struct {
	w     io.Writer
	conn  net.Conn
	spent time.Duration // in writes
	n     int64
}

func (p *pacedWriter) Write(b []byte) (int, error) {
	due := exportPatience + time.Duration(float64(p.n+int64(len(b)))/exportRate*float64(time.Second))
	begun := time.Now()
	if p.conn != nil {
		if err := p.conn.SetWriteDeadline(begun.Add(due - p.spent)); err != nil {
			return 0, err
		}
	}
	n, err := p.w.Write(b)
	p.spent += time.Since(begun)
	p.n += int64(n)
	return n, err
}
