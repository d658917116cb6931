package testfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is a mistake in a file.
type Problem struct {
	File   string
	Line   int // 0: none in particular
	Detail string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Detail
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Detail)
}

// BadFile is an error that names the mistakes of a file.
type BadFile struct{ Problems []Problem }

func (e *BadFile) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// Reader notes the mistakes that it finds in one file.
type Reader struct {
	File     string
	Problems []Problem
}

func (r *Reader) Fail(n *yaml.Node, format string, args ...any) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, Problem{r.File, n.Line, fmt.Sprintf(format, args...)})
	}
}

func (r *Reader) Err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	return &BadFile{r.Problems}
}

// Follow gives what an alias stands for.
func Follow(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// fields are the values of a mapping by name; names that are not among those
// known are mistakes.
func (r *Reader) Fields(n *yaml.Node, what string, known ...string) map[string]*yaml.Node {
	fields := map[string]*yaml.Node{}
	r.Each(n, what, func(key, val *yaml.Node) {
		if !slices.Contains(known, key.Value) {
			r.Fail(key, "%s has no field %q; known are %s", what, key.Value, strings.Join(known, ", "))
			return
		}
		fields[key.Value] = val
	})
	return fields
}

// each visits the entries of a mapping in their order.
func (r *Reader) Each(n *yaml.Node, what string, visit func(key, val *yaml.Node)) {
	m := Follow(n)
	if m.Kind != yaml.MappingNode {
		r.Fail(n, "%s is a mapping of names to values", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			r.Fail(key, "a name of %s must be plain text", what)
		case seen[key.Value]:
			r.Fail(key, "%s has %q twice", what, key.Value)
		default:
			seen[key.Value] = true
			visit(key, m.Content[i+1])
		}
	}
}

// list gives the elements of a list; null stands for an empty one.
func (r *Reader) List(n *yaml.Node, what string) []*yaml.Node {
	m := Follow(n)
	switch {
	case IsNull(m):
		return nil
	case m.Kind != yaml.SequenceNode:
		r.Fail(n, "%s is a list", what)
		return nil
	}
	return m.Content
}

// Text gives the text of a scalar, or a mistake.
func (r *Reader) Text(n *yaml.Node, what string) string {
	m := Follow(n)
	if m.Kind != yaml.ScalarNode || IsNull(m) {
		r.Fail(n, "%s is text", what)
		return ""
	}
	return m.Value
}

// appendJSON appends a value as JSON.
func (r *Reader) AppendJSON(dst []byte, n *yaml.Node) []byte {
	w := jsonWriter{left: maxNodes}
	out, err := w.append(dst, n, 0)
	if err != nil {
		r.Fail(n, "%s", err)
		return append(dst, "null"...)
	}
	return out
}

// JSON is a node as JSON, aliases followed.
func JSON(n *yaml.Node) ([]byte, error) {
	w := jsonWriter{left: maxNodes}
	return w.append(nil, n, 0)
}

// jsonWriter writes YAML as JSON.
type jsonWriter struct{ left int }

var errTooMany = errors.New("this comes to too many values: write less, or fewer aliases")

func (w *jsonWriter) append(dst []byte, n *yaml.Node, depth int) ([]byte, error) {
	if w.left--; w.left < 0 || depth > maxDepth {
		return nil, errTooMany
	}
	switch n = Follow(n); n.Kind {
	case yaml.MappingNode:
		return w.mapping(dst, n, depth)
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, c := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = w.append(dst, c, depth+1); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	}
	return scalarJSON(dst, n)
}

func (w *jsonWriter) mapping(dst []byte, n *yaml.Node, depth int) ([]byte, error) {
	dst = append(dst, '{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		if i > 0 {
			dst = append(dst, ',')
		}
		key := Follow(n.Content[i])
		if key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key must be plain text", key.Line)
		}
		dst = append(QuoteJSON(dst, key.Value), ':')
		var err error
		if dst, err = w.append(dst, n.Content[i+1], depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// scalarJSON writes a scalar by YAML 1.2's core schema: null, true, false,
// numbers, and everything else text, dates included.
func scalarJSON(dst []byte, n *yaml.Node) ([]byte, error) {
	switch n.ShortTag() {
	case "!!null":
		return append(dst, "null"...), nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return nil, err
		}
		return strconv.AppendBool(dst, b), nil
	case "!!int":
		var i int64
		if err := n.Decode(&i); err == nil {
			return strconv.AppendInt(dst, i, 10), nil
		}
		var u uint64
		if err := n.Decode(&u); err == nil {
			return strconv.AppendUint(dst, u, 10), nil
		}
	case "!!float":
		if json.Valid([]byte(n.Value)) {
			return append(dst, n.Value...), nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, fmt.Errorf("line %d: %s is no number of JSON", n.Line, n.Value)
		}
		return strconv.AppendFloat(dst, f, 'g', -1, 64), nil
	}
	return QuoteJSON(dst, n.Value), nil
}

// QuoteJSON appends text as JSON, as the engine writes it.
func QuoteJSON(dst []byte, s string) []byte {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(s) != nil { // text always can be
		return append(dst, `""`...)
	}
	return append(dst, strings.TrimSuffix(b.String(), "\n")...)
}
