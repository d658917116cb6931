package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

const (
	typeJSON   = "application/json"
	typeYAML   = "application/yaml"
	typeNDJSON = "application/x-ndjson"
)

// groupPath gives /v1/groups/{group}/… with each element escaped.
func groupPath(group string, rest ...string) string {
	path := "/v1/groups/" + url.PathEscape(group)
	for _, r := range rest {
		path += "/" + url.PathEscape(r)
	}
	return path
}

// Transact orders one transaction, a JSON document, and waits for its outcome.
// The document's own "id" is its id, else id, else one made here; it is sent
// under that one however often it has to be sent. An abort is a *Problem with
// status 409 whose outcome is recorded. An error that says Unknown can be
// settled by calling again with the same document and the id that it names.
func (c *Client) Transact(ctx context.Context, group string, doc []byte, id string) (*Outcome, error) {
	own := documentID(doc)
	r := &call{
		method: http.MethodPost, path: groupPath(group, "transactions"),
		body: doc, contentType: typeJSON, header: http.Header{},
		id: own, write: true,
	}
	if own == "" {
		if id == "" {
			id = NewID()
		}
		r.id = id
		r.header.Set("Idempotency-Key", id)
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	return a.outcome()
}

// Outcome asks for a transaction's outcome by its id. While it is being ordered
// its status is "pending". An unknown id is a *Problem with the code
// unknown_transaction and the outcome "unknown": only sending the document again
// under the same id settles it.
func (c *Client) Outcome(ctx context.Context, group, id string) (*Outcome, error) {
	a, err := c.do(ctx, &call{method: http.MethodGet, path: groupPath(group, "transactions", id), id: id})
	if err != nil {
		return nil, err
	}
	return a.outcome()
}

func (a *answer) outcome() (*Outcome, error) {
	o := &Outcome{Raw: a.body}
	if err := a.decode(o); err != nil {
		return nil, err
	}
	return o, nil
}

// documentID gives a document's own id, empty where it has none or is no object.
func documentID(doc []byte) string {
	var members map[string]json.RawMessage
	if json.Unmarshal(doc, &members) != nil {
		return ""
	}
	var id string
	if json.Unmarshal(members["id"], &id) != nil {
		return ""
	}
	return id
}

// lineWithID makes a document one line and gives it the id where it has none of
// its own. What is no JSON object stays as it is: the server refuses it by line,
// under any id and none.
func lineWithID(doc []byte, id string) (line []byte, used string, err error) {
	var b bytes.Buffer
	b.Grow(len(doc) + len(id) + 10)
	if json.Compact(&b, doc) != nil {
		if bytes.ContainsAny(bytes.TrimSpace(doc), "\r\n") {
			return nil, "", fmt.Errorf("client: a line of a stream holds a line break and is no JSON document: %s", excerpt(doc))
		}
		return append(bytes.TrimSpace(doc), '\n'), "", nil
	}
	line = b.Bytes()
	if line[0] != '{' {
		return append(line, '\n'), "", nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		return nil, "", fmt.Errorf("client: reading a line of a stream: %w", err)
	}
	if raw, ok := members["id"]; ok {
		json.Unmarshal(raw, &used) // an id that is no text is refused by the server
		return append(line, '\n'), used, nil
	}
	quoted, err := json.Marshal(id)
	if err != nil {
		return nil, "", fmt.Errorf("client: writing an id: %w", err)
	}
	out := append(make([]byte, 0, len(line)+len(quoted)+8), `{"id":`...)
	out = append(out, quoted...)
	if len(members) > 0 {
		out = append(out, ',')
	}
	return append(append(out, line[1:]...), '\n'), id, nil
}
