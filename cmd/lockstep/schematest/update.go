package schematest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"lockstep/engine/value"
)

// amend makes an expectation say what came.
func (e *expectation) amend(got came) {
	if e.node == nil || e.empty {
		e.fillIn(got)
		return
	}
	n := follow(e.node)
	success := got.Status == committed || got.Status == answered
	if e.status != got.Status && e.status != "" || success && e.fields["code"] != nil {
		for _, name := range []string{"result", "code", "step", "message", "emitted"} {
			drop(n, name)
		}
		if e.fields["status"] != nil {
			set(n, "status", text(got.Status))
		} else if !success {
			prepend(n, "status", text(got.Status))
		}
		e.outcome(n, got)
		return
	}
	if e.fields["result"] != nil {
		amend(e.fields["result"], jsonValue(got.Result))
	}
	if e.fields["emitted"] != nil {
		amend(e.fields["emitted"], got.messages())
	}
	for _, f := range []struct{ name, got string }{{"code", got.Code}, {"step", got.Step}, {"message", got.Message}} {
		if old := e.fields[f.name]; old != nil && old.Value != f.got {
			replace(old, text(f.got))
		}
	}
}

// fillIn writes a whole expectation where there was none.
func (e *expectation) fillIn(got came) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
	if got.Status == aborted || got.Status == refused {
		set(n, "status", text(got.Status))
	}
	e.outcome(n, got)
	if e.node == nil {
		set(e.action.node, "expect", n)
		return
	}
	replace(follow(e.node), n)
}

func (e *expectation) outcome(n *yaml.Node, got came) {
	if got.Status == aborted || got.Status == refused {
		set(n, "code", text(got.Code))
		if got.Step != "" {
			set(n, "step", text(got.Step))
		}
		return
	}
	set(n, "result", toNode(jsonValue(got.Result)))
	if len(got.Emitted) > 0 {
		set(n, "emitted", toNode(got.messages()))
	}
}

// amend makes the rows of a file those that are there.
func (w *wantedTable) amend(g *rig) error {
	there, err := g.rows(w.table.Name)
	if err != nil {
		return err
	}
	byKey := map[string]value.Value{}
	for _, row := range there {
		byKey[keyText(w.table.KeyOf(nil, row))] = row
	}
	list := w.node
	if list == nil {
		list = w.has
	}
	expected := map[string]bool{}
	var kept []*yaml.Node
	for _, row := range w.rows {
		k := keyText(row.key)
		expected[k] = true
		if got, ok := byKey[k]; ok {
			w.amendRow(row, got)
			kept = append(kept, row.node)
		}
	}
	if w.node != nil {
		for _, row := range there {
			if !expected[keyText(w.table.KeyOf(nil, row))] {
				kept = append(kept, w.newRow(row))
			}
		}
	}
	if list != nil {
		setList(list, kept)
	}
	if w.lacks != nil {
		kept = nil
		for _, row := range w.gone {
			if _, ok := byKey[keyText(row.key)]; !ok {
				kept = append(kept, row.node)
			}
		}
		setList(w.lacks, kept)
	}
	return nil
}

func setList(list *yaml.Node, elements []*yaml.Node) {
	if list.Kind != yaml.SequenceNode {
		replace(list, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"})
	}
	if len(elements) == 0 {
		list.Style = yaml.FlowStyle
	}
	list.Content = elements
}

func (w *wantedTable) amendRow(row wantedRow, got value.Value) {
	for i := 0; i+1 < len(row.node.Content); i += 2 {
		name := row.node.Content[i].Value
		c, ok := w.table.RowType.Shape.Index(name)
		if !ok {
			continue
		}
		is := value.AppendJSON(nil, got.Field(c))
		if !bytes.Equal(is, value.AppendJSON(nil, row.columns[name])) {
			amend(row.node.Content[i+1], jsonValue(is))
		}
	}
}

// newRow writes a row as a file has it, the key's columns first, without what the
// system keeps and without nulls.
func (w *wantedTable) newRow(row value.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
	put := func(i int) {
		if v := row.Field(i); !v.IsNull() {
			set(n, w.table.Columns[i].Name, toNode(jsonValue(value.AppendJSON(nil, v))))
		}
	}
	for _, i := range w.table.Key {
		put(i)
	}
	for i := range w.table.Columns {
		if !w.table.IsKey(i) {
			put(i)
		}
	}
	return n
}

// amend makes a value of the file the one that came, and leaves alone what is
// the same, with its comments.
func amend(n *yaml.Node, got any) {
	m := follow(n)
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
		for _, key := range sortedKeys(got) {
			if at := index(m, key); at >= 0 {
				amend(m.Content[at+1], got[key])
			} else {
				set(m, key, toNode(got[key]))
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
				amend(m.Content[i], v)
			} else {
				m.Content = append(m.Content, toNode(v))
			}
		}
		return
	default:
		if m.Kind == yaml.ScalarNode && sameScalar(m, got) {
			return
		}
	}
	replace(n, toNode(got))
}

// ownCopy puts copies in the place of aliases, so that changing what a test
// expects changes nothing else in the file.
func ownCopy(n *yaml.Node) error {
	if _, err := (&jsonWriter{left: maxNodes}).append(nil, n, 0); err != nil {
		return err
	}
	unalias(n)
	return nil
}

func unalias(n *yaml.Node) {
	if n.Kind == yaml.AliasNode {
		kept := *n
		*n = *copied(follow(n))
		n.Line, n.Column, n.HeadComment, n.LineComment, n.FootComment = kept.Line, kept.Column, kept.HeadComment, kept.LineComment, kept.FootComment
		return
	}
	for _, c := range n.Content {
		unalias(c)
	}
}

func copied(n *yaml.Node) *yaml.Node {
	c := *follow(n)
	c.Anchor, c.HeadComment, c.LineComment, c.FootComment = "", "", "", ""
	c.Content = make([]*yaml.Node, len(c.Content))
	for i, e := range follow(n).Content {
		c.Content[i] = copied(e)
	}
	return &c
}

// replace puts a value in the place of another, whose comments stay.
func replace(n, by *yaml.Node) {
	const quotes = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle
	if n.Kind == yaml.ScalarNode && by.Kind == yaml.ScalarNode && by.ShortTag() == "!!str" && n.Style&quotes != 0 {
		n.Tag, n.Value = by.Tag, by.Value // quoted as before
		return
	}
	n.Kind, n.Tag, n.Value, n.Content, n.Style, n.Alias = by.Kind, by.Tag, by.Value, by.Content, by.Style, nil
}

func index(m *yaml.Node, name string) int {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			return i
		}
	}
	return -1
}

func set(m *yaml.Node, name string, v *yaml.Node) {
	if at := index(m, name); at >= 0 {
		replace(m.Content[at+1], v)
		return
	}
	m.Content = append(m.Content, text(name), v)
}

func prepend(m *yaml.Node, name string, v *yaml.Node) {
	m.Content = append([]*yaml.Node{text(name), v}, m.Content...)
}

func drop(m *yaml.Node, name string) {
	if at := index(m, name); at >= 0 {
		m.Content = append(m.Content[:at], m.Content[at+2:]...)
	}
}

func text(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func jsonValue(raw json.RawMessage) any {
	var v any
	if raw == nil || decode(raw, &v) != nil {
		return nil
	}
	return v
}

// toNode writes a value of JSON as YAML, in one line.
func toNode(v any) *yaml.Node {
	switch v := v.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
		for _, key := range sortedKeys(v) {
			set(n, key, toNode(v[key]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
		for _, e := range v {
			n.Content = append(n.Content, toNode(e))
		}
		return n
	case string:
		n := text(v)
		n.Style &^= yaml.LiteralStyle
		return n
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
}

// write writes the file with what was amended. Comments stay; so do blank lines,
// which the YAML library does not know, where they can be carried through it.
func (f *File) write() error {
	out, err := f.encode()
	if err != nil {
		return fmt.Errorf("writing %s: %w", f.Path, err)
	}
	if again, err := parse(out); err != nil || shownNode(again.Content[0]) != shownNode(f.root.Content[0]) {
		return fmt.Errorf("%s can't be written back as it is: change what is expected by hand", f.Path)
	}
	info, err := os.Stat(f.Path)
	if err != nil {
		return err
	}
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		return err
	}
	fresh := path + ".new"
	if err := os.WriteFile(fresh, out, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
