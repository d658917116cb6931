package program

import (
	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// Program is a compiled procedure, inline transaction or query: immutable and
// safe for concurrent use.
type Program struct {
	Name       string  // of the procedure; empty for inline programs
	Params     []Param // in byte order of their names, which is the order they are encoded in
	ParamsType *lang.ObjectType
	Slots      int       // how many slots a frame needs to run it
	ReadOnly   bool      // no step of it writes
	ResultType lang.Type // what Run yields; json where only the value tells

	steps  []step
	forms  []*value.Form // parallel to Params
	result *lang.Expr    // nil: null

	scratch *scratch
}

// Param is a declared param.
type Param struct {
	Name string
	Type lang.Type // nullable where it may be absent
}

// State is the rows that a run sees and changes. Its errors mean that the state
// could not be read or written, never an outcome.
//
// The slice key is the caller's: it is valid during the call only.
type State interface {
	// Get returns the row under a key, an object of t.RowType, or null.
	Get(t *schema.Table, key []value.Value) (row value.Value, err error)
	// Scan calls visit for each row of a span, in order, as this transaction sees
	// it, until visit returns false. visit must not change the state.
	Scan(t *schema.Table, span *Span, visit func(row value.Value) bool) error
	// Put writes a row. old is the row that was there, or null. The state keeps
	// the indexes; where a unique one forbids the row it returns an abort with
	// CodeUniqueViolation, to which the run adds the step.
	Put(t *schema.Table, key []value.Value, row, old value.Value) (*Abort, error)
	// Delete removes the row that is there.
	Delete(t *schema.Table, key []value.Value, old value.Value) error
	// Revision is the revision that writes of this transaction carry.
	Revision() int64
	// LastWriter is the revision that wrote the row before this transaction
	// began; 0 where there was none.
	LastWriter(t *schema.Table, key []value.Value) (revision int64, err error)
	// TaskEpoch is the epoch under which a task of the group is held; 0 where it
	// is held by nobody.
	TaskEpoch(task string) (int64, error)
	// Emit puts a message into the change feed.
	Emit(topic string, v value.Value) error
}

// The system's codes that a run aborts with.
const (
	CodeNotFound        = "not_found"
	CodeAlreadyExists   = "already_exists"
	CodeConflict        = "conflict"
	CodeFenced          = "fenced"
	CodeLimitExceeded   = "limit_exceeded"
	CodeUniqueViolation = "unique_violation"
	CodeCostExceeded    = "cost_exceeded"
	CodeEvaluationError = "evaluation_error"
)

// Abort is why a transaction has no effect: a definite outcome, the same on
// every copy.
type Abort struct {
	Code    string
	Step    string // steps[3], steps[2].then[0], return, or params
	Message string // at most 1 KiB
	Fault   *lang.Fault
}

// Error makes an Abort usable as an error of Go.
func (a *Abort) Error() string { return a.Code + " at " + a.Step + ": " + a.Message }

// Run executes the program. The frame has at least p.Slots slots, all null but
// for the params in slot 0; it may be pooled by the caller. lim is counted down.
//
// An abort leaves what was put before it in the state: the caller takes it back.
func (p *Program) Run(f *lang.Frame, st State, lim *Limits) (value.Value, *Abort, error) {
	return p.RunWith(f, st, lim, Extras{})
}
