package router

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// ErrNotForwarded says that a request reached no other node, so that nothing
// can have come of it.
var ErrNotForwarded = errors.New("the request reached no node with a copy of the group")

// headerSpareIDs carries, between nodes, the stem of the ids for lines of a
// stream that came without one: so the node that the client asked can name
// them should the answer be lost.
const headerSpareIDs = "Lockstep-Spare-Ids"

// forward has another node answer, one that has a copy of the group. Where that
// can't be, otherwise is the answer. A request that was forwarded once goes no
// further.
func (s *Server) forward(rq *request, otherwise *Problem) *Problem {
	if rq.forwarded || s.cfg.Forwarder == nil || !time.Now().Before(rq.deadline) {
		return otherwise
	}
	h := &rq.ctx.Request.Header
	writes := rq.route == routeTransactions || rq.route == routeSchema && methodOf(h) == put
	key := ""
	if rq.route == routeTransactions {
		// Its id must be known here, should the answer be lost.
		if key = string(h.Peek("Idempotency-Key")); key == "" && documentID(rq.body.b) == "" {
			key = s.idPrefix + "-" + randomHex(8)
		}
	}
	var body []byte
	if rq.body != nil {
		body = rq.body.b
	}
	// The other node's own answer, at its deadline, must be here by ours.
	left := time.Until(rq.deadline)
	raw, err := s.encodeRequest(rq, body, rq.deadline.Add(-min(left/10, answerGrace)), "Idempotency-Key", key)
	if err != nil {
		return &Problem{Code: "malformed", Detail: err.Error()}
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	s.metrics.forwarded.Inc()
	answer, err := s.cfg.Forwarder.Forward(ctx, rq.group, raw)
	if err == nil {
		err = s.relayAnswer(rq, answer)
	}
	switch {
	case err == nil:
		return nil
	case !writes || errors.Is(err, ErrNotForwarded):
		return otherwise
	}
	p := &Problem{Code: "outcome_unknown", Detail: "another node was asked and did not answer", Group: rq.group, ID: key}
	if p.ID == "" && rq.route == routeTransactions {
		p.ID = documentID(body)
	}
	return p
}

// encodeRequest is a request as bytes, with the time that is left and one
// further header.
func (s *Server) encodeRequest(rq *request, body []byte, deadline time.Time, name, text string) ([]byte, error) {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	rq.ctx.Request.Header.CopyTo(&req.Header)
	uri := append([]byte(nil), rq.ctx.URI().PathOriginal()...)
	if len(rq.ctx.URI().QueryString()) > 0 {
		args := rq.ctx.QueryArgs()
		args.Del("timeout")
		uri = args.AppendBytes(append(uri, '?'))
	}
	h := &req.Header
	h.SetRequestURIBytes(uri)
	for _, hop := range [...]string{"Connection", "Expect", "Transfer-Encoding", "Keep-Alive", "Te", "Trailer", "Upgrade", headerSpareIDs} {
		h.Del(hop)
	}
	h.SetHost("lockstep")
	h.Set("Request-Timeout", strconv.FormatFloat(max(time.Until(deadline).Seconds(), 0.001), 'f', 3, 64))
	h.SetBytesV(headerRequestID, rq.ctx.Response.Header.Peek(headerRequestID))
	if text != "" {
		h.Set(name, text)
	}
	req.SetBodyRaw(body)
	return encoded(req)
}

// documentID is the id in a transaction's document; empty where there is none,
// or no document.
func documentID(raw []byte) string {
	var doc struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return ""
	}
	return doc.ID
}

// writer is a request or a response.
type writer interface {
	Write(*bufio.Writer) error
}

func encoded(what writer) ([]byte, error) {
	var out bytes.Buffer
	w := bufio.NewWriter(&out)
	if err := what.Write(w); err != nil {
		return nil, fmt.Errorf("encode for another node: %w", err)
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("encode for another node: %w", err)
	}
	return out.Bytes(), nil
}

// decodeAnswer reads another node's answer.
func decodeAnswer(raw []byte, into *fasthttp.Response) error {
	if err := into.ReadLimitBody(bufio.NewReader(bytes.NewReader(raw)), maxForwardBytes); err != nil {
		return fmt.Errorf("read another node's answer: %w", err)
	}
	return nil
}

// relayAnswer answers with what another node did.
func (s *Server) relayAnswer(rq *request, raw []byte) error {
	answer := fasthttp.AcquireResponse()
	defer fasthttp.ReleaseResponse(answer)
	if err := decodeAnswer(raw, answer); err != nil {
		return err
	}
	s.relayResponse(rq, answer)
	return nil
}

func (s *Server) relayResponse(rq *request, answer *fasthttp.Response) {
	h := &rq.ctx.Response.Header
	for _, name := range [...]string{"Lockstep-Revision", "Lockstep-Lag", "Lockstep-Majority", "Lockstep-Key-Window", "Retry-After", "Etag", "Allow", "Location"} {
		if text := answer.Header.Peek(name); len(text) > 0 {
			h.SetBytesV(name, text)
		}
	}
	rq.ctx.SetContentTypeBytes(answer.Header.ContentType())
	rq.ctx.SetStatusCode(answer.StatusCode())
	rq.ctx.SetBody(answer.Body())
}

// ServeForwarded answers a request that another node sent here by its
// Forwarder. It is answered by this node's copy or not at all.
func (s *Server) ServeForwarded(raw []byte) ([]byte, error) {
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	if err := req.ReadLimitBody(bufio.NewReader(bytes.NewReader(raw)), maxForwardBytes); err != nil {
		return nil, fmt.Errorf("read a forwarded request: %w", err)
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(req, nil, quiet{s.log})
	s.handle(&ctx, true)
	return encoded(&ctx.Response)
}

// relay sends the lines of a stream to a node with a copy, some at a time, and
// writes its answers.
func (st *stream) relay(w *counter) error {
	for number := 1; ; {
		lines, err := st.gather()
		number += len(lines)
		if len(lines) > 0 {
			if !st.relayLines(lines) {
				return st.flush(w)
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, errLongLine):
			p := &Problem{Code: "too_large", Detail: "a line is over the limit of " + strconv.Itoa(maxDocumentBytes) + " bytes", Group: st.rq.group}
			st.out = append(p.appendJSON(st.out), '\n')
			if st.ordered {
				return st.flush(w)
			}
			number++
		case err == io.EOF:
			return st.flush(w)
		default:
			p := st.broken(err, number)
			p.Group = st.rq.group
			st.out = append(p.appendJSON(st.out), '\n')
			return st.flush(w)
		}
		if err := st.flush(w); err != nil {
			return err
		}
	}
}

// gather takes as many lines as are there, waiting for the first.
func (st *stream) gather() (lines [][]byte, err error) {
	for size := 0; len(lines) < forwardLines && size < forwardLineBytes; {
		if len(lines) > 0 && !st.lines.more() {
			return lines, nil
		}
		line, err := st.lines.next(maxDocumentBytes)
		if err != nil {
			return lines, err
		}
		lines = append(lines, append([]byte(nil), line...))
		size += len(line)
	}
	return lines, nil
}

// endsRefused tells whether the last line of a stream's answer is a problem.
func endsRefused(answer []byte) bool {
	answer = bytes.TrimSuffix(answer, []byte{'\n'})
	last := answer[bytes.LastIndexByte(answer, '\n')+1:]
	return bytes.HasPrefix(last, []byte(`{"type":`))
}

// relayLines has another node answer lines. It reports false where the stream
// ends: an ordered one, after a refusal.
func (st *stream) relayLines(lines [][]byte) bool {
	s := st.srv
	stem := s.idPrefix + "-" + randomHex(8)
	deadline := time.Now().Add(st.rq.timeout)
	body := append(bytes.Join(lines, []byte{'\n'}), '\n')
	raw, err := s.encodeRequest(st.rq, body, deadline, headerSpareIDs, stem)
	var answer []byte
	if err == nil {
		ctx, cancel := context.WithDeadline(s.ctx, deadline.Add(answerGrace))
		s.metrics.forwarded.Inc()
		answer, err = s.cfg.Forwarder.Forward(ctx, st.rq.group, raw)
		cancel()
	}
	var got fasthttp.Response
	if err == nil {
		err = decodeAnswer(answer, &got)
	}
	answered := 0
	if err == nil && got.StatusCode() == fasthttp.StatusOK {
		st.out = append(st.out, got.Body()...)
		answered = bytes.Count(got.Body(), []byte{'\n'})
		if st.ordered && (answered < len(lines) || endsRefused(got.Body())) {
			return false
		}
	}
	for i := answered; i < len(lines); i++ {
		switch {
		case err == nil && got.StatusCode() != fasthttp.StatusOK:
			st.out = append(st.out, bytes.TrimSpace(got.Body())...)
		case errors.Is(err, ErrNotForwarded):
			p := &Problem{Code: "no_primary", Detail: "no node with a copy of the group could be reached", Group: st.rq.group}
			st.out = p.appendJSON(st.out)
		default:
			p := &Problem{Code: "outcome_unknown", Detail: "another node was asked and did not answer", Group: st.rq.group, ID: documentID(lines[i])}
			if p.ID == "" {
				p.ID = stem + "-" + strconv.Itoa(i+1)
			}
			st.out = p.appendJSON(st.out)
		}
		st.out = append(st.out, '\n')
		if st.ordered {
			return false
		}
	}
	return true
}
