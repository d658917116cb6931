package schema_test

import (
	"bytes"
	"os"
	"testing"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

func bankSource(t testing.TB) []byte {
	t.Helper()
	src, err := os.ReadFile("../../testdata/bank/schema.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// FuzzParse gives documents of all kinds to Parse: it must not panic, and the
// canonical form of what it takes must read back as itself, since that form is
// what is logged and hashed.
func FuzzParse(f *testing.F) {
	f.Add(bankSource(f))
	f.Add([]byte(`{"tables": {"a": {"columns": {"id": {"type": "int", "default": 1e3}}, "key": ["id"]}}}`))
	f.Add([]byte("tables: {a: [1, 0x1F, 0o7, -0, .5, 1e400, ~, 'x', \"\\u00e9\"]}\nprocedures: {b: &c d}"))
	f.Add([]byte("tables: {? [a] : *b}\n---\n"))
	f.Add([]byte("? a\n: |\n  text\n  more\n"))
	env, err := lang.NewEnv()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, problems := schema.Parse(src)
		if (doc == nil) == (problems == nil) {
			t.Fatalf("a document %v with problems %v", doc, problems)
		}
		if doc == nil {
			return
		}
		again, problems := schema.Parse(doc.Canonical())
		if problems != nil {
			t.Fatalf("the canonical form %s is refused: %v", doc.Canonical(), problems)
		}
		if !bytes.Equal(again.Canonical(), doc.Canonical()) {
			t.Fatalf("the canonical form %s reads back as %s", doc.Canonical(), again.Canonical())
		}
		s, _, problems := schema.Evolve(nil, doc, env, &lang.Tx{Now: value.OfTimestamp(0, 0)})
		if (s == nil) == (problems == nil) {
			t.Fatalf("a schema %v with problems %v", s, problems)
		}
		if s == nil {
			return
		}
		if _, err := schema.Load(doc.Canonical(), s.Layout.AppendBinary(nil), env); err != nil {
			t.Fatalf("what was applied can't be loaded: %v", err)
		}
	})
}

// FuzzDecodeLayout gives damaged layouts to the decoder: no panic, and what it
// takes it also writes.
func FuzzDecodeLayout(f *testing.F) {
	env, err := lang.NewEnv()
	if err != nil {
		f.Fatal(err)
	}
	doc, _ := schema.Parse(bankSource(f))
	s, _, problems := schema.Evolve(nil, doc, env, &lang.Tx{})
	if problems != nil {
		f.Fatal(problems)
	}
	f.Add(s.Layout.AppendBinary(nil))
	f.Add([]byte{1})
	f.Add([]byte{1, 1, 1, 1, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, src []byte) {
		l, err := schema.DecodeLayout(src)
		if err != nil {
			return
		}
		again, err := schema.DecodeLayout(l.AppendBinary(nil))
		if err != nil {
			t.Fatalf("what was written can't be read: %v", err)
		}
		if !bytes.Equal(again.AppendBinary(nil), l.AppendBinary(nil)) {
			t.Fatal("a layout changes when it is written and read")
		}
	})
}
