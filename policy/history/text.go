package history

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Table gives rows of cells to whoever lines them up; the first is the head.
type Table func(w io.Writer, rows [][]string) error

// Text writes a report for people.
func (r *Report) Text(w io.Writer, table Table) error {
	fmt.Fprintf(w, "%s to %s (%s)\n", r.From.UTC().Format(time.DateTime), r.To.UTC().Format(time.DateTime), Span(r.To.Sub(r.From)))
	for _, n := range r.Notes {
		fmt.Fprintln(w, "note: "+n)
	}
	for i := range r.Tasks {
		if err := r.Tasks[i].text(w, table); err != nil {
			return err
		}
	}
	return nil
}

func (t *TaskReport) text(w io.Writer, table Table) error {
	fmt.Fprintf(w, "\n%s of %s, by %s\n\n", t.Task, t.Group, strings.Join(t.Policies, ", "))
	if t.Unrecorded {
		return t.alone(w, table)
	}
	rows := [][]string{{"", "RECORDED", "TRIED"},
		{"moves", fmt.Sprint(t.Recorded.Moves), fmt.Sprint(t.Tried.Moves)},
		{"without a holder", t.Recorded.Vacant.String(), t.Tried.Vacant.String()}}
	nodes := maps.Clone(t.Recorded.OnNode)
	maps.Copy(nodes, t.Tried.OnNode)
	for _, n := range slices.Sorted(maps.Keys(nodes)) {
		rows = append(rows, []string{"on " + n, t.Recorded.OnNode[n].String(), t.Tried.OnNode[n].String()})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	if len(t.Differences) == 0 {
		_, err := fmt.Fprintln(w, "\nno difference")
		return err
	}
	fmt.Fprintf(w, "\n%s differ:\n\n", t.Differing)
	rows = [][]string{{"FROM", "FOR", "RECORDED", "TRIED", "WHY"}}
	for i, d := range t.Differences {
		if i == maxShown {
			rows = append(rows, []string{fmt.Sprintf("and %d more (-o json has all)", len(t.Differences)-i), "", "", "", ""})
			break
		}
		rows = append(rows, []string{d.From.UTC().Format(time.DateTime), Span(d.To.Sub(d.From)).String(), shown(d.Recorded), shown(d.Tried), d.Why})
	}
	return table(w, rows)
}

// alone shows what would have been done where nothing was recorded to compare with.
func (t *TaskReport) alone(w io.Writer, table Table) error {
	rows := [][]string{{"", "TRIED"}, {"moves", fmt.Sprint(t.Tried.Moves)}, {"without a holder", t.Tried.Vacant.String()}}
	for _, n := range slices.Sorted(maps.Keys(t.Tried.OnNode)) {
		rows = append(rows, []string{"on " + n, t.Tried.OnNode[n].String()})
	}
	if err := table(w, rows); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nno assignment of it was recorded; it would have been:\n\n")
	rows = [][]string{{"FROM", "TRIED", "WHY"}}
	for i, a := range t.Tried.Assignments {
		if i == maxShown {
			rows = append(rows, []string{fmt.Sprintf("and %d more (-o json has all)", len(t.Tried.Assignments)-i), "", ""})
			break
		}
		rows = append(rows, []string{a.At.UTC().Format(time.DateTime), shown(a.Holders), a.Why})
	}
	return table(w, rows)
}

// maxShown is how many differences of a task a table shows.
const maxShown = 40

func shown(holders []string) string {
	if list := held(holders); len(list) > 0 {
		return strings.Join(list, ", ")
	}
	return "nobody"
}
