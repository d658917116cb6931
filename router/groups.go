package router

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"net/url"
	"strconv"

	"lockstep/engine/program"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
)

// maxGroupName is the longest name of a group: it is a part of paths and of
// metrics.
const maxGroupName = 63

// groups lists the groups, or makes one.
func (s *Server) groups(rq *request) *Problem {
	if methodOf(&rq.ctx.Request.Header) == get {
		list := s.cfg.Cluster.Groups()
		if list == nil {
			list = []GroupStatus{}
		}
		return s.answerDocument(rq, fasthttp.StatusOK, map[string]any{"groups": list})
	}
	if p := s.readBody(rq, maxAdminBytes); p != nil {
		return p
	}
	spec, p := parseGroup(rq.body.b)
	if p != nil {
		return p
	}
	rq.group = spec.Name
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	status, created, err := s.cfg.Cluster.CreateGroup(ctx, spec)
	if err != nil {
		return problemOf(err)
	}
	rq.ctx.Response.Header.Set(fasthttp.HeaderLocation, "/v1/groups/"+url.PathEscape(spec.Name))
	if created {
		return s.answerDocument(rq, fasthttp.StatusCreated, status)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, status)
}

// parseGroup reads what a new group shall be.
func parseGroup(raw []byte) (GroupSpec, *Problem) {
	var spec GroupSpec
	if err := json.Unmarshal(raw, &spec, json.RejectUnknownMembers(true)); err != nil {
		return spec, malformedJSON(err)
	}
	var wrong *Problem
	switch {
	case !groupName(spec.Name):
		wrong = invalidAt("/name", "a group's name begins with a letter and has at most "+strconv.Itoa(maxGroupName)+" lower-case letters, digits, '-' and '_'")
	case len(spec.Nodes) > 0 && spec.Copies > 0:
		wrong = invalidAt("/copies", "name the nodes or say how many copies, not both")
	case spec.Copies < 0:
		wrong = invalidAt("/copies", "a group has at least one copy")
	default:
		wrong = wrongWindows(spec.Settings)
	}
	return spec, wrong
}

func groupName(name string) bool {
	if name == "" || len(name) > maxGroupName || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// malformedJSON tells where a document of ours broke the rules, in words of our
// own: the library's change.
func malformedJSON(err error) *Problem {
	pointer, detail := "", "this is not JSON"
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		pointer, detail = string(semantic.JSONPointer), "unknown field"
	case errors.As(err, &semantic):
		pointer, detail = string(semantic.JSONPointer), "JSON of another kind is wanted here"
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		pointer, detail = string(syntactic.JSONPointer), "the field stands twice"
	case errors.As(err, &syntactic):
		pointer = string(syntactic.JSONPointer)
		detail = "this is not JSON, or something follows it, after " + strconv.FormatInt(syntactic.ByteOffset, 10) + " bytes"
	}
	p := &Problem{Code: "malformed", Detail: detail, Errors: pointerDetail(pointer, detail)}
	if pointer != "" {
		p.Detail = pointer + ": " + detail
	}
	return p
}

func pointerDetail(pointer, detail string) []program.PointerDetail {
	return []program.PointerDetail{{Pointer: pointer, Detail: detail}}
}

func invalidAt(pointer, detail string) *Problem {
	return &Problem{Code: "invalid", Detail: pointer + ": " + detail, Errors: pointerDetail(pointer, detail)}
}

// group answers with one group's status.
func (s *Server) group(rq *request) *Problem {
	for _, g := range s.cfg.Cluster.Groups() {
		if g.Name == rq.group {
			return s.answerDocument(rq, fasthttp.StatusOK, g)
		}
	}
	return unknownGroup(rq.group)
}

func unknownGroup(name string) *Problem {
	return &Problem{Code: "unknown_group", Detail: "there is no group " + strconv.Quote(name), Group: name}
}

// verify compares the copies of a group.
func (s *Server) verify(rq *request) *Problem {
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	report, err := s.cfg.Cluster.Verify(ctx, rq.group)
	if err != nil {
		return problemOf(err)
	}
	s.stamp(rq, report.Revision)
	return s.answerDocument(rq, fasthttp.StatusOK, report)
}

// trust has an operator choose which of a group's copies is right, where they
// differ and no majority agrees.
func (s *Server) trust(rq *request) *Problem {
	var choice struct {
		Node string `json:"node"`
	}
	if err := json.Unmarshal(rq.body.b, &choice, json.RejectUnknownMembers(true)); err != nil {
		return malformedJSON(err)
	}
	if choice.Node == "" {
		return invalidAt("/node", "name the node whose copy is right")
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	status, err := s.cfg.Cluster.Trust(ctx, rq.group, choice.Node)
	if err != nil {
		return problemOf(err)
	}
	return s.answerDocument(rq, fasthttp.StatusOK, status)
}

// health says that the process lives.
func (s *Server) health(rq *request) *Problem {
	return s.answerDocument(rq, fasthttp.StatusOK, map[string]string{"status": "ok"})
}

// ready says whether the node should get traffic, and why not.
func (s *Server) ready(rq *request) *Problem {
	reasons := s.cfg.Cluster.Unready()
	if len(reasons) == 0 {
		return s.answerDocument(rq, fasthttp.StatusOK, map[string]string{"status": "ready"})
	}
	code := reasons[0].Code
	for _, r := range reasons {
		if r.Code == "draining" || r.Code == "starting" && code != "draining" {
			code = r.Code
		}
	}
	if (&Problem{Code: code}).rule().status != fasthttp.StatusServiceUnavailable {
		code = "starting" // a reason of the node's own, which has no status
	}
	return &Problem{Code: code, Detail: reasons[0].Detail, Reasons: reasons}
}

// answerDocument answers with a document that is not on the path of data.
func (s *Server) answerDocument(rq *request, status int, doc any) *Problem {
	body, err := stdjson.Marshal(doc)
	if err != nil {
		return &Problem{Code: "internal", Detail: err.Error()}
	}
	rq.ctx.SetStatusCode(status)
	rq.ctx.SetContentTypeBytes(typeJSON)
	rq.ctx.SetBody(append(body, '\n'))
	return nil
}
