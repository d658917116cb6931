package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// run makes attempts, each over one connection to one server, until every line
// has its answer and no more will come.
func (s *Stream) run() {
	defer close(s.stopped)
	defer s.cancel()
	pause, began := firstPause, time.Now()
	var t tries
	for s.next() {
		n := (int(s.c.current.Load()) + t.attempts) % len(s.c.servers)
		answered, err := s.attempt(s.c.servers[n])
		if answered > 0 {
			s.c.current.Store(int64(n))
			pause, t = firstPause, tries{reached: true, ambiguous: true}
		}
		if err == nil {
			sleep(s.ctx, s.pauseHeld())
			continue
		}
		t.attempts++
		again := t.note(&call{write: true}, err)
		if !again || s.overdue() || s.c.hopeless(&t, time.Since(began)) {
			s.abandon(t.failure(s.c, &call{write: true}))
			return
		}
		if s.c.cfg.OnRetry != nil {
			s.c.cfg.OnRetry(s.c.servers[n], err)
		}
		if t.attempts%len(s.c.servers) == 0 {
			sleep(s.ctx, max(jitter(pause), min(t.wait, s.c.cfg.Timeout)))
			pause, t.wait = min(2*pause, longestPause), 0
		}
	}
}

// overdue says whether lines have waited for Config.Timeout and none of them got
// a final answer.
func (s *Stream) overdue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open > 0 && time.Since(s.final) > s.c.cfg.Timeout
}

// abandon ends the stream for good, unless its owner has ended it already.
func (s *Stream) abandon(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() == nil {
		s.fail(err)
	}
}

// pauseHeld is how long to wait before another connection where this one left
// lines that were refused for the moment.
func (s *Stream) pauseHeld() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.held) == 0 {
		return 0
	}
	return max(s.refusal.RetryAfter, jitter(heldPause))
}

// next waits until there is something to send, and puts everything unanswered
// into the queue of a fresh connection. False: the stream is over.
func (s *Stream) next() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.todo = s.unanswered()
		for _, it := range s.flight {
			it.doubt = true
		}
		s.flight, s.held = nil, nil
		if s.ctx.Err() != nil || s.ended || s.err != nil || s.closing && len(s.todo) == 0 {
			return false
		}
		if len(s.todo) > 0 {
			s.moved = time.Now()
			return true
		}
		s.changed.Wait()
	}
}

// attempt runs one connection until it ends, and gives the number of final
// answers that it brought. No error: it ended in good order.
func (s *Stream) attempt(server string) (answered int, err error) {
	ctx, cancel := context.WithCancelCause(s.ctx)
	defer cancel(nil)
	body, pipe := io.Pipe()
	defer body.Close()
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write(ctx, pipe)
	}()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.watch(ctx, cancel)
	}()
	defer func() {
		cancel(nil)
		body.CloseWithError(io.ErrClosedPipe)
		s.wake()
		<-written
		<-watched
	}()

	req, err := s.request(ctx, server, body)
	if err != nil {
		return 0, err
	}
	resp, err := s.c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("stream to %s: %w", server, causeOr(ctx, unwrapURL(err)))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		doc, _ := io.ReadAll(io.LimitReader(resp.Body, maxLineBytes))
		return 0, problemOf(server, resp.StatusCode, resp.Header, doc)
	}
	answered, err = s.read(server, resp.Body)
	if err != nil {
		return answered, fmt.Errorf("stream to %s: %w", server, causeOr(ctx, err))
	}
	return answered, nil
}

func (s *Stream) request(ctx context.Context, server string, body io.Reader) (*http.Request, error) {
	target := server + groupPath(s.group, "transactions")
	if s.o.Ordered {
		target += "?ordered=true"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		return nil, fmt.Errorf("client: making the request for %s: %w", target, err)
	}
	req.Header.Set("Content-Type", typeNDJSON)
	req.Header.Set("User-Agent", s.c.cfg.UserAgent)
	return req, nil
}

// causeOr prefers why we ended the connection over how that looked.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// wake makes everybody look at the stream's state again.
func (s *Stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed.Broadcast()
}

// write sends what is to be sent, as much at once as there is, and ends the
// request when no more lines will come.
func (s *Stream) write(ctx context.Context, pipe *io.PipeWriter) {
	var chunk []byte
	for {
		chunk = s.take(ctx, chunk[:0])
		if len(chunk) == 0 {
			pipe.Close()
			return
		}
		if _, err := pipe.Write(chunk); err != nil {
			return
		}
	}
}

// take waits for lines and moves them into flight. Nothing: no more will come on
// this connection.
func (s *Stream) take(ctx context.Context, chunk []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.todo) == 0 {
		over := s.closing && len(s.held) == 0
		if over || ctx.Err() != nil || s.ended || s.err != nil {
			return nil
		}
		s.changed.Wait()
	}
	if len(s.flight) == 0 {
		s.moved = time.Now()
	}
	for len(s.todo) > 0 && len(chunk) < chunkBytes {
		it := s.todo[0]
		s.todo = s.todo[1:]
		s.flight = append(s.flight, it)
		chunk = append(chunk, it.line...)
	}
	return chunk
}

// watch ends a connection that has lines in flight and brings no answer.
func (s *Stream) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(s.o.Stall / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.wake()
			return
		case <-tick.C:
		}
		switch {
		case s.overdue():
			s.abandon(s.lateness())
		case s.stalled():
			cancel(fmt.Errorf("no answer for %v", s.o.Stall))
		default:
			continue
		}
		s.wake()
		return
	}
}

// stalled says whether lines are in flight and no answer comes.
func (s *Stream) stalled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.flight) > 0 && time.Since(s.moved) > s.o.Stall
}

// lateness is the error of a stream whose lines are only ever refused for the
// moment, or not answered at all.
func (s *Stream) lateness() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refusal != nil {
		p := *s.refusal
		p.Outcome = Unknown
		return &p
	}
	return &Unavailable{Servers: s.c.Servers(), Attempts: 1, Outcome: Unknown,
		Last: fmt.Errorf("no line of the stream was answered for %v", s.c.cfg.Timeout)}
}

// read takes answers until the body ends. It is in good order when nothing was
// left in flight.
func (s *Stream) read(server string, body io.Reader) (answered int, err error) {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxLineBytes)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue // kept alive
		}
		final, err := s.accept(server, append([]byte(nil), lines.Bytes()...))
		if err != nil {
			return answered, err
		}
		if final {
			answered++
		}
	}
	if err := lines.Err(); err != nil {
		return answered, fmt.Errorf("reading answers: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.flight); n > 0 && !s.ended {
		return answered, fmt.Errorf("the server ended the stream with %d lines unanswered", n)
	}
	return answered, nil
}

// accept matches one answer with the line sent longest ago.
func (s *Stream) accept(server string, raw []byte) (final bool, err error) {
	l, err := parseLine(server, raw)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.flight) == 0 {
		return false, fmt.Errorf("an answer to no line: %s", excerpt(raw))
	}
	it := s.flight[0]
	if l.ID != "" && it.id != "" && l.ID != it.id {
		return false, fmt.Errorf("an answer for %s where one for %s was due", l.ID, it.id)
	}
	l.ID = it.id
	s.flight = s.flight[1:]
	s.moved = time.Now()
	if p := l.Problem; p != nil && p.Retryable && !p.Recorded() {
		if s.closedBeyond(p) {
			if it.doubt {
				p.Outcome = Unknown
				p.Detail += " (an earlier attempt may have been applied)"
			}
			s.finish(it, l)
			return true, nil
		}
		s.refusal = p
		if s.o.Ordered {
			return false, p // the stream ends with it; the next one begins with its line
		}
		s.hold(it, p.RetryAfter)
		return false, nil
	}
	s.finish(it, l)
	return true, nil
}

// closedBeyond says whether a line met a time without updates that lasts for longer than
// the stream waits for an answer.
func (s *Stream) closedBeyond(p *Problem) bool {
	var held struct {
		Opens time.Time `json:"opens_at"`
	}
	return p.Code == codeHeld && p.Outcome == NotApplied &&
		json.Unmarshal(p.Raw, &held) == nil && time.Until(held.Opens) > s.c.cfg.Timeout
}

// hold keeps a line that was refused for the moment, and lets all such lines go
// again after a pause. The lock is held.
func (s *Stream) hold(it *item, wait time.Duration) {
	s.held = append(s.held, it)
	if len(s.held) > 1 {
		return
	}
	time.AfterFunc(max(wait, jitter(heldPause)), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.todo = append(s.todo, s.held...)
		s.held = nil
		s.changed.Broadcast()
	})
}

// parseLine tells an outcome, whose status is text, from a problem, whose status
// is a number.
func parseLine(server string, raw []byte) (*Line, error) {
	var head struct {
		ID     string          `json:"id"`
		Status json.RawMessage `json:"status"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("an answer that can't be read: %w: %s", err, excerpt(raw))
	}
	l := &Line{ID: head.ID, Raw: raw}
	if len(head.Status) > 0 && head.Status[0] == '"' {
		l.Outcome = &Outcome{Raw: raw}
		if err := json.Unmarshal(raw, l.Outcome); err != nil {
			return nil, fmt.Errorf("an outcome that can't be read: %w: %s", err, excerpt(raw))
		}
		return l, nil
	}
	l.Problem = &Problem{Raw: raw, Server: server}
	if err := json.Unmarshal(raw, l.Problem); err != nil || l.Problem.Code == "" {
		return nil, fmt.Errorf("an answer that is neither an outcome nor a problem: %s", excerpt(raw))
	}
	return l, nil
}
