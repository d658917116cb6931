package router

import (
	"context"
	"net/url"
	"time"

	"github.com/valyala/fasthttp"
)

// Tokens looks after the tokens by which nodes join. A *Problem says why not.
type Tokens interface {
	Tokens() TokenList
	// CreateToken makes one, for a time or, where that is 0, for ever.
	CreateToken(ctx context.Context, ttl time.Duration) (Token, error)
	DeleteToken(ctx context.Context, id string) error
	// RequireToken says whether nodes need one to join.
	RequireToken(ctx context.Context, required bool) error
}

// TokenList is what may be told of the join tokens.
type TokenList struct {
	// Required says that nodes join by a token alone.
	Required bool          `json:"required"`
	Tokens   []TokenStatus `json:"tokens"`
}

// TokenStatus is one token, by its id.
type TokenStatus struct {
	ID      string     `json:"id"`
	Made    time.Time  `json:"made"`
	Expires *time.Time `json:"expires,omitempty"`
	Expired bool       `json:"expired,omitempty"`
}

// Token is one that was just made: the token itself is told once.
type Token struct {
	Token string `json:"token"`
	TokenStatus
}

// tokens lists join tokens, makes one, or says whether they are needed.
func (s *Server) tokens(rq *request) *Problem {
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	switch methodOf(&rq.ctx.Request.Header) {
	case get:
		return s.answerDocument(rq, fasthttp.StatusOK, s.cfg.Cluster.Tokens())
	case put:
		var o struct {
			Required *bool `json:"required"`
		}
		if p := s.adminBody(rq, &o); p != nil {
			return p
		}
		if o.Required == nil {
			return invalidAt("/required", "say whether nodes need a token to join: true or false")
		}
		if err := s.cfg.Cluster.RequireToken(ctx, *o.Required); err != nil {
			return problemOf(err)
		}
		return s.answerDocument(rq, fasthttp.StatusOK, s.cfg.Cluster.Tokens())
	}
	var o struct {
		TTL string `json:"ttl"`
	}
	if p := s.adminBody(rq, &o); p != nil {
		return p
	}
	ttl := time.Duration(0)
	if o.TTL != "" {
		var err error
		if ttl, err = time.ParseDuration(o.TTL); err != nil || ttl <= 0 {
			return invalidAt("/ttl", "write for how long nodes may join by it, such as 24h; without it there is no end")
		}
	}
	t, err := s.cfg.Cluster.CreateToken(ctx, ttl)
	if err != nil {
		return problemOf(err)
	}
	rq.ctx.Response.Header.Set(fasthttp.HeaderLocation, "/v1/tokens/"+url.PathEscape(t.ID))
	return s.answerDocument(rq, fasthttp.StatusCreated, t)
}

// token takes a join token away.
func (s *Server) token(rq *request) *Problem {
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	if err := s.cfg.Cluster.DeleteToken(ctx, rq.arg); err != nil {
		return problemOf(err)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, map[string]string{"id": rq.arg, "status": "removed"})
}
