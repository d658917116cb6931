package router

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
)

// Recovery rebuilds groups that lost their majority. Its methods may wait, as long as
// the context allows. A *Problem says why not.
type Recovery interface {
	// RecoveryPlan tells what is left of a group that lost its majority, which copy it
	// would be rebuilt from, and what may be lost by that. It changes nothing.
	RecoveryPlan(ctx context.Context, group string) (RecoveryPlan, error)
	// Recover rebuilds the group as the plan of that token says, and waits until it
	// takes updates. Asked for again it waits again.
	Recover(ctx context.Context, group string, order RecoveryOrder) (RecoveryResult, error)
}

// RecoveryPlan is what an operator decides on.
type RecoveryPlan struct {
	Group string `json:"group"`
	// Token stands for this plan: given back it has the plan carried out, unless what
	// is known has changed.
	Token string `json:"token"`
	// Node has the copy that the group is rebuilt from: of those that answer the one
	// that an election would choose.
	Node string `json:"node"`
	// Revision is what that copy has applied, Unapplied how many entries its log has
	// beyond, which are applied first.
	Revision  uint64 `json:"revision"`
	Unapplied uint64 `json:"unapplied"`
	// Copies are all of the group's, those that are away as they were last heard of.
	Copies []SurvivingCopy `json:"copies"`
	// MayBeLost is known to be on copies that are away, and on none that answers.
	MayBeLost []LostRevisions `json:"may_be_lost"`
	// Warnings are sentences for whoever decides.
	Warnings []string `json:"warnings"`
}

// SurvivingCopy is a copy of a group without a majority.
type SurvivingCopy struct {
	Node string `json:"node"`
	// Status is available, unavailable, diverged, or none: it has no data.
	Status   string `json:"status"`
	Kind     string `json:"kind"`
	Revision uint64 `json:"revision"`
	// LastTerm and LastIndex are of the last entry in its log.
	LastTerm  uint64 `json:"last_term,omitempty"`
	LastIndex uint64 `json:"last_index,omitempty"`
	// LastHeard is when a copy that is away was last heard of.
	LastHeard *time.Time `json:"last_heard,omitempty"`
}

// LostRevisions are revisions that a copy had which is away.
type LostRevisions struct {
	Node string `json:"node"`
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// RecoveryOrder has a plan carried out.
type RecoveryOrder struct {
	Token string `json:"token"`
	// By is who decided, for the record.
	By string `json:"by,omitempty"`
}

// RecoveryResult is a group that was rebuilt.
type RecoveryResult struct {
	Group string `json:"group"`
	// Status is recovered, or recovering.
	Status string `json:"status"`
	Node   string `json:"node"`
	// Incarnation counts how often the group was rebuilt: each skips a million revisions.
	Incarnation uint64 `json:"incarnation"`
	Revision    uint64 `json:"revision"`
}

// recover answers with the plan of a recovery, or has it carried out.
func (s *Server) recover(rq *request) *Problem {
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	if methodOf(&rq.ctx.Request.Header) == get {
		plan, err := s.cfg.Cluster.RecoveryPlan(ctx, rq.group)
		if err != nil {
			return problemOf(err)
		}
		return s.answerDocument(rq, fasthttp.StatusOK, plan)
	}
	if p := s.readBody(rq, maxAdminBytes); p != nil {
		return p
	}
	var order RecoveryOrder
	if err := json.Unmarshal(rq.body.b, &order, json.RejectUnknownMembers(true)); err != nil {
		return malformedJSON(err)
	}
	switch {
	case order.Token == "":
		return invalidAt("/token", "give the token of the plan that GET answered with")
	case len(order.By) > maxRecoveryBy:
		return invalidAt("/by", "it is too long")
	}
	result, err := s.cfg.Cluster.Recover(ctx, rq.group, order)
	if err != nil {
		return problemOf(err)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, result)
}

// maxRecoveryBy bounds the text that says who decided on a recovery, in bytes.
const maxRecoveryBy = 200
