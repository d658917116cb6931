package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Colours of a terminal, used for a cell that should catch the eye.
const (
	colourOff  = "\x1b[0m"
	colourGood = "\x1b[32m"
	colourWarn = "\x1b[33m"
	colourBad  = "\x1b[31m"
)

// table lines up columns of text, the way people read them.
type table struct {
	rows   [][]string
	colour map[string]string // of cells with exactly this text; nil: none
}

// newTable begins a table; w decides whether colour is wanted.
func newTable(w io.Writer, head ...string) *table {
	t := &table{rows: [][]string{head}}
	if isTerminal(w) && os.Getenv("NO_COLOR") == "" {
		t.colour = map[string]string{
			"available": colourGood, "ready": colourGood, "primary": colourGood, "committed": colourGood, "yes": colourGood,
			"suspect": colourWarn, "joining": colourWarn, "draining": colourWarn, "pending": colourWarn, "starting": colourWarn,
			"unavailable": colourBad, "diverged": colourBad, "failed": colourBad, "aborted": colourBad, "no": colourBad,
		}
	}
	return t
}

// add appends a row; each cell is shown as fmt.Sprint has it.
func (t *table) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = plain(fmt.Sprint(c))
	}
	t.rows = append(t.rows, row)
}

// write gives the table; the last column is not padded.
func (t *table) write(w io.Writer) error {
	var widths []int
	for _, row := range t.rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		for i, cell := range row {
			text := cell
			if c := t.colour[cell]; c != "" {
				text = c + cell + colourOff
			}
			b.WriteString(text)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plain makes text safe for a terminal: what comes from data must not move the
// cursor or change a title.
func plain(text string) string {
	if strings.IndexFunc(text, unicode.IsControl) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// isTerminal says whether a person is likely to look at w.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// jsonTable shows any JSON value for people: a list of objects as a table, an
// object as names and values, anything else as itself.
func jsonTable(w io.Writer, doc json.RawMessage) error {
	if rows, names := listOfObjects(doc); len(rows) > 0 && len(names) > 0 {
		t := newTable(w, upper(names)...)
		for _, row := range rows {
			cells := make([]any, len(names))
			for i, name := range names {
				cells[i] = cell(row[name])
			}
			t.add(cells...)
		}
		return t.write(w)
	}
	if names, values := members(doc); len(names) > 0 {
		t := &table{}
		for i, name := range names {
			t.add(name, cell(values[i]))
		}
		return t.write(w)
	}
	_, err := fmt.Fprintln(w, cell(doc))
	return err
}

func upper(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ToUpper(plain(n))
	}
	return out
}

// cell shows a value in a table: text without its quotes, nothing for what is
// absent, the rest as JSON.
func cell(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil && bytes.HasPrefix(bytes.TrimSpace(v), []byte(`"`)) {
		return plain(text)
	}
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return plain(string(v))
	}
	return plain(b.String())
}

// listOfObjects reads a list whose every element is an object, and the names of
// all their members in the order met.
func listOfObjects(doc json.RawMessage) (rows []map[string]json.RawMessage, names []string) {
	var elements []json.RawMessage
	if json.Unmarshal(doc, &elements) != nil {
		return nil, nil
	}
	seen := map[string]bool{}
	for _, e := range elements {
		own, values := members(e)
		if own == nil {
			return nil, nil
		}
		row := map[string]json.RawMessage{}
		for i, name := range own {
			row[name] = values[i]
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
		rows = append(rows, row)
	}
	return rows, names
}

// members reads an object in its own order; nil where doc is none.
func members(doc json.RawMessage) (names []string, values []json.RawMessage) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil
	}
	names = []string{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, nil
		}
		var v json.RawMessage
		if dec.Decode(&v) != nil {
			return nil, nil
		}
		names = append(names, fmt.Sprint(name))
		values = append(values, v)
	}
	return names, values
}
