package router

import (
	"context"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
)

// Nodes looks after the computing systems of the cluster. What waits goes on when the
// context ends. A *Problem says why not.
type Nodes interface {
	// Nodes lists them, by name.
	Nodes() []NodeDetail
	// DrainNode takes a node out of service: its primaries and tasks go elsewhere, and
	// with partitions its copies as well.
	DrainNode(ctx context.Context, node string, partitions, wait bool) (NodeDetail, error)
	// UndrainNode puts it in service again.
	UndrainNode(ctx context.Context, node string) (NodeDetail, error)
	// RemoveNode takes a node out of the cluster for good. With force it may be in use,
	// as long as no group loses its majority or its last copy.
	RemoveNode(ctx context.Context, node string, force, wait bool) (NodeDetail, error)
	// ReplaceNode has another node take all copies of one, which then goes for good.
	ReplaceNode(ctx context.Context, node, with string, wait bool) (NodeDetail, error)
	// SetNode changes what is wished of a node.
	SetNode(ctx context.Context, node string, change NodeChange) (NodeDetail, error)
}

// NodeDetail is one computing system.
type NodeDetail struct {
	Name string `json:"name"`
	ID   string `json:"id"`
	// Status is available, unavailable, draining, drained, or, as an answer, removed.
	Status  string            `json:"status"`
	HTTP    string            `json:"http"`
	Raft    string            `json:"raft"`
	Version string            `json:"version"`
	OS      string            `json:"os"`
	Arch    string            `json:"arch"`
	Labels  map[string]string `json:"labels,omitempty"`
	// Dedicated is the only group that it is kept for.
	Dedicated string `json:"dedicated,omitempty"`
	// Evacuating says that its copies go to other nodes, Removing that it then leaves
	// the cluster, and Successor where they go, where that was said.
	Evacuating bool   `json:"evacuating,omitempty"`
	Removing   bool   `json:"removing,omitempty"`
	Successor  string `json:"successor,omitempty"`
	// Catalog is its part in the system group: leader, voter or follower.
	Catalog string `json:"catalog,omitempty"`
	// Primaries are the groups that it is primary of, Partitions those it has a copy of.
	Primaries  []string `json:"primaries"`
	Partitions []string `json:"partitions"`
	// Blocked says why draining does not get on.
	Blocked []string `json:"blocked,omitempty"`
}

// NodeChange is what to change about a node; what is nil stays.
type NodeChange struct {
	Dedicated *string `json:"dedicated"`
	// Labels are set over those of its configuration; null takes such a label away
	// again.
	Labels map[string]*string `json:"labels"`
}

// nodes lists the nodes.
func (s *Server) nodes(rq *request) *Problem {
	return s.answerDocument(rq, fasthttp.StatusOK, map[string]any{"nodes": s.cfg.Cluster.Nodes()})
}

func nodePath(node string) string { return "/v1/nodes/" + url.PathEscape(node) }

// node shows, changes or removes one.
func (s *Server) node(rq *request) *Problem {
	switch methodOf(&rq.ctx.Request.Header) {
	case get:
		for _, n := range s.cfg.Cluster.Nodes() {
			if n.Name == rq.arg {
				return s.answerDocument(rq, fasthttp.StatusOK, n)
			}
		}
		return &Problem{Code: "not_found", Detail: "the cluster has no node " + rq.arg}
	case patch:
		var change NodeChange
		if p := s.adminBody(rq, &change); p != nil {
			return p
		}
		ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
		defer cancel()
		n, err := s.cfg.Cluster.SetNode(ctx, rq.arg, change)
		if err != nil {
			return problemOf(err)
		}
		return s.answerDocument(rq, fasthttp.StatusOK, n)
	}
	force := string(rq.ctx.QueryArgs().Peek("force")) == "true"
	return s.remove(rq, nodePath(rq.arg), func(ctx context.Context, wait bool) (any, error) {
		return s.cfg.Cluster.RemoveNode(ctx, rq.arg, force, wait)
	})
}

// nodeAction drains a node, undrains it, or replaces it.
func (s *Server) nodeAction(rq *request) *Problem {
	var o struct {
		Partitions bool   `json:"partitions"`
		With       string `json:"with"`
	}
	if p := s.adminBody(rq, &o); p != nil {
		return p
	}
	if rq.route == routeNodeReplace && o.With == "" {
		return invalidAt("/with", "name the node that takes its place")
	}
	return s.remove(rq, nodePath(rq.arg), func(ctx context.Context, wait bool) (any, error) {
		switch rq.route {
		case routeNodeDrain:
			return s.cfg.Cluster.DrainNode(ctx, rq.arg, o.Partitions, wait)
		case routeNodeUndrain:
			return s.cfg.Cluster.UndrainNode(ctx, rq.arg)
		}
		return s.cfg.Cluster.ReplaceNode(ctx, rq.arg, o.With, wait)
	})
}

// adminBody reads a small document into v; an empty body is one without fields.
func (s *Server) adminBody(rq *request, v any) *Problem {
	if p := s.readBody(rq, maxAdminBytes); p != nil {
		return p
	}
	if len(rq.body.b) == 0 {
		return nil
	}
	if err := json.Unmarshal(rq.body.b, v, json.RejectUnknownMembers(true)); err != nil {
		return malformedJSON(err)
	}
	return nil
}
