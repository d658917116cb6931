package schematest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/store"
	"lockstep/engine/value"
)

// rig is one copy of a group with no others: the engine as a node runs it, over
// a store in memory, told entries as the log tells them.
type rig struct {
	env      *lang.Env
	store    *store.Store
	machine  *engine.Machine
	stamp    stamp
	index    uint64
	sequence uint64
	epoch    uint64               // the last one under which a task was assigned
	given    uint64               // rows so far that were there before
	trace    func(*program.Trace) // of the procedure that runs, or nil
}

// The entries come from a router of the one session, the ids of given rows from
// another, so that no id of a test is theirs.
const (
	session      = 1
	givenSession = 2
)

// memory lets the machine use a store.
type memory struct{ *store.Store }

func (m memory) NewIter(lo, hi []byte) engine.Iterator { return m.Store.NewIter(lo, hi) }
func (m memory) NewBatch() engine.Batch                { return m.Store.NewBatch() }

// newRig makes a copy with a schema, which is known to be correct.
func newRig(env *lang.Env, doc *schema.Document, s stamp) (*rig, error) {
	st, err := store.Open(store.Options{Dir: "copy", InMemory: true, MemTableBytes: store.MinMemTableBytes})
	if err != nil {
		return nil, err
	}
	r := &rig{env: env, store: st, stamp: s}
	r.machine, err = engine.Open(memory{st}, engine.Options{Local: session, Env: env, Trace: r.tell})
	if err == nil {
		e := entry.Schema{Origin: r.origin(), TimeMillis: s.millis, Document: doc.Canonical()}
		_, err = r.order(entry.AppendSchema(nil, &e))
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return r, nil
}

// tell passes on how a procedure went.
func (r *rig) tell(t *program.Trace) {
	if r.trace != nil {
		r.trace(t)
	}
}

func (r *rig) close() error { return r.store.Close() }

func (r *rig) origin() entry.Origin {
	r.sequence++
	return entry.Origin{Proposer: session, Sequence: r.sequence}
}

// order applies one entry and gives the verdict on its only item.
func (r *rig) order(cmd []byte) (outcome.Verdict, error) {
	r.index++
	if err := r.machine.Apply(entry.Raw{Index: r.index, Cmd: cmd}); err != nil {
		return outcome.Verdict{}, err
	}
	done, err := r.machine.Commit()
	if err != nil {
		return outcome.Verdict{}, err
	}
	if len(done) != 1 || len(done[0].Verdicts) != 1 {
		return outcome.Verdict{}, fmt.Errorf("the engine gave no verdict on entry %d", r.index)
	}
	return done[0].Verdicts[0], nil
}

// came is what came of a transaction or a query.
type came struct {
	Status  string          `json:"status"` // committed, aborted, refused; of a query answered
	Result  json.RawMessage `json:"result,omitempty"`
	Code    string          `json:"code,omitempty"`
	Step    string          `json:"step,omitempty"`
	Message string          `json:"message,omitempty"`

	Emitted []message `json:"emitted,omitempty"`

	again bool // it was recorded before: nothing was executed now
}

// message is what a transaction put into the change feed.
type message struct {
	Topic string          `json:"topic"`
	Value json.RawMessage `json:"value"`
}

const (
	committed = "committed"
	answered  = "answered"
	aborted   = "aborted"
	refused   = "refused"
)

func refusal(r *program.Refusal) came {
	return came{Status: refused, Code: r.Code, Message: r.Detail}
}

func abort(a *program.Abort) came {
	return came{Status: aborted, Code: a.Code, Step: a.Step, Message: a.Message}
}

// transact orders one transaction in an entry of its own.
func (r *rig) transact(doc []byte, id string) (came, error) {
	if detail := entry.CheckKey(id); detail != "" {
		return came{Status: refused, Code: program.CodeMalformed, Message: detail}, nil
	}
	compiled := r.machine.Compiled()
	typed, refused := program.ParseTransaction(doc, compiled)
	if refused != nil {
		return refusal(refused), nil
	}
	fingerprint, err := value.Fingerprint(doc)
	if err != nil {
		return came{}, err
	}
	b := entry.Batch{Origin: r.origin(), TimeMillis: r.stamp.millis, Seed: r.stamp.seed, SchemaVersion: compiled.Version, Items: []entry.Item{{
		ID: entry.ParseID(id), Fingerprint: fingerprint, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source,
	}}}
	v, err := r.order(entry.AppendBatch(nil, &b))
	if err != nil {
		return came{}, err
	}
	got, err := verdict(v)
	if err == nil && got.Status == committed {
		got.Emitted, err = r.emitted(v.Outcome.Revision)
	}
	return got, err
}

// emitted reads the messages of the transaction at a revision.
func (r *rig) emitted(revision uint64) (list []message, err error) {
	v, err := r.view()
	if err != nil {
		return nil, err
	}
	all, _, err := v.Emitted(revision-1, 1)
	if err != nil || len(all) == 0 || all[0].Revision != revision {
		return nil, err
	}
	for _, m := range all[0].Messages {
		list = append(list, message{m.Topic, m.Value})
	}
	return list, nil
}

// assign gives a task to a node under the group's next epoch.
func (r *rig) assign(task string) error {
	r.epoch++
	a := entry.Assign{Origin: r.origin(), TimeMillis: r.stamp.millis, Task: task, Holder: session, Epoch: r.epoch, Reason: entry.ReasonNormal}
	v, err := r.order(entry.AppendAssign(nil, &a))
	if err == nil && !v.Outcome.Committed {
		err = fmt.Errorf("assigning %s: %s", task, v.Outcome.Message)
	}
	return err
}

func verdict(v outcome.Verdict) (came, error) {
	o, again := &v.Outcome, v.Kind == outcome.Duplicate
	switch v.Kind {
	case outcome.Executed, outcome.Duplicate:
		if o.Committed {
			return came{Status: committed, Result: append(json.RawMessage(nil), o.Result...), again: again}, nil
		}
		return came{Status: aborted, Code: strings.Clone(o.Code), Step: strings.Clone(o.Step), Message: strings.Clone(o.Message), again: again}, nil
	case outcome.KeyReused:
		return came{Status: refused, Code: "idempotency_key_reused", Message: "the id was used with another document"}, nil
	}
	return came{}, fmt.Errorf("the engine gave a verdict of kind %d", v.Kind)
}

// query answers a query from what is there.
func (r *rig) query(doc []byte) (came, error) {
	p, params, refused := program.ParseQuery(doc, r.machine.Compiled())
	if refused != nil {
		return refusal(refused), nil
	}
	v, err := r.view()
	if err != nil {
		return came{}, err
	}
	a, err := v.Run(p, params, engine.QueryOptions{Explain: true})
	if err != nil {
		return came{}, err
	}
	r.tell(a.Trace)
	if a.Abort != nil {
		return abort(a.Abort), nil
	}
	return came{Status: answered, Result: value.AppendJSON(nil, a.Result)}, nil
}

func (r *rig) view() (*engine.View, error) {
	return engine.OpenView(memory{r.store}, r.machine.Compiled(), r.env)
}

// rows reads a whole table in key order.
func (r *rig) rows(table string) (rows []value.Value, err error) {
	v, err := r.view()
	if err != nil {
		return nil, err
	}
	for after := ""; ; {
		page, err := v.Page(table, engine.PageOptions{Limit: pageRows, After: after})
		if err != nil {
			return nil, err
		}
		rows = append(rows, page.Rows...)
		if after = page.Next; after == "" {
			return rows, nil
		}
	}
}

// pass lets time pass before the next entry.
func (r *rig) pass(d time.Duration) { r.stamp.millis += d.Milliseconds() }

// insert puts a row that is to be there before the test, as an inline
// transaction: checks hold and defaults apply as for any other.
func (r *rig) insert(t *schema.Table, columns []string, row map[string]json.RawMessage) (came, error) {
	type object = map[string]any
	set, params, types := object{}, object{}, object{}
	for _, name := range columns {
		if string(row[name]) == "null" {
			set[name] = nil
			continue
		}
		at, _ := t.Column(name)
		set[name], params[name], types[name] = "params."+name, row[name], t.Columns[at].Type.Kind.String()
	}
	doc, err := json.Marshal(object{
		"steps":  []object{{"insert": object{"table": t.Name, "row": set}}},
		"params": params, "types": types,
	})
	if err != nil {
		return came{}, err
	}
	r.given++
	return r.transact(doc, entry.ID{Session: givenSession, Counter: r.given}.String())
}
