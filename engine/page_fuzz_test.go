package engine

import (
	"bytes"
	"encoding/base64"
	"testing"

	"lockstep/engine/keys"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// Tokens come from clients: no bytes panic a node, even where the checksum is right,
// and what is read is what was written.
func FuzzPageToken(f *testing.F) {
	env, err := lang.NewEnv()
	if err != nil {
		f.Fatal(err)
	}
	doc, problems := schema.Parse([]byte(`
tables:
  items:
    columns: {k: {type: int}, name: {type: string}, at: {type: timestamp, optional: true}}
    key: [k, name]
    indexes: {by_at: {columns: [at]}}
`))
	if problems != nil {
		f.Fatal(problems)
	}
	c, _, problems := program.Build(nil, doc, env)
	if problems != nil {
		f.Fatal(problems)
	}
	table, of := c.Table("items"), []byte("a query")
	order := place{table, table.Index("by_at")}
	for _, at := range []value.Value{{}, value.OfTimestamp(1_700_000_000, 5)} {
		token := order.token(of, 7, []value.Value{at, value.OfInt(-3), value.OfString("n\x00b")})
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:len(raw)-tokenSum])
	}
	f.Add([]byte{tokenVersion})
	f.Fuzz(func(t *testing.T, raw []byte) {
		token := base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw), order.sum(of, raw)...))
		given, at, ok := order.read(of, token)
		if ok && !bytes.HasSuffix(raw, keys.AppendTuple(nil, at)) {
			t.Errorf("%x is read as %d rows before %v", raw, given, at)
		}
		if _, _, ok := order.read([]byte("another"), token); ok {
			t.Error("a token is taken for another query")
		}
		order.read(of, string(raw))
	})
}
