package program

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
)

// Trace tells how a run went, step by step, for whoever wants to know what a
// query costs and why.
type Trace struct {
	Steps     []StepTrace `json:"steps"` // in the order in which they stand, nested ones after their outer one
	Executed  int         `json:"steps_executed"`
	RowsRead  int         `json:"rows_read"`
	RowsLimit int         `json:"rows_limit"`
	Cost      uint64      `json:"cost"`
	CostLimit uint64      `json:"cost_limit"`

	at map[step]int
}

// StepTrace is one step. Its figures are of all its runs together, and those of an
// outer step hold those of the steps within it.
type StepTrace struct {
	Step   string   `json:"step"` // steps[0], steps[1].do[0]
	Kind   string   `json:"kind"` // get, scan, …
	Table  string   `json:"table,omitempty"`
	Access string   `json:"access,omitempty"` // key: one row; key range, index: a part; full: the whole table, or index
	Index  string   `json:"index,omitempty"`
	By     []string `json:"by,omitempty"` // columns by which rows are found, those of a range included
	Where  string   `json:"where,omitempty"`

	Runs     int    `json:"runs"`
	RowsRead int    `json:"rows_read"`
	Returned *int   `json:"rows_returned,omitempty"` // of a scan: those that matched
	Cost     uint64 `json:"cost"`
	Hint     string `json:"hint,omitempty"`
}

// begin lists the steps of a program.
func (t *Trace) begin(p *Program) {
	t.Steps, t.at = []StepTrace{}, map[step]int{}
	t.list(p.steps)
}

func (t *Trace) list(steps []step) {
	for _, s := range steps {
		t.at[s] = len(t.Steps)
		t.Steps = append(t.Steps, planOf(s))
		switch s := s.(type) {
		case *ifStep:
			t.list(s.then)
			t.list(s.another)
		case *eachStep:
			t.list(s.do)
		}
	}
}

// end adds up and gives hints.
func (t *Trace) end(r *run) {
	times := max(1, r.lim.Query)
	t.Executed = times*MaxStepsRun - max(r.lim.Steps, 0)
	t.RowsLimit, t.CostLimit = times*MaxRowsRead, uint64(times)*CostLimit
	t.RowsRead = t.RowsLimit - max(r.lim.Rows, 0)
	t.Cost = r.f.Meter.Used
	for s, i := range t.at {
		if scan, ok := s.(*scanStep); ok {
			t.Steps[i].Hint = scan.hint(&t.Steps[i])
		}
	}
}

// traced executes steps and counts what each takes.
func (r *run) traced(list []step) (*Abort, error) {
	for _, s := range list {
		t := &r.extras.Trace.Steps[r.extras.Trace.at[s]]
		rows, cost := r.lim.Rows, r.f.Meter.Used
		r.matched = 0
		abort, err := s.run(r)
		t.Runs++
		t.RowsRead += rows - max(r.lim.Rows, 0)
		t.Cost += r.f.Meter.Used - cost
		if _, scan := s.(*scanStep); scan {
			*t.Returned += r.matched
		}
		if abort != nil || err != nil {
			return abort, err
		}
	}
	return nil, nil
}

// planOf is what can be told of a step before it runs.
func planOf(s step) StepTrace {
	one := func(at, kind string, t *schema.Table) StepTrace {
		return StepTrace{Step: at, Kind: kind, Table: t.Name, Access: "key", By: columnNames(t, t.Key)}
	}
	switch s := s.(type) {
	case *getStep:
		return one(s.at, "get", s.table)
	case *expectStep:
		return one(s.at, "expect", s.table)
	case *rowStep:
		if s.replace {
			return one(s.at, "upsert", s.table)
		}
		return one(s.at, "insert", s.table)
	case *setStep:
		if s.upsert {
			return one(s.at, "upsert", s.table)
		}
		return one(s.at, "update", s.table)
	case *deleteStep:
		return one(s.at, "delete", s.table)
	case *scanStep:
		return s.plan()
	case *requireStep:
		return StepTrace{Step: s.at, Kind: "require"}
	case *letStep:
		return StepTrace{Step: s.at, Kind: "let"}
	case *ifStep:
		return StepTrace{Step: s.at, Kind: "if"}
	case *eachStep:
		return StepTrace{Step: s.at, Kind: "each"}
	case *emitStep:
		return StepTrace{Step: s.at, Kind: "emit"}
	case *expectTaskStep:
		return StepTrace{Step: s.at, Kind: "expect_task"}
	}
	return StepTrace{Kind: strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", s), "*program."), "Step")}
}

func (s *scanStep) plan() StepTrace {
	t := StepTrace{Step: s.at, Kind: "scan", Table: s.table.Name, Access: "full", Returned: new(int)}
	columns := s.table.Key
	if s.index != nil {
		t.Index = s.index.Name
		columns = append(slices.Clone(s.index.Columns), columns...)
	}
	if n := len(s.prefix) + max(len(s.from), len(s.to)); n > 0 {
		t.By = columnNames(s.table, columns[:n])
		if t.Access = "key range"; s.index != nil {
			t.Access = "index"
		}
	}
	if s.where != nil {
		t.Where = s.where.Source()
	}
	return t
}

func columnNames(t *schema.Table, columns []int) []string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = t.Columns[c].Name
	}
	return names
}

// hint says how a scan that reads far more rows than it gives could read fewer.
func (s *scanStep) hint(t *StepTrace) string {
	if s.where == nil || t.RowsRead < hintRows || t.RowsRead < hintFactor*max(*t.Returned, 1) {
		return ""
	}
	compared := comparedColumns(s.table, s.where)
	compared = slices.DeleteFunc(compared, func(name string) bool { return slices.Contains(t.By, name) })
	if len(compared) == 0 {
		return ""
	}
	read := fmt.Sprintf("%d rows were read for %d", t.RowsRead, *t.Returned)
	for _, x := range s.table.Indexes {
		if x != s.index && slices.Contains(compared, s.table.Columns[x.Columns[0]].Name) {
			return read + "; the index " + x.Name + " begins with " + s.table.Columns[x.Columns[0]].Name + ": scan by it, with a prefix or a range"
		}
	}
	if first := s.table.Columns[s.table.Key[0]].Name; s.index == nil && slices.Contains(compared, first) {
		return read + "; the key begins with " + first + ": give a prefix or a range"
	}
	return read + "; an index on " + strings.Join(compared, ", ") + " would serve this"
}

// comparedColumns are the columns that a condition compares, in the order in which
// they stand: those whose name is followed, or preceded, by a comparison that an
// index can serve.
func comparedColumns(t *schema.Table, where *lang.Expr) []string {
	const column = `row\.([a-z][a-z0-9_]*)`
	pattern := regexp.MustCompile(column + `\s*(?:==|<|>)|(?:==|<=?|>=?)\s*` + column + `(?:[^a-z0-9_.(\[]|$)`)
	var names []string
	for _, m := range pattern.FindAllStringSubmatch(where.Source(), -1) {
		name := m[1] + m[2]
		if _, ok := t.Column(name); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
