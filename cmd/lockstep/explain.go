package main

import (
	"fmt"
	"io"
	"strings"

	"lockstep/router/client"
)

// queryTable shows a query's answer for people: the result, where the next page goes
// on, and how it went.
func queryTable(w io.Writer, r *client.Result) error {
	if err := jsonTable(w, r.Result); err != nil {
		return err
	}
	if r.Next != "" {
		if _, err := fmt.Fprintf(w, "\nthere is more: --after %s\n", plain(r.Next)); err != nil {
			return err
		}
	}
	if r.Explain == nil {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return explainTable(w, r.Explain)
}

// explainTable shows how a query went: a line for each step, the sums, and hints.
func explainTable(w io.Writer, e *client.Explanation) error {
	t := newTable(w, "STEP", "DOES", "FINDS ROWS BY", "RUNS", "READ", "GAVE", "COST")
	var hints []string
	for _, s := range e.Steps {
		gave := ""
		if s.Returned != nil {
			gave = fmt.Sprint(*s.Returned)
		}
		t.add(s.Step, strings.TrimSpace(s.Kind+" "+s.Table), foundBy(&s), s.Runs, s.RowsRead, gave, s.Cost)
		if s.Hint != "" {
			hints = append(hints, "hint  "+plain(s.Step+": "+s.Hint))
		}
	}
	if err := t.write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d of %d rows, cost %d of %d, %d steps, %.3f ms\n", e.RowsRead, e.RowsLimit, e.Cost, e.CostLimit, e.Executed, e.Millis)
	for _, h := range hints {
		if err == nil {
			_, err = fmt.Fprintln(w, h)
		}
	}
	return err
}

// foundBy says by what a step comes to its rows.
func foundBy(s *client.ExplainedStep) string {
	columns := "(" + strings.Join(s.By, ", ") + ")"
	var by string
	switch {
	case s.Access == "":
		return ""
	case s.Access == "full" && s.Index != "":
		by = "all of index " + s.Index
	case s.Access == "full":
		by = "all rows"
	case s.Index != "":
		by = "index " + s.Index + " " + columns
	default:
		by = s.Access + " " + columns
	}
	if s.Where != "" {
		by += ", where " + s.Where
	}
	return by
}
