package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Schema gives a group's schema document.
func (c *Client) Schema(ctx context.Context, group string) (*Schema, error) {
	return c.schema(ctx, group, url.Values{"types": {"false"}})
}

// TypedSchema gives a group's schema document with one member more, "derived":
// the types of its procedures and the language version. PutSchema takes it too,
// and passes over that member.
func (c *Client) TypedSchema(ctx context.Context, group string) (*Schema, error) {
	return c.schema(ctx, group, nil)
}

func (c *Client) schema(ctx context.Context, group string, query url.Values) (*Schema, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: groupPath(group, "schema"), query: query})
	if err != nil {
		return nil, err
	}
	return &Schema{Document: a.body, ContentType: a.header.Get("Content-Type"), ETag: a.header.Get("ETag")}, nil
}

// SchemaOptions of a PutSchema.
type SchemaOptions struct {
	DryRun  bool   // check, and change nothing
	IfMatch string // ETag that the present schema must have; empty: any
	// Language is the version of the language that the group goes on in, which
	// every copy's program must know; 0: as it is.
	Language uint32
}

// PutSchema replaces a group's schema by a YAML or JSON document, and gives the
// server's answer. Putting the schema that is in force changes nothing.
func (c *Client) PutSchema(ctx context.Context, group string, doc []byte, o SchemaOptions) (json.RawMessage, error) {
	r := &call{
		method: http.MethodPut, path: groupPath(group, "schema"),
		query: url.Values{}, header: http.Header{},
		body: doc, contentType: documentType(doc), write: !o.DryRun, long: true,
	}
	if o.DryRun {
		r.query.Set("dry_run", "true")
	}
	if o.Language != 0 {
		r.query.Set("language", strconv.FormatUint(uint64(o.Language), 10))
	}
	if o.IfMatch != "" {
		r.header.Set("If-Match", o.IfMatch)
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// documentType tells JSON from YAML by its first character: a schema's document
// is a mapping.
func documentType(doc []byte) string {
	if bytes.HasPrefix(bytes.TrimLeft(doc, " \t\r\n"), []byte("{")) {
		return typeJSON
	}
	return typeYAML
}

// Status gives the cluster at a glance, as one node sees it.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: "/v1/status"})
	if err != nil {
		return nil, err
	}
	s := &Status{Raw: a.body}
	return s, a.decode(s)
}

// Groups lists the groups; the document is the server's.
func (c *Client) Groups(ctx context.Context) (json.RawMessage, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: "/v1/groups"})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// Group gives one group's document.
func (c *Client) Group(ctx context.Context, name string) (json.RawMessage, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: groupPath(name)})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// CreateGroup makes a group and answers when its copies are in place. Making
// what already is so answers with it.
func (c *Client) CreateGroup(ctx context.Context, g Group) (json.RawMessage, error) {
	body, err := json.Marshal(g)
	if err != nil {
		return nil, fmt.Errorf("client: writing the group: %w", err)
	}
	a, err := c.do(ctx, &call{
		method: http.MethodPost, path: "/v1/groups",
		body: body, contentType: typeJSON, write: true, long: true,
	})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// Verify compares a group's copies at one revision, waiting up to timeout (0: the
// call's deadline) for all of them to reach it. Copies that differ or can't be
// reached are no error here: see Verification.
func (c *Client) Verify(ctx context.Context, group string, timeout time.Duration) (*Verification, error) {
	q := url.Values{}
	if timeout > 0 {
		q.Set("timeout", seconds(timeout))
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout+verifyGrace)
		defer cancel()
	}
	a, err := c.do(ctx, &call{method: http.MethodPost, path: groupPath(group, "verify"), query: q, long: true})
	if err != nil {
		return nil, err
	}
	v := &Verification{Raw: a.body}
	return v, a.decode(v)
}

// Trust has the copy on a node taken for the right one, where a group's copies
// differ and no majority agrees, and gives the group's document; the other copies
// are then built anew from it.
func (c *Client) Trust(ctx context.Context, group, node string) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]string{"node": node})
	if err != nil {
		return nil, fmt.Errorf("client: writing the choice: %w", err)
	}
	a, err := c.do(ctx, &call{
		method: http.MethodPost, path: groupPath(group, "trust"),
		body: body, contentType: typeJSON, write: true, long: true,
	})
	if err != nil {
		return nil, err
	}
	return a.body, nil
}

// Ready asks one server, and no other, whether it is ready; its *Problem names
// the reasons. It is asked once.
func (c *Client) Ready(ctx context.Context, server string) error {
	base, err := BaseURL(server)
	if err != nil {
		return err
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	_, err = c.attempt(ctx, base, &call{method: http.MethodGet, path: "/readyz"})
	return err
}

// HasCode says whether err is a problem with this code.
func HasCode(err error, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}
