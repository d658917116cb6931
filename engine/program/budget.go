package program

import (
	"strconv"

	"lockstep/engine/lang"
)

// Limits is what one run may still do; a run counts down. Cost is counted by the
// frame's meter.
type Limits struct {
	Steps int // to execute
	Rows  int // to read
	Bytes int // to write

	// Query is how many times a transaction's budget a query has, which holds up
	// nobody's order; 0: a transaction.
	Query int
}

// DefaultLimits is what a transaction may do in all.
func DefaultLimits() Limits {
	return Limits{Steps: MaxStepsRun, Rows: MaxRowsRead, Bytes: MaxBytesWritten}
}

// QueryLimits is what a query may do in all that has some times a transaction's
// budget, 1 to MaxQueryBudget, and its limit of cost.
func QueryLimits(times int) (Limits, uint64) {
	times = min(max(times, 1), MaxQueryBudget)
	return Limits{Steps: times * MaxStepsRun, Rows: times * MaxRowsRead, Query: times}, uint64(times) * CostLimit
}

// exceeded is the abort of a run that met one of its limits: which, how much it
// is, and what to do.
func (l *Limits) exceeded(at, what string, most int, remedy string) *Abort {
	who, times, otherwise := "transaction", 1, " or split the work into several transactions"
	if l.Query > 0 {
		who, times, otherwise = "query", l.Query, " or read piece by piece, in pages"
	}
	return &Abort{Code: CodeCostExceeded, Step: at,
		Message: "the limit of " + what + ", " + strconv.Itoa(most*times) + " a " + who + ", is exceeded; " + remedy + otherwise}
}

func (r *run) overSteps(at string) *Abort {
	return r.lim.exceeded(at, "steps", MaxStepsRun, "loop over fewer elements,")
}

func (r *run) overRows(at string) *Abort {
	return r.lim.exceeded(at, "rows read", MaxRowsRead, "narrow the range, scan by an index,")
}

func (r *run) overBytes(at string) *Abort {
	return r.lim.exceeded(at, "bytes written", MaxBytesWritten, "write smaller rows")
}

// overCost puts the limit of cost into the words of an abort that the language
// raised, which doesn't know whose it is.
func (l *Limits) overCost(a *Abort) {
	if a != nil && a.Fault != nil && a.Fault.Kind == lang.FaultCost {
		a.Message = l.exceeded(a.Step, "cost", CostLimit, "read fewer rows, compute less,").Message
	}
}
