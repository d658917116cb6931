package program_test

import (
	"bytes"
	"testing"

	"lockstep/engine/program"
	"lockstep/engine/value"
)

// FuzzParseTransaction gives documents of all kinds to the parser: no panic; a
// refusal always has a status and a place; and what it takes, every copy can
// find, decode and run within its limits, with the same outcome each time.
func FuzzParseTransaction(f *testing.F) {
	f.Add([]byte(transferCall))
	f.Add([]byte(`{"id":"k","params":{"from":"a","to":"b","amount":"9"},"procedure":"transfer"}`))
	f.Add([]byte(`{"procedure":"open","params":{"id":"é\ud83d\ude00","owner":"","balance":1e3}}`))
	f.Add([]byte(`{"steps": [{"get": {"table": "accounts", "key": ["params.id"], "as": "a", "optional": true}}], "params": {"id": "alice"}, "return": "a"}`))
	f.Add([]byte(`{"steps": [{"upsert": {"table": "accounts", "key": ["'x'"], "set": {"owner": "row == null ? 'a' : row.owner", "balance": 5}}}, {"if": {"expr": true, "then": [{"let": {"q": "[1, 2].map(x, x * 2)"}}], "else": [{"let": {"q": "[3]"}}]}}], "return": "q"}`))
	f.Add([]byte(`{"steps": [{"insert": {"table": "accounts", "row": {"id": "params.o.k", "owner": "tx.uuid(1)", "balance": 1}, "as": "r"}}, {"expect": {"table": "accounts", "key": ["r.id"], "revision": 0}}, {"delete": {"table": "accounts", "key": ["r.id"]}}], "params": {"o": {"k": "v"}, "t": "2026-01-01T00:00:00Z", "n": null}, "types": {"t": "timestamp", "z?": ["int"]}, "return": "{'a': params, 'r': r}"}`))
	f.Add([]byte(`{"steps": [], "return": "'x'.matches('(a+)+$')"}`))
	c := bank(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		typed, refusal := program.ParseTransaction(raw, c)
		if !bytes.Equal(before, raw) {
			t.Fatal("the document was changed")
		}
		if refusal != nil {
			if refusal.Status < 400 || refusal.Code == "" || refusal.Detail == "" || len(refusal.Errors) == 0 {
				t.Fatalf("a refusal that says too little: %+v", refusal)
			}
			return
		}
		p, refusal := findAnew(c, typed)
		if refusal != nil {
			t.Fatalf("taken, but refused at a copy: %v", refusal)
		}
		params, err := p.DecodeParams(typed.Params)
		if err != nil {
			t.Fatalf("taken, but a copy can't decode the params: %v", err)
		}
		if first, second := outcome(t, p, params), outcome(t, p, params); first != second {
			t.Fatalf("two copies differ:\n%s\n%s", first, second)
		}
	})
}

// findAnew finds the program as a copy does that never saw it.
func findAnew(c *program.Compiled, typed program.Typed) (*program.Program, *program.Refusal) {
	if typed.Proc >= 0 {
		return c.Procs[typed.Proc], nil
	}
	return c.Inline(typed.Source)
}

func outcome(t *testing.T, p *program.Program, params value.Value) string {
	result, abort, err := newMemory().execute(p, params, 20_000)
	if err != nil {
		t.Fatal(err)
	}
	if abort != nil {
		return abort.Error()
	}
	return string(value.AppendJSON(nil, result))
}

// FuzzDecodeParams gives bytes that no router made to the decoder: no panic,
// and what it takes runs without one.
func FuzzDecodeParams(f *testing.F) {
	c := bank(f)
	typed, _ := program.ParseTransaction([]byte(transferCall), c)
	f.Add(typed.Params)
	p := c.Procs[typed.Proc]
	f.Fuzz(func(t *testing.T, raw []byte) {
		if params, err := p.DecodeParams(raw); err == nil {
			outcome(t, p, params)
		}
	})
}

// FuzzInline gives texts that no router made to the compiler of inline
// transactions: no panic, and what it takes runs within its limits.
func FuzzInline(f *testing.F) {
	c := bank(f)
	f.Add([]byte(`{"return":"a.balance","steps":[{"get":{"as":"a","key":["params.id"],"table":"accounts"}}],"types":{"id":"string","n":"null"}}`))
	f.Add([]byte(`{"steps":[],"types":[null]}`))
	f.Fuzz(func(t *testing.T, source []byte) {
		p, refusal := c.Inline(source)
		if refusal != nil {
			return
		}
		if params, err := p.DecodeParams(nil); err == nil { // no params
			outcome(t, p, params)
		}
	})
}
