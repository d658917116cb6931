package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"lockstep/engine/replay"
)

// replayText shows a report for people.
func replayText(w io.Writer, r *replayed) error {
	t := newTable(w)
	t.rows = nil
	t.add("group", fmt.Sprintf("%s, recorded by %s (%s)", r.Group, r.Node, r.Program))
	t.add("from", fromText(r.Snapshot, r.From))
	t.add("to", fmt.Sprintf("revision %d, %s", r.To.Revision, timeText(r.To.TimeMillis)))
	t.add("executed", fmt.Sprintf("%s in %s: %d committed, %d aborted, %d passed over; %s", counted(r.Transactions, "transaction"),
		counted(r.Entries, "entry"), r.Committed, r.Aborted, r.PassedOver, counted(r.SchemaChanges, "schema change")))
	t.add("speed", fmt.Sprintf("%.1f s, %.0f transactions a second", r.Seconds, r.PerSecond))
	t.add("compared", comparedText(&r.Compared))
	t.add("digest", r.Digest)
	equal := "no"
	if r.Equal {
		equal = "yes"
	}
	t.add("equal", equal)
	if err := t.write(w); err != nil {
		return err
	}
	if d := r.Compared.First; d != nil {
		fmt.Fprintf(w, "\nThe first difference arose after revision %d and by revision %d, in the %s:\n  recorded  %s\n  replayed  %s\n",
			d.After, d.By, d.What, d.Recorded, d.Replayed)
	}
	if r.Rehearsal == nil {
		return nil
	}
	return rehearsalText(w, r.Rehearsal)
}

func fromText(snapshot bool, p replay.Point) string {
	if !snapshot {
		return "the group's beginning"
	}
	return fmt.Sprintf("the state at revision %d, %s", p.Revision, timeText(p.TimeMillis))
}

func timeText(millis int64) string {
	return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

// counted is a number with its noun.
func counted(n uint64, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func comparedText(c *replay.Compared) string {
	text := counted(c.Equal, "point") + " equal"
	if c.Different > 0 {
		text += fmt.Sprintf(", %d different", c.Different)
	}
	if c.Verdicts > 0 {
		text += fmt.Sprintf("; at %d a majority of the copies had agreed", c.Verdicts)
	}
	if c.Undecided > 0 {
		text += fmt.Sprintf("; at %d there had been no majority", c.Undecided)
	}
	return text
}

// rehearsalText shows what would have been otherwise.
func rehearsalText(w io.Writer, r *replay.Rehearsal) error {
	fmt.Fprintf(w, "\nUnder the new schema, after revision %d: %s, %s", r.From, counted(r.Transactions, "transaction"), counted(r.Different, "outcome"))
	fmt.Fprintf(w, " otherwise, %d that can't be typed.\n", r.Untyped)
	for i := range r.Outcomes {
		outcomeText(w, &r.Outcomes[i])
	}
	fmt.Fprintln(w)
	same, err := tablesText(w, r.Tables)
	if err != nil {
		return err
	}
	for i := range r.Tables {
		for _, row := range r.Tables[i].Examples {
			rowText(w, r.Tables[i].Table, &row)
		}
	}
	if same > 0 {
		_, err = fmt.Fprintf(w, "The rows of %s are the same.\n", counted(same, "table"))
	}
	return err
}

// tablesText lists the tables that there is something to tell of, and counts the
// others.
func tablesText(w io.Writer, tables []replay.TableDiff) (same uint64, err error) {
	t := newTable(w, "TABLE", "ONLY BEFORE", "ONLY AFTER", "CHANGED", "NOTE")
	for i := range tables {
		d := &tables[i]
		note := tableNote(d)
		if note == "" && d.OnlyBefore+d.OnlyAfter+d.Changed == 0 {
			same++
			continue
		}
		t.add(d.Table, d.OnlyBefore, d.OnlyAfter, d.Changed, cmp.Or(note, "-"))
	}
	if len(t.rows) > 1 {
		err = t.write(w)
	}
	return same, err
}

func outcomeText(w io.Writer, d *replay.OutcomeDiff) {
	name := d.Procedure
	if name == "" {
		name = "inline steps"
	}
	fmt.Fprintf(w, "\n%s: %s (%d)\n", name, plain(d.Kind), d.Count)
	for i := range d.Examples {
		e := &d.Examples[i]
		fmt.Fprintf(w, "  %s, revision %d, %s\n", plain(e.ID), e.Revision, e.Time)
		fmt.Fprintf(w, "    params  %s\n", plain(string(e.Params)))
		fmt.Fprintf(w, "    before  %s\n", resultText(&e.Before))
		fmt.Fprintf(w, "    after   %s\n", resultText(&e.After))
	}
	if more := d.Count - uint64(len(d.Examples)); more > 0 && len(d.Examples) > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
}

func resultText(r *replay.Result) string {
	text := r.Status
	if r.Code != "" {
		text += ": " + r.Code
	}
	if r.Step != "" {
		text += " at " + r.Step
	}
	if r.Message != "" {
		text += ": " + r.Message
	}
	if r.Result != nil {
		text += " " + string(r.Result)
	}
	return plain(text)
}

func tableNote(d *replay.TableDiff) string {
	var notes []string
	switch d.Only {
	case "before":
		notes = append(notes, "the new schema has no such table")
	case "after":
		notes = append(notes, "new")
	}
	if len(d.ColumnsBefore) > 0 {
		notes = append(notes, "without "+strings.Join(d.ColumnsBefore, ", "))
	}
	if len(d.ColumnsAfter) > 0 {
		notes = append(notes, "with "+strings.Join(d.ColumnsAfter, ", "))
	}
	return strings.Join(notes, "; ")
}

// rowText shows a row as a difference is shown: - only before, + only after, ~ with
// each column that changed.
func rowText(w io.Writer, table string, d *replay.RowDiff) {
	key := plain(string(d.Key))
	switch {
	case d.After == nil:
		fmt.Fprintf(w, "- %s %s %s\n", table, key, plain(string(d.Before)))
	case d.Before == nil:
		fmt.Fprintf(w, "+ %s %s %s\n", table, key, plain(string(d.After)))
	default:
		fmt.Fprintf(w, "~ %s %s %s\n", table, key, changedText(d))
	}
}

func changedText(d *replay.RowDiff) string {
	var before, after map[string]json.RawMessage
	if json.Unmarshal(d.Before, &before) != nil || json.Unmarshal(d.After, &after) != nil {
		return plain(string(d.Before) + " → " + string(d.After)) // too long to be shown whole
	}
	var parts []string
	for _, name := range sortedNames(before) {
		parts = append(parts, fmt.Sprintf("%s %s → %s", name, before[name], after[name]))
	}
	return plain(strings.Join(parts, ", "))
}
