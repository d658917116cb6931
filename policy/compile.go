package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

// Compiler compiles documents. Build one and share it; it is safe for concurrent
// use.
type Compiler struct {
	env    *lang.Env
	scopes *scopes
	values map[string][]string // variables that are one of a few texts
}

// NewCompiler builds the environment of expressions: that of the transaction
// language, which reads no clock, no time zone and no host, with the variables
// of Variables. It fails only where the language contradicts itself.
func NewCompiler() (*Compiler, error) {
	env, err := lang.NewEnv()
	if err != nil {
		return nil, fmt.Errorf("building the environment of policies: %w", err)
	}
	return NewCompilerIn(env), nil
}

// NewCompilerIn is NewCompiler in an environment that there is already, which takes
// long to build.
func NewCompilerIn(env *lang.Env) *Compiler {
	c := &Compiler{env: env, scopes: newScopes(), values: map[string][]string{}}
	for _, v := range Variables() {
		if v.Values != nil {
			c.values[v.Name] = v.Values
		}
	}
	return c
}

// Policy is a compiled document: immutable, safe for concurrent use.
type Policy struct {
	Document
	// Warnings tell what is allowed and seldom meant.
	Warnings []string

	scopes  *scopes
	groups  *expression
	require []*expression
	prefer  []*expression // parallel to Document.Prefer

	reads        [slots]bool // variables that some expression of require or prefer reads
	seesStatus   bool        // require mentions node.status: unavailable nodes are its own affair
	seesPartAnew bool        // require mentions partition.status
	measures     bool        // some expression looks at what is measured of a node
	follows      bool        // likewise of a copy
	timed        bool        // likewise at the time
	builtin      bool
}

// expression is compiled in the full scope and, where it can be, in that of
// copies: the two have the same slots, so one form does for both.
type expression struct {
	*lang.Expr
	outline lang.Outline
}

// Read parses and compiles a document.
func (c *Compiler) Read(src []byte) (*Policy, []Problem) {
	d, problems := Parse(src)
	if problems != nil {
		return nil, problems
	}
	return c.Compile(d)
}

// Compile checks the expressions of a document that Parse read. A nil policy
// comes with at least one problem.
func (c *Compiler) Compile(d *Document) (*Policy, []Problem) {
	var ps tree.Problems
	p := &Policy{Document: *d, scopes: c.scopes}
	p.root = nil
	top := tree.Cursor{Node: d.root, Path: d.path, Problems: &ps}
	scope := c.scopes.full
	if d.Task == TaskCopy {
		scope = c.scopes.copies
	}
	if d.Groups != "" {
		p.groups = c.expression(top.Field("groups"), d.Groups, c.scopes.groups, false)
	}
	require, prefer := top.Field("require").Elements(), top.Field("prefer").Elements()
	for i, src := range d.Require {
		p.require = append(p.require, c.expression(require[i], src, scope, false))
	}
	for i := range d.Prefer {
		p.prefer = append(p.prefer, c.expression(prefer[i].Field("expr"), d.Prefer[i].Expr, scope, true))
	}
	if !ps.None() {
		return nil, ps.List()
	}
	p.look()
	p.notice()
	return p, nil
}

// look notes what the expressions look at.
func (p *Policy) look() {
	for _, list := range [][]*expression{p.require, p.prefer} {
		for _, x := range list {
			for slot, name := range slotNames {
				p.reads[slot] = p.reads[slot] || x.outline.Names(name)
			}
		}
	}
	mentions := func(list []*expression, names ...string) bool {
		return slices.ContainsFunc(list, func(x *expression) bool {
			return slices.ContainsFunc(names, x.outline.Names)
		})
	}
	p.seesStatus = mentions(p.require, "node.status")
	p.seesPartAnew = mentions(p.require, "partition.status")
	load := mentions(p.prefer, "node.cpu", "node.memory_free", "node.tasks", "node.primaries", "partition.lag", "partition.lag_time", "partition.apply_rate")
	if load && p.Hold == 0 && p.Margin == 0 {
		p.Warnings = append(p.Warnings, "it prefers by what changes all the time, and has neither hold nor margin: the task may move at every change")
	}
	if p.seesStatus && !mentions(p.require, "node.heartbeat_age") && !slices.ContainsFunc(p.require, func(x *expression) bool {
		return slices.ContainsFunc(x.outline.Compared, func(c lang.Comparison) bool { return c.Field == "node.status" })
	}) {
		p.Warnings = append(p.Warnings, "it mentions node.status without comparing it: so unavailable nodes may be chosen too")
	}
}

// noField is what the language says of a field that an object does not have.
var noField = regexp.MustCompile(`^no field (\w+) in (node|group|task)$`)

// expression compiles one. number tells that it may be a number too.
func (c *Compiler) expression(at tree.Cursor, src string, scope *lang.Scope, number bool) *expression {
	x, problem := c.env.Compile(src, scope, nil)
	if problem != nil {
		hint := ""
		if m := noField.FindStringSubmatch(problem.Message); m != nil && problem.Hint == "" {
			hint = fmt.Sprintf(": a label is read as %s.labels.%s", m[2], m[1])
		}
		at.FailAt(tree.Invalid, problem.Error()+hint, problem.Snippet)
		return nil
	}
	switch k := x.Type().Kind; {
	case k == lang.KBool, k == lang.KJSON:
	case number && (k == lang.KInt || k == lang.KUint || k == lang.KDouble):
	case number:
		at.Fail(tree.Invalid, "the value is %s; true or false, or a number, is wanted", x.Type())
	default:
		at.Fail(tree.Invalid, "the value is %s; true or false is wanted", x.Type())
	}
	outline, problem := c.env.Outline(src)
	if problem != nil {
		at.FailAt(tree.Invalid, problem.Error(), problem.Snippet)
		return nil
	}
	for _, cmp := range outline.Compared {
		if values := c.values[cmp.Field]; values != nil && !slices.Contains(values, cmp.Text) {
			at.Fail(tree.Invalid, "%s is never '%s'; it is one of %s", cmp.Field, cmp.Text, strings.Join(values, ", "))
		}
	}
	if len(outline.Reads) == 0 {
		constant(at, x, number)
	}
	return &expression{Expr: x, outline: outline}
}

// constant refuses an expression that looks at nothing and can't be satisfied.
func constant(at tree.Cursor, x *lang.Expr, number bool) {
	f := lang.Frame{Meter: &lang.Meter{Limit: MaxCandidateCost}}
	v, fault := x.Eval(&f)
	switch {
	case fault != nil:
		at.Fail(tree.Invalid, "it looks at nothing, and always fails: %s", fault.Message())
	case !number && (v.Kind() != value.Bool || !v.Bool()):
		at.Fail(tree.Invalid, "it looks at nothing, and is never true")
	case number:
		at.Fail(tree.Invalid, "it looks at nothing, and is the same for every candidate")
	}
}

// takesCopy tells whether a policy can decide where copies go: none of its
// expressions may look at the partition, which is not there yet.
func (p *Policy) takesCopy() bool { return !p.reads[slotPartition] }
