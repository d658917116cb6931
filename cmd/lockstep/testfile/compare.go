package testfile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Failure is one difference between what a test expects and what came.
type Failure struct {
	Line     int    `json:"line"`
	Place    string `json:"place"` // such as transactions[1] transfer: result.from
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

// Nothing stands in a difference where there is no value.
const Nothing = "nothing"

// Differ collects differences.
type Differ struct{ List []Failure }

func (d *Differ) Add(n *yaml.Node, place, expected, got string) {
	if len(d.List) < maxFailures {
		d.List = append(d.List, Failure{n.Line, place, Clip(expected), Clip(got)})
	}
}

func Clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "…"
}

// Compare notes where a value that came is not the one expected, member by
// member.
func (d *Differ) Compare(want *yaml.Node, got any, place string) {
	n := Follow(want)
	switch got := got.(type) {
	case map[string]any:
		if n.Kind == yaml.MappingNode {
			d.compareMap(n, got, place)
			return
		}
	case []any:
		if n.Kind == yaml.SequenceNode {
			d.compareList(n, got, place)
			return
		}
	default:
		if n.Kind == yaml.ScalarNode && sameScalar(n, got) {
			return
		}
	}
	d.Add(want, place, ShownNode(want), Shown(got))
}

func (d *Differ) compareMap(n *yaml.Node, got map[string]any, place string) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i].Value, n.Content[i+1]
		seen[key] = true
		if g, ok := got[key]; ok {
			d.Compare(val, g, place+"."+key)
		} else {
			d.Add(n.Content[i], place+"."+key, ShownNode(val), Nothing)
		}
	}
	for _, key := range SortedKeys(got) {
		if !seen[key] {
			d.Add(n, place+"."+key, Nothing, Shown(got[key]))
		}
	}
}

func (d *Differ) compareList(n *yaml.Node, got []any, place string) {
	for i := range max(len(n.Content), len(got)) {
		at := fmt.Sprintf("%s[%d]", place, i)
		switch {
		case i >= len(got):
			d.Add(n.Content[i], at, ShownNode(n.Content[i]), Nothing)
		case i >= len(n.Content):
			d.Add(n, at, Nothing, Shown(got[i]))
		default:
			d.Compare(n.Content[i], got[i], at)
		}
	}
}

// sameScalar compares a scalar of the file with one of JSON: numbers by value,
// and a number that is too large for JSON readers, which is then written as text,
// with either form.
func sameScalar(n *yaml.Node, got any) bool {
	raw, err := scalarJSON(nil, n)
	if err != nil {
		return false
	}
	var want any
	if Decode(raw, &want) != nil {
		return false
	}
	if number, ok := want.(json.Number); ok {
		switch got := got.(type) {
		case json.Number:
			return sameNumber(number.String(), got.String())
		case string:
			return isLargeInt(got) && number.String() == got
		}
		return false
	}
	return want == got
}

// isLargeInt tells whether text is that of an integer beyond ±(2^53 − 1).
func isLargeInt(s string) bool {
	i, ok := new(big.Int).SetString(s, 10)
	return ok && len(s) <= 21 && i.CmpAbs(big.NewInt(1<<53-1)) > 0
}

func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	if !strings.ContainsAny(a+b, ".eE") {
		return false // both are integers, and their digits differ
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// Decode reads JSON and keeps numbers as they are written.
func Decode(raw []byte, into *any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return dec.Decode(into)
}

// SortedKeys are the keys of a map, ascending.
func SortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Shown writes a value as JSON for people.
func Shown(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func ShownNode(n *yaml.Node) string {
	w := jsonWriter{left: maxNodes}
	text, err := w.append(nil, n, 0)
	if err != nil {
		return n.Value
	}
	return string(text)
}
