package schema

import (
	"fmt"
	"slices"

	"lockstep/engine/lang"
	"lockstep/engine/schema/tree"
)

// The slots that every scope of this language gives to the same names, so that
// checks run in the frame of the program that writes the row.
const (
	ParamsSlot = 0 // params, an object
	RowSlot    = 1 // row, where it is in scope
	FirstSlot  = 2 // what steps bind
)

// RevisionField is the last field of every row: the revision that last wrote it.
const RevisionField = "_revision"

// systemCodes are the codes that the system itself answers with; a user's code
// may not be one of them, so that a client can tell them apart.
var systemCodes = []string{
	"aborted", "already_exists", "ambiguous", "behind", "change_in_progress", "changed", "compacted", "conflict",
	"cost_exceeded", "deadline_exceeded", "disk_full", "diverged", "draining", "evaluation_error", "fenced", "forbidden",
	"held", "idempotency_key_reused", "internal", "invalid", "limit_exceeded", "malformed", "no_primary", "no_quorum",
	"not_found", "outcome_unknown", "overloaded", "starting", "too_large", "unauthenticated", "unique_violation",
	"unknown_group", "unknown_procedure", "unknown_table", "unknown_transaction",
}

// ColumnName checks the name of a table, column, param or field and notes a
// problem at c otherwise.
func ColumnName(c tree.Cursor, what, name string) bool {
	if !Name(c, what, name) {
		return false
	}
	if !lang.IsColumnName(name) {
		c.Fail(tree.Invalid, "%s name %q is a word of the expression language; choose another", what, name)
		return false
	}
	return true
}

// BoundName checks a name that as, into or let binds.
func BoundName(c tree.Cursor, name string) bool {
	if name == "tx" || name == "params" || name == "row" {
		c.Fail(tree.Invalid, "the name %q can't be bound: tx, params and row mean something already", name)
		return false
	}
	return ColumnName(c, "bound", name)
}

// Name checks a name that expressions never use: of an index, a procedure.
func Name(c tree.Cursor, what, name string) bool {
	if !plainName(name) {
		c.Fail(tree.Invalid, "%s name %q: names match [a-z][a-z0-9_]* and have at most %d characters", what, name, MaxNameBytes)
		return false
	}
	return true
}

// plainName tells whether the name matches [a-z][a-z0-9_]* and is not too long.
func plainName(name string) bool {
	if name == "" || len(name) > MaxNameBytes || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// Code reads a user's abort code.
func Code(c tree.Cursor) (string, bool) {
	code, ok := c.Text()
	switch {
	case !ok:
		return "", false
	case !plainName(code):
		c.Fail(tree.Invalid, "code %q: codes match [a-z][a-z0-9_]* and have at most %d characters", code, MaxNameBytes)
		return "", false
	case slices.Contains(systemCodes, code):
		c.Fail(tree.Invalid, "code %q is one of the system's own; choose another, such as %q", code, "my_"+code)
		return "", false
	}
	return code, true
}

// Expression compiles an expression and notes a problem at c where it can't be.
// A number, a boolean or null stands for itself.
func Expression(c tree.Cursor, env *lang.Env, scope *lang.Scope, want *lang.Type) *lang.Expr {
	if !c.Here() {
		return nil
	}
	switch c.Node.Kind {
	case tree.String:
		if c.Problems.Len() >= tree.MaxProblems {
			return nil // enough is told, and a wrong expression takes longer than a right one
		}
		x, problem := env.Compile(c.Node.Text, scope, want)
		if problem != nil {
			c.FailAt(tree.Invalid, describe(problem), problem.Snippet)
			return nil
		}
		return x
	case tree.List, tree.Map:
		c.Fail(tree.Malformed, "an expression is wanted here, not %s; write it as text, such as \"%s\"", c.Node.Kind, map[tree.Kind]string{tree.List: "[1, 2]", tree.Map: "{'name': 1}"}[c.Node.Kind])
		return nil
	}
	v, t, problem := literal(c.Node, want)
	if problem != "" {
		c.Fail(tree.Invalid, "%s", problem)
		return nil
	}
	return lang.Literal(v, t)
}

// describe writes a problem of an expression: where in it, what, the remedy.
func describe(p *lang.Problem) string {
	place := fmt.Sprintf("column %d", p.Column)
	if p.Line > 1 {
		place = fmt.Sprintf("line %d, column %d", p.Line, p.Column)
	}
	text := fmt.Sprintf("%s of the expression: %s", place, p.Message)
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text
}
