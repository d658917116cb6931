package program

import (
	"strconv"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// noSlot stands where a step binds nothing.
const noSlot = -1

// getStep binds a row.
type getStep struct {
	at       string
	table    *schema.Table
	key      []*lang.Expr
	optional bool
	as       int
}

func (s *getStep) run(r *run) (*Abort, error) {
	_, row, abort, err := r.find(s.at, s.table, s.key)
	if abort != nil || err != nil {
		return abort, err
	}
	if row.IsNull() && !s.optional {
		return notFound(s.at, s.table, r.key[:len(s.key)]), nil
	}
	if s.as >= 0 {
		r.f.Slots[s.as] = row
	}
	return nil, nil
}

// find begins a step, evaluates its key and reads the row under it.
func (r *run) find(at string, t *schema.Table, exprs []*lang.Expr) (key []value.Value, row value.Value, abort *Abort, err error) {
	if abort = r.begin(at); abort != nil {
		return nil, row, abort, nil
	}
	if key, abort = r.evalKey(at, exprs); abort != nil {
		return nil, row, abort, nil
	}
	row, abort, err = r.read(at, t, key)
	return key, row, abort, err
}

// rowStep is insert, and upsert with a whole row.
type rowStep struct {
	at      string
	table   *schema.Table
	columns []*lang.Expr // by column: what is given, else the default; nil is null
	replace bool         // upsert: a row that is there is replaced
	as      int
}

func (s *rowStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	fields := make([]value.Value, len(s.columns)+1)
	for i, x := range s.columns {
		if x == nil {
			continue
		}
		v, fault := x.Eval(r.f)
		if fault != nil {
			return faulted(s.at, fault), nil
		}
		fields[i] = v
	}
	key := r.key[:0]
	for _, c := range s.table.Key {
		key = append(key, fields[c])
	}
	if abort := r.checkKey(s.at, key); abort != nil {
		return abort, nil
	}
	old, abort, err := r.read(s.at, s.table, key)
	if abort != nil || err != nil {
		return abort, err
	}
	if !old.IsNull() && !s.replace {
		return &Abort{Code: CodeAlreadyExists, Step: s.at, Message: "the row " + KeyText(key) + " is in " + s.table.Name + " already"}, nil
	}
	return r.write(s.at, s.table, key, fields, old, s.as)
}

// setStep is update, and upsert with set.
type setStep struct {
	at     string
	table  *schema.Table
	key    []*lang.Expr
	set    []assignment
	insert []*lang.Expr // upsert: by column, what a new row gets where set is silent; nil is null
	upsert bool
	as     int
}

// assignment is one entry of set, in byte order of the columns' names.
type assignment struct {
	column int
	expr   *lang.Expr
}

func (s *setStep) run(r *run) (*Abort, error) {
	key, old, abort, err := r.find(s.at, s.table, s.key)
	if abort != nil || err != nil {
		return abort, err
	}
	if old.IsNull() && !s.upsert {
		return notFound(s.at, s.table, key), nil
	}
	r.f.Slots[schema.RowSlot] = old
	fields := make([]value.Value, len(s.table.Columns)+1)
	if old.IsNull() {
		abort = s.newRow(r, key, fields)
	} else {
		copy(fields, old.Elems())
		abort = s.assign(r, fields)
	}
	if abort != nil {
		return abort, nil
	}
	return r.write(s.at, s.table, key, fields, old, s.as)
}

// assign changes the fields of a row that is there.
func (s *setStep) assign(r *run, fields []value.Value) *Abort {
	for i := range s.set {
		v, fault := s.set[i].expr.Eval(r.f)
		if fault != nil {
			return faulted(s.at, fault)
		}
		fields[s.set[i].column] = v
	}
	return nil
}

// newRow makes the fields of a row that was not there.
func (s *setStep) newRow(r *run, key, fields []value.Value) *Abort {
	for i, x := range s.insert {
		if x == nil {
			continue
		}
		v, fault := x.Eval(r.f)
		if fault != nil {
			return faulted(s.at, fault)
		}
		fields[i] = v
	}
	for i, c := range s.table.Key {
		fields[c] = key[i]
	}
	return nil
}

// deleteStep removes a row.
type deleteStep struct {
	at       string
	table    *schema.Table
	key      []*lang.Expr
	optional bool
	as       int
}

func (s *deleteStep) run(r *run) (*Abort, error) {
	key, old, abort, err := r.find(s.at, s.table, s.key)
	if abort != nil || err != nil {
		return abort, err
	}
	if s.as >= 0 {
		r.f.Slots[s.as] = old
	}
	switch {
	case !old.IsNull():
		if fault := r.f.Meter.Charge(writeCost); fault != nil {
			return faulted(s.at, fault), nil
		}
		return nil, r.st.Delete(s.table, key, old)
	case !s.optional:
		return notFound(s.at, s.table, key), nil
	}
	return nil, nil
}

// requireStep goes on only if its expression is true.
type requireStep struct {
	at      string
	expr    *lang.Expr
	code    string
	message *lang.Expr
}

func (s *requireStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	v, fault := s.expr.Eval(r.f)
	switch {
	case fault != nil:
		return faulted(s.at, fault), nil
	case v.Bool():
		return nil, nil
	}
	return &Abort{Code: s.code, Step: s.at, Message: r.message(s.message, "not true: "+s.expr.Source())}, nil
}

// letStep names values.
type letStep struct {
	at    string
	names []binding // in byte order of the names
}

type binding struct {
	slot int
	expr *lang.Expr
}

func (s *letStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	for _, b := range s.names {
		v, fault := b.expr.Eval(r.f)
		if fault != nil {
			return faulted(s.at, fault), nil
		}
		r.f.Slots[b.slot] = v
	}
	return nil, nil
}

// ifStep runs one of two branches.
type ifStep struct {
	at            string
	expr          *lang.Expr
	then, another []step
}

func (s *ifStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	v, fault := s.expr.Eval(r.f)
	switch {
	case fault != nil:
		return faulted(s.at, fault), nil
	case v.Bool():
		return r.steps(s.then)
	}
	return r.steps(s.another)
}

// expectStep certifies a row that the client relied on.
type expectStep struct {
	at       string
	table    *schema.Table
	key      []*lang.Expr
	revision *lang.Expr
}

func (s *expectStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	key, abort := r.evalKey(s.at, s.key)
	if abort != nil {
		return abort, nil
	}
	want, fault := s.revision.Eval(r.f)
	if fault == nil {
		fault = r.f.Meter.Charge(readCost)
	}
	if fault != nil {
		return faulted(s.at, fault), nil
	}
	if abort := r.countRow(s.at); abort != nil {
		return abort, nil
	}
	last, err := r.st.LastWriter(s.table, key)
	if err != nil || last == want.Int() {
		return nil, err
	}
	return &Abort{Code: CodeConflict, Step: s.at, Message: conflict(s.table, key, want.Int(), last)}, nil
}

// What a conflict's message says of the row after naming it.
const (
	conflictWritten = " was written by revision "
	conflictGone    = " is not there"
)

func conflict(t *schema.Table, key []value.Value, want, last int64) string {
	now := conflictWritten + strconv.FormatInt(last, 10)
	if last == 0 {
		now = conflictGone
	}
	wanted := "revision " + strconv.FormatInt(want, 10) + " was expected"
	if want == 0 {
		wanted = "none was expected"
	}
	return "the row " + KeyText(key) + " of " + t.Name + now + "; " + wanted
}

// ConflictRow is the part of a conflict's message that names the row, the same
// for all conflicts on it: who watches contention counts by it. Long keys that
// begin alike are not told apart.
func ConflictRow(message string) string {
	return message[:max(0, strings.LastIndex(message, conflictWritten), strings.LastIndex(message, conflictGone+"; "))]
}
