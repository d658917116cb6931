package policy

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"lockstep/engine/schema/tree"
)

// Problem is one thing that is wrong with a document; see tree.Problem.
type Problem = tree.Problem

// Document is a policy as it was written (interface.md, Policy document), with
// what was left out filled in.
type Document struct {
	Name     string
	Task     string // a task's name, or a glob
	Groups   string // an expression; empty: every group
	Require  []string
	Prefer   []Preference
	Hold     time.Duration
	Margin   float64
	Priority int
	Count    int
	Schedule string // five fields, in UTC; empty: none
	Enabled  bool

	root *tree.Node // as it was read, and where, for the places of problems
	path *tree.Path
}

// Preference is an expression and what its value is multiplied with.
type Preference struct {
	Expr   string
	Weight float64
}

// fields of a document, in the order in which they are told.
var optionalFields = []string{"groups", "require", "prefer", "hold", "margin", "priority", "count", "schedule", "enabled"}

// Parse reads a policy document in YAML or JSON. A nil document comes with at
// least one problem, and each names its place. What the expressions mean is
// looked at by Compiler.Compile.
func Parse(src []byte) (*Document, []Problem) {
	root, problems := tree.Parse(src, documentLimits())
	if problems != nil {
		return nil, problems
	}
	var ps tree.Problems
	d := readDocument(tree.Root(root, &ps))
	if !ps.None() {
		return nil, ps.List()
	}
	return d, nil
}

func readDocument(top tree.Cursor) *Document {
	d := &Document{Count: 1, Enabled: true, root: top.Node, path: top.Path}
	if !top.Object([]string{"policy", "task"}, optionalFields...) {
		return d
	}
	d.Name, d.Task = readName(top.Field("policy")), readTask(top.Field("task"))
	d.Groups = readExpr(top.Field("groups"))
	if list := top.Field("require"); list.Here() && few(list) {
		for _, e := range list.Elements() {
			d.Require = append(d.Require, readExpr(e))
		}
	}
	if list := top.Field("prefer"); list.Here() && few(list) {
		for _, e := range list.Elements() {
			d.Prefer = append(d.Prefer, readPreference(e))
		}
	}
	if f := top.Field("hold"); f.Here() {
		d.Hold = readSpan(f, MaxHold)
	}
	if f := top.Field("margin"); f.Here() {
		d.Margin = readNumber(f, 0, MaxWeight)
	}
	if f := top.Field("priority"); f.Here() {
		d.Priority = readInt(f, -MaxPriority, MaxPriority)
	}
	if f := top.Field("count"); f.Here() {
		if d.Count = readInt(f, 1, MaxCount); d.Count > 1 && !manyHolders(d.Task) {
			f.Fail(tree.Invalid, "%s has one holder; reader, backup and application tasks may have several", d.Task)
		}
	}
	if f := top.Field("schedule"); f.Here() {
		d.Schedule = readSchedule(f, d.Task)
	}
	if f := top.Field("enabled"); f.Here() {
		d.Enabled = f.Flag()
	}
	return d
}

// manyHolders tells whether some task that a pattern means may have several
// holders.
func manyHolders(pattern string) bool {
	switch pattern {
	case TaskPrimary, TaskVerify, TaskCopy:
		return false
	}
	return true
}

func few(list tree.Cursor) bool {
	if !list.IsList() {
		return false
	}
	if n := len(list.Node.Items); n > MaxExpressions {
		list.Fail(tree.Invalid, "%d expressions; at most %d are taken", n, MaxExpressions)
		return false
	}
	return true
}

func readName(f tree.Cursor) string {
	name, ok := f.Text()
	switch {
	case !ok:
	case len(name) > MaxNameBytes:
		f.Fail(tree.Invalid, "the name has %d bytes; at most %d are taken", len(name), MaxNameBytes)
	case !plainName(name, "-_."):
		f.Fail(tree.Invalid, "a name has letters, digits, '-', '_' and '.', and begins with a letter or digit")
	case builtinName(name):
		f.Fail(tree.Invalid, "%s is built in; choose another name", name)
	}
	return name
}

func readTask(f tree.Cursor) string {
	task, ok := f.Text()
	switch {
	case !ok:
	case len(task) > MaxNameBytes:
		f.Fail(tree.Invalid, "the name has %d bytes; at most %d are taken", len(task), MaxNameBytes)
	case !plainName(task, "-_./*?"):
		f.Fail(tree.Invalid, "a task's name has letters, digits, '-', '_', '.' and '/'; '*' and '?' stand for any text and any character")
	}
	return task
}

// plainName tells whether a name is made of ASCII letters, digits and a few
// signs, of which it begins with none but a wildcard.
func plainName(name, signs string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (strings.IndexByte(signs, c) < 0 || i == 0 && c != '*' && c != '?') {
			return false
		}
	}
	return name != ""
}

// readExpr reads the text of an expression; true and false are taken as they are.
func readExpr(f tree.Cursor) string {
	if f.Here() && f.Node.Kind == tree.Bool {
		return strconv.FormatBool(f.Node.Bool)
	}
	text, ok := f.Text()
	if ok && len(text) > MaxExpressionBytes {
		f.Fail(tree.Invalid, "the expression has %d bytes; at most %d are taken", len(text), MaxExpressionBytes)
	}
	return text
}

func readPreference(e tree.Cursor) Preference {
	p := Preference{Weight: 1}
	if !e.Object([]string{"expr"}, "weight") {
		return p
	}
	p.Expr = readExpr(e.Field("expr"))
	if f := e.Field("weight"); f.Here() {
		before := e.Problems.Len()
		p.Weight = readNumber(f, -MaxWeight, MaxWeight)
		if p.Weight == 0 && e.Problems.Len() == before {
			f.Fail(tree.Invalid, "a weight of 0 prefers nothing; leave the expression out")
		}
	}
	return p
}

func readNumber(f tree.Cursor, least, most float64) float64 {
	if f.Node.Kind != tree.Int && f.Node.Kind != tree.Float {
		f.Fail(tree.Malformed, "a number is wanted here, not %s", f.Node.Kind)
		return 0
	}
	n, err := strconv.ParseFloat(f.Node.Text, 64)
	if err != nil || math.IsNaN(n) || n < least || n > most {
		f.Fail(tree.Invalid, "a number from %g to %g is wanted", least, most)
		return 0
	}
	return n
}

func readInt(f tree.Cursor, least, most int) int {
	if f.Node.Kind != tree.Int {
		f.Fail(tree.Malformed, "a whole number is wanted here, not %s", cmpText(f.Node))
		return least
	}
	n, err := strconv.Atoi(f.Node.Text)
	if err != nil || n < least || n > most {
		f.Fail(tree.Invalid, "a whole number from %d to %d is wanted", least, most)
		return least
	}
	return n
}

func cmpText(n *tree.Node) string {
	if n.Kind == tree.Float {
		return n.Text
	}
	return n.Kind.String()
}

// readSpan reads a duration, as 30s or 1h30m.
func readSpan(f tree.Cursor, most time.Duration) time.Duration {
	if f.Node.Kind == tree.Int || f.Node.Kind == tree.Float {
		f.Fail(tree.Malformed, "a duration is text with a unit; write it as %ss or 1h30m", f.Node.Text)
		return 0
	}
	text, ok := f.Text()
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		f.Fail(tree.Invalid, "%q is no duration; write it as 30s or 1h30m", text)
	case d < 0 || d > most:
		f.Fail(tree.Invalid, "a duration from 0s to %s is wanted", most)
	}
	return d
}

// document is the JSON form, its members in the order of interface.md.
type document struct {
	Name     string       `json:"policy"`
	Task     string       `json:"task"`
	Groups   string       `json:"groups,omitempty"`
	Require  []string     `json:"require,omitempty"`
	Prefer   []preference `json:"prefer,omitempty"`
	Hold     string       `json:"hold"`
	Margin   float64      `json:"margin"`
	Priority int          `json:"priority"`
	Count    int          `json:"count"`
	Schedule string       `json:"schedule,omitempty"`
	Enabled  bool         `json:"enabled"`
}

type preference struct {
	Expr   string  `json:"expr"`
	Weight float64 `json:"weight"`
}

// MarshalJSON writes the document whole, with its defaults. Equal policies have
// equal text, whichever form they were written in, and Parse reads it again.
func (d *Document) MarshalJSON() ([]byte, error) {
	out := document{Name: d.Name, Task: d.Task, Groups: d.Groups, Require: d.Require, Hold: d.Hold.String(),
		Margin: d.Margin, Priority: d.Priority, Count: d.Count, Schedule: d.Schedule, Enabled: d.Enabled}
	for _, p := range d.Prefer {
		out.Prefer = append(out.Prefer, preference(p))
	}
	return json.Marshal(out)
}
