package program

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"lockstep/engine/lang"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

func itoa(i int) string { return strconv.Itoa(i) }

// quote writes a user's text into a message, cut to a readable length.
func quote(text string) string { return strconv.Quote(clipTo(text, 64)) }

// explainedCall is a procedure call read with care for what to say.
func (p *parser) explainedCall(doc document, c *Compiled) (Typed, *Refusal) {
	if c == nil {
		return Typed{}, c.unknownProcedure(doc.procedure)
	}
	i, ok := c.byName[doc.procedure]
	if !ok {
		return Typed{}, c.unknownProcedure(doc.procedure)
	}
	fields, refusal := p.params(doc, c.Procs[i], false)
	if refusal != nil {
		return Typed{}, refusal
	}
	return Typed{Keyed: doc.id, Proc: i, Params: appendParams(nil, fields)}, nil
}

// params reads the params of a document for a program and tells all that is
// wrong with them. The slice is the parser's.
func (p *parser) params(doc document, program *Program, inline bool) ([]value.Value, *Refusal) {
	p.room(len(program.Params))
	r := &Refusal{Code: CodeInvalid}
	for _, m := range members(doc.params) {
		pointer := "/params/" + escapePointer(m.name)
		i, ok := program.ParamsType.Shape.Index(m.name)
		if !ok {
			r.add(pointer, "unknown param "+quote(m.name)+"; "+listed("params", program.ParamsType.Shape.Fields))
			continue
		}
		dec := jsontext.NewDecoder(bytes.NewBuffer(m.value))
		v, problem := lang.DecodeJSON(dec, program.Params[i].Type)
		p.fields[i], p.seen[i] = v, true
		if problem == nil {
			continue
		}
		detail := problem.Reason
		switch {
		case problem.Malformed:
			r.Code = CodeMalformed
		case inline:
			detail += suggestion(m.name)
		}
		r.add(pointer+problem.Pointer, detail)
	}
	for i, param := range program.Params {
		if !p.seen[i] && !param.Type.Nullable {
			r.add("/params", "the param "+quote(param.Name)+" ("+param.Type.String()+") is missing")
		}
	}
	if len(r.Errors) > 0 {
		r.Status = statusOf(r.Code)
		r.summarize()
		return nil, r
	}
	return p.fields, nil
}

func (r *Refusal) add(pointer, detail string) {
	if len(r.Errors) < tree.MaxProblems {
		r.Errors = append(r.Errors, PointerDetail{pointer, detail})
	}
}

// suggestion tells how an inline param gets another type than JSON's.
func suggestion(name string) string {
	return `; "types": {` + strconv.Quote(name) + `: "..."} beside params declares another type`
}

// member is one name and value of an object.
type member struct {
	name  string
	value jsontext.Value
}

// members are those of an object that is known to be well formed.
func members(object jsontext.Value) []member {
	if object == nil {
		return nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(object))
	if _, err := dec.ReadToken(); err != nil {
		return nil
	}
	var list []member
	for dec.PeekKind() == '"' {
		tok, err := dec.ReadToken()
		if err != nil {
			return list
		}
		name := tok.String()
		v, err := dec.ReadValue()
		if err != nil {
			return list
		}
		list = append(list, member{name, slices.Clone(v)})
	}
	return list
}

// inlineDocument compiles the steps of a document, and gives the canonical text
// of them.
func (c *Compiled) inlineDocument(doc document, tx lang.TxScope) (*Program, []byte, *Refusal) {
	if n := len(doc.steps) + len(doc.result) + len(doc.types); n > MaxInlineBytes {
		return nil, nil, refusal(CodeInvalid, "/steps", "the steps take "+itoa(n)+" bytes, too long for an inline transaction, which has at most "+itoa(MaxInlineBytes)+"; values belong in params, and long transactions in procedures")
	}
	source, problems := canonicalSource(doc)
	if problems != nil {
		return nil, nil, refuse(problems)
	}
	program, refusal := c.inlineIn(tx, source)
	if refusal != nil {
		suggestTypes(refusal, doc)
		return nil, nil, refusal
	}
	return program, source, nil
}

// canonicalSource makes the text that Inline takes: the steps, the return, and
// the types of all params, declared or read off their JSON.
func canonicalSource(doc document) ([]byte, []tree.Problem) {
	text := append([]byte(`{"steps":`), doc.steps...)
	if doc.result != nil {
		text = append(append(text, `,"return":`...), doc.result...)
	}
	if doc.types != nil {
		text = append(append(text, `,"types":`...), doc.types...)
	}
	root, problems := tree.ParseJSON(append(text, '}'), inlineLimits())
	if problems != nil {
		return nil, problems
	}
	types := root.Get("types")
	if types == nil {
		types = &tree.Node{Kind: tree.Map}
		root.Keys, root.KeyLine, root.Items = append(root.Keys, "types"), append(root.KeyLine, 0), append(root.Items, types)
	}
	if problems := inferTypes(types, doc.params); problems != nil {
		return nil, problems
	}
	return root.AppendCanonical(nil), nil
}

// inferTypes adds the types of params that are not declared.
func inferTypes(types *tree.Node, params jsontext.Value) []tree.Problem {
	for i, t := range types.Items {
		if t.Kind == tree.String && t.Text == nullType {
			at := (*tree.Path)(nil).Key("types").Key(types.Keys[i])
			return []tree.Problem{{Fault: tree.Invalid, Pointer: at.String(), JSONPointer: at.Pointer(), Detail: `"null" is no type to declare`}}
		}
	}
	declared := map[string]bool{}
	for _, key := range types.Keys {
		declared[strings.TrimSuffix(key, "?")] = true
	}
	for _, m := range members(params) {
		if declared[m.name] {
			continue
		}
		types.Keys = append(types.Keys, m.name)
		types.KeyLine = append(types.KeyLine, 0)
		types.Items = append(types.Items, &tree.Node{Kind: tree.String, Text: inferred(m.value)})
	}
	return nil
}

// inferred is the type that a param has by its JSON (transactions.md,
// Transaction).
func inferred(v jsontext.Value) string {
	switch v.Kind() {
	case 'n':
		return nullType
	case 't', 'f':
		return "bool"
	case '"':
		return "string"
	case '0':
		if bytes.ContainsAny(v, ".eE") {
			return "double"
		}
		return "int"
	}
	return "json"
}

// suggestTypes adds to the refusal of an expression that uses params what type
// they were taken to have, and how another is declared.
func suggestTypes(r *Refusal, doc document) {
	if r.Code != CodeInvalid {
		return
	}
	given := members(doc.params)
	slices.SortFunc(given, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	for i := range r.Errors {
		e := &r.Errors[i]
		if !strings.Contains(e.Detail, "of the expression") {
			continue
		}
		text := expressionAt(doc, e.Pointer)
		for _, m := range given {
			if mentions(text, m.name) && !declaredIn(doc.types, m.name) {
				e.Detail += "; params." + m.name + " was taken as " + inferred(m.value) + suggestion(m.name)
				break
			}
		}
	}
	r.summarize()
}

// mentions tells whether an expression uses a param.
func mentions(text, name string) bool {
	for {
		_, after, ok := strings.Cut(text, "params."+name)
		if !ok {
			return false
		}
		if after == "" || !isNameByte(after[0]) {
			return true
		}
		text = after
	}
}

func isNameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func declaredIn(types jsontext.Value, name string) bool {
	return slices.ContainsFunc(members(types), func(m member) bool { return strings.TrimSuffix(m.name, "?") == name })
}

// expressionAt is the text of the expression that a pointer leads to, or empty.
func expressionAt(doc document, pointer string) string {
	section, rest, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	v := doc.steps
	if section == "return" {
		v = doc.result
	}
	n, problems := tree.ParseJSON(v, inlineLimits())
	if problems != nil {
		return ""
	}
	for _, key := range strings.Split(rest, "/") {
		switch {
		case rest == "":
		case n.Kind == tree.Map:
			n = n.Get(strings.NewReplacer("~1", "/", "~0", "~").Replace(key))
		case n.Kind == tree.List:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(n.Items) {
				return ""
			}
			n = n.Items[i]
		}
		if n == nil {
			return ""
		}
	}
	return n.Text
}
