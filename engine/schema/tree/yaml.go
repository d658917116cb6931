package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Limits bound the reading of one document.
type Limits struct {
	Bytes int // length of the document
	Depth int // containers inside containers
	Nodes int // values, containers included
}

// Parse reads a document in YAML or JSON; a nil node comes with at least one
// problem. Line numbers are those of src.
func Parse(src []byte, lim Limits) (*Node, []Problem) {
	var ps Problems
	switch {
	case len(src) > lim.Bytes:
		ps.Add(Problem{Detail: fmt.Sprintf("the document has %d bytes; at most %d are taken", len(src), lim.Bytes)})
		return nil, ps.List()
	case !utf8.Valid(src):
		ps.Add(Problem{Detail: "the document is not UTF-8 text"})
		return nil, ps.List()
	}
	if looksLikeJSON(src) {
		return ParseJSON(src, lim)
	}
	doc, problem := decodeYAML(src)
	if problem != nil {
		ps.Add(*problem)
		return nil, ps.List()
	}
	r := yamlReader{ps: &ps, lim: lim, left: lim.Nodes}
	n := r.node(doc, nil, 0)
	if !ps.None() {
		return nil, ps.List()
	}
	return n, nil
}

// looksLikeJSON tells a JSON object from a YAML document: YAML's flow style
// also begins with a brace, but seldom goes on with a quoted key.
func looksLikeJSON(src []byte) bool {
	const blank = " \t\r\n"
	rest := bytes.TrimLeft(src, blank)
	if len(rest) == 0 || rest[0] != '{' {
		return false
	}
	rest = bytes.TrimLeft(rest[1:], blank)
	return len(rest) > 0 && (rest[0] == '"' || rest[0] == '}')
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// decodeYAML reads the one document of src into yaml's own nodes, in which
// aliases are not followed.
func decodeYAML(src []byte) (*yaml.Node, *Problem) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, &Problem{Detail: "the document is empty"}
	}
	if err == nil {
		if err = dec.Decode(&more); err == nil {
			return nil, &Problem{Line: more.Line, Detail: "a second document begins here; one is wanted"}
		}
		if errors.Is(err, io.EOF) {
			return doc.Content[0], nil
		}
	}
	text := err.Error()
	p := &Problem{Detail: "not YAML: " + yamlLine.ReplaceAllString(text, "")}
	if m := yamlLine.FindStringSubmatch(text); m != nil && m[1] != "" {
		p.Line, _ = strconv.Atoi(m[1])
	}
	return nil, p
}

type yamlReader struct {
	ps   *Problems
	lim  Limits
	left int // nodes that may still come
}

func (r *yamlReader) fail(y *yaml.Node, at *Path, format string, args ...any) *Node {
	r.ps.Add(Problem{Pointer: at.String(), JSONPointer: at.Pointer(), Line: y.Line, Column: y.Column, Detail: fmt.Sprintf(format, args...)})
	return nil
}

// node turns one of yaml's nodes into ours; nil where a problem was noted.
func (r *yamlReader) node(y *yaml.Node, at *Path, depth int) *Node {
	r.left--
	switch {
	case r.left == -1:
		return r.fail(y, at, "the document has more than %d values", r.lim.Nodes)
	case r.left < 0:
		return nil
	case depth > r.lim.Depth:
		return r.fail(y, at, "nested deeper than %d levels", r.lim.Depth)
	case y.Kind == yaml.AliasNode:
		return r.fail(y, at, "aliases (*%s) are not taken; write the value out", y.Value)
	case y.Anchor != "":
		return r.fail(y, at, "anchors (&%s) are not taken", y.Anchor)
	case y.Style&yaml.TaggedStyle != 0:
		return r.fail(y, at, "tags (%s) are not taken", y.Tag)
	}
	n := &Node{Line: y.Line, Column: y.Column}
	switch y.Kind {
	case yaml.MappingNode:
		r.mapping(n, y, at, depth)
	case yaml.SequenceNode:
		n.Kind = List
		for i, item := range y.Content {
			n.Items = append(n.Items, r.node(item, at.Index(i), depth+1))
		}
	case yaml.ScalarNode:
		if problem := scalar(n, y); problem != "" {
			return r.fail(y, at, "%s", problem)
		}
	default:
		return r.fail(y, at, "this kind of YAML node is not taken")
	}
	return n
}

func (r *yamlReader) mapping(n *Node, y *yaml.Node, at *Path, depth int) {
	n.Kind = Map
	first := make(map[string]int, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Anchor != "" || k.Style&yaml.TaggedStyle != 0 {
			r.fail(k, at, "a key must be plain text")
			continue
		}
		if line, again := first[k.Value]; again {
			r.fail(k, at.Key(k.Value), "the key %q stands here a second time; the first is on line %d", k.Value, line)
			continue
		}
		first[k.Value] = k.Line
		n.Keys = append(n.Keys, k.Value)
		n.KeyLine = append(n.KeyLine, k.Line)
		n.Items = append(n.Items, r.node(v, at.Key(k.Value), depth+1))
	}
}

// The plain scalars of YAML 1.2's core schema.
var (
	coreInt   = regexp.MustCompile(`^[-+]?[0-9]+$`)
	coreOctal = regexp.MustCompile(`^0o[0-7]+$`)
	coreHex   = regexp.MustCompile(`^0x[0-9a-fA-F]+$`)
	coreFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	coreOther = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// scalar resolves a scalar by YAML 1.2's core schema; quoted ones are text.
func scalar(n *Node, y *yaml.Node) (problem string) {
	text := y.Value
	n.Kind, n.Text = String, text
	if y.Style != 0 {
		return ""
	}
	switch {
	case text == "" || text == "~" || text == "null" || text == "Null" || text == "NULL":
		n.Kind, n.Text = Null, ""
	case text == "true" || text == "True" || text == "TRUE":
		n.Kind, n.Bool, n.Text = Bool, true, ""
	case text == "false" || text == "False" || text == "FALSE":
		n.Kind, n.Text = Bool, ""
	case coreInt.MatchString(text):
		n.Kind, n.Text = Int, plainInt(text)
	case coreOctal.MatchString(text), coreHex.MatchString(text):
		u, err := strconv.ParseUint(text, 0, 64)
		if err != nil {
			return fmt.Sprintf("the number %s does not fit 64 bits", text)
		}
		n.Kind, n.Text = Int, strconv.FormatUint(u, 10)
	case coreFloat.MatchString(text):
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Sprintf("the number %s does not fit a double", text)
		}
		n.Kind, n.Text = Float, FormatFloat(f)
	case coreOther.MatchString(text):
		return "a number must be finite"
	}
	return ""
}

// plainInt drops the plus and the leading zeros that YAML allows and JSON does not.
func plainInt(text string) string {
	sign := ""
	if text[0] == '-' {
		sign = "-"
	}
	digits := strings.TrimLeft(strings.TrimLeft(text, "+-"), "0")
	if digits == "" {
		return "0"
	}
	return sign + digits
}

// FormatFloat writes a finite double as the shortest JSON number that reads
// back as the same, always with a point or an exponent, so that it stays
// distinct from an integer. -0 is written 0.0.
func FormatFloat(f float64) string {
	if f == 0 {
		return "0.0"
	}
	format := byte('f')
	if abs := math.Abs(f); abs < 1e-6 || abs >= 1e21 {
		format = 'e'
	}
	text := strconv.FormatFloat(f, format, -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}
