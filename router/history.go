package router

import (
	"context"
	"strings"
	"time"
)

// Histories gives what was recorded of groups. A *Problem says why not.
type Histories interface {
	// History is the recorded status and assignments of a group from an instant on
	// (zero: all that is kept), a JSON object a line (package policy/history). Nodes
	// that are missing did not answer: what they recorded is left out.
	History(ctx context.Context, group string, since time.Time) (lines []byte, missing []string, err error)
}

// headerMissing names the nodes whose part of an answer is left out.
const headerMissing = "Lockstep-Missing"

// history answers with what was recorded of a group.
func (s *Server) history(rq *request) *Problem {
	if s.cfg.Policies == nil {
		return &Problem{Code: "not_implemented", Detail: "this node records nothing"}
	}
	since, p := sinceOf(rq, time.Now())
	if p != nil {
		return p
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline.Add(-min(time.Until(rq.deadline)/10, answerGrace)))
	defer cancel()
	go s.cutShort(ctx, cancel)
	lines, missing, err := s.cfg.Policies.History(ctx, rq.group, since)
	if err != nil {
		return problemOf(err)
	}
	if len(missing) > 0 {
		rq.ctx.Response.Header.Set(headerMissing, strings.Join(missing, ","))
	}
	rq.ctx.SetContentTypeBytes(typeLines)
	rq.ctx.SetBody(lines)
	return nil
}

// sinceOf reads ?since=, an instant or for how long back.
func sinceOf(rq *request, now time.Time) (time.Time, *Problem) {
	text := string(rq.ctx.QueryArgs().Peek("since"))
	if text == "" {
		return time.Time{}, nil
	}
	if back, err := time.ParseDuration(text); err == nil && back >= 0 {
		return now.Add(-back), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.Year() < 1970 {
		return time.Time{}, &Problem{Code: "malformed", Detail: "since: write an instant, as 2026-01-01T10:00:00Z, or how long ago, as 1h30m"}
	}
	return at, nil
}
