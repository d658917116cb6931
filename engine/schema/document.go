package schema

import (
	"fmt"

	"lockstep/engine/schema/tree"
)

// Problem is one thing that is wrong with a document; see tree.Problem.
type Problem = tree.Problem

// Document is a schema document as it was written, read but not yet compiled.
type Document struct {
	root      *tree.Node
	canonical []byte
}

// Derived is the member of a document that tells what the system found out, as
// types of results: it is shown on request, and passed over in a document that
// is applied, so that what was read can be changed and put back.
const Derived = "derived"

// Parse reads a schema document in YAML or JSON. A nil document comes with at
// least one problem, all of class tree.Malformed.
func Parse(src []byte) (*Document, []Problem) {
	root, problems := tree.Parse(src, DocumentLimits())
	if problems != nil {
		return nil, problems
	}
	if d := root.Get(Derived); d != nil && d.Kind == tree.Map {
		root.Drop(Derived)
	}
	var ps tree.Problems
	top := tree.Root(root, &ps)
	if top.Object(nil, "tables", "procedures") {
		for _, section := range []string{"tables", "procedures"} {
			if part := top.Field(section); part.Here() && part.Node.Kind != tree.Null {
				part.IsMap()
			}
		}
	}
	if !ps.None() {
		return nil, ps.List()
	}
	return &Document{root: root, canonical: root.AppendCanonical(nil)}, nil
}

// Canonical is the document as JSON without blanks and with sorted keys: what
// is logged, hashed and stored. Reading it with Parse gives an equal document.
// The caller must not change it.
func (d *Document) Canonical() []byte { return d.canonical }

// Cursor looks at the document's top and notes problems in ps.
func (d *Document) Cursor(ps *tree.Problems) tree.Cursor { return tree.Root(d.root, ps) }

// reparse reads a canonical document that was applied before; that it can't be
// read means that the store is damaged.
func reparse(canonical []byte) (*Document, error) {
	doc, problems := Parse(canonical)
	if problems != nil {
		return nil, fmt.Errorf("reading the stored schema document: %s", problems[0])
	}
	return doc, nil
}
