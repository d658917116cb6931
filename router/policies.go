package router

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Policies is what the front needs of its node for placement policies. A *Problem
// says why not.
type Policies interface {
	Histories
	// AllPolicies lists the policies of users in the order in which they decide, those
	// that this node's program can't compile at the end.
	AllPolicies(ctx context.Context) ([]PolicyStatus, error)
	// Policy finds a policy.
	Policy(ctx context.Context, name string) (PolicyStatus, error)
	// PutPolicy stores a policy, or finds it stored so, or only checks it.
	PutPolicy(ctx context.Context, put PolicyPut) (PolicyResult, error)
	// DeletePolicy takes a policy away.
	DeletePolicy(ctx context.Context, name string, match TaskMatch) error
	// Explain answers a question in JSON or YAML (policy.Question) with the explanation
	// as JSON, as the group's primary sees it.
	Explain(ctx context.Context, question []byte) (json.RawMessage, error)
}

// PolicyPut is a wish to store a policy.
type PolicyPut struct {
	Name     string // which the document must have
	Document []byte // YAML or JSON, as the client sent it
	Match    TaskMatch
	DryRun   bool // check, and change nothing
}

// PolicyStatus is a stored policy.
type PolicyStatus struct {
	Name     string
	Version  uint64 // the revision of the catalog that wrote it
	Document []byte // canonical JSON
	// Warnings tell what is allowed and seldom meant.
	Warnings []string
	// Problem is why the node can't understand it, and leaves it out; empty: it decides.
	Problem string
	// Stale says that no majority of the catalog could confirm this.
	Stale bool
}

// PolicyResult is what became of a PolicyPut.
type PolicyResult struct {
	Policy   string   `json:"policy"`
	Version  uint64   `json:"version"` // that holds now; 0: there is none
	Created  bool     `json:"created"` // there was none before
	Changed  bool     `json:"changed"` // false where it was stored so already
	DryRun   bool     `json:"dry_run"`
	Warnings []string `json:"warnings,omitempty"`
	// Document is the policy with all that was left out.
	Document json.RawMessage `json:"document"`
}

// locatePolicy finds the target of a path below /v1/policies.
func locatePolicy(path string) target {
	name, ok := unescape(path)
	if !ok || name == "" || strings.Contains(path, "/") {
		return target{}
	}
	return target{route: routePolicy, arg: name}
}

// servePolicies does what is for policies.
func (s *Server) servePolicies(rq *request) *Problem {
	if s.cfg.Policies == nil {
		return &Problem{Code: "not_implemented", Detail: "this node keeps no policies"}
	}
	if p := s.readBody(rq, maxAdminBytes); p != nil {
		return p
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline.Add(-min(time.Until(rq.deadline)/10, answerGrace)))
	defer cancel()
	go s.cutShort(ctx, cancel)
	switch method := methodOf(&rq.ctx.Request.Header); {
	case rq.route == routeExplain:
		return s.explainPlacement(ctx, rq)
	case rq.route == routePolicies:
		return s.listPolicies(ctx, rq)
	case method == put:
		return s.putPolicy(ctx, rq)
	case method == del:
		return s.deletePolicy(ctx, rq)
	}
	return s.getPolicy(ctx, rq)
}

// listPolicies answers with every policy: its document, and what is known of it.
func (s *Server) listPolicies(ctx context.Context, rq *request) *Problem {
	list, err := s.cfg.Policies.AllPolicies(ctx)
	if err != nil {
		return problemOf(err)
	}
	stale := false
	out := make([]json.RawMessage, len(list))
	for i := range list {
		stale = stale || list[i].Stale
		out[i] = list[i].listed()
	}
	doc := map[string]any{"policies": out}
	if stale {
		doc["stale"] = true
	}
	return s.answerDocument(rq, fasthttp.StatusOK, doc)
}

// listed is a policy in a list: the document's members, and those of the status.
func (p *PolicyStatus) listed() json.RawMessage {
	more := struct {
		Version  uint64   `json:"version"`
		Warnings []string `json:"warnings,omitempty"`
		Problem  string   `json:"problem,omitempty"`
	}{p.Version, p.Warnings, p.Problem}
	doc := strings.TrimSpace(string(p.Document))
	if len(doc) < 3 || doc[0] != '{' || !json.Valid(p.Document) {
		doc = `{"policy":` + strconv.Quote(p.Name) + `}` // nothing that could be shown
	}
	tail, err := json.Marshal(more)
	if err != nil {
		return json.RawMessage(doc)
	}
	return json.RawMessage(doc[:len(doc)-1] + "," + string(tail[1:]))
}

// getPolicy answers with the document alone, as JSON or as YAML: it can be put back
// either way.
func (s *Server) getPolicy(ctx context.Context, rq *request) *Problem {
	status, err := s.cfg.Policies.Policy(ctx, rq.arg)
	if err != nil {
		return problemOf(err)
	}
	h := &rq.ctx.Response.Header
	h.Set(fasthttp.HeaderETag, etag(status.Version))
	h.Set(fasthttp.HeaderVary, fasthttp.HeaderAccept)
	if !wantsYAML(&rq.ctx.Request.Header) {
		rq.ctx.SetContentTypeBytes(typeJSON)
		rq.ctx.SetBody(append(status.Document, '\n'))
		return nil
	}
	text, err := toYAML(status.Document)
	if err != nil {
		return &Problem{Code: "internal", Detail: err.Error()}
	}
	rq.ctx.SetContentTypeBytes(typeYAML)
	rq.ctx.SetBody(text)
	return nil
}

func (s *Server) putPolicy(ctx context.Context, rq *request) *Problem {
	change := PolicyPut{Name: rq.arg, Document: []byte(string(rq.body.b))}
	var p *Problem
	if change.DryRun, p = flag(rq, "dry_run"); p != nil {
		return p
	}
	if change.Match, p = matchOf(rq, "a policy"); p != nil {
		return p
	}
	result, err := s.cfg.Policies.PutPolicy(ctx, change)
	if err != nil {
		return problemOf(err)
	}
	if result.Version != 0 {
		rq.ctx.Response.Header.Set(fasthttp.HeaderETag, etag(result.Version))
	}
	if result.Created && !result.DryRun {
		rq.ctx.Response.Header.Set(fasthttp.HeaderLocation, "/v1/policies/"+result.Policy)
		return s.answerDocument(rq, fasthttp.StatusCreated, result)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, result)
}

// explainPlacement answers who would hold a task, and why.
func (s *Server) explainPlacement(ctx context.Context, rq *request) *Problem {
	doc, err := s.cfg.Policies.Explain(ctx, []byte(string(rq.body.b)))
	if err != nil {
		return problemOf(err)
	}
	rq.ctx.SetContentTypeBytes(typeJSON)
	rq.ctx.SetBody(append(doc, '\n'))
	return nil
}

func (s *Server) deletePolicy(ctx context.Context, rq *request) *Problem {
	match, p := matchOf(rq, "a policy")
	if p != nil {
		return p
	}
	if err := s.cfg.Policies.DeletePolicy(ctx, rq.arg, match); err != nil {
		return problemOf(err)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, map[string]any{"policy": rq.arg, "deleted": true})
}
