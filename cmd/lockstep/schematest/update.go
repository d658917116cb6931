package schematest

import (
	"bytes"

	"go.yaml.in/yaml/v3"

	"lockstep/cmd/lockstep/testfile"
	"lockstep/engine/value"
)

// amend makes an expectation say what came.
func (e *expectation) amend(got came) {
	if e.node == nil || e.empty {
		e.fillIn(got)
		return
	}
	n := testfile.Follow(e.node)
	success := got.Status == committed || got.Status == answered
	if e.status != got.Status && e.status != "" || success && e.fields["code"] != nil {
		for _, name := range []string{"result", "code", "step", "message", "emitted"} {
			testfile.Drop(n, name)
		}
		if e.fields["status"] != nil {
			testfile.Set(n, "status", testfile.Text(got.Status))
		} else if !success {
			testfile.Prepend(n, "status", testfile.Text(got.Status))
		}
		e.outcome(n, got)
		return
	}
	if e.fields["result"] != nil {
		testfile.Amend(e.fields["result"], testfile.JSONValue(got.Result))
	}
	if e.fields["emitted"] != nil {
		testfile.Amend(e.fields["emitted"], got.messages())
	}
	for _, f := range []struct{ name, got string }{{"code", got.Code}, {"step", got.Step}, {"message", got.Message}} {
		if old := e.fields[f.name]; old != nil && old.Value != f.got {
			testfile.Replace(old, testfile.Text(f.got))
		}
	}
}

// fillIn writes a whole expectation where there was none.
func (e *expectation) fillIn(got came) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
	if got.Status == aborted || got.Status == refused {
		testfile.Set(n, "status", testfile.Text(got.Status))
	}
	e.outcome(n, got)
	if e.node == nil {
		testfile.Set(e.action.node, "expect", n)
		return
	}
	testfile.Replace(testfile.Follow(e.node), n)
}

func (e *expectation) outcome(n *yaml.Node, got came) {
	if got.Status == aborted || got.Status == refused {
		testfile.Set(n, "code", testfile.Text(got.Code))
		if got.Step != "" {
			testfile.Set(n, "step", testfile.Text(got.Step))
		}
		return
	}
	testfile.Set(n, "result", testfile.ToNode(testfile.JSONValue(got.Result)))
	if len(got.Emitted) > 0 {
		testfile.Set(n, "emitted", testfile.ToNode(got.messages()))
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
		testfile.Replace(list, &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"})
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
			testfile.Amend(row.node.Content[i+1], testfile.JSONValue(is))
		}
	}
}

// newRow writes a row as a file has it, the key's columns first, without what the
// system keeps and without nulls.
func (w *wantedTable) newRow(row value.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Style: yaml.FlowStyle}
	put := func(i int) {
		if v := row.Field(i); !v.IsNull() {
			testfile.Set(n, w.table.Columns[i].Name, testfile.ToNode(testfile.JSONValue(value.AppendJSON(nil, v))))
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
