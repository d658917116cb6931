package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// RecoveryPlan is what is left of a group that lost its majority, and what rebuilding
// it from one of its copies may lose.
type RecoveryPlan struct {
	Group     string          `json:"group"`
	Token     string          `json:"token"` // stands for the plan, for Recover
	Node      string          `json:"node"`  // has the copy that it would be rebuilt from
	Revision  uint64          `json:"revision"`
	Unapplied uint64          `json:"unapplied"` // entries in that copy's log beyond what it has applied
	Copies    []SurvivingCopy `json:"copies"`
	MayBeLost []LostRevisions `json:"may_be_lost"`
	Warnings  []string        `json:"warnings"`

	Raw json.RawMessage `json:"-"`
}

// SurvivingCopy is a copy of such a group.
type SurvivingCopy struct {
	Node      string     `json:"node"`
	Status    string     `json:"status"` // available, unavailable, diverged, or none: no data
	Kind      string     `json:"kind"`
	Revision  uint64     `json:"revision"`
	LastTerm  uint64     `json:"last_term"`
	LastIndex uint64     `json:"last_index"`
	LastHeard *time.Time `json:"last_heard"`
}

// LostRevisions are revisions that a copy had which is away.
type LostRevisions struct {
	Node string `json:"node"`
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// RecoveryPlan asks what is left of a group that lost its majority. It changes nothing.
func (c *Client) RecoveryPlan(ctx context.Context, group string) (*RecoveryPlan, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: groupPath(group, "recover"), long: true})
	if err != nil {
		return nil, err
	}
	p := &RecoveryPlan{Raw: a.body}
	return p, a.decode(p)
}

// Recover has a group rebuilt as the plan of that token says, and waits until it takes
// updates; by says who decided. Asked for again it waits again.
func (c *Client) Recover(ctx context.Context, group, token, by string) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]string{"token": token, "by": by})
	if err != nil {
		return nil, fmt.Errorf("client: writing the decision: %w", err)
	}
	a, err := c.do(ctx, &call{
		method: http.MethodPost, path: groupPath(group, "recover"),
		body: body, contentType: typeJSON, write: true, long: true,
	})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}
