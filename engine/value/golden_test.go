package value_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"lockstep/engine/value"
)

// The binary form is in logs and rows on disk, and JSON is what clients parse: a
// diff of the golden file means that old data can't be read or that answers
// change.
//
//	typed KIND      a line for each value, as plain text; written as JSON and binary
//	json            a line for each JSON text; read, written back, and binary
//	object          the same for an order, an object that holds objects
//
// transactions.md, Outcome: "An int or uint outside ±(2^53 − 1) is written as a
// JSON string (smaller ones as numbers), bytes as base64, timestamp as RFC 3339 in
// UTC with Z and no trailing zeros in its fraction, duration as seconds with an s".
func TestGolden(t *testing.T) {
	datadriven.RunTest(t, "testdata/values.txt", func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		for _, line := range strings.Split(d.Input, "\n") {
			v, err := goldenValue(d, line)
			if err != nil {
				fmt.Fprintf(&out, "%s\n  error   %v\n", line, err)
				continue
			}
			b := value.AppendBinary(nil, v)
			fmt.Fprintf(&out, "%s\n  json    %s\n  binary  %x\n", line, value.AppendJSON(nil, v), b)
			if d.HasArg("size") {
				fmt.Fprintf(&out, "  size    %+v\n", v.Size())
			}
			form := (*value.Form)(nil)
			if d.Cmd == "object" {
				form = orderForm
			}
			if back, _, err := value.DecodeForm(b, form); err != nil || !identical(back, v) {
				fmt.Fprintf(&out, "  is read back as %s, error %v\n", value.AppendJSON(nil, back), err)
			}
		}
		return out.String()
	})
}

func goldenValue(d *datadriven.TestData, line string) (value.Value, error) {
	switch d.Cmd {
	case "typed":
		for k := value.Bool; k <= value.Duration; k++ {
			if k.String() == d.CmdArgs[0].Key {
				return value.ParseText(k, line)
			}
		}
	case "json", "object":
		v, err := value.FromJSON([]byte(line))
		if err != nil || d.Cmd == "json" {
			return v, err
		}
		return asOrder(v), nil
	}
	return value.Value{}, fmt.Errorf("no such command: %s", d.Cmd)
}

// asOrder makes an order of a map with its fields.
func asOrder(m value.Value) value.Value {
	field := func(m value.Value, name string) value.Value {
		v, _ := m.MapGet(value.OfString(name))
		return v
	}
	line := func(m value.Value) value.Value {
		if m.IsNull() {
			return m
		}
		return value.OfObject(lineShape, []value.Value{field(m, "qty"), field(m, "item")})
	}
	var lines []value.Value
	for _, l := range field(m, "lines").Elems() {
		lines = append(lines, line(l))
	}
	return value.OfObject(orderShape, []value.Value{value.OfList(lines), field(m, "note"), line(field(m, "buyer"))})
}
