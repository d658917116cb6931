package policy

import (
	"lockstep/engine/schema/tree"
)

// Overrides are fields of nodes that a question takes to be otherwise: what
// would happen if. Make them with ParseOverrides.
type Overrides struct {
	nodes tree.Cursor
}

// ParseOverrides reads an object of nodes, as {"n1": {"status": "unavailable"}}:
// fields of a node have the names that expressions know, those of its copy stand
// under partition, and "partition": null takes the copy away.
func ParseOverrides(src []byte) (Overrides, []Problem) {
	root, problems := tree.Parse(src, documentLimits())
	if problems != nil {
		return Overrides{}, problems
	}
	var ps tree.Problems
	o := Overrides{nodes: tree.Root(root, &ps)}
	if o.nodes.IsMap() {
		for _, e := range o.nodes.Entries() {
			readNode(e.Value, &Candidate{})
		}
	}
	if !ps.None() {
		return Overrides{}, ps.List()
	}
	return o, nil
}

// Apply gives the input as it would be. What the group's figures count is counted
// anew. A node that the input does not have is a problem.
func (o Overrides) Apply(in *Input) (*Input, []Problem) {
	out := in.Clone()
	if !o.nodes.Here() {
		return out, nil
	}
	var ps tree.Problems
	nodes := tree.Root(o.nodes.Node, &ps)
	for _, e := range nodes.Entries() {
		found := false
		for i := range out.Candidates {
			if c := &out.Candidates[i]; c.Node.Name == e.Key {
				found = true
				readNode(e.Value, c)
			}
		}
		if !found {
			e.Value.Fail(tree.Invalid, "there is no node %s among the candidates", e.Key)
		}
	}
	if !ps.None() {
		return nil, ps.List()
	}
	out.Recount()
	return out, nil
}
