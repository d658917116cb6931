package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// ParseJSON reads one JSON text; a nil node comes with at least one problem.
func ParseJSON(src []byte, lim Limits) (*Node, []Problem) {
	r := jsonReader{src: src, dec: jsontext.NewDecoder(bytes.NewBuffer(src)), lim: lim, left: lim.Nodes, line: 1}
	n, problem := r.document()
	if problem != nil {
		return nil, []Problem{*problem}
	}
	return n, nil
}

// jsonReader reads one JSON text. Lines are counted as reading goes on.
type jsonReader struct {
	src  []byte
	dec  *jsontext.Decoder
	lim  Limits
	left int // nodes that may still come

	line    int // line of offset counted
	counted int // how far lines have been counted
	start   int // offset at which that line begins
}

func (r *jsonReader) document() (*Node, *Problem) {
	if len(r.src) > r.lim.Bytes {
		return nil, &Problem{Detail: fmt.Sprintf("the document has %d bytes; at most %d are taken", len(r.src), r.lim.Bytes)}
	}
	n, problem := r.value(nil, 0)
	if problem != nil {
		return nil, problem
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("something follows after the end of the document")
		}
		return nil, r.syntax(nil, err)
	}
	return n, nil
}

// place counts lines up to the token that was read last.
func (r *jsonReader) place(offset int) (line, column int) {
	offset = max(min(offset, len(r.src)), r.counted)
	for i := r.counted; i < offset; i++ {
		if r.src[i] == '\n' {
			r.line++
			r.start = i + 1
		}
	}
	r.counted = offset
	return r.line, utf8.RuneCount(r.src[r.start:offset]) + 1
}

// syntax turns the decoder's error into a problem with its place.
func (r *jsonReader) syntax(at *Path, err error) *Problem {
	p := &Problem{Pointer: at.String(), JSONPointer: at.Pointer(), Detail: "not JSON: " + Reason(err)}
	offset := int(r.dec.InputOffset())
	if se := (*jsontext.SyntacticError)(nil); errors.As(err, &se) {
		offset = int(se.ByteOffset)
		if se.JSONPointer != "" {
			p.JSONPointer = string(se.JSONPointer)
		}
	}
	p.Line, p.Column = r.place(offset)
	return p
}

// Reason is the plain text of a JSON decoder's error: what is wrong, without
// the library's name and without the place, which is told apart.
func Reason(err error) string {
	var se *jsontext.SyntacticError
	if errors.As(err, &se) && se.Err != nil {
		err = se.Err
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the text ends too early"
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a name stands twice in one object"
	}
	return strings.TrimPrefix(err.Error(), "jsontext: ")
}

func (r *jsonReader) fail(at *Path, line, column int, format string, args ...any) *Problem {
	return &Problem{Pointer: at.String(), JSONPointer: at.Pointer(), Line: line, Column: column, Detail: fmt.Sprintf(format, args...)}
}

func (r *jsonReader) value(at *Path, depth int) (*Node, *Problem) {
	kind := r.dec.PeekKind()
	tok, err := r.dec.ReadToken()
	if err != nil {
		return nil, r.syntax(at, err)
	}
	n := &Node{}
	// The decoder stands after the token; scalars are short enough for the
	// line, and for the column of a string its closing quote is as good.
	n.Line, n.Column = r.place(int(r.dec.InputOffset()) - 1)
	r.left--
	if r.left < 0 {
		return nil, r.fail(at, n.Line, n.Column, "the document has more than %d values", r.lim.Nodes)
	}
	switch kind {
	case 'n':
		n.Kind = Null
	case 't', 'f':
		n.Kind, n.Bool = Bool, kind == 't'
	case '"':
		n.Kind, n.Text = String, tok.String()
	case '0':
		if n.Kind, n.Text, err = number(tok.String()); err != nil {
			return nil, r.fail(at, n.Line, n.Column, "%v", err)
		}
	default:
		if depth >= r.lim.Depth {
			return nil, r.fail(at, n.Line, n.Column, "nested deeper than %d levels", r.lim.Depth)
		}
		if kind == '[' {
			return n, r.list(n, at, depth)
		}
		return n, r.object(n, at, depth)
	}
	return n, nil
}

func (r *jsonReader) list(n *Node, at *Path, depth int) *Problem {
	n.Kind = List
	for i := 0; r.dec.PeekKind() != ']'; i++ {
		item, problem := r.value(at.Index(i), depth+1)
		if problem != nil {
			return problem
		}
		n.Items = append(n.Items, item)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(at, err)
	}
	return nil
}

func (r *jsonReader) object(n *Node, at *Path, depth int) *Problem {
	n.Kind = Map
	for r.dec.PeekKind() != '}' {
		tok, err := r.dec.ReadToken()
		if err != nil {
			return r.syntax(at, err)
		}
		key := tok.String()
		line, _ := r.place(int(r.dec.InputOffset()) - 1)
		item, problem := r.value(at.Key(key), depth+1)
		if problem != nil {
			return problem
		}
		n.Keys, n.KeyLine, n.Items = append(n.Keys, key), append(n.KeyLine, line), append(n.Items, item)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return r.syntax(at, err)
	}
	return nil
}

// number classes a JSON number and brings it to the form that trees hold.
func number(text string) (Kind, string, error) {
	if !strings.ContainsAny(text, ".eE") {
		return Int, plainInt(text), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Float, "", fmt.Errorf("the number %s does not fit a double", text)
	}
	return Float, FormatFloat(f), nil
}

// AppendCanonical appends the tree as JSON without blanks and with keys in
// byte order: the same bytes for every way of writing the same document.
func (n *Node) AppendCanonical(dst []byte) []byte {
	switch n.Kind {
	case Null:
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, n.Bool)
	case Int, Float:
		return append(dst, n.Text...)
	case String:
		return appendQuoted(dst, n.Text)
	case List:
		dst = append(dst, '[')
		for i, item := range n.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = item.AppendCanonical(dst)
		}
		return append(dst, ']')
	default:
		return n.appendObject(dst)
	}
}

func (n *Node) appendObject(dst []byte) []byte {
	order := make([]int, len(n.Keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(n.Keys[a], n.Keys[b]) })
	dst = append(dst, '{')
	for i, at := range order {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, n.Keys[at]), ':')
		dst = n.Items[at].AppendCanonical(dst)
	}
	return append(dst, '}')
}

// appendQuoted appends text as a JSON string. Trees hold valid UTF-8 only, for
// which the encoder knows no error.
func appendQuoted(dst []byte, text string) []byte {
	out, err := jsontext.AppendQuote(dst, text)
	if err != nil {
		return append(dst, `""`...)
	}
	return out
}
