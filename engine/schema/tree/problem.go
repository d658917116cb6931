package tree

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxProblems is how many problems of one document are told: enough to work
// through, few enough to read.
const MaxProblems = 50

// Fault classes what is wrong with a document, since a refusal's status and
// code depend on it (interface.md, Errors).
type Fault uint8

// The classes of problems.
const (
	Malformed    Fault = iota // not the document's shape: 400 malformed
	Invalid                   // the shape is right, the content is not: 422 invalid
	UnknownTable              // a table that the schema lacks, named in a transaction: 404 unknown_table
)

// Problem is one thing that is wrong with a document.
type Problem struct {
	Fault       Fault
	Pointer     string // the place, as people write it: procedures.transfer.steps[3].require.expr
	JSONPointer string // the same place as a JSON pointer: /steps/3/require/expr
	Line        int    // 1-based line in the document as it was sent; 0 where there is none
	Column      int    // 1-based column in that line, in characters
	Detail      string // what is wrong, and the remedy where there is one
	Snippet     string // of an expression: its line, and below it a caret; or empty
}

// String writes the problem in one line: place (line 12): detail.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Pointer)
	if p.Line > 0 {
		if p.Pointer != "" {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "(line %d)", p.Line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(p.Detail)
	return b.String()
}

// Problems collects what is wrong with one document.
type Problems struct {
	list []Problem
}

// Add notes a problem.
func (ps *Problems) Add(p Problem) {
	if len(ps.list) < 20*MaxProblems { // what is told is chosen by place, so a few more are kept
		ps.list = append(ps.list, p)
	}
}

// Hint adds to the detail of the problem that was noted last.
func (ps *Problems) Hint(text string) {
	if n := len(ps.list); n > 0 {
		ps.list[n-1].Detail += "; " + text
	}
}

// None tells whether nothing is wrong so far.
func (ps *Problems) None() bool { return len(ps.list) == 0 }

// Len is the number of problems noted so far.
func (ps *Problems) Len() int { return len(ps.list) }

// Noted is what was noted, in the order in which it was found, at most
// MaxProblems: for a text whose own order its author did not choose.
func (ps *Problems) Noted() []Problem { return ps.list[:min(len(ps.list), MaxProblems)] }

// List is what was noted, in the order of the document, at most MaxProblems.
func (ps *Problems) List() []Problem {
	slices.SortStableFunc(ps.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Pointer, b.Pointer), cmp.Compare(a.Detail, b.Detail))
	})
	if len(ps.list) > MaxProblems {
		return ps.list[:MaxProblems:MaxProblems]
	}
	return ps.list
}

// Worst is the class that decides over a refusal of several problems: a
// document of the wrong shape is told so first, then names that don't exist.
func Worst(list []Problem) Fault {
	worst := Invalid
	for _, p := range list {
		switch {
		case p.Fault == Malformed:
			return Malformed
		case p.Fault == UnknownTable:
			worst = UnknownTable
		}
	}
	return worst
}

func appendInt(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(i), 10) }
