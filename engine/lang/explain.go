package lang

import (
	"strings"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// between is what stands in a text between two others, the second being the
// last one there is.
func between(s, from, to string) (string, bool) {
	_, s, ok := strings.Cut(s, from)
	if !ok {
		return "", false
	}
	i := strings.LastIndex(s, to)
	if i < 0 {
		return "", false
	}
	return s[:i], true
}

// syntaxProblem words the parser's first complaint.
func syntaxProblem(src string, errs []*common.Error) *Problem {
	e := errs[0]
	message, hint := syntaxWords(strings.TrimPrefix(e.Message, "Syntax error: "))
	return problemAt(src, e.Location.Line(), e.Location.Column()+1, message, hint)
}

func syntaxWords(m string) (message, hint string) {
	switch {
	case strings.Contains(m, "recursion limit"):
		return "the expression is nested too deeply", "name a part of it with a let step"
	case strings.Contains(m, "node count") || strings.Contains(m, "code point size"):
		return "the expression is too long", "name a part of it with a let step"
	case strings.Contains(m, "'<EOF>'"):
		return "the expression ends too soon", "a bracket or an operand is missing"
	case strings.Contains(m, "has() macro"):
		return "has() takes a field", "as in has(a.b)"
	case strings.Contains(m, "argument"), strings.Contains(m, "iteration variable"):
		return "the first argument must be a plain name", "as in list.map(x, x + 1)"
	case strings.HasPrefix(m, "invalid int literal"), strings.HasPrefix(m, "invalid uint literal"):
		return "the number has more than 64 bits", ""
	case strings.HasPrefix(m, "invalid double literal"):
		return "the number is too large for a double", ""
	case strings.Contains(m, "optional") || strings.HasPrefix(m, "unsupported syntax"):
		return "this syntax can't be used", "fields are read as a.b, elements as a[0]"
	}
	if word, ok := strings.CutPrefix(m, "reserved identifier: "); ok {
		return word + " is a reserved word", "choose another name; text is written '" + word + "'"
	}
	if token, ok := between(m, "token recognition error at: '", "'"); ok {
		return unexpected(strings.TrimSpace(token))
	}
	for _, before := range []string{"extraneous input '", "mismatched input '", "no viable alternative at input '", "' at '"} {
		_, rest, ok := strings.Cut(m, before)
		if !ok {
			continue
		}
		if token, _, ok := strings.Cut(rest, "' expecting"); ok {
			return unexpected(token)
		}
		return unexpected(strings.TrimSuffix(rest, "'"))
	}
	return "the expression can't be read here", ""
}

// unexpected words a token that can't stand where it does.
func unexpected(token string) (message, hint string) {
	switch {
	case token == "" || token[0] == '\'' || token[0] == '"' || token[0] == '`':
		return "text without its closing quote", "text is written 'alice'"
	case token[0] == '=':
		hint = "equality is written =="
	case token[0] == '&', token == "and":
		hint = "and is written &&"
	case token[0] == '|', token == "or":
		hint = "or is written ||"
	case token == "not":
		hint = "not is written !"
	}
	return "unexpected " + clip(token), hint
}

// explainer words the type checker's complaints.
type explainer struct {
	env     *Env
	src     string
	checked *ast.AST
	scope   *Scope
	reg     *registry
}

// problem words the first complaint, which is the innermost one.
func (x *explainer) problem(errs []*common.Error) *Problem {
	e := errs[0]
	line, column := e.Location.Line(), e.Location.Column()+1
	node := x.find(e.ExprID)
	message, hint := "the expression does not type-check", ""
	switch {
	case node == nil:
	case strings.HasPrefix(e.Message, "undeclared reference"):
		name, _ := between(e.Message, "to '", "' (in")
		message, hint = x.undeclared(node, name)
		column = x.nameColumn(node, name, line, column)
	case strings.HasPrefix(e.Message, "undefined field"):
		message, hint = x.undefinedField(node.AsSelect())
		column++ // the place is the point's
	case strings.HasPrefix(e.Message, "found no matching overload"):
		message, hint = x.noOverload(node.AsCall())
		column = x.nameColumn(node, node.AsCall().FunctionName(), line, column)
	case strings.Contains(e.Message, "does not support field selection"):
		t := x.typeOf(node.AsSelect().Operand())
		message = t.String() + " has no fields"
	case strings.Contains(e.Message, "cannot be range"):
		message = article(x.typeOf(node).String()) + " can't be gone through"
		hint = "all, exists, exists_one, map and filter take a list or a map"
	case strings.HasPrefix(e.Message, "expected type"):
		want, _ := between(e.Message, "expected type '", "' but")
		message = article(x.typeOf(node).String()) + " where " + article(want) + " is wanted"
	}
	return problemAt(x.src, line, column, message, hint)
}

// find is the node with an id.
func (x *explainer) find(id int64) (found ast.Expr) {
	ast.PostOrderVisit(x.checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id {
			found = e
		}
	}))
	return found
}

func (x *explainer) typeOf(e ast.Expr) Type {
	if t := x.checked.GetType(e.ID()); t != nil && t.Kind() != types.ErrorKind {
		return x.reg.langType(t)
	}
	return Type{Kind: KJSON}
}

// nameColumn is where a call's name begins; the parser gives its bracket.
func (x *explainer) nameColumn(node ast.Expr, name string, line, column int) int {
	if node.Kind() != ast.CallKind && node.Kind() != ast.StructKind {
		return column
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	if name != "" && strings.HasSuffix(textBefore(x.src, line, column), name) {
		return column - len(name)
	}
	return column
}

func (x *explainer) undeclared(node ast.Expr, name string) (message, hint string) {
	switch node.Kind() {
	case ast.StructKind:
		return "objects can't be constructed by name", "an object is written as a map: {'name': value}"
	case ast.CallKind:
		return "unknown function " + name, didYouMean(name, x.env.names)
	}
	if _, ok := KindOf(name); ok {
		return name + " is a type, not a value", "a value is converted as in " + name + "(x)"
	}
	switch strings.ToLower(name) {
	case "true", "false", "null":
		return "unknown name " + name, "it is written " + strings.ToLower(name)
	case "none", "nil":
		return "unknown name " + name, "it is written null"
	}
	if name == "tx" {
		return "tx can't be used here", ""
	}
	hints := []string{}
	if near := didYouMean(name, x.nearby(name)); near != "" {
		hints = append(hints, near)
	}
	return "unknown name " + name, strings.Join(append(hints, "text is written '"+name+"'"), "; ")
}

// nearby are the names that an undeclared one may stand for: variables, and the
// fields of variables where a field has just that name.
func (x *explainer) nearby(name string) []string {
	out := append([]string(nil), x.scope.names...)
	for _, v := range x.scope.names {
		if o := x.scope.vars[v].Type.Object; o != nil {
			if _, ok := o.Shape.Index(name); ok {
				return []string{v + "." + name}
			}
		}
	}
	return out
}

func (x *explainer) undefinedField(sel ast.SelectExpr) (message, hint string) {
	field := sel.FieldName()
	if isIdent(sel.Operand(), "tx") {
		if field == "id" {
			return "tx.id can't be used here", "a query has tx.revision and tx.now only"
		}
		return "tx has no field " + field, "it has " + strings.Join(txType(x.scope.tx).Object.Shape.Fields, ", ")
	}
	t := x.typeOf(sel.Operand())
	if t.Object == nil {
		return "no field " + field, ""
	}
	if hint = didYouMean(field, t.Object.Shape.Fields); hint == "" && len(t.Object.Shape.Fields) <= 12 {
		hint = "it has " + strings.Join(t.Object.Shape.Fields, ", ")
	}
	return "no field " + field + " in " + t.bare(), hint
}

func (x *explainer) noOverload(call ast.CallExpr) (message, hint string) {
	name, symbol := call.FunctionName(), operatorText(call.FunctionName())
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	kinds := make([]string, len(args))
	for i, a := range args {
		kinds[i] = x.typeOf(a).String()
	}
	if symbol == "" {
		if strings.HasPrefix(name, "get") && len(args) == 2 && x.typeOf(args[0]).Kind == KTimestamp {
			return name + " takes no time zone", "times are in UTC"
		}
		return name + " can't take " + strings.Join(kinds, ", "), x.env.usage(name)
	}
	if name == operators.Conditional {
		if hint = ""; strings.Contains(strings.Join(kinds[1:], " "), "null") {
			hint = "when(c, x) gives x, or null where c is false"
		}
		return "?: can't take " + strings.Join(kinds, ", "), hint
	}
	if len(args) != 2 {
		return symbol + " is not defined for " + kinds[0], ""
	}
	if symbol == "[]" && x.typeOf(args[0]).Kind == KObject {
		return "an object has no [...]", "a field is read as in a.b"
	}
	return symbol + " is not defined for " + kinds[0] + " and " + kinds[1], pairHint(symbol, x.typeOf(args[0]), x.typeOf(args[1]))
}

// pairHint says which cast makes two operands fit.
func pairHint(symbol string, a, b Type) string {
	number := func(t Type) bool { return t.Kind == KInt || t.Kind == KUint || t.Kind == KDouble }
	switch {
	case number(a) && number(b) && a.Kind != b.Kind:
		if b.Kind < a.Kind {
			a, b = b, a
		}
		return "write " + b.bare() + "(...) around the " + a.bare() + ", or " + a.bare() + "(...) around the " + b.bare()
	case symbol == "+" && a.Kind == KString && b.Kind < KJSON:
		return "write string(...) around the " + b.bare()
	case symbol == "+" && b.Kind == KString && a.Kind < KJSON:
		return "write string(...) around the " + a.bare()
	}
	return ""
}

// operatorText is how an operator is written; empty for a function.
func operatorText(name string) string {
	switch name {
	case operators.Conditional:
		return "?:"
	case operators.Index:
		return "[]"
	case operators.In:
		return "in"
	}
	if strings.Contains(name, "_") && !(name[0] >= 'a' && name[0] <= 'z') {
		return strings.Trim(name, "_")
	}
	return ""
}
