package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Policy is a placement policy in a list.
type Policy struct {
	Policy  string   `json:"policy"`
	Task    string   `json:"task"`
	Groups  string   `json:"groups"`
	Require []string `json:"require"`
	Prefer  []struct {
		Expr   string  `json:"expr"`
		Weight float64 `json:"weight"`
	} `json:"prefer"`
	Hold     string   `json:"hold"`
	Margin   float64  `json:"margin"`
	Priority int      `json:"priority"`
	Count    int      `json:"count"`
	Schedule string   `json:"schedule"`
	Enabled  bool     `json:"enabled"`
	Version  uint64   `json:"version"`
	Warnings []string `json:"warnings"` // what is allowed and seldom meant
	Problem  string   `json:"problem"`  // why it decides nothing; empty: it does
}

// PolicyDocument is a stored policy, as it can be put back.
type PolicyDocument struct {
	Document json.RawMessage
	ETag     string // for PolicyOptions.IfMatch
}

// PolicyApplied is what became of a PutPolicy.
type PolicyApplied struct {
	Policy   string          `json:"policy"`
	Version  uint64          `json:"version"`
	Created  bool            `json:"created"`
	Changed  bool            `json:"changed"`
	DryRun   bool            `json:"dry_run"`
	Warnings []string        `json:"warnings"`
	Document json.RawMessage `json:"document"`

	Raw json.RawMessage `json:"-"`
}

// PolicyOptions of a change of a policy.
type PolicyOptions struct {
	DryRun  bool   // check, and change nothing
	IfMatch string // ETag that the policy must have, "*" for any; empty: whether there is one or not
}

func policyPath(name string) string { return "/v1/policies/" + url.PathEscape(name) }

func (o *PolicyOptions) header() http.Header {
	h := http.Header{}
	if o.IfMatch != "" {
		h.Set("If-Match", o.IfMatch)
	}
	return h
}

// Policies lists the policies of users in the order in which they decide.
func (c *Client) Policies(ctx context.Context) ([]Policy, json.RawMessage, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: "/v1/policies"})
	if err != nil {
		return nil, nil, err
	}
	var list struct {
		Policies []Policy `json:"policies"`
	}
	return list.Policies, a.body, a.decode(&list)
}

// Policy gives one policy's document.
func (c *Client) Policy(ctx context.Context, name string) (*PolicyDocument, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: policyPath(name)})
	if err != nil {
		return nil, err
	}
	return &PolicyDocument{Document: a.body, ETag: a.header.Get("ETag")}, nil
}

// PutPolicy stores a policy that a YAML or JSON document says; the name must be the
// document's own. Storing what is there changes nothing.
func (c *Client) PutPolicy(ctx context.Context, name string, doc []byte, o PolicyOptions) (*PolicyApplied, error) {
	r := &call{method: http.MethodPut, path: policyPath(name), query: url.Values{}, header: o.header(), body: doc, contentType: documentType(doc), write: !o.DryRun}
	if o.DryRun {
		r.query.Set("dry_run", "true")
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	p := &PolicyApplied{Raw: a.body}
	return p, a.decode(p)
}

// DeletePolicy takes a policy away.
func (c *Client) DeletePolicy(ctx context.Context, name string, o PolicyOptions) error {
	_, err := c.do(ctx, &call{method: http.MethodDelete, path: policyPath(name), header: o.header(), write: true})
	return err
}

// Explain asks who would hold a task and why: a question in YAML or JSON with group,
// task and, for what would be if, nodes and policy. The answer is as the server has it.
func (c *Client) Explain(ctx context.Context, question []byte) (json.RawMessage, error) {
	a, err := c.do(ctx, &call{method: http.MethodPost, path: "/v1/placements/explain", body: question, contentType: documentType(question)})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// History is what was recorded of a group.
type History struct {
	Lines   []byte   // a JSON object a line
	Missing []string // nodes that did not answer, whose part is left out
}

// History gives the recorded status and assignments of a group from a time on (zero:
// all that is kept).
func (c *Client) History(ctx context.Context, group string, since time.Time) (*History, error) {
	r := &call{method: http.MethodGet, path: groupPath(group, "history"), query: url.Values{}}
	if !since.IsZero() {
		r.query.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	h := &History{Lines: a.body}
	if nodes := a.header.Get("Lockstep-Missing"); nodes != "" {
		h.Missing = strings.Split(nodes, ",")
	}
	return h, nil
}
