package program

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"lockstep/engine/lang"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

// Typed is a transaction document that was checked against a schema: what goes
// into the log.
type Typed struct {
	Keyed  string // "id" of the document, or empty
	Proc   int    // index in Compiled.Procs, or -1 for inline steps
	Params []byte // binary form, for DecodeParams of the program
	Source []byte // inline: canonical JSON of steps, return and types, for Inline
}

// maxID is the length of a transaction's id (transactions.md, Exactly once).
const maxID = 255

// ParseTransaction reads and checks one transaction document against what the
// group runs; c is nil before the first schema. The result holds nothing of raw.
//
// A procedure call, which is what arrives by the hundred thousand, is read in
// one pass; only when something is wrong with it is it read again, with more
// care for what to say.
func ParseTransaction(raw []byte, c *Compiled) (Typed, *Refusal) {
	p := c.takeParser()
	defer c.giveParser(p)
	t, ok := p.call(raw, c)
	if ok {
		return t, nil
	}
	doc, refusal := p.document(raw, true)
	if refusal != nil {
		return Typed{}, refusal
	}
	if doc.procedure != "" {
		return p.explainedCall(doc, c)
	}
	if c == nil {
		return Typed{}, noSchema()
	}
	program, source, refusal := c.inlineDocument(doc, lang.TxFull)
	if refusal != nil {
		return Typed{}, refusal
	}
	fields, refusal := p.params(doc, program, true)
	if refusal != nil {
		return Typed{}, refusal
	}
	return Typed{Keyed: doc.id, Proc: -1, Params: appendParams(nil, fields), Source: source}, nil
}

// ParseQuery reads and checks a query: a transaction document without id whose
// steps, or whose procedure's steps, only read.
func ParseQuery(raw []byte, c *Compiled) (*Program, value.Value, *Refusal) {
	p := c.takeParser()
	defer c.giveParser(p)
	doc, refusal := p.document(raw, false)
	if refusal != nil {
		return nil, value.Value{}, refusal
	}
	var program *Program
	switch {
	case doc.procedure != "":
		program, refusal = c.queryProcedure(doc.procedure)
	case c == nil:
		refusal = noSchema()
	default:
		program, _, refusal = c.inlineDocument(doc, lang.TxQuery)
	}
	if refusal != nil {
		return nil, value.Value{}, refusal
	}
	fields, refusal := p.params(doc, program, doc.procedure == "")
	if refusal != nil {
		return nil, value.Value{}, refusal
	}
	return program, value.OfObject(program.ParamsType.Shape, slices.Clone(fields)), nil
}

func noSchema() *Refusal {
	return refusal(CodeInvalid, "", "the group has no schema yet; apply one first")
}

func (c *Compiled) unknownProcedure(name string) *Refusal {
	if c == nil {
		return refusal(CodeUnknownProcedure, "/procedure", "the group has no schema yet, so no procedures; apply one first")
	}
	return refusal(CodeUnknownProcedure, "/procedure", "there is no procedure "+quote(name)+"; "+listed("procedures", sortedNames(c.byName)))
}

func (c *Compiled) queryProcedure(name string) (*Program, *Refusal) {
	if c == nil {
		return nil, c.unknownProcedure(name)
	}
	i, ok := c.byName[name]
	if !ok {
		return nil, c.unknownProcedure(name)
	}
	q := c.queries[i]()
	if q.program == nil {
		return nil, refusal(CodeInvalid, "/procedure", q.refusal)
	}
	return q.program, nil
}

// parser holds what reading documents needs again and again.
type parser struct {
	dec    jsontext.Decoder
	src    bytes.Buffer
	fields []value.Value
	seen   []bool
	buf    []byte
}

// takeParser takes a parser that was used before, if there is one.
func (c *Compiled) takeParser() *parser {
	if c != nil {
		if p, ok := c.scratch.parsers.Get().(*parser); ok {
			return p
		}
	}
	return new(parser)
}

// giveParser keeps a parser, and nothing of the document that it read.
func (c *Compiled) giveParser(p *parser) {
	if c == nil {
		return
	}
	p.src = bytes.Buffer{}
	p.dec.Reset(&p.src)
	clear(p.fields)
	if cap(p.buf) <= maxKeptBuffer {
		c.scratch.parsers.Put(p)
	}
}

func (p *parser) reset(raw []byte) {
	p.src = *bytes.NewBuffer(raw)
	p.dec.Reset(&p.src)
}

// room makes place for the params of a program, all null and not yet seen.
func (p *parser) room(n int) {
	p.fields = slices.Grow(p.fields[:0], n)[:n]
	p.seen = slices.Grow(p.seen[:0], n)[:n]
	clear(p.fields)
	clear(p.seen)
}

// call reads a procedure call in one pass. It gives up, without a reason, on
// everything that is not one that can be taken.
func (p *parser) call(raw []byte, c *Compiled) (t Typed, ok bool) {
	if c == nil {
		return Typed{}, false
	}
	p.reset(raw)
	if tok, err := p.dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return Typed{}, false
	}
	t.Proc = -1
	done := false
	for p.dec.PeekKind() == '"' {
		name, err := p.dec.ReadValue()
		if err != nil {
			return Typed{}, false
		}
		switch string(name) {
		case `"procedure"`:
			t.Proc = p.procedure(c)
			ok = t.Proc >= 0
		case `"params"`:
			ok = t.Proc >= 0 && p.callParams(c.Procs[t.Proc])
			done = ok
		case `"id"`:
			t.Keyed, ok = p.id()
		default:
			return Typed{}, false
		}
		if !ok {
			return Typed{}, false
		}
	}
	if t.Proc < 0 || !p.end() {
		return Typed{}, false
	}
	if !done {
		p.room(len(c.Procs[t.Proc].Params))
		if !p.complete(c.Procs[t.Proc]) {
			return Typed{}, false
		}
	}
	p.buf = appendParams(p.buf[:0], p.fields)
	t.Params = slices.Clone(p.buf)
	return t, true
}

// end reads the end of the document's object and of the document.
func (p *parser) end() bool {
	if tok, err := p.dec.ReadToken(); err != nil || tok.Kind() != '}' {
		return false
	}
	_, err := p.dec.ReadToken()
	return errors.Is(err, io.EOF)
}

// procedure reads the name of a procedure that there is, or -1.
func (p *parser) procedure(c *Compiled) int {
	v, err := p.dec.ReadValue()
	if err != nil || len(v) < 2 || v[0] != '"' {
		return -1
	}
	i, ok := c.byName[string(v[1:len(v)-1])]
	if !ok {
		return -1
	}
	return i
}

func (p *parser) id() (string, bool) {
	tok, err := p.dec.ReadToken()
	if err != nil || tok.Kind() != '"' {
		return "", false
	}
	id := tok.String()
	return id, goodID(id)
}

// goodID tells whether an id has 1 to 255 printable characters.
func goodID(id string) bool {
	if id == "" || len(id) > maxID {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] > 0x7e {
			return false
		}
	}
	return true
}

// callParams reads the params of a call into p.fields, if all of them are right.
func (p *parser) callParams(program *Program) bool {
	if tok, err := p.dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return false
	}
	p.room(len(program.Params))
	for p.dec.PeekKind() == '"' {
		name, err := p.dec.ReadValue()
		if err != nil {
			return false
		}
		i, ok := program.ParamsType.Shape.Index(string(name[1 : len(name)-1]))
		if !ok {
			return false
		}
		v, problem := lang.DecodeJSON(&p.dec, program.Params[i].Type)
		if problem != nil {
			return false
		}
		p.fields[i], p.seen[i] = v, true
	}
	tok, err := p.dec.ReadToken()
	return err == nil && tok.Kind() == '}' && p.complete(program)
}

// complete tells whether no param that must be given is missing.
func (p *parser) complete(program *Program) bool {
	for i := range p.seen {
		if !p.seen[i] && !program.Params[i].Type.Nullable {
			return false
		}
	}
	return true
}

// document is a transaction document taken apart; values are as they stand in
// the document, nil where they are not there.
type document struct {
	id, procedure                string
	params, steps, result, types jsontext.Value
}

// document takes a document apart and refuses what has not the shape of one.
func (p *parser) document(raw []byte, mayHaveID bool) (document, *Refusal) {
	p.reset(raw)
	var d document
	if p.dec.PeekKind() != '{' {
		if _, err := p.dec.ReadValue(); err != nil {
			return d, p.malformed(err)
		}
		return d, refusal(CodeMalformed, "", "a transaction is a JSON object")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return d, p.malformed(err)
	}
	for p.dec.PeekKind() != '}' {
		tok, err := p.dec.ReadToken()
		if err != nil {
			return d, p.malformed(err)
		}
		name := tok.String()
		val, err := p.dec.ReadValue()
		if err != nil {
			return d, p.malformed(err)
		}
		if refusal := d.field(name, slices.Clone(val), mayHaveID); refusal != nil {
			return d, refusal
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return d, p.malformed(err)
	}
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return d, refusal(CodeMalformed, "", "something follows after the end of the document")
	}
	return d, d.shape()
}

// malformed is the refusal of what is not JSON.
func (p *parser) malformed(err error) *Refusal {
	pointer, offset := string(p.dec.StackPointer()), p.dec.InputOffset()
	if se := (*jsontext.SyntacticError)(nil); errors.As(err, &se) {
		pointer, offset = string(se.JSONPointer), se.ByteOffset
	}
	return refusal(CodeMalformed, pointer, "not JSON: "+tree.Reason(err)+" (after "+itoa(int(offset))+" bytes)")
}

// field takes one field of the document.
func (d *document) field(name string, v jsontext.Value, mayHaveID bool) *Refusal {
	wanted, what := jsontext.Kind(0), ""
	switch name {
	case "procedure":
		wanted, what = '"', "the name of a procedure"
	case "id":
		if !mayHaveID {
			return refusal(CodeMalformed, "/id", "a query has no id")
		}
		wanted, what = '"', "text"
	case "params":
		d.params, wanted, what = v, '{', "an object"
	case "types":
		d.types, wanted, what = v, '{', "an object"
	case "steps":
		d.steps, wanted, what = v, '[', "a list of steps"
	case "return":
		d.result = v
	default:
		return refusal(CodeMalformed, "/"+escapePointer(name), "unknown field "+quote(name)+"; known here: id, procedure, params, steps, return, types")
	}
	if wanted != 0 && v.Kind() != wanted {
		return refusal(CodeMalformed, "/"+name, what+" is wanted here, not "+kindText(v.Kind()))
	}
	text, _ := jsontext.AppendUnquote(nil, v)
	switch {
	case name == "procedure":
		if d.procedure = string(text); d.procedure == "" {
			return refusal(CodeUnknownProcedure, "/procedure", "the name of the procedure is empty")
		}
	case name == "id":
		if d.id = string(text); !goodID(d.id) {
			return refusal(CodeMalformed, "/id", "an id has 1 to 255 printable ASCII characters")
		}
	}
	return nil
}

// shape refuses fields that don't go together.
func (d *document) shape() *Refusal {
	switch {
	case d.procedure == "" && d.steps == nil:
		return refusal(CodeMalformed, "", "the field \"procedure\" or \"steps\" is missing")
	case d.procedure == "":
		return nil
	case d.steps != nil:
		return refusal(CodeMalformed, "/steps", "a document has either \"procedure\" or \"steps\"")
	case d.result != nil:
		return refusal(CodeMalformed, "/return", "a procedure call has no \"return\" of its own")
	case d.types != nil:
		return refusal(CodeMalformed, "/types", "a procedure declares the types of its params itself")
	}
	return nil
}

func kindText(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '0':
		return "a number"
	case '"':
		return "text"
	case '[':
		return "a list"
	}
	return "an object"
}

func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
