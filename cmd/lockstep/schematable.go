package main

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"lockstep/router/client"
)

// schemaTable lists tables and procedures, of a document with derived types.
func schemaTable(w io.Writer, s *client.Schema) error {
	var doc struct {
		Tables map[string]struct {
			Columns map[string]struct {
				Type     string `yaml:"type"`
				Optional bool   `yaml:"optional"`
			} `yaml:"columns"`
			Key []string `yaml:"key"`
		} `yaml:"tables"`
		Derived struct {
			Language   int `yaml:"language"`
			Procedures map[string]struct {
				Params    map[string]string `yaml:"params"`
				Result    string            `yaml:"result"`
				ReadsOnly bool              `yaml:"reads_only"`
			} `yaml:"procedures"`
		} `yaml:"derived"`
	}
	if err := yaml.Unmarshal(s.Document, &doc); err != nil {
		return fmt.Errorf("the answer is no schema: %w", err)
	}
	if s.ETag != "" {
		fmt.Fprintf(w, "version %s, language %d\n\n", strings.Trim(s.ETag, `"`), doc.Derived.Language)
	}
	tables := newTable(w, "TABLE", "KEY", "COLUMNS")
	for _, name := range sortedNames(doc.Tables) {
		t := doc.Tables[name]
		var columns []string
		for _, c := range sortedNames(t.Columns) {
			text := c + " " + t.Columns[c].Type
			if t.Columns[c].Optional {
				text += "?"
			}
			columns = append(columns, text)
		}
		tables.add(name, strings.Join(t.Key, ", "), strings.Join(columns, ", "))
	}
	if err := tables.write(w); err != nil {
		return err
	}
	fmt.Fprintln(w)
	procedures := newTable(w, "PROCEDURE", "PARAMS", "RESULT", "WRITES")
	for _, name := range sortedNames(doc.Derived.Procedures) {
		p := doc.Derived.Procedures[name]
		var params []string
		for _, param := range sortedNames(p.Params) {
			params = append(params, param+" "+p.Params[param])
		}
		writes := "yes"
		if p.ReadsOnly {
			writes = "no"
		}
		procedures.add(name, strings.Join(params, ", "), p.Result, writes)
	}
	return procedures.write(w)
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
