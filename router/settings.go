package router

import (
	"context"

	"lockstep/router/settings"

	"github.com/valyala/fasthttp"
)

// Settings is what the front needs of its node for groups' settings. A *Problem
// says why not.
type Settings interface {
	// GroupSettings are all settings of a group, the defaults too.
	GroupSettings(ctx context.Context, group string) (settings.Settings, error)
	// PutGroupSettings changes the keys that a JSON object gives, and leaves the rest.
	PutGroupSettings(ctx context.Context, group string, change []byte) (settings.Settings, error)
}

// groupSettings answers GET and PUT /v1/groups/{group}/settings.
func (s *Server) groupSettings(rq *request) *Problem {
	if s.cfg.Settings == nil {
		return &Problem{Code: "not_implemented", Group: rq.group, Detail: "this node keeps no settings"}
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	if methodOf(&rq.ctx.Request.Header) == get {
		all, err := s.cfg.Settings.GroupSettings(ctx, rq.group)
		if err != nil {
			return problemOf(err)
		}
		return s.answerDocument(rq, fasthttp.StatusOK, all)
	}
	if p := s.readBody(rq, maxAdminBytes); p != nil {
		return p
	}
	all, err := s.cfg.Settings.PutGroupSettings(ctx, rq.group, rq.body.b)
	if err != nil {
		return problemOf(err)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, all)
}
