package testfile

import (
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Amend makes a value of the file the one that came, and leaves alone what is
// the same, with its comments.
func Amend(n *yaml.Node, got any) {
	m := Follow(n)
	switch got := got.(type) {
	case map[string]any:
		if m.Kind != yaml.MappingNode {
			break
		}
		for i := len(m.Content) - 2; i >= 0; i -= 2 {
			if _, ok := got[m.Content[i].Value]; !ok {
				m.Content = append(m.Content[:i], m.Content[i+2:]...)
			}
		}
		for _, key := range SortedKeys(got) {
			if at := Index(m, key); at >= 0 {
				Amend(m.Content[at+1], got[key])
			} else {
				Set(m, key, ToNode(got[key]))
			}
		}
		return
	case []any:
		if m.Kind != yaml.SequenceNode {
			break
		}
		m.Content = m.Content[:min(len(m.Content), len(got))]
		for i, v := range got {
			if i < len(m.Content) {
				Amend(m.Content[i], v)
			} else {
				m.Content = append(m.Content, ToNode(v))
			}
		}
		return
	default:
		if m.Kind == yaml.ScalarNode && sameScalar(m, got) {
			return
		}
	}
	Replace(n, ToNode(got))
}

// OwnCopy puts copies in the place of aliases, so that changing what a test
// expects changes nothing else in the file.
func OwnCopy(n *yaml.Node) error {
	if _, err := (&jsonWriter{left: maxNodes}).append(nil, n, 0); err != nil {
		return err
	}
	unalias(n)
	return nil
}

func unalias(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		kept := *n
		*n = *copied(Follow(n))
		n.Line, n.Column, n.HeadComment, n.LineComment, n.FootComment = kept.Line, kept.Column, kept.HeadComment, kept.LineComment, kept.FootComment
		return
	}
	for _, c := range n.Content {
		unalias(c)
	}
}

func copied(n *yaml.Node) *yaml.Node {
	c := *Follow(n)
	c.Anchor, c.HeadComment, c.LineComment, c.FootComment = "", "", "", ""
	c.Content = make([]*yaml.Node, len(c.Content))
	for i, e := range Follow(n).Content {
		c.Content[i] = copied(e)
	}
	return &c
}

// Replace puts a value in the place of another, whose comments stay.
func Replace(n, by *yaml.Node) {
	const quotes = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle
	if n.Kind == yaml.ScalarNode && by.Kind == yaml.ScalarNode && by.ShortTag() == "!!str" && n.Style&quotes != 0 {
		n.Tag, n.Value = by.Tag, by.Value // quoted as before
		return
	}
	n.Kind, n.Tag, n.Value, n.Content, n.Style, n.Alias = by.Kind, by.Tag, by.Value, by.Content, by.Style, nil
}

func Index(m *yaml.Node, name string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			return i
		}
	}
	return -1
}

func Set(m *yaml.Node, name string, v *yaml.Node) {
	if at := Index(m, name); at >= 0 {
		Replace(m.Content[at+1], v)
		return
	}
	m.Content = append(m.Content, Text(name), v)
}

func Prepend(m *yaml.Node, name string, v *yaml.Node) {
	m.Content = append([]*yaml.Node{Text(name), v}, m.Content...)
}

func Drop(m *yaml.Node, name string) {
	if at := Index(m, name); at >= 0 {
		m.Content = append(m.Content[:at], m.Content[at+2:]...)
	}
}

func Text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func JSONValue(raw json.RawMessage) any {
	var v any
	if raw == nil || Decode(raw, &v) != nil {
		return nil
	}
	return v
}

// ToNode writes a value of JSON as YAML, in one line.
func ToNode(v any) *yaml.Node {
	switch v := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
		for _, key := range SortedKeys(v) {
			Set(n, key, ToNode(v[key]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
		for _, e := range v {
			n.Content = append(n.Content, ToNode(e))
		}
		return n
	case string:
		n := Text(v)
		n.Style &^= yaml.LiteralStyle
		return n
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
}
