package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxConfigBytes bounds a configuration file: it holds a dozen keys.
const maxConfigBytes = 1 << 20

// fromFile reads a configuration file: a YAML mapping of settings, where a key
// that is unknown or stands twice, an alias and a value of another shape are
// refused with their line.
func fromFile(name string) (source, error) {
	s := source{values: map[string]string{}, where: func(one *setting) string { return name + ": " + one.key() }}
	f, err := os.Open(name)
	if err != nil {
		return s, usagef("--config: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return s, usagef("--config: %w", err)
	}
	if len(text) > maxConfigBytes {
		return s, usagef("--config: %s is larger than %d bytes: it is no configuration file", name, maxConfigBytes)
	}
	if err := parseConfig(text, s.values); err != nil {
		return s, usagef("%s: %w", name, err)
	}
	return s, nil
}

// parseConfig reads the document's settings into values, by their names.
func parseConfig(text []byte, values map[string]string) error {
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil // an empty file configures nothing
		}
		return err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("holds more than one document: keep one")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: must be a mapping, for example \"name: n1\"", root.Line)
	}
	known := map[string]*setting{}
	all := settings()
	for i := range all {
		known[all[i].key()] = &all[i]
	}
	content, err := flat(root.Content)
	if err != nil {
		return err
	}
	for i := 0; i < len(content); i += 2 {
		key, node := content[i], content[i+1]
		one, ok := known[key.Value]
		if !ok {
			return fmt.Errorf("line %d: unknown key %q; known are %s", key.Line, key.Value, strings.Join(sortedNames(known), ", "))
		}
		if _, twice := values[one.name]; twice {
			return fmt.Errorf("line %d: %s stands twice", key.Line, key.Value)
		}
		value, err := one.kind.text(node)
		if err != nil {
			return fmt.Errorf("line %d: %s: %w", node.Line, key.Value, err)
		}
		values[one.name] = value
	}
	return nil
}

// flat has the keys of sections written out: "tasks.commands" for "commands" below
// "tasks".
func flat(content []*yaml.Node) ([]*yaml.Node, error) {
	var out []*yaml.Node
	for i := 0; i < len(content); i += 2 {
		key, node := content[i], content[i+1]
		if !slices.Contains(sections[:], key.Value) {
			out = append(out, key, node)
			continue
		}
		if node.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("line %d: %s: wants its settings below it", node.Line, key.Value)
		}
		for j := 0; j < len(node.Content); j += 2 {
			inner := *node.Content[j]
			inner.Value = key.Value + "." + inner.Value
			out = append(out, &inner, node.Content[j+1])
		}
	}
	return out, nil
}

// text gives a node's value in the form that flags and variables have.
func (k kind) text(n *yaml.Node) (string, error) {
	mismatch := fmt.Errorf("wants %s", k)
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return "", errors.New("has no value: give one, or leave the key out")
	case n.Kind == yaml.ScalarNode && k == yesNo && n.Tag != "!!bool":
		return "", mismatch
	case n.Kind == yaml.ScalarNode:
		return n.Value, nil
	case n.Kind == yaml.SequenceNode && k == list:
		return joinScalars(n.Content, func(texts []string) string { return strings.Join(texts, ",") })
	case n.Kind == yaml.MappingNode && k == pairs:
		return joinScalars(n.Content, func(texts []string) string {
			var each []string
			for i := 0; i < len(texts); i += 2 {
				each = append(each, texts[i]+"="+texts[i+1])
			}
			return strings.Join(each, ",")
		})
	case n.Kind == yaml.AliasNode:
		return "", errors.New("aliases are not supported: write the value out")
	}
	return "", mismatch
}

func joinScalars(nodes []*yaml.Node, join func([]string) string) (string, error) {
	texts := make([]string, len(nodes))
	for i, n := range nodes {
		if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
			return "", fmt.Errorf("line %d: wants plain values", n.Line)
		}
		if strings.Contains(n.Value, ",") {
			return "", fmt.Errorf("line %d: %q: a comma separates values and can't be part of one", n.Line, n.Value)
		}
		texts[i] = n.Value
	}
	return join(texts), nil
}
