package program

import (
	"strconv"
	"sync"
	"unicode/utf8"

	"lockstep/engine/keys"
	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// step is one compiled step.
type step interface {
	run(r *run) (*Abort, error)
}

// run is one execution of a program.
type run struct {
	f   *lang.Frame
	st  State
	lim *Limits

	extras  Extras    // of a query
	paged   *scanStep // that goes by extras.Page; nil: none
	matched int       // rows that the last scan gave

	key     [schema.MaxKeyColumns]value.Value // the key of the present step
	keyText []byte                            // scratch, to measure long keys
}

// scratch is memory that is used again: by runs, and by readers of documents.
// Nothing carries over from one use to the next.
type scratch struct {
	runs, parsers sync.Pool
}

func (s *scratch) takeRun() *run {
	if r, ok := s.runs.Get().(*run); ok {
		return r
	}
	return new(run)
}

func (s *scratch) giveRun(r *run) {
	r.f, r.st, r.lim = nil, nil, nil
	r.extras, r.paged = Extras{}, nil
	clear(r.key[:])
	s.runs.Put(r)
}

// all executes a program but for its return.
func (r *run) all(p *Program) (*Abort, error) {
	if r.f.Slots[schema.ParamsSlot].TooLarge() {
		return tooLarge("params"), nil
	}
	return r.steps(p.steps)
}

// steps executes a list of steps.
func (r *run) steps(list []step) (*Abort, error) {
	if r.extras.Trace != nil {
		return r.traced(list)
	}
	for _, s := range list {
		if abort, err := s.run(r); abort != nil || err != nil {
			return abort, err
		}
	}
	return nil, nil
}

// begin takes what every step costs.
func (r *run) begin(at string) *Abort {
	if r.lim.Steps--; r.lim.Steps < 0 {
		return r.overSteps(at)
	}
	if fault := r.f.Meter.Charge(stepCost); fault != nil {
		return faulted(at, fault)
	}
	return nil
}

// faulted is the abort that a fault of the language means.
func faulted(at string, fault *lang.Fault) *Abort {
	return &Abort{Code: fault.Code(), Step: at, Message: clip(fault.Message()), Fault: fault}
}

// result evaluates what the program returns.
func (r *run) result(x *lang.Expr) (value.Value, *Abort) {
	const at = "return"
	v, fault := x.Eval(r.f)
	if fault != nil {
		return v, faulted(at, fault)
	}
	if v.TooLarge() {
		return v, tooLarge(at)
	}
	return v, nil
}

func tooLarge(at string) *Abort {
	return faulted(at, &lang.Fault{Kind: lang.FaultTooLarge})
}

// evalKey evaluates a key into the run's scratch.
func (r *run) evalKey(at string, exprs []*lang.Expr) ([]value.Value, *Abort) {
	for i, x := range exprs {
		v, fault := x.Eval(r.f)
		if fault != nil {
			return nil, faulted(at, fault)
		}
		r.key[i] = v
	}
	key := r.key[:len(exprs)]
	return key, r.checkKey(at, key)
}

// shortKey is a length of text and binary data for which no escaping can reach
// keys.MaxKey: each byte may take two, and each column a few more.
const shortKey = keys.MaxKey/2 - 16*schema.MaxKeyColumns*2

// checkKey aborts where a key would be too long to store; the state does the
// same for index entries.
func (r *run) checkKey(at string, key []value.Value) *Abort {
	return r.checkTuple(at, keys.MaxKey, key, nil)
}

// checkTuple aborts where two lists of values make a longer key than there is.
func (r *run) checkTuple(at string, longest int, head, tail []value.Value) *Abort {
	text := 0
	for i := range head {
		text += len(head[i].Str())
	}
	for i := range tail {
		text += len(tail[i].Str())
	}
	if text <= shortKey {
		return nil
	}
	if text <= longest { // longer ones need not be encoded to be known
		r.keyText = keys.AppendTuple(keys.AppendTuple(r.keyText[:0], head), tail)
	}
	if text > longest || len(r.keyText) > longest {
		return &Abort{Code: CodeCostExceeded, Step: at, Message: "a key takes more than " + strconv.Itoa(longest) + " bytes"}
	}
	return nil
}

// read gets a row, counted and charged.
func (r *run) read(at string, t *schema.Table, key []value.Value) (value.Value, *Abort, error) {
	if abort := r.countRow(at); abort != nil {
		return value.Value{}, abort, nil
	}
	if fault := r.f.Meter.Charge(readCost); fault != nil {
		return value.Value{}, faulted(at, fault), nil
	}
	row, err := r.st.Get(t, key)
	if err != nil {
		return row, nil, err
	}
	if size := rowBytes(row); size > bytesPerUnit {
		if fault := r.f.Meter.Charge(uint64(size) / bytesPerUnit); fault != nil {
			return row, faulted(at, fault), nil
		}
	}
	return row, nil, nil
}

// countRow takes one of the rows that a run may read.
func (r *run) countRow(at string) *Abort {
	if r.lim.Rows--; r.lim.Rows < 0 {
		return r.overRows(at)
	}
	return nil
}

// weigh takes what is written, by its size.
func (r *run) weigh(at string, size int) *Abort {
	if r.lim.Bytes -= size; r.lim.Bytes < 0 {
		return r.overBytes(at)
	}
	if fault := r.f.Meter.Charge(writeCost + uint64(size)/bytesPerUnit); fault != nil {
		return faulted(at, fault)
	}
	return nil
}

// rowBytes is what a row weighs in limits and cost.
func rowBytes(row value.Value) int {
	size := row.Size()
	return size.Bytes + nodeOverhead*size.Nodes
}

// write checks and puts a row, the fields of which are in the order of the
// table's columns with room for the revision, and binds it.
func (r *run) write(at string, t *schema.Table, key, fields []value.Value, old value.Value, slot int) (*Abort, error) {
	fields[t.RevisionIndex()] = value.OfInt(r.st.Revision())
	row := value.OfObject(t.RowType.Shape, fields)
	if row.TooLarge() {
		return tooLarge(at), nil
	}
	if abort := r.weigh(at, rowBytes(row)); abort != nil {
		return abort, nil
	}
	if abort := r.check(at, t, row); abort != nil {
		return abort, nil
	}
	abort, err := r.st.Put(t, key, row, old)
	if abort != nil {
		abort.Step = at
	}
	if slot >= 0 {
		r.f.Slots[slot] = row
	}
	return abort, err
}

// check runs the table's checks on a row about to be written.
func (r *run) check(at string, t *schema.Table, row value.Value) *Abort {
	for _, c := range t.Checks {
		ok, fault := c.Passes(r.f, row)
		switch {
		case fault != nil:
			return faulted(at, fault)
		case !ok:
			text := "the row of " + t.Name + " does not satisfy " + c.Expr.Source()
			return &Abort{Code: c.Code, Step: at, Message: r.message(c.Message, text)}
		}
	}
	return nil
}

// message evaluates a user's message; where there is none, or it fails, the
// fallback stands in its place, for the code is what counts.
func (r *run) message(x *lang.Expr, fallback string) string {
	if x != nil {
		if v, fault := x.Eval(r.f); fault == nil && v.Kind() == value.String {
			return clip(v.Str())
		}
	}
	return clip(fallback)
}

// clip cuts a message to what an outcome keeps, at a boundary of characters.
func clip(s string) string { return clipTo(s, maxMessage) }

func clipTo(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// notFound is the abort for a row that should be there.
func notFound(at string, t *schema.Table, key []value.Value) *Abort {
	return &Abort{Code: CodeNotFound, Step: at, Message: "no row " + KeyText(key) + " in " + t.Name}
}

// KeyText is a key as messages show it: its values as JSON, in brackets.
func KeyText(key []value.Value) string {
	text := []byte{'['}
	for i, v := range key {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = value.AppendJSON(text, v)
	}
	return clipTo(string(append(text, ']')), maxKeyInText)
}
