package program

import (
	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// Paging has a query's scan give its rows piece by piece: the one scan that
// stands at the top of the steps and binds rows. A page ends when it has as many
// rows as were asked for, or is large, or half of the budget was used, so it may
// have fewer rows, and even none; the scan is at its end when there is no Next.
type Paging struct {
	Limit int           // most rows of this page
	After []value.Value // Next of the page before; nil: from the beginning
	Given int           // rows of all pages before, which a limit of the scan's own counts

	Next  []value.Value // set by a run: the place of the last row that was looked at; nil: the end
	Taken int           // set by a run: rows of this page
}

// Extras are what a query may have beside its budget.
type Extras struct {
	Page  *Paging // nil: all at once
	Trace *Trace  // nil: nobody wants to know
}

// Paged is the table and the index (nil: the key) of the scan that a program's
// pages go through. Where there is none, why says so.
func (p *Program) Paged() (t *schema.Table, x *schema.Index, why string) {
	s, why := p.pagedScan()
	if s == nil {
		return nil, nil, why
	}
	return s.table, s.index, ""
}

func (p *Program) pagedScan() (found *scanStep, why string) {
	for _, s := range p.steps {
		if scan, ok := s.(*scanStep); ok && !scan.count && scan.as >= 0 {
			if found != nil {
				return nil, "pages go through one scan, and this query has two: " + found.at + " and " + scan.at
			}
			found = scan
		}
	}
	if found == nil {
		return nil, "pages go through a scan at the top of the steps that binds rows, and this query has none"
	}
	return found, ""
}

// position is the place of a row in the order of a scan: the columns of its index
// and then the key.
func (s *scanStep) position(row value.Value) []value.Value {
	var at []value.Value
	if s.index != nil {
		for _, c := range s.index.Columns {
			at = append(at, row.Field(c))
		}
	}
	return s.table.KeyOf(at, row)
}

// paging is a gathering that ends early.
type paging struct {
	gathering
	page *Paging
	last value.Value // looked at last; null: none yet
	skip bool        // the row of After may come first
	more bool        // there are rows beyond the page
}

// runPage runs a scan from where the page before ended.
func (s *scanStep) runPage(r *run, span *Span, g gathering) (*Abort, error) {
	p := &paging{gathering: g, page: r.extras.Page}
	p.limit = p.page.Limit
	own := s.limit != nil
	if own {
		p.limit = min(p.limit, g.limit-p.page.Given)
	}
	if p.limit > 0 {
		if p.page.After != nil {
			p.skip = true
			s.resume(span, p.page.After)
		}
		if err := r.st.Scan(s.table, span, p.visit); err != nil || p.abort != nil {
			return p.abort, err
		}
	}
	r.matched, p.page.Taken = p.matched, p.matched
	if p.more && !(own && p.page.Given+p.matched >= g.limit) {
		p.page.Next = s.position(p.last)
	}
	r.f.Slots[s.as] = value.OfList(p.rows)
	return nil, nil
}

// resume moves the beginning of a span behind a row.
func (s *scanStep) resume(span *Span, after []value.Value) {
	tail := after[min(len(span.Prefix), len(after)):]
	if span.Desc {
		span.To = tail
	} else {
		span.From = tail
	}
}

func (p *paging) visit(row value.Value) bool {
	if p.skip {
		p.skip = false
		if sameTuple(p.step.position(row), p.page.After) {
			return true
		}
	}
	if p.full(row) {
		p.more = true
		return false
	}
	p.last = row
	p.abort = p.take(row)
	return p.abort == nil
}

// full tells whether the page ends before a row.
func (p *paging) full(row value.Value) bool {
	if p.last.IsNull() {
		return false
	}
	r, size := p.run, row.Size()
	times := max(1, r.lim.Query)
	return p.matched >= p.limit ||
		p.size.Bytes+size.Bytes > value.MaxBytes/2 || p.size.Nodes+size.Nodes > value.MaxNodes/2 ||
		r.lim.Rows < times*MaxRowsRead/2 || r.f.Meter.Used > uint64(times)*CostLimit/2
}

func sameTuple(a, b []value.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !value.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// RunWith is Run with what only queries have.
func (p *Program) RunWith(f *lang.Frame, st State, lim *Limits, x Extras) (value.Value, *Abort, error) {
	r := p.scratch.takeRun()
	r.f, r.st, r.lim, r.extras = f, st, lim, x
	if x.Page != nil {
		r.paged, _ = p.pagedScan()
	}
	if x.Trace != nil {
		x.Trace.begin(p)
	}
	abort, err := r.all(p)
	var result value.Value
	if abort == nil && err == nil && p.result != nil {
		result, abort = r.result(p.result)
	}
	if x.Trace != nil {
		x.Trace.end(r)
	}
	p.scratch.giveRun(r)
	lim.overCost(abort)
	if abort != nil || err != nil {
		return value.Value{}, abort, err
	}
	return result, nil, nil
}
