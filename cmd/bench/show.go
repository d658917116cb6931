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

// table writes a document as lines of name and value, in the document's order;
// checks come last, with what each looked at.
func table(w io.Writer, doc []byte) error {
	dec := json.NewDecoder(bytes.NewReader(doc))
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("reading the result: %w", err)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var checks json.RawMessage
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return fmt.Errorf("reading the result: %w", err)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return fmt.Errorf("reading the result: %w", err)
		}
		if name == "checks" {
			checks = value
			continue
		}
		fmt.Fprintf(tw, "%s\t%s\n", strings.ReplaceAll(fmt.Sprint(name), "_", " "), plain(value))
	}
	if err := checksTable(tw, checks); err != nil {
		return err
	}
	return tw.Flush()
}

// plain writes a value without JSON's marks.
func plain(value json.RawMessage) string {
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
