package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// format is the flag -o: how an answer is shown.
type format string

const (
	formatTable format = "table" // for people
	formatJSON  format = "json"  // the server's own document, on one line
	formatYAML  format = "yaml"  // the same
)

func (f *format) String() string { return string(*f) }

// Type names the values in --help.
func (f *format) Type() string { return "table|json|yaml" }

// Set takes one of the three.
func (f *format) Set(text string) error {
	if !slices.Contains([]format{formatTable, formatJSON, formatYAML}, format(text)) {
		return errors.New("must be table, json or yaml")
	}
	*f = format(text)
	return nil
}

func (f *format) flag(cmd *cobra.Command) {
	*f = formatTable
	cmd.Flags().VarP(f, "output", "o", "how to show the answer")
}

// show writes a document in the format asked for; table writes it for people.
func (a *app) show(f format, doc json.RawMessage, table func(w io.Writer) error) error {
	switch f {
	case formatJSON:
		var line bytes.Buffer
		if err := json.Compact(&line, doc); err != nil {
			return fmt.Errorf("the answer is no JSON: %w", err)
		}
		line.WriteByte('\n')
		_, err := a.out.Write(line.Bytes())
		return err
	case formatYAML:
		return writeYAML(a.out, doc)
	}
	return table(a.out)
}

// writeYAML writes a JSON document as YAML: the same order, the same numbers.
func writeYAML(w io.Writer, doc []byte) error {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	node, err := yamlNode(dec)
	if err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(node); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	return enc.Close()
}

// yamlNode reads one JSON value.
func yamlNode(dec *json.Decoder) (*yaml.Node, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if t == '{' {
			n = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		for dec.More() {
			for range 1 + b2i(t == '{') { // an object's element is a name and a value
				child, err := yamlNode(dec)
				if err != nil {
					return nil, err
				}
				n.Content = append(n.Content, child)
			}
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
		_, err := dec.Token() // the closing bracket
		return n, err
	case string:
		n := &yaml.Node{}
		n.SetString(t)
		return n, nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: t.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(t)}, nil
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
