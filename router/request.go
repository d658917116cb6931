package router

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// headerRequestID names a request in logs, on all nodes that it passes.
const headerRequestID = "X-Request-Id"

// request is what the front knows of the request that it is serving.
type request struct {
	target
	ctx       *fasthttp.RequestCtx
	start     time.Time
	deadline  time.Time
	timeout   time.Duration
	forwarded bool    // another node sent it here; it goes no further
	body      *buffer // read by readBody, returned to the pool after the answer
	stream    bool    // the answer is still being written when the handler returns
}

// buffer is a body's bytes, kept for the next request unless it grew large.
type buffer struct{ b []byte }

// maxKeptBytes of a buffer go back to the pool.
const maxKeptBytes = 64 << 10

func (s *Server) takeBuffer() *buffer {
	return s.buffers.Get().(*buffer)
}

func (s *Server) giveBuffer(b *buffer) {
	if b != nil && cap(b.b) <= maxKeptBytes {
		b.b = b.b[:0]
		s.buffers.Put(b)
	}
}

// prepare reads what every request may carry: its id and its deadline.
func (s *Server) prepare(rq *request) *Problem {
	h := &rq.ctx.Request.Header
	id := h.Peek(headerRequestID)
	if !echoable(id) {
		id = s.makeRequestID()
	}
	rq.ctx.Response.Header.SetBytesV(headerRequestID, id)

	rq.timeout = s.cfg.Timeout
	text := h.Peek("Request-Timeout")
	if len(rq.ctx.URI().QueryString()) > 0 {
		if t := rq.ctx.QueryArgs().Peek("timeout"); t != nil {
			text = t
		}
	}
	if text != nil {
		timeout, ok := parseTimeout(string(text))
		if !ok {
			rq.deadline = rq.start.Add(rq.timeout)
			return &Problem{Code: "malformed", Detail: "timeout: write a positive number of seconds, such as 2.5"}
		}
		rq.timeout = timeout
	}
	rq.deadline = rq.start.Add(rq.timeout)
	return nil
}

// parseTimeout reads seconds ("2.5") or a duration with its unit ("250ms").
func parseTimeout(text string) (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		d, err := time.ParseDuration(text)
		return min(d, maxTimeout), err == nil && d > 0
	}
	if math.IsNaN(seconds) || seconds <= 0 {
		return 0, false
	}
	if seconds >= maxTimeout.Seconds() {
		return maxTimeout, true
	}
	return max(time.Duration(seconds*float64(time.Second)), 1), true
}

// echoable tells whether a client's request id may be sent back as it is.
func echoable(id []byte) bool {
	if len(id) == 0 || len(id) > maxRequestIDBytes {
		return false
	}
	for _, c := range id {
		if c < 0x21 || c > 0x7e {
			return false
		}
	}
	return true
}

// makeRequestID gives a request that came without an id one that is unique
// among all nodes: a random part of this process and a count.
func (s *Server) makeRequestID() []byte {
	id := append(make([]byte, 0, 32), s.idPrefix...)
	return strconv.AppendUint(append(id, '-'), s.requests.Add(1), 36)
}

// randomHex is n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// readBody reads the whole body, at most limit bytes, into rq.body. A body that
// is refused is drained, so that the client sees why.
func (s *Server) readBody(rq *request, limit int) *Problem {
	rq.body = s.takeBuffer()
	stream := rq.ctx.RequestBodyStream()
	if stream == nil { // a forwarded request, or none was sent
		if rq.forwarded {
			rq.body.b = append(rq.body.b, rq.ctx.Request.Body()...)
		}
		if len(rq.body.b) > limit {
			return tooLarge(limit)
		}
		return nil
	}
	length := rq.ctx.Request.Header.ContentLength()
	if length > limit {
		s.drain(rq, stream)
		return tooLarge(limit)
	}
	if length > prefetchedBytes || length < 0 {
		// The rest is still on the wire: it must come within the request's own
		// deadline as well.
		_ = rq.ctx.SetReadDeadline(earlier(rq.deadline, rq.start.Add(s.cfg.ReadTimeout)))
	}
	var err error
	rq.body.b, err = readUpTo(stream, rq.body.b, limit, length)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errOverLimit):
		s.drain(rq, stream)
		return tooLarge(limit)
	case isTimeout(err):
		rq.ctx.SetConnectionClose()
		return &Problem{Code: "deadline_exceeded", Detail: "the body did not come in time"}
	default:
		rq.ctx.SetConnectionClose()
		return &Problem{Code: "malformed", Detail: "the body broke off: " + err.Error()}
	}
}

// prefetchedBytes of a body are read by the server before the handler runs.
const prefetchedBytes = 8 << 10

var errOverLimit = errors.New("over the limit")

// readUpTo appends what the reader has, at most limit bytes.
func readUpTo(r io.Reader, dst []byte, limit, length int) ([]byte, error) {
	if length > cap(dst) {
		dst = append(make([]byte, 0, length+1), dst...)
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > limit {
			return dst, errOverLimit
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
		if len(dst) == length {
			return dst, nil
		}
	}
}

// drain reads on for a while, for a client that is still sending would meet a
// reset connection instead of the answer.
func (s *Server) drain(rq *request, stream io.Reader) {
	rq.ctx.SetConnectionClose()
	_ = rq.ctx.SetReadDeadline(time.Now().Add(drainTime))
	_, _ = io.CopyN(io.Discard, stream, maxDrainBytes)
}

func tooLarge(limit int) *Problem {
	return &Problem{Code: "too_large", Detail: "the body is over the limit of " + strconv.Itoa(limit) + " bytes"}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// idempotencyKey reads the key from its header, bare or as a quoted string (the
// IETF draft's form). present is false where there is no such header.
func idempotencyKey(h *fasthttp.RequestHeader) (key string, present bool, problem *Problem) {
	raw := h.Peek("Idempotency-Key")
	if raw == nil {
		return "", false, nil
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) > 0 && raw[0] == '"' {
		text, ok := unquote(raw)
		if !ok {
			return "", true, badKey("Idempotency-Key: the quoted text does not end, or goes on after its end")
		}
		raw = text
	}
	return string(raw), true, nil
}

func badKey(detail string) *Problem { return &Problem{Code: "malformed", Detail: detail} }

// unquote reads a structured field's string (RFC 8941): \" and \\ are its only
// escapes.
func unquote(raw []byte) ([]byte, bool) {
	var out []byte
	for i := 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
			if i >= len(raw) || (raw[i] != '"' && raw[i] != '\\') {
				return nil, false
			}
			out = append(out, raw[i])
		case '"':
			return out, i == len(raw)-1
		default:
			out = append(out, raw[i])
		}
	}
	return nil, false
}

// isTimeout tells whether an error is a connection's deadline.
func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
