package lang

import (
	"testing"

	"lockstep/engine/value"
)

// scene is a small world for expressions: the row `src` and the params of a
// transfer, a row that is not there, and a json value.
type scene struct {
	env   *Env
	scope *Scope
	row   *ObjectType
	frame *Frame
}

func newScene(t testing.TB) *scene {
	t.Helper()
	env, err := NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	row := object("accounts",
		"id", Type{Kind: KString}, "balance", Type{Kind: KInt}, "credit", Type{Kind: KInt, Nullable: true},
		"rate", Type{Kind: KDouble, Nullable: true}, "opened", Type{Kind: KTimestamp, Nullable: true},
		"note", Type{Kind: KString, Nullable: true}, "data", Type{Kind: KJSON, Nullable: true},
		"points", Type{Kind: KUint}, "key", Type{Kind: KBytes}, "active", Type{Kind: KBool}, "_revision", Type{Kind: KInt})
	line := object("line", "item", Type{Kind: KInt}, "qty", Type{Kind: KInt})
	lineType := Type{Kind: KObject, Object: line}
	params := object("params", "amount", Type{Kind: KInt}, "to", Type{Kind: KString},
		"lines", Type{Kind: KList, Elem: &lineType}, "tags", Type{Kind: KList, Elem: &Type{Kind: KString}, Nullable: true},
		"doc", Type{Kind: KJSON})
	s := &scene{env: env, row: row}
	s.scope = NewScope(TxFull).
		With(Var{"params", Type{Kind: KObject, Object: params}, 0}).
		With(Var{"src", Type{Kind: KObject, Object: row}, 1}).
		With(Var{"gone", Type{Kind: KObject, Object: row, Nullable: true}, 2}).
		With(Var{"n", Type{Kind: KInt}, 3}).
		With(Var{"big", Type{Kind: KInt}, 4}).
		With(Var{"names", Type{Kind: KList, Elem: &Type{Kind: KString}}, 5})
	src := value.OfObject(row.Shape, []value.Value{value.OfString("alice"), value.OfInt(100), {}, value.OfDouble(2.5), {}, {},
		{}, value.OfUint(7), value.OfBytes("\x00\xff"), value.OfBool(true), value.OfInt(41)})
	doc, err := value.FromJSON([]byte(`{"a":[1,2.5,{"b":"x"}],"n":null,"big":9007199254740993}`))
	if err != nil {
		t.Fatal(err)
	}
	pair := func(item, qty int64) value.Value {
		return value.OfObject(line.Shape, []value.Value{value.OfInt(item), value.OfInt(qty)})
	}
	p := value.OfObject(params.Shape, []value.Value{value.OfInt(30), value.OfString("bob"),
		value.OfList([]value.Value{pair(1, 2), pair(2, 5)}), {}, doc})
	s.frame = &Frame{
		Slots: []value.Value{p, src, {}, value.OfInt(3), value.OfInt(9223372036854775807),
			value.OfList([]value.Value{value.OfString("ann"), value.OfString("bob")})},
		Meter: &Meter{Limit: 1_000_000},
		Tx:    &Tx{ID: "t-1", Revision: 42, Now: value.OfTimestamp(1_795_428_000, 123_000_000), Seed: [16]byte{1, 2, 3}},
	}
	return s
}

// object makes an object type of names and types in turn.
func object(name string, fields ...any) *ObjectType {
	o := &ObjectType{Name: name}
	var names []string
	for i := 0; i < len(fields); i += 2 {
		names = append(names, fields[i].(string))
		o.Fields = append(o.Fields, fields[i+1].(Type))
	}
	o.Shape = value.NewShape(name, names)
	return o
}

// compile compiles in the scene and fails the test on a problem.
func (s *scene) compile(t testing.TB, src string, want *Type) *Expr {
	t.Helper()
	x, p := s.env.Compile(src, s.scope, want)
	if p != nil {
		t.Fatalf("%s: %d:%d %s\n%s", src, p.Line, p.Column, p.Error(), p.Snippet)
	}
	return x
}

// eval evaluates with a budget of its own and tells what it used.
func (s *scene) eval(x *Expr, limit uint64) (value.Value, *Fault, uint64) {
	s.frame.Meter = &Meter{Limit: limit}
	v, ft := x.Eval(s.frame)
	return v, ft, s.frame.Meter.Used
}
