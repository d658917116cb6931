package engine

import (
	"errors"

	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/value"
)

// QueryOptions say how a query runs. The zero value is a transaction's budget,
// nobody who stops it, and its whole answer at once.
type QueryOptions struct {
	// Budget is how many times a transaction's budget of steps, rows and cost the
	// query may use; 0 counts as 1.
	Budget int

	// Poll is asked after each pollEvery units of cost, some milliseconds' work at
	// most, and told what was used; an error ends the query with it. It may take
	// its time.
	Poll func(used uint64) error

	Limit    int      // above 0: a page of so many rows
	After    string   // Next of the page before; empty: the first page
	Document [16]byte // what tells this query, params included, from others; for Next

	Explain bool // tell how it went
}

// QueryAnswer is what a query gave.
type QueryAnswer struct {
	Result value.Value
	Abort  *program.Abort // not nil: there is no result
	Next   string         // where the next page goes on; empty at the end
	Trace  *program.Trace // where Explain was asked for
}

// pollEvery is small against what anybody waits for, and large against what asking
// costs.
const pollEvery = 20_000

// Run runs a query's program. Errors are the store's, Poll's, or an *InputError
// of what the options say.
func (v *View) Run(p *program.Program, params value.Value, o QueryOptions) (QueryAnswer, error) {
	if !p.ReadOnly {
		return QueryAnswer{}, errors.New("a query's program must not write")
	}
	x, err := v.extras(p, &o)
	if err != nil {
		return QueryAnswer{}, err
	}
	lim, cost := program.QueryLimits(o.Budget)
	meter := lang.Meter{Limit: cost}
	var stopped error
	if o.Poll != nil {
		meter.Limit = min(pollEvery, cost)
		meter.More = func(used uint64) {
			if stopped == nil && used <= cost {
				if stopped = o.Poll(used); stopped == nil {
					meter.Limit = min(used+pollEvery, cost)
				}
			}
		}
	}
	f := lang.Frame{
		Slots: make([]value.Value, max(p.Slots, 1)),
		Meter: &meter,
		Tx:    &lang.Tx{Revision: int64(v.pos.Revision), Now: instant(v.pos.NowMillis)},
	}
	f.Slots[0] = params
	a := QueryAnswer{Trace: x.Trace}
	a.Result, a.Abort, err = p.RunWith(&f, v, &lim, x)
	if stopped != nil {
		err = stopped
	}
	if err != nil {
		return QueryAnswer{}, err
	}
	if x.Page != nil && x.Page.Next != nil && a.Abort == nil {
		t, index, _ := p.Paged()
		a.Next = place{t, index}.token(o.Document[:], x.Page.Given+x.Page.Taken, x.Page.Next)
	}
	return a, nil
}

// extras is what the options ask for beside the answer.
func (v *View) extras(p *program.Program, o *QueryOptions) (x program.Extras, err error) {
	if o.Explain {
		x.Trace = &program.Trace{}
	}
	if o.Limit == 0 && o.After == "" {
		return x, nil
	}
	if o.Limit < 1 || o.Limit > program.MaxScanLimit {
		return x, badLimit(program.MaxScanLimit)
	}
	t, index, why := p.Paged()
	if t == nil {
		return x, &InputError{"limit", why}
	}
	x.Page = &program.Paging{Limit: o.Limit}
	if o.After == "" {
		return x, nil
	}
	var ok bool
	if x.Page.Given, x.Page.After, ok = (place{t, index}).read(o.Document[:], o.After); !ok {
		return x, &InputError{"after", "it is no `next` of this very query: send the same steps and params as for the page before, and its next unchanged"}
	}
	return x, nil
}
