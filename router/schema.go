package router

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"go.yaml.in/yaml/v3"

	"lockstep/engine/program"
	"lockstep/engine/schema"
)

// getSchema answers with the schema, as JSON or as YAML, and unless types=false
// with what compiling it found out. The answer can be put back either way.
func (s *Server) getSchema(rq *request, f *front, v View) (*Problem, bool) {
	types := true
	if rq.ctx.QueryArgs().Has("types") {
		var p *Problem
		if types, p = flag(rq, "types"); p != nil {
			return p, false
		}
	}
	catalog := f.catalog()
	if catalog.Version() == 0 {
		return &Problem{Code: "not_found", Detail: "the group has no schema yet", Revision: v.Revision()}, false
	}
	s.stamp(rq, max(v.Revision(), catalog.Version()))
	h := &rq.ctx.Response.Header
	h.Set(fasthttp.HeaderETag, etag(catalog.Version()))
	h.Set(fasthttp.HeaderVary, fasthttp.HeaderAccept)
	doc := catalog.Document()
	if types {
		doc = withDerived(doc, catalog)
	}
	if !wantsYAML(&rq.ctx.Request.Header) {
		rq.ctx.SetContentTypeBytes(typeJSON)
		rq.ctx.SetBody(doc)
		return nil, false
	}
	text, err := toYAML(doc)
	if err != nil {
		return &Problem{Code: "internal", Detail: err.Error()}, false
	}
	rq.ctx.SetContentTypeBytes(typeYAML)
	rq.ctx.SetBody(text)
	return nil, false
}

// withDerived puts what was found out before the document's own members.
func withDerived(doc []byte, catalog Catalog) []byte {
	out := append([]byte(`{"`+schema.Derived+`":`), catalog.AppendDerived(nil)...)
	if rest := doc[1:]; len(rest) > 1 {
		out = append(append(out, ','), rest...)
		return out
	}
	return append(out, '}') // the document is empty
}

// flag is a query parameter that is true or false, false where it is absent.
func flag(rq *request, name string) (bool, *Problem) {
	text := rq.ctx.QueryArgs().Peek(name)
	if text == nil {
		return false, nil
	}
	on, err := strconv.ParseBool(string(text))
	if err != nil {
		return false, &Problem{Code: "malformed", Detail: name + ": write true or false"}
	}
	return on, nil
}

// putSchema replaces the schema, or only checks it.
func (s *Server) putSchema(rq *request, f *front) *Problem {
	change := SchemaPut{Document: bytes.Clone(rq.body.b)}
	dry, p := flag(rq, "dry_run")
	if p != nil {
		return p
	}
	change.DryRun = dry
	if p := language(rq, &change); p != nil {
		return p
	}
	if p := s.ifMatch(rq, f, &change); p != nil {
		return p
	}
	ctx, cancel := context.WithDeadline(s.ctx, rq.deadline)
	defer cancel()
	go s.cutShort(ctx, cancel)
	result, err := f.PutSchema(ctx, change)
	if err != nil {
		return problemOf(err)
	}
	rq.ctx.Response.Header.Set(fasthttp.HeaderETag, etag(result.Version))
	if !change.DryRun {
		s.stamp(rq, max(result.Version, revisionOf(f)))
	}
	out := s.takeBuffer()
	out.b = fmt.Appendf(out.b, `{"group":%q,"version":%d,"created":%t,"changed":%t,"dry_run":%t`,
		f.name, result.Version, result.Created, result.Changed, change.DryRun)
	if !result.Plan.empty() {
		out.b = appendMember(out.b, `,"plan":`, result.Plan)
	}
	out.b = append(out.b, '}')
	s.answerJSON(rq, out)
	if result.Created && !change.DryRun {
		rq.ctx.SetStatusCode(fasthttp.StatusCreated)
	}
	return nil
}

// cutShort ends what waits for a schema change when the server stops: the change
// goes on without this node.
func (s *Server) cutShort(ctx context.Context, cancel context.CancelFunc) {
	select {
	case <-s.stopping:
	case <-ctx.Done():
		return
	}
	grace := time.NewTimer(schemaGrace)
	defer grace.Stop()
	select {
	case <-grace.C:
		cancel()
	case <-ctx.Done():
	}
}

// language takes the version of the language that the group is to go on in.
func language(rq *request, change *SchemaPut) *Problem {
	text := rq.ctx.QueryArgs().Peek("language")
	if text == nil {
		return nil
	}
	n, err := strconv.ParseUint(string(text), 10, 32)
	switch {
	case err != nil || n == 0:
		return &Problem{Code: "malformed", Detail: "language: write the number of a version of the language"}
	case change.DryRun:
		return &Problem{Code: "malformed", Detail: "language: a dry run tries the document in the group's present language; leave one of the two out"}
	}
	change.Language = uint32(n)
	return nil
}

func revisionOf(f *front) uint64 {
	_, revision := f.Applied()
	return revision
}

// ifMatch takes the version that the client read from If-Match.
func (s *Server) ifMatch(rq *request, f *front, change *SchemaPut) *Problem {
	text := strings.TrimSpace(string(rq.ctx.Request.Header.Peek(fasthttp.HeaderIfMatch)))
	if text == "" {
		return nil
	}
	if text == "*" { // any, but there must be one
		if p := s.linearize(f, rq.deadline, rq.deadline); p != nil {
			return p
		}
		if f.catalog().Version() == 0 {
			return &Problem{Code: "changed", Detail: "the group has no schema, and If-Match wants one"}
		}
		return nil
	}
	version, err := strconv.ParseUint(strings.Trim(text, `"`), 10, 64)
	if err != nil || version == 0 {
		return &Problem{Code: "changed", Detail: "If-Match is no ETag of a schema; take it from GET, such as \"12\""}
	}
	change.IfMatch = version
	return nil
}

func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// wantsYAML tells whether the client asks for YAML before JSON.
func wantsYAML(h *fasthttp.RequestHeader) bool {
	for part := range strings.SplitSeq(string(h.Peek(fasthttp.HeaderAccept)), ",") {
		kind, _, _ := strings.Cut(part, ";")
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml":
			return true
		case "application/json":
			return false
		}
	}
	return false
}

// toYAML writes a JSON document as YAML. JSON is YAML; only the style changes.
func toYAML(doc []byte) ([]byte, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(doc, &node); err != nil {
		return nil, fmt.Errorf("read the schema to write it as YAML: %w", err)
	}
	plain(&node)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&node); err != nil {
		return nil, fmt.Errorf("write the schema as YAML: %w", err)
	}
	return out.Bytes(), nil
}

// plain leaves the choice of quotes to the encoder, which quotes what would
// otherwise read as something else.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		plain(child)
	}
}

// catalog is the schema that the copy has reached, or the empty one.
func (f *front) catalog() Catalog {
	if c := f.Catalog(); c != nil {
		return c
	}
	return noSchema{}
}

// noSchema stands for a group before its first schema.
type noSchema struct{}

func (noSchema) Version() uint64  { return 0 }
func (noSchema) Document() []byte { return nil }
func (noSchema) AppendDerived(dst []byte) []byte {
	return append(dst, "{}"...)
}
func (noSchema) ParseTransaction(raw []byte) (program.Typed, *program.Refusal) {
	return program.ParseTransaction(raw, nil)
}
