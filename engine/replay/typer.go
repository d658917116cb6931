package replay

import (
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/value"
)

// typer types what was recorded for another schema.
type typer struct {
	next  *program.Compiled
	from  *program.Compiled // that plans are for
	plans []plan            // by the procedure's index in from
}

// plan is how calls of one procedure are typed anew.
type plan struct {
	made bool
	proc int  // in next; -1: it has none of that name
	same bool // the params are the same, byte for byte
}

// retype types an item for the next schema. A refusal says why it can't.
func (t *typer) retype(c *program.Compiled, it *entry.Item) (entry.Item, *program.Refusal) {
	if it.Proc < 0 {
		p, refusal := t.next.Inline(it.Source)
		if refusal != nil {
			return entry.Item{}, refusal
		}
		if _, err := p.DecodeParams(it.Params); err != nil {
			return entry.Item{}, &program.Refusal{Code: program.CodeInvalid, Detail: err.Error()}
		}
		return *it, nil
	}
	old := c.Procs[it.Proc]
	p := t.plan(c, int(it.Proc))
	if !p.same {
		return t.typed(old, it)
	}
	again := *it
	again.Proc = int32(p.proc)
	return again, nil
}

func (t *typer) plan(c *program.Compiled, proc int) plan {
	if t.from != c {
		t.from, t.plans = c, make([]plan, len(c.Procs))
	}
	p := &t.plans[proc]
	if !p.made {
		*p = plan{made: true, proc: -1}
		if i, ok := t.next.Procedure(c.Procs[proc].Name); ok {
			p.proc, p.same = i, sameParams(c.Procs[proc].Params, t.next.Procs[i].Params)
		}
	}
	return *p
}

// typed writes the call as a client would, and types it as a router would: what
// the new procedure does not know and the call left out is left out again.
func (t *typer) typed(old *program.Program, it *entry.Item) (entry.Item, *program.Refusal) {
	params, err := old.DecodeParams(it.Params)
	if err != nil {
		return entry.Item{}, &program.Refusal{Code: program.CodeInvalid, Detail: err.Error()}
	}
	known := map[string]bool{}
	if i, ok := t.next.Procedure(old.Name); ok {
		for _, p := range t.next.Procs[i].Params {
			known[p.Name] = true
		}
	}
	doc := append([]byte(nil), `{"procedure":`...)
	doc = append(value.AppendJSONString(doc, old.Name), `,"params":{`...)
	for i, first := 0, true; i < len(old.Params); i++ {
		v := params.Field(i)
		if v.IsNull() && !known[old.Params[i].Name] {
			continue
		}
		if !first {
			doc = append(doc, ',')
		}
		first = false
		doc = append(value.AppendJSONString(doc, old.Params[i].Name), ':')
		doc = value.AppendJSON(doc, v)
	}
	typed, refusal := program.ParseTransaction(append(doc, "}}"...), t.next)
	if refusal != nil {
		return entry.Item{}, refusal
	}
	again := *it
	again.Proc, again.Params, again.Source = int32(typed.Proc), typed.Params, typed.Source
	return again, nil
}

func sameParams(a, b []program.Param) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || !sameType(&a[i].Type, &b[i].Type) {
			return false
		}
	}
	return true
}

// sameType tells whether values of two types of params are written alike.
func sameType(a, b *lang.Type) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Kind != b.Kind || a.Nullable != b.Nullable || !sameType(a.Elem, b.Elem) || !sameType(a.Key, b.Key) || (a.Object == nil) != (b.Object == nil) {
		return false
	}
	if a.Object == nil {
		return true
	}
	if len(a.Object.Fields) != len(b.Object.Fields) {
		return false
	}
	for i := range a.Object.Fields {
		if a.Object.Shape.Fields[i] != b.Object.Shape.Fields[i] || !sameType(&a.Object.Fields[i], &b.Object.Fields[i]) {
			return false
		}
	}
	return true
}
