package router

import (
	"context"
	"net/url"

	"github.com/go-json-experiment/json"
	"github.com/valyala/fasthttp"
)

// Partitions adds, moves and removes the copies of groups. All but Partitions may
// wait, as long as the context allows; what was asked for goes on nevertheless. A
// *Problem says why not.
type Partitions interface {
	// Partitions lists a group's copies.
	Partitions(group string) ([]PartitionStatus, error)
	// AddPartition puts a copy on a node. It is not created where it was there, or
	// asked for, before. With wait it returns when all of it is in place.
	AddPartition(ctx context.Context, group string, spec PartitionSpec, wait bool) (status PartitionStatus, created bool, err error)
	// RemovePartition takes a copy out of its group and wipes it. With wait it
	// returns when that is done.
	RemovePartition(ctx context.Context, group, node string, wait bool) (Removal, error)
	// DeleteGroup takes a group away, and wipes all its copies.
	DeleteGroup(ctx context.Context, group string, wait bool) (Removal, error)
}

// PartitionSpec is what a client asks a new copy to be.
type PartitionSpec struct {
	Node string `json:"node"`
	// Replaces is the node whose copy of the group leaves when this one votes.
	Replaces string `json:"replaces,omitempty"`
	// From is another group that the node leaves.
	From string `json:"from,omitempty"`
}

// Removal is how far the removal of copies is.
type Removal struct {
	Group string `json:"group"`
	Node  string `json:"node,omitempty"`
	// Status is removed, or removing.
	Status string `json:"status"`
	// Waiting are nodes that have not wiped their copy: those that are away do so when
	// they are back.
	Waiting []string `json:"waiting,omitempty"`
}

// Progress is how far a copy is that joins its group.
type Progress struct {
	// Revision is what it has, Of what the primary has.
	Revision uint64 `json:"revision"`
	Of       uint64 `json:"of"`
}

// partitions lists a group's copies, or adds one.
func (s *Server) partitions(rq *request) *Problem {
	if methodOf(&rq.ctx.Request.Header) == get {
		list, err := s.cfg.Cluster.Partitions(rq.group)
		if err != nil {
			return problemOf(err)
		}
		return s.answerDocument(rq, fasthttp.StatusOK, map[string]any{"partitions": list})
	}
	wait, p := waits(rq)
	if p != nil {
		return p
	}
	if p := s.readBody(rq, maxAdminBytes); p != nil {
		return p
	}
	var spec PartitionSpec
	if err := json.Unmarshal(rq.body.b, &spec, json.RejectUnknownMembers(true)); err != nil {
		return malformedJSON(err)
	}
	switch {
	case spec.Node == "":
		return invalidAt("/node", "name the node that gets the copy")
	case spec.Replaces != "" && spec.From != "":
		return invalidAt("/from", "a copy takes the place of another one of the group, or its node leaves another group, not both")
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	status, created, err := s.cfg.Cluster.AddPartition(ctx, rq.group, spec, wait)
	if err != nil {
		return problemOf(err)
	}
	rq.ctx.Response.Header.Set(fasthttp.HeaderLocation, partitionPath(rq.group, spec.Node))
	return s.answerDocument(rq, doneStatus(wait, created), status)
}

func partitionPath(group, node string) string {
	return "/v1/groups/" + url.PathEscape(group) + "/partitions/" + url.PathEscape(node)
}

// doneStatus is the status of an answer to what changes nodes or copies.
func doneStatus(wait, created bool) int {
	switch {
	case !wait:
		return fasthttp.StatusAccepted
	case created:
		return fasthttp.StatusCreated
	}
	return fasthttp.StatusOK
}

// waits reads the query's wait: an answer comes when all is done unless it is false.
func waits(rq *request) (bool, *Problem) {
	switch string(rq.ctx.QueryArgs().Peek("wait")) {
	case "", "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, &Problem{Code: "malformed", Detail: "wait: write true or false"}
}

// partition answers with one copy, or removes it.
func (s *Server) partition(rq *request) *Problem {
	if methodOf(&rq.ctx.Request.Header) == get {
		list, err := s.cfg.Cluster.Partitions(rq.group)
		if err != nil {
			return problemOf(err)
		}
		for _, p := range list {
			if p.Node == rq.arg {
				return s.answerDocument(rq, fasthttp.StatusOK, p)
			}
		}
		return &Problem{Code: "not_found", Detail: "group " + rq.group + " has no copy on a node " + rq.arg}
	}
	return s.remove(rq, partitionPath(rq.group, rq.arg), func(ctx context.Context, wait bool) (any, error) {
		return s.cfg.Cluster.RemovePartition(ctx, rq.group, rq.arg, wait)
	})
}

// deleteGroup takes a group away.
func (s *Server) deleteGroup(rq *request) *Problem {
	return s.remove(rq, "/v1/groups/"+url.PathEscape(rq.group), func(ctx context.Context, wait bool) (any, error) {
		return s.cfg.Cluster.DeleteGroup(ctx, rq.group, wait)
	})
}

// remove answers a DELETE whose work may take a while.
func (s *Server) remove(rq *request, path string, do func(ctx context.Context, wait bool) (any, error)) *Problem {
	wait, p := waits(rq)
	if p != nil {
		return p
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	doc, err := do(ctx, wait)
	if err != nil {
		return problemOf(err)
	}
	if !wait {
		rq.ctx.Response.Header.Set(fasthttp.HeaderLocation, path)
	}
	return s.answerDocument(rq, doneStatus(wait, false), doc)
}
