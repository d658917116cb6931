package program_test

import (
	"os"
	"testing"

	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

const transferCall = `{"procedure":"transfer","params":{"from":"alice","to":"bob","amount":30}}`

func bank(t testing.TB) *program.Compiled {
	t.Helper()
	src, err := os.ReadFile("../../testdata/bank/schema.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return build(t, newEnv(t), string(src))
}

func BenchmarkParseTransfer(b *testing.B) {
	c := bank(b)
	raw := []byte(transferCall)
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := program.ParseTransaction(raw, c); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

func BenchmarkDecodeParams(b *testing.B) {
	c := bank(b)
	typed, _ := program.ParseTransaction([]byte(transferCall), c)
	p := c.Procs[typed.Proc]
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.DecodeParams(typed.Params); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseInline(b *testing.B) {
	c := bank(b)
	raw := []byte(`{"steps": [{"get": {"table": "accounts", "key": ["params.id"], "as": "a"}}], "params": {"id": "alice"}, "return": "a.balance"}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, refusal := program.ParseTransaction(raw, c); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

// still is a State that answers without looking anything up, so that what is
// measured is the run alone.
type still struct {
	*memory
	a, b value.Value
}

func (s *still) Get(_ *schema.Table, key []value.Value) (value.Value, error) {
	if key[0].Str() == "alice" {
		return s.a, nil
	}
	return s.b, nil
}

func (s *still) Put(*schema.Table, []value.Value, value.Value, value.Value) (*program.Abort, error) {
	return nil, nil
}

func BenchmarkRunTransfer(b *testing.B) {
	c := bank(b)
	typed, _ := program.ParseTransaction([]byte(transferCall), c)
	p := c.Procs[typed.Proc]
	params, err := p.DecodeParams(typed.Params)
	if err != nil {
		b.Fatal(err)
	}
	t := c.Table("accounts")
	row := func(id string) value.Value {
		return value.OfObject(t.RowType.Shape, []value.Value{value.OfInt(100), value.OfString(id), {}, value.OfString(id), value.OfInt(1)})
	}
	st := &still{memory: newMemory(), a: row("alice"), b: row("bob")}
	frame := lang.Frame{Slots: make([]value.Value, p.Slots), Meter: &lang.Meter{}, Tx: &lang.Tx{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(frame.Slots)
		frame.Slots[schema.ParamsSlot] = params
		*frame.Meter = lang.Meter{Limit: program.CostLimit}
		lim := program.DefaultLimits()
		if _, abort, err := p.Run(&frame, st, &lim); abort != nil || err != nil {
			b.Fatal(abort, err)
		}
	}
}
