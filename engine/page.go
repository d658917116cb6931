package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"

	"lockstep/engine/keys"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// Page is a part of a table, in the order of its key or of an index.
type Page struct {
	Rows []value.Value
	Next string // where the next page goes on; empty at the end
}

// PageOptions say which rows a page has.
type PageOptions struct {
	Index  string   // empty: the key
	Prefix []string // leading columns, as text
	Limit  int      // rows, 1 to MaxPageRows
	After  string   // a former page's Next; empty: from the beginning
}

func badLimit(most int) *InputError {
	return &InputError{"limit", "it is a number from 1 to " + strconv.Itoa(most)}
}

// Page reads rows whose key, or whose columns of an index and then the key, begin
// with a prefix, after a former page's Next.
func (v *View) Page(table string, o PageOptions) (Page, error) {
	t, err := v.table(table)
	if err != nil {
		return Page{}, err
	}
	at := place{table: t}
	if o.Index != "" {
		if at.index = t.Index(o.Index); at.index == nil {
			return Page{}, &InputError{"index", "the table " + t.Name + " has no index " + strconv.Quote(clip(o.Index))}
		}
	}
	if o.Limit < 1 || o.Limit > MaxPageRows {
		return Page{}, badLimit(MaxPageRows)
	}
	span := program.Span{Index: at.index}
	if span.Prefix, err = at.parse("prefix", o.Prefix); err != nil {
		return Page{}, err
	}
	var after []value.Value
	if o.After != "" {
		var ok bool
		if _, after, ok = at.read(at.prefixed(span.Prefix), o.After); !ok {
			return Page{}, &InputError{"after", "it is no `next` of a page with this prefix and index"}
		}
		span.From = after[len(span.Prefix):]
	}
	return v.gather(at, &span, o.Limit, after)
}

// gather reads a page's rows.
func (v *View) gather(at place, span *program.Span, limit int, after []value.Value) (p Page, err error) {
	size, more := 0, false
	var last value.Value
	err = v.Scan(at.table, span, func(row value.Value) bool {
		if after != nil {
			first := bytes.Equal(keys.AppendTuple(nil, at.of(row)), keys.AppendTuple(nil, after))
			if after = nil; first {
				return true
			}
		}
		if more = len(p.Rows) == limit || size > MaxPageBytes; more {
			return false
		}
		weight := row.Size()
		size += weight.Bytes + 8*weight.Nodes
		p.Rows, last = append(p.Rows, row), row
		return true
	})
	if err != nil {
		return Page{}, err
	}
	if more {
		p.Next = at.token(at.prefixed(span.Prefix), len(p.Rows), at.of(last))
	}
	return p, nil
}

// place is an order of rows in which pages follow each other: that of a table's
// key, or of an index and then the key.
type place struct {
	table *schema.Table
	index *schema.Index // nil: the key
}

// columns of the order.
func (p place) columns() []int {
	if p.index == nil {
		return p.table.Key
	}
	return append(append([]int(nil), p.index.Columns...), p.table.Key...)
}

// kinds of the columns.
func (p place) kinds() []value.Kind {
	if p.index == nil {
		return p.table.KeyKinds()
	}
	return append(append([]value.Kind(nil), p.index.Kinds(p.table)...), p.table.KeyKinds()...)
}

// of is where a row stands.
func (p place) of(row value.Value) []value.Value {
	var at []value.Value
	for _, c := range p.columns() {
		at = append(at, row.Field(c))
	}
	return at
}

// parse reads the leading columns of the order from text.
func (p place) parse(field string, texts []string) ([]value.Value, error) {
	if p.index == nil {
		return parseTuple(p.table, field, texts)
	}
	return parseColumns(p.table, "the index "+p.index.Name+" and the key after it have", p.columns(), p.kinds(), field, texts)
}

// prefixed tells pages with one prefix from those with another.
func (p place) prefixed(prefix []value.Value) []byte {
	return keys.AppendTuple([]byte("rows"), prefix)
}

// Sizes of the parts of a token.
const (
	tokenVersion = 1
	tokenSum     = 8 // bytes of the checksum
)

// token names a place for whoever asks for the next page; of is what the pages are
// of, so that a token of something else is found out, as is one that was altered.
// It is opaque to clients: base64url of
//
//	version:1 given tuple sum:8
//
// where given, a varint, is how many rows the pages before had, tuple the place as
// package keys writes it, and sum a part of SHA-256 over these, of, and the ids of
// table and index.
func (p place) token(of []byte, given int, at []value.Value) string {
	raw := keys.AppendTuple(binary.AppendUvarint([]byte{tokenVersion}, uint64(given)), at)
	return base64.RawURLEncoding.EncodeToString(append(raw, p.sum(of, raw)...))
}

func (p place) sum(of, raw []byte) []byte {
	h := sha256.New()
	ids := binary.AppendUvarint(nil, uint64(p.table.ID))
	if p.index != nil {
		ids = binary.AppendUvarint(ids, uint64(p.index.ID))
	}
	for _, part := range [][]byte{ids, of, raw} {
		h.Write(binary.AppendUvarint(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)[:tokenSum]
}

// read undoes token; ok is false where it is no token of this order and of this.
func (p place) read(of []byte, token string) (given int, at []value.Value, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= tokenSum || raw[0] != tokenVersion {
		return 0, nil, false
	}
	raw, sum := raw[:len(raw)-tokenSum], raw[len(raw)-tokenSum:]
	if !bytes.Equal(sum, p.sum(of, raw)) {
		return 0, nil, false
	}
	n, width := binary.Uvarint(raw[1:])
	if width <= 0 || n > 1<<62 {
		return 0, nil, false
	}
	at, rest, err := keys.Decode(raw[1+width:], p.kinds(), nil)
	return int(n), at, err == nil && len(rest) == 0
}
