package program

import (
	"container/list"
	"sync"

	"lockstep/engine/lang"
	"lockstep/engine/schema/tree"
)

// Inline compiles the steps of an inline transaction from the canonical text
// that Typed.Source holds, or finds it compiled already. What is refused is
// refused on every copy alike.
func (c *Compiled) Inline(source []byte) (*Program, *Refusal) {
	return c.inlineIn(lang.TxFull, source)
}

func (c *Compiled) inlineIn(tx lang.TxScope, source []byte) (*Program, *Refusal) {
	if p := c.inline.get(tx, source); p != nil {
		return p, nil
	}
	root, problems := tree.ParseJSON(source, inlineLimits())
	if problems != nil {
		return nil, refuse(problems)
	}
	var ps tree.Problems
	p := c.compileInline(tree.Root(root, &ps), tx)
	if !ps.None() {
		return nil, refuse(ps.Noted())
	}
	c.inline.put(tx, source, p)
	return p, nil
}

// compileInline compiles the steps, the return and the types of params of an
// inline program.
func (c *Compiled) compileInline(at tree.Cursor, tx lang.TxScope) *Program {
	if !at.Object([]string{"steps"}, "return", "types") {
		return nil
	}
	params, ok := inlineParams(at.Field("types"))
	if !ok {
		return nil
	}
	comp := c.newCompiler(tx, params, &size{MaxInlineExpressions, MaxInlineText, maxInlineProblems, false})
	comp.inlined = true
	return comp.program("", params, at.Field("steps"), at.Field("return"))
}

// nullType is the name, in the canonical text alone, of the type of a param
// that was given as null.
const nullType = "null"

// inlineParams reads the types of an inline program's params.
func inlineParams(at tree.Cursor) (*lang.ObjectType, bool) {
	if !at.Here() {
		return emptyParams(), true
	}
	if !at.IsMap() {
		return nil, false
	}
	plain := *at.Node
	plain.Items = make([]*tree.Node, len(at.Node.Items))
	var nulls []string
	for i, item := range at.Node.Items {
		if item.Kind == tree.String && item.Text == nullType {
			nulls = append(nulls, at.Node.Keys[i])
			item = &tree.Node{Kind: tree.String, Text: "json", Line: item.Line, Column: item.Column}
		}
		plain.Items[i] = item
	}
	at.Node = &plain
	params, ok := paramsType(at)
	if !ok {
		return nil, false
	}
	for _, name := range nulls {
		if i, found := params.Shape.Index(name); found {
			params.Fields[i] = lang.Type{Kind: lang.KNull}
		}
	}
	return params, true
}

// inlineCache keeps compiled inline programs, the ones used last. It holds what
// can be made again at any time, so that what it holds never shows in outcomes.
type inlineCache struct {
	mu     sync.Mutex
	limit  int       // entries
	bytes  int       // of the sources held
	recent list.List // of *inlineEntry, the one used last in front
	byText map[inlineKey]*list.Element
}

type inlineKey struct {
	tx     lang.TxScope
	source string
}

type inlineEntry struct {
	key     inlineKey
	program *Program
}

func newInlineCache(limit int) *inlineCache {
	return &inlineCache{limit: limit, byText: map[inlineKey]*list.Element{}}
}

func (c *inlineCache) get(tx lang.TxScope, source []byte) *Program {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byText[inlineKey{tx, string(source)}]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*inlineEntry).program
}

func (c *inlineCache) put(tx lang.TxScope, source []byte, p *Program) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := inlineKey{tx, string(source)}
	if c.byText[key] != nil {
		return // compiled twice at the same time
	}
	c.byText[key] = c.recent.PushFront(&inlineEntry{key, p})
	c.bytes += len(source)
	for c.recent.Len() > c.limit || c.bytes > MaxCachedBytes && c.recent.Len() > 1 {
		last := c.recent.Back()
		c.recent.Remove(last)
		dropped := last.Value.(*inlineEntry).key
		delete(c.byText, dropped)
		c.bytes -= len(dropped.source)
	}
}
