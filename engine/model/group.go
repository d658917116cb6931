package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Group is a group's whole state.
type Group struct {
	Revision   int64
	millis     int64 // the greatest time stamped so far
	schema     string
	pending    []byte // the document of a change under way
	broken     bool   // a row did not fit it, at some time since it began
	tables     map[string]*Table
	procedures map[string]*procedure
	outcomes   map[string]recorded // by id
	source     *source
	epoch      int64            // the last that was given
	tasks      map[string]int64 // the epoch that each is held under
	// Assigned are the last assignments of each task, the present one at the end.
	Assigned map[string][]string
	// Emitted are the messages of committed transactions in order: the revision,
	// the topic and the value.
	Emitted []string
	// Used counts what programs have exercised: kinds of steps, operators,
	// functions.
	Used map[string]int
}

type recorded struct {
	document string
	outcome  Outcome
}

// assignmentsKept is how many assignments of a task are remembered.
const assignmentsKept = 32

// Outcome is what became of a transaction.
type Outcome struct {
	Revision, Millis    int64
	Committed           bool
	Code, Step, Message string
	Result              string // JSON
}

// Verdict says what is done with an item of the log.
type Verdict int

// The verdicts.
const (
	Executed  Verdict = iota
	Duplicate         // it was executed before, with this outcome
	KeyReused         // its id was used with another document
)

// NewGroup is a group without a schema.
func NewGroup() *Group {
	return &Group{tables: map[string]*Table{}, procedures: map[string]*procedure{}, outcomes: map[string]recorded{},
		source: newSource(), tasks: map[string]int64{}, Assigned: map[string][]string{}, Used: map[string]int{}}
}

// advance takes an entry's time: it never goes back.
func (g *Group) advance(millis int64) { g.millis = max(g.millis, millis) }

func (g *Group) now() time.Time { return time.UnixMilli(g.millis).UTC() }

// Entry is what the items of one log entry share.
type Entry struct {
	Millis int64
	Seed   [16]byte
}

// Execute executes a transaction under an id: name is what ids are told apart by.
func (g *Group) Execute(e Entry, name string, doc []byte) (Outcome, Verdict) {
	g.advance(e.Millis)
	d := object(parseJSON(doc))
	delete(d, "id")
	canonical := JSON(canonical(d))
	if r, ok := g.outcomes[name]; ok {
		if r.document != canonical {
			return Outcome{}, KeyReused
		}
		return r.outcome, Duplicate
	}
	g.Revision++
	before := g.tables
	g.tables = maps.Clone(before)
	for name, t := range g.tables {
		g.tables[name] = t.clone()
	}
	x := &run{g: g, before: before, tx: &tx{id: name, revision: g.Revision, now: g.now(), seed: e.Seed}}
	o := x.program(d)
	o.Revision, o.Millis = g.Revision, g.millis
	if o.Committed {
		for _, m := range x.emitted {
			g.Emitted = append(g.Emitted, strconv.FormatInt(g.Revision, 10)+" "+m)
		}
	} else {
		g.tables = before
	}
	g.outcomes[name] = recorded{canonical, o}
	g.watch()
	return o, Executed
}

// Assign gives a task to somebody under an epoch, or takes it away; the epoch must
// be the group's last one plus one.
//
// What was assigned is remembered in Assigned, a line each.
func (g *Group) Assign(millis int64, task string, holder uint64, epoch int64, reason string) bool {
	g.advance(millis)
	if epoch != g.epoch+1 {
		return false
	}
	g.epoch = epoch
	held := holder != 0
	list := append(g.Assigned[task], fmt.Sprintf("%d under %d since %d: %s", holder, epoch, g.millis, reason))
	g.Assigned[task] = list[max(0, len(list)-assignmentsKept):]
	delete(g.tasks, task)
	if held {
		g.tasks[task] = epoch
	}
	return true
}

// Query runs steps that only read, or a procedure of such.
func (g *Group) Query(doc []byte) Outcome {
	x := &run{g: g, before: g.tables, tx: &tx{revision: g.Revision, now: g.now()}}
	return x.program(object(parseJSON(doc)))
}

// Rows are the rows of a table in key order, each as JSON.
func (g *Group) Rows(table string) []string {
	var out []string
	if t := g.tables[table]; t != nil {
		for _, row := range t.sorted(nil) {
			out = append(out, JSON(row))
		}
	}
	return out
}

// program runs a document: a procedure call, or inline steps.
func (x *run) program(d map[string]any) (o Outcome) {
	p := &procedure{steps: list(d["steps"]), returns: d["return"]}
	if name, ok := d["procedure"].(string); ok {
		p = x.g.procedures[name]
	} else {
		p.params = inlineParams(object(d["params"]), object(d["types"]))
	}
	result, abort := try(func() any {
		params := decode(mapOrEmpty(d["params"]), p.params)
		x.scope = x.scope.with("params", params, p.params)
		x.steps(p.steps, "steps")
		x.at = "return"
		return x.value(p.returns, nil, nil)
	})
	if abort != nil {
		return Outcome{Code: abort.Code, Message: abort.Message, Step: x.at}
	}
	return Outcome{Committed: true, Result: JSON(result)}
}

func mapOrEmpty(v any) map[string]any {
	if m := object(v); m != nil {
		return m
	}
	return map[string]any{}
}

// inlineParams: the params of an inline transaction take their types from JSON,
// but where they are declared.
func inlineParams(params, types map[string]any) *Type {
	declared := map[string]any{}
	for name, v := range params {
		switch v := v.(type) {
		case json.Number:
			declared[name] = kindName(fromJSON(v, false))
		case string:
			declared[name] = "string"
		case bool:
			declared[name] = "bool"
		case nil:
			declared[name+"?"] = "json"
		default:
			declared[name] = "json"
		}
	}
	for name, t := range types {
		base := strings.TrimSuffix(name, "?")
		delete(declared, base)
		delete(declared, base+"?")
		declared[name] = t
	}
	return objectType(declared, "params")
}
