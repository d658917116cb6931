package schema_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// TestTranscripts runs the stories of testdata/transcripts (transactions.md,
// Schema). Commands:
//
//	parse             reads a document and shows its canonical form
//	apply [year=N]    makes the document the successor of what was applied last,
//	                  at a time of that year, and shows the numbers and the change
func TestTranscripts(t *testing.T) {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		var present *schema.Schema
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			doc, problems := schema.Parse([]byte(d.Input))
			if problems != nil {
				return refused(problems)
			}
			switch d.Cmd {
			case "parse":
				return string(doc.Canonical())
			case "apply":
				year := int64(0)
				if d.HasArg("year") {
					d.ScanArgs(t, "year", &year)
				}
				tx := &lang.Tx{Now: value.OfTimestamp((year-1970)*31_556_952, 0)}
				next, change, problems := schema.Evolve(present, doc, env, tx)
				if problems != nil {
					return refused(problems)
				}
				present = reload(t, next, env)
				return numbers(present) + effects(change)
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}

// reload stores a schema and loads it again.
func reload(t *testing.T, s *schema.Schema, env *lang.Env) *schema.Schema {
	t.Helper()
	layout := s.Layout.AppendBinary(nil)
	loaded, err := schema.Load(s.Doc.Canonical(), layout, env)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(loaded.Layout.AppendBinary(nil), layout) || numbers(loaded) != numbers(s) {
		t.Fatal("a schema that was stored and loaded has other numbers")
	}
	return loaded
}

func refused(problems []schema.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		class := map[bool]string{true: "malformed", false: "invalid"}[p.Fault == 0]
		fmt.Fprintf(&b, "%s %s\n", class, p)
		for line := range strings.SplitSeq(p.Snippet, "\n") {
			if line != "" {
				fmt.Fprintf(&b, "      | %s\n", line)
			}
		}
	}
	return b.String()
}

// numbers shows the numbers of a schema as its tables have them.
func numbers(s *schema.Schema) string {
	var b strings.Builder
	for _, t := range s.Tables {
		fmt.Fprintf(&b, "table %d %s:", t.ID, t.Name)
		for i, at := range t.Stored {
			c := t.Columns[at]
			fmt.Fprintf(&b, " %d %s", c.ID, c.Name)
			if !t.Fills[i].IsNull() {
				fmt.Fprintf(&b, " (fill %s)", value.AppendJSON(nil, c.Fill))
			}
			if t.IsKey(at) {
				b.WriteByte('*')
			}
		}
		for _, x := range t.Indexes {
			fmt.Fprintf(&b, "; index %d %s", x.ID, x.Name)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func effects(c schema.Change) string {
	var b strings.Builder
	if len(c.DroppedTables) > 0 {
		fmt.Fprintf(&b, "drop tables %v\n", c.DroppedTables)
	}
	if len(c.DroppedIndexes) > 0 {
		fmt.Fprintf(&b, "drop indexes %v\n", c.DroppedIndexes)
	}
	for _, l := range c.Look {
		fmt.Fprintf(&b, "look at %s:", l.Table.Name)
		for _, x := range l.Indexes {
			fmt.Fprintf(&b, " index %s", x.Name)
		}
		for _, check := range l.Checks {
			fmt.Fprintf(&b, " check %s", check.Code)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
