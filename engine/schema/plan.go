package schema

import (
	"fmt"
	"slices"

	"lockstep/engine/schema/tree"
)

// Plan is what replacing one document by another does, by places as people write
// them: tables.accounts.columns.limit, procedures.transfer.
type Plan struct {
	Adds    []string
	Drops   []string // with all its data, where it has any
	Changes []string // stays, in another form: an index is built anew, a procedure is another
}

// PlanOf compares a schema with its successor; old is nil at first.
func PlanOf(old, next *Schema) Plan {
	var p Plan
	var was, is tree.Cursor
	var ps tree.Problems
	is = next.Doc.Cursor(&ps)
	for _, t := range next.Tables {
		var before *Table
		if old != nil {
			before = old.TableByID(t.ID)
		}
		if before == nil {
			p.Adds = append(p.Adds, "tables."+t.Name)
			continue
		}
		p.table(before, t)
	}
	if old != nil {
		was = old.Doc.Cursor(&ps)
		for _, t := range old.Tables {
			if next.TableByID(t.ID) == nil {
				p.Drops = append(p.Drops, "tables."+t.Name)
			}
		}
	}
	p.procedures(section(was, "procedures"), section(is, "procedures"))
	slices.Sort(p.Adds)
	slices.Sort(p.Drops)
	slices.Sort(p.Changes)
	return p
}

// table compares two forms of a table.
func (p *Plan) table(before, t *Table) {
	at := "tables." + t.Name
	for i := range t.Columns {
		if _, ok := before.Column(t.Columns[i].Name); !ok {
			p.Adds = append(p.Adds, at+".columns."+t.Columns[i].Name)
		}
	}
	for i := range before.Columns {
		if _, ok := t.Column(before.Columns[i].Name); !ok {
			p.Drops = append(p.Drops, at+".columns."+before.Columns[i].Name)
		}
	}
	for _, x := range t.Indexes {
		switch {
		case before.Index(x.Name) == nil:
			p.Adds = append(p.Adds, at+".indexes."+x.Name)
		case before.indexByID(x.ID) == nil:
			p.Changes = append(p.Changes, at+".indexes."+x.Name)
		}
	}
	for _, x := range before.Indexes {
		if t.Index(x.Name) == nil {
			p.Drops = append(p.Drops, at+".indexes."+x.Name)
		}
	}
	for i, k := range t.Checks {
		if !before.hasCheck(k) {
			p.Adds = append(p.Adds, fmt.Sprintf("%s.checks[%d] (%s)", at, i, k.Code))
		}
	}
	for i, k := range before.Checks {
		if !t.hasCheck(k) {
			p.Drops = append(p.Drops, fmt.Sprintf("%s.checks[%d] (%s)", at, i, k.Code))
		}
	}
}

// procedures compares the texts of procedures.
func (p *Plan) procedures(was, is *tree.Node) {
	for i, name := range is.Keys {
		switch before := was.Get(name); {
		case before == nil:
			p.Adds = append(p.Adds, "procedures."+name)
		case string(before.AppendCanonical(nil)) != string(is.Items[i].AppendCanonical(nil)):
			p.Changes = append(p.Changes, "procedures."+name)
		}
	}
	for _, name := range was.Keys {
		if is.Get(name) == nil {
			p.Drops = append(p.Drops, "procedures."+name)
		}
	}
}

// section is a part of a document, empty where there is none.
func section(c tree.Cursor, name string) *tree.Node {
	if c.Node == nil {
		return &tree.Node{}
	}
	if n := c.Node.Get(name); n != nil {
		return n
	}
	return &tree.Node{}
}
