package program

import (
	"strconv"

	"lockstep/engine/keys"
	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/schema/tree"
	"lockstep/engine/value"
)

// Span is the rows that a scan visits, in their order: those whose key, or whose
// columns of an index and then the key, begin with Prefix, and go on with what
// is not less than From and less than To. From and To may be shorter than what
// is left: only as many columns are compared.
type Span struct {
	Index  *schema.Index // nil: in the order of the key
	Prefix []value.Value
	From   []value.Value // nil: from the beginning
	To     []value.Value // nil: to the end
	Desc   bool
}

// scanStep binds the rows of a span, or their number.
type scanStep struct {
	at               string
	table            *schema.Table
	index            *schema.Index
	prefix, from, to []*lang.Expr
	where            *lang.Expr // nil: all
	limit            *lang.Expr // nil: at most MaxUnlimited, or else an abort
	desc, count      bool
	as               int
}

func (s *scanStep) run(r *run) (*Abort, error) {
	if abort := r.begin(s.at); abort != nil {
		return abort, nil
	}
	span := Span{Index: s.index, Desc: s.desc}
	if abort := s.bounds(r, &span); abort != nil {
		return abort, nil
	}
	g := gathering{run: r, step: s, limit: MaxUnlimited, size: value.Size{Nodes: 1, Depth: 1}}
	if s.limit != nil {
		n, fault := s.limit.Eval(r.f)
		if fault != nil {
			return faulted(s.at, fault), nil
		}
		if n.Int() < 1 || n.Int() > MaxScanLimit {
			return &Abort{Code: CodeEvaluationError, Step: s.at, Message: "the limit is " + strconv.FormatInt(n.Int(), 10) + "; it is a number from 1 to " + strconv.Itoa(MaxScanLimit)}, nil
		}
		g.limit = int(n.Int())
	}
	if fault := r.f.Meter.Charge(seekCost); fault != nil {
		return faulted(s.at, fault), nil
	}
	if r.paged == s {
		return s.runPage(r, &span, g)
	}
	if err := r.st.Scan(s.table, &span, g.visit); err != nil || g.abort != nil {
		return g.abort, err
	}
	r.matched = g.matched
	switch {
	case s.as < 0:
	case s.count:
		r.f.Slots[s.as] = value.OfInt(int64(g.matched))
	default:
		r.f.Slots[s.as] = value.OfList(g.rows)
	}
	return nil, nil
}

// bounds evaluates what delimits the span, in the order prefix, from, to.
func (s *scanStep) bounds(r *run, span *Span) *Abort {
	all := make([]value.Value, 0, len(s.prefix)+len(s.from)+len(s.to))
	for _, part := range [...]struct {
		exprs []*lang.Expr
		into  *[]value.Value
	}{{s.prefix, &span.Prefix}, {s.from, &span.From}, {s.to, &span.To}} {
		start := len(all)
		for _, x := range part.exprs {
			v, fault := x.Eval(r.f)
			if fault != nil {
				return faulted(s.at, fault)
			}
			all = append(all, v)
		}
		if len(part.exprs) > 0 {
			*part.into = all[start:len(all):len(all)]
		}
	}
	longest := keys.MaxKey
	if s.index != nil {
		longest *= 2 // an entry of an index goes on with the row's key
	}
	n := len(s.prefix)
	if abort := r.checkTuple(s.at, longest, span.Prefix, all[n:n+len(s.from)]); abort != nil {
		return abort
	}
	return r.checkTuple(s.at, longest, span.Prefix, all[n+len(s.from):])
}

// gathering is what a scan has found so far.
type gathering struct {
	run     *run
	step    *scanStep
	limit   int
	matched int
	rows    []value.Value
	size    value.Size // of the list of rows
	abort   *Abort
}

// visit takes a row; it tells whether the scan goes on.
func (g *gathering) visit(row value.Value) bool {
	g.abort = g.take(row)
	// Where a limit is given, no row beyond the last one is read for it.
	return g.abort == nil && (g.step.limit == nil || g.matched < g.limit)
}

func (g *gathering) take(row value.Value) *Abort {
	r, s := g.run, g.step
	if abort := r.countRow(s.at); abort != nil {
		return abort
	}
	cost := uint64(scanRowCost)
	if s.index != nil {
		cost = indexRowCost
	}
	if fault := r.f.Meter.Charge(cost + uint64(rowBytes(row))/bytesPerUnit); fault != nil {
		return faulted(s.at, fault)
	}
	if s.where != nil {
		r.f.Slots[schema.RowSlot] = row
		ok, fault := s.where.Eval(r.f)
		if fault != nil {
			return faulted(s.at, fault)
		}
		if !ok.Bool() {
			return nil
		}
	}
	if g.matched++; g.matched > g.limit {
		return &Abort{Code: CodeLimitExceeded, Step: s.at, Message: "more than " + strconv.Itoa(MaxUnlimited) + " rows of " + s.table.Name + " match; give a limit, at most " + strconv.Itoa(MaxScanLimit) + ", or a narrower range"}
	}
	if s.count || s.as < 0 {
		return nil
	}
	g.rows = append(g.rows, row)
	size := row.Size()
	g.size.Nodes, g.size.Bytes, g.size.Depth = g.size.Nodes+size.Nodes, g.size.Bytes+size.Bytes, max(g.size.Depth, size.Depth+1)
	if g.size.TooLarge() {
		return tooLarge(s.at)
	}
	return nil
}

// scanStep compiles a scan.
func (c *compiler) scanStep(body tree.Cursor, name string) step {
	if !body.Object([]string{"table"}, "index", "prefix", "from", "to", "where", "order", "limit", "as", "count") {
		return nil
	}
	s := &scanStep{at: name, table: c.table(body), count: body.Field("count").Flag()}
	if s.table == nil {
		return nil
	}
	columns := c.scanColumns(s, body)
	s.prefix = c.leading(columns, body.Field("prefix"), "prefix", "")
	rest := columns[min(len(s.prefix), len(columns)):]
	s.from = c.leading(rest, body.Field("from"), "from", " after the prefix")
	s.to = c.leading(rest, body.Field("to"), "to", " after the prefix")
	row := lang.Type{Kind: lang.KObject, Object: s.table.RowType}
	s.where = c.exprWith(body.Field("where"), &lang.Var{Name: "row", Type: row, Slot: schema.RowSlot}, &lang.Type{Kind: lang.KBool})
	s.desc = c.order(body.Field("order"))
	s.limit = c.scanLimit(body.Field("limit"))
	s.as = noSlot
	if as := body.Field("as"); as.Here() {
		t := lang.Type{Kind: lang.KList, Elem: &row}
		if s.count {
			t = lang.Type{Kind: lang.KInt}
		}
		if bound, ok := as.Text(); ok {
			s.as = c.bind(as, bound, t)
		}
	}
	return s
}

// scanColumns finds the index that a scan names, and the columns that it goes by.
func (c *compiler) scanColumns(s *scanStep, body tree.Cursor) []schema.Column {
	var columns []schema.Column
	if at := body.Field("index"); at.Here() {
		name, ok := at.Text()
		if !ok {
			return nil
		}
		if s.index = s.table.Index(name); s.index == nil {
			known := make([]string, 0, len(s.table.Indexes))
			for _, x := range s.table.Indexes {
				known = append(known, x.Name)
			}
			at.Fail(tree.Invalid, "the table %s has no index %q; %s; without an index a scan goes by the key", s.table.Name, name, listed("indexes", known))
			return nil
		}
		for _, i := range s.index.Columns {
			columns = append(columns, s.table.Columns[i])
		}
	}
	for _, i := range s.table.Key {
		columns = append(columns, s.table.Columns[i])
	}
	return columns
}

// leading compiles the values of the first of some columns.
func (c *compiler) leading(columns []schema.Column, at tree.Cursor, what, where string) []*lang.Expr {
	if !at.Here() || !at.IsList() {
		return nil
	}
	parts := at.Elements()
	if len(parts) > len(columns) {
		names := make([]string, len(columns))
		for i := range columns {
			names[i] = columns[i].Name
		}
		at.Fail(tree.Invalid, "%s has %d values, and the scan goes by %d columns%s; %s", what, len(parts), len(columns), where, listed("columns", names))
		return nil
	}
	exprs := make([]*lang.Expr, len(parts))
	for i, part := range parts {
		exprs[i] = c.expr(part, &columns[i].Type)
	}
	return exprs
}

// order tells whether a scan goes backwards.
func (c *compiler) order(at tree.Cursor) bool {
	if !at.Here() {
		return false
	}
	text, ok := at.Text()
	if ok && text != "asc" && text != "desc" {
		at.Fail(tree.Invalid, "order is asc or desc, not %q", text)
	}
	return text == "desc"
}

// scanLimit compiles a limit; a number that stands for itself is judged here.
func (c *compiler) scanLimit(at tree.Cursor) *lang.Expr {
	x := c.expr(at, &lang.Type{Kind: lang.KInt})
	if x == nil || x.Source() != "" {
		return x
	}
	if n, _ := x.Const(); n.Int() < 1 || n.Int() > MaxScanLimit {
		at.Fail(tree.Invalid, "limit is a number from 1 to %d", MaxScanLimit)
	}
	return x
}
