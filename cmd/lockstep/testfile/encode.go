package testfile

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// blankMark stands for a blank line while the YAML library, which knows comments
// but no blank lines, has the file.
const blankMark = "#~blank~"

// Parse reads a file's nodes. Blank lines are in them as comments, unless one of
// them turns out to be part of a value; lines keep their numbers.
func Parse(src []byte) (*yaml.Node, error) {
	plain := &yaml.Node{}
	if err := yaml.Unmarshal(src, plain); err != nil || plain.Kind != yaml.DocumentNode {
		return plain, err
	}
	marked := &yaml.Node{}
	if yaml.Unmarshal(markBlanks(src), marked) != nil || marked.Kind != yaml.DocumentNode {
		return plain, nil
	}
	a, errA := (&jsonWriter{left: maxNodes}).append(nil, plain.Content[0], 0)
	b, errB := (&jsonWriter{left: maxNodes}).append(nil, marked.Content[0], 0)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		return plain, nil
	}
	return marked, nil
}

func markBlanks(src []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(src) {
		if len(bytes.TrimSpace(line)) == 0 {
			out.WriteString(blankMark + "\n")
			continue
		}
		out.Write(line)
	}
	return out.Bytes()
}

// liftComments moves the comments after what is written in braces or brackets to
// where the library can write them: it would put a comma before them. What has no
// place inside the node is returned.
func liftComments(n *yaml.Node) (after string) {
	switch {
	case n.Style&yaml.FlowStyle != 0:
		return takeComments(n)
	case n.Kind == yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			key := n.Content[i-1]
			key.FootComment = joinComments(liftComments(n.Content[i]), key.FootComment)
		}
	default:
		for i, c := range n.Content {
			text := liftComments(c)
			if i+1 == len(n.Content) {
				return text
			}
			next := n.Content[i+1]
			next.HeadComment = joinComments(text, next.HeadComment)
		}
	}
	return ""
}

// takeComments takes the comments that follow a node and everything inside it.
func takeComments(n *yaml.Node) (text string) {
	for _, c := range n.Content {
		text = joinComments(text, takeComments(c))
	}
	text = joinComments(text, n.FootComment)
	n.FootComment = ""
	return text
}

func joinComments(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "\n" + b
}

// Encode writes a file's nodes.
func Encode(root *yaml.Node) ([]byte, error) {
	root.FootComment = joinComments(liftComments(root), root.FootComment)
	text, err := encodeNode(root)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	blank := true // the line before: none at the top, no two together of the library's own
	for line := range bytes.Lines(text) {
		trimmed := bytes.TrimSpace(line)
		switch {
		case string(trimmed) == blankMark:
			out.WriteByte('\n')
			blank = true
		case len(trimmed) > 0:
			out.Write(line)
			blank = false
		case !blank:
			out.WriteByte('\n')
			blank = true
		}
	}
	return out.Bytes(), nil
}

func encodeNode(n *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
