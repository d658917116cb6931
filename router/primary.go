package router

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
)

// Primaries moves the primaries of groups by plan.
type Primaries interface {
	// HandOver makes the copy on a node the group's primary and returns when it is
	// so; at once where it is already. No request is refused or lost by it: those
	// that come meanwhile wait. A *Problem says why it can't be.
	HandOver(ctx context.Context, group, node string) (Handover, error)
}

// Handover is how a planned handover went.
type Handover struct {
	GroupStatus
	// From was the primary before.
	From string `json:"from"`
	// Changed is false where the node was primary already.
	Changed bool `json:"changed"`
	// PauseMillis is for how long the group's transactions waited, in milliseconds.
	PauseMillis float64 `json:"pause_ms"`
}

// primary hands a group over to another primary.
func (s *Server) primary(rq *request) *Problem {
	if p := s.readBody(rq, maxAdminBytes); p != nil {
		return p
	}
	var wish struct {
		Node string `json:"node"`
	}
	if err := json.Unmarshal(rq.body.b, &wish, json.RejectUnknownMembers(true)); err != nil {
		return malformedJSON(err)
	}
	if wish.Node == "" {
		return invalidAt("/node", "name the node whose copy shall be primary")
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	h, err := s.cfg.Cluster.HandOver(ctx, rq.group, wish.Node)
	if err != nil {
		return problemOf(err)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, h)
}
