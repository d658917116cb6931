package policy

import (
	"time"

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
	o := readOverrides(tree.Root(root, &ps))
	if !ps.None() {
		return Overrides{}, ps.List()
	}
	return o, nil
}

// readOverrides checks that the fields are known; Apply reads them.
func readOverrides(at tree.Cursor) Overrides {
	if at.IsMap() {
		for _, e := range at.Entries() {
			readNode(e.Value, &Candidate{})
		}
	}
	return Overrides{nodes: at}
}

// Apply gives the input as it would be. What the group's figures count is counted
// anew. A node that the input does not have is a problem.
func (o Overrides) Apply(in *Input) (*Input, []Problem) {
	out := in.Clone()
	if !o.nodes.Here() {
		return out, nil
	}
	var ps tree.Problems
	nodes := tree.Cursor{Node: o.nodes.Node, Path: o.nodes.Path, Problems: &ps}
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

// Question asks who would hold a task, as POST /v1/placements/explain does.
type Question struct {
	Group, Task string
	Now         time.Time // zero: now
	Nodes       Overrides
	Policy      *Policy // one that is not applied; nil: none
}

// ReadQuestion reads a question in JSON or YAML: {"group", "task", "nodes", "policy",
// "now"}, of which the last three may be left out.
func (c *Compiler) ReadQuestion(src []byte) (*Question, []Problem) {
	limits := documentLimits()
	limits.Bytes, limits.Depth, limits.Nodes = 2*limits.Bytes, limits.Depth+1, 10*limits.Nodes
	root, problems := tree.Parse(src, limits)
	if problems != nil {
		return nil, problems
	}
	var ps tree.Problems
	top, q := tree.Root(root, &ps), &Question{}
	if top.Object([]string{"group", "task"}, "nodes", "policy", "now") {
		q.Group, _ = top.Field("group").Text()
		q.Task = readTask(top.Field("task"))
		if f := top.Field("nodes"); f.Here() {
			q.Nodes = readOverrides(f)
		}
		if f := top.Field("now"); f.Here() {
			q.Now = readInstant(f)
		}
	}
	if f := top.Field("policy"); f.Here() {
		d := readDocument(f)
		if !ps.None() {
			return nil, ps.List()
		}
		if q.Policy, problems = c.Compile(d); problems != nil {
			return nil, problems
		}
	}
	if !ps.None() {
		return nil, ps.List()
	}
	return q, nil
}

// Ask answers the question from what is. A node that is not among the candidates is
// a problem.
func (q *Question) Ask(set *Set, in *Input) (*Decision, *Explanation, []Problem) {
	in, problems := q.Nodes.Apply(in)
	if problems != nil {
		return nil, nil, problems
	}
	if !q.Now.IsZero() {
		in.Now = q.Now
	}
	if q.Policy != nil {
		set = set.With(q.Policy)
	}
	d, e := set.Explain(in)
	return d, e, nil
}
