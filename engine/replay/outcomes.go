package replay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/value"
)

// Rehearsal is what would have been otherwise under another schema.
type Rehearsal struct {
	From         uint64 `json:"from_revision"` // the last revision before it held
	Transactions uint64 `json:"transactions"`  // executed under both
	Different    uint64 `json:"different"`     // outcomes
	Untyped      uint64 `json:"untyped"`       // transactions that the new schema can't type
	Equal        bool   `json:"equal"`         // nothing differs

	Outcomes []OutcomeDiff `json:"outcomes"` // the commonest first
	Tables   []TableDiff   `json:"tables"`
}

// OutcomeDiff is one kind of difference of one procedure's outcomes.
type OutcomeDiff struct {
	Procedure string    `json:"procedure"` // empty: inline steps
	Kind      string    `json:"kind"`
	Count     uint64    `json:"count"`
	Examples  []Example `json:"examples"`
}

// Example is one transaction whose outcome differs.
type Example struct {
	ID       string          `json:"id"`
	Revision uint64          `json:"revision"`
	Time     string          `json:"time"`
	Params   json.RawMessage `json:"params"`
	Before   Result          `json:"before"`
	After    Result          `json:"after"`
}

// Result is an outcome as it is shown.
type Result struct {
	Status  string          `json:"status"` // committed, aborted, or untyped
	Code    string          `json:"code,omitempty"`
	Message string          `json:"message,omitempty"`
	Step    string          `json:"step,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
}

// pair is a transaction with its outcome under both schemas.
type pair struct {
	item     *entry.Item
	compiled *program.Compiled // that it was typed for when it was recorded
	before   *outcome.Outcome
	after    *outcome.Outcome // unless refusal
	refusal  *program.Refusal // why the new schema can't type it
}

// kind names how the outcomes differ; empty where they are the same.
func (p *pair) kind() string {
	a, b := p.before, p.after
	switch {
	case p.refusal != nil:
		return status(a) + " → can't be typed: " + p.refusal.Code
	case a.Committed && b.Committed:
		if !bytes.Equal(a.Result, b.Result) {
			return "another result"
		}
	case a.Committed != b.Committed || a.Code != b.Code:
		return status(a) + " → " + status(b)
	case a.Message != b.Message:
		return status(a) + ", another message"
	}
	return ""
}

func status(o *outcome.Outcome) string {
	if o.Committed {
		return "committed"
	}
	return "aborted: " + o.Code
}

type diffKey struct{ procedure, kind string }

// outcomeDiffs collects differences by procedure and kind.
type outcomeDiffs struct {
	examples           int
	different, untyped uint64
	byKey              map[diffKey]*OutcomeDiff
}

const otherKinds = "other kinds of difference"

func (d *outcomeDiffs) compare(p pair) {
	kind := p.kind()
	if kind == "" {
		return
	}
	if p.refusal != nil {
		d.untyped++
	} else {
		d.different++
	}
	key := diffKey{kind: kind}
	if p.item.Proc >= 0 {
		key.procedure = p.compiled.Procs[p.item.Proc].Name
	}
	if d.byKey == nil {
		d.byKey = map[diffKey]*OutcomeDiff{}
	}
	found := d.byKey[key]
	if found == nil && len(d.byKey) >= maxKinds {
		key = diffKey{kind: otherKinds}
		found = d.byKey[key]
	}
	if found == nil {
		found = &OutcomeDiff{Procedure: key.procedure, Kind: key.kind, Examples: []Example{}}
		d.byKey[key] = found
	}
	if found.Count++; len(found.Examples) < d.examples {
		found.Examples = append(found.Examples, p.example())
	}
}

// tell sorts what was found: the commonest first.
func (d *outcomeDiffs) tell(r *Rehearsal) {
	r.Different, r.Untyped = d.different, d.untyped
	r.Outcomes = []OutcomeDiff{}
	for _, o := range d.byKey {
		r.Outcomes = append(r.Outcomes, *o)
	}
	slices.SortFunc(r.Outcomes, func(a, b OutcomeDiff) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Procedure, b.Procedure), cmp.Compare(a.Kind, b.Kind))
	})
}

func (p *pair) example() Example {
	e := Example{
		ID: p.item.ID.String(), Revision: p.before.Revision,
		Time: string(outcome.AppendTime(nil, p.before.TimeMillis)), Params: p.params(), Before: shown(p.before),
	}
	if p.refusal != nil {
		e.After = Result{Status: "untyped", Code: p.refusal.Code, Message: p.refusal.Detail}
	} else {
		e.After = shown(p.after)
	}
	return e
}

// params are the transaction's, as a client would have written them.
func (p *pair) params() json.RawMessage {
	var prog *program.Program
	if p.item.Proc >= 0 {
		prog = p.compiled.Procs[p.item.Proc]
	} else if prog, _ = p.compiled.Inline(p.item.Source); prog == nil {
		return nil
	}
	v, err := prog.DecodeParams(p.item.Params)
	if err != nil {
		return nil // it was executed, so it can be read
	}
	return clip(value.AppendJSON(nil, v))
}

func shown(o *outcome.Outcome) Result {
	if o.Committed {
		return Result{Status: "committed", Result: clip(bytes.Clone(o.Result))}
	}
	return Result{Status: "aborted", Code: o.Code, Message: o.Message, Step: o.Step}
}

// clip shows a value's beginning, as text, where it is too long to be shown.
func clip(doc []byte) json.RawMessage {
	if len(doc) <= maxShownBytes {
		return doc
	}
	return value.AppendJSONString(nil, string(doc[:maxShownBytes])+"…")
}
