package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// show writes a result, and passes on the run's error.
func (a *app) show(format string, result any, failed error) error {
	doc, err := json.Marshal(result)
	if err != nil {
		return errors.Join(failed, fmt.Errorf("writing the result: %w", err))
	}
	if format == "json" {
		_, err = fmt.Fprintf(a.out, "%s\n", doc)
	} else {
		err = table(a.out, doc)
	}
	return errors.Join(failed, err)
}

// field is a member of a document.
type field struct {
	name  string
	value json.RawMessage
}

// title is the name as people read it.
func (f field) title() string { return strings.ReplaceAll(f.name, "_", " ") }

// fields gives a document's members in its order.
func fields(doc []byte) (all []field, err error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("reading the result: %w", err)
		}
		f := field{name: fmt.Sprint(name)}
		if err := dec.Decode(&f.value); err != nil {
			return nil, fmt.Errorf("reading the result: %w", err)
		}
		all = append(all, f)
	}
	return all, nil
}

// table writes a document as lines of name and value, in the document's order. Lists
// of documents follow, a table each; checks come last, with what each looked at.
func table(w io.Writer, doc []byte) error {
	all, err := fields(doc)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var checks json.RawMessage
	var lists []field
	for _, f := range all {
		switch {
		case f.name == "checks":
			checks = f.value
		case bytes.HasPrefix(f.value, []byte("[{")):
			lists = append(lists, f)
		default:
			fmt.Fprintf(tw, "%s\t%s\n", f.title(), plain(f.value))
		}
	}
	for _, f := range lists {
		// A table's columns are its own.
		if err := errors.Join(tw.Flush(), listTable(w, f.value)); err != nil {
			return err
		}
	}
	if len(lists) > 0 {
		fmt.Fprintln(w)
	}
	if err := checksTable(tw, checks); err != nil {
		return err
	}
	return tw.Flush()
}

// listTable writes documents below each other, a column for each member that any of
// them has. Lists within them are left to JSON.
func listTable(w io.Writer, doc []byte) error {
	var docs []json.RawMessage
	if err := json.Unmarshal(doc, &docs); err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	var columns []string
	lines := make([]map[string]string, len(docs))
	for i, one := range docs {
		all, err := fields(one)
		if err != nil {
			return err
		}
		lines[i] = map[string]string{}
		for _, f := range all {
			if bytes.HasPrefix(f.value, []byte("[")) {
				continue
			}
			if !slices.Contains(columns, f.title()) {
				columns = append(columns, f.title())
			}
			lines[i][f.title()] = plain(f.value)
		}
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(columns, "\t"))
	for _, line := range lines {
		for i, c := range columns {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, cell(line[c]))
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// cell is what stands in a table's field: of a figure with a fraction of a hundred or
// more, whole numbers are enough.
func cell(text string) string {
	switch whole, fraction, ok := strings.Cut(text, "."); {
	case text == "":
		return "-"
	case ok && len(whole) >= 3 && len(fraction) == 2 && strings.Trim(whole+fraction, "0123456789") == "":
		return whole
	}
	return text
}

// plain writes a value without JSON's marks.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var f float64
	if json.Unmarshal(value, &f) == nil {
		if f == float64(int64(f)) {
			return fmt.Sprint(int64(f))
		}
		return fmt.Sprintf("%.2f", f)
	}
	return strings.NewReplacer(`"`, "", ",", ", ", ":", " ", "{", "", "}", "", "[", "", "]", "").Replace(string(value))
}

func checksTable(w io.Writer, doc json.RawMessage) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(doc, &all); err != nil {
		return fmt.Errorf("reading the checks: %w", err)
	}
	delete(all, "ok")
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var one struct {
			OK     bool   `json:"ok"`
			Detail string `json:"detail"`
		}
		if err := json.Unmarshal(all[name], &one); err != nil {
			return fmt.Errorf("reading the check %s: %w", name, err)
		}
		verdict := "ok"
		if !one.OK {
			verdict = "FAILED"
		}
		fmt.Fprintf(w, "%s\t%s: %s\n", strings.ReplaceAll(name, "_", " "), verdict, one.Detail)
	}
	return nil
}
