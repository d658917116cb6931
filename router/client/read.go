package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ReadOptions choose how fresh a read is (interface.md: consistency). The zero
// value is linearizable.
type ReadOptions struct {
	Consistency string        // linearizable, session, bounded or local; empty is linearizable
	MinRevision uint64        // session: the copy has at least this; 0 where nothing was seen yet
	MaxLag      time.Duration // bounded: whole milliseconds
}

func (o ReadOptions) values() url.Values {
	v := url.Values{}
	if o.Consistency != "" {
		v.Set("consistency", o.Consistency)
	}
	if o.MinRevision > 0 || o.Consistency == "session" { // 0: nothing was seen yet
		v.Set("min_revision", strconv.FormatUint(o.MinRevision, 10))
	}
	if o.MaxLag > 0 {
		v.Set("max_lag_ms", strconv.FormatInt(o.MaxLag.Milliseconds(), 10))
	}
	return v
}

// Query runs read-only steps at one consistent revision.
func (c *Client) Query(ctx context.Context, group string, doc []byte, o ReadOptions) (*Result, error) {
	return c.QueryWith(ctx, group, doc, QueryOptions{ReadOptions: o})
}

// QueryOptions say how a query is answered.
type QueryOptions struct {
	ReadOptions
	Limit   int    // above 0: a page of at most so many rows of the query's scan
	After   string // Result.Next of the page before, for the same document
	Explain bool   // tell how it went
}

// QueryWith is Query with more to say. A page is read at a revision of its own: with
// the consistency session and MinRevision the revision of the page before, it is
// never behind that one.
func (c *Client) QueryWith(ctx context.Context, group string, doc []byte, o QueryOptions) (*Result, error) {
	q := o.values()
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.After != "" {
		q.Set("after", o.After)
	}
	if o.Explain {
		q.Set("explain", "true")
	}
	a, err := c.do(ctx, &call{
		method: http.MethodPost, path: groupPath(group, "query"),
		query: q, body: doc, contentType: typeJSON,
	})
	if err != nil {
		return nil, err
	}
	r := &Result{Raw: a.body}
	return r, a.decode(r)
}

// Row gives one row as its JSON object, and the revision that the answer
// reflects. Key columns are text as it is, numbers decimal, bytes base64url.
func (c *Client) Row(ctx context.Context, group, table string, key []string, o ReadOptions) ([]byte, uint64, error) {
	q := o.values()
	q["key"] = key
	a, err := c.do(ctx, &call{method: http.MethodGet, path: groupPath(group, "tables", table, "rows"), query: q})
	if err != nil {
		return nil, 0, err
	}
	return a.body, revision(a.header), nil
}

// PageOptions say which rows of a table are wanted.
type PageOptions struct {
	ReadOptions
	Index  string   // the order; empty is the key's
	Prefix []string // leading columns of it
	Limit  int      // rows; 0 leaves it to the server
	After  string   // Page.Next of the page before
}

// Rows gives a page of a table's rows.
func (c *Client) Rows(ctx context.Context, group, table string, o PageOptions) (*Page, error) {
	q := o.values()
	if len(o.Prefix) > 0 {
		q["prefix"] = o.Prefix
	}
	if o.Index != "" {
		q.Set("index", o.Index)
	}
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.After != "" {
		q.Set("after", o.After)
	}
	a, err := c.do(ctx, &call{method: http.MethodGet, path: groupPath(group, "tables", table, "rows"), query: q})
	if err != nil {
		return nil, err
	}
	p := &Page{Raw: a.body}
	return p, a.decode(p)
}
