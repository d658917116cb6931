package lang

import "lockstep/engine/value"

// verdict is what static types tell of an assignment.
type verdict uint8

const (
	never   verdict = iota
	perhaps         // the value decides
	always
)

// assignable tells whether values of type t may stand where want is wanted.
func assignable(t, want Type) verdict {
	if want.Kind == KJSON {
		if plainJSON(t) {
			return always
		}
		return perhaps // it is brought into the form that json values have
	}
	if t.Kind == KJSON {
		return perhaps
	}
	if t.Kind == KNull {
		if want.takesNull() {
			return always
		}
		return never
	}
	v := assignableKind(t, want)
	if v == always && t.takesNull() && !want.takesNull() {
		return perhaps
	}
	return v
}

func assignableKind(t, want Type) verdict {
	if t.Kind == KMap && want.Kind == KObject {
		return perhaps
	}
	if t.Kind != want.Kind {
		return never
	}
	switch t.Kind {
	case KList:
		return assignable(t.elem(), want.elem())
	case KMap:
		return min(assignable(t.key(), want.key()), assignable(t.elem(), want.elem()))
	case KObject:
		if t.Object != want.Object {
			return never
		}
	}
	return always
}

// plainJSON tells whether values of the type are JSON values as they are.
func plainJSON(t Type) bool {
	switch t.Kind {
	case KNull, KBool, KDouble, KString:
		return true
	}
	return false
}

// mismatch is the problem of an expression of the wrong type.
func mismatch(src string, t, want Type) *Problem {
	return problemAt(src, 1, 1, "the expression is "+article(t.String())+"; "+article(want.String())+" is wanted", castHint(t, want))
}

// castHint says how a value of one type is turned into another.
func castHint(t, want Type) string {
	numeric := func(k Kind) bool { return k == KInt || k == KUint || k == KDouble }
	switch {
	case t.Kind == KNull:
		return "only what is optional can be null"
	case numeric(t.Kind) && numeric(want.Kind), want.Kind == KString && t.Kind < KJSON,
		t.Kind == KString && want.Kind < KJSON, t.Kind == KInt && want.Kind == KTimestamp,
		t.Kind == KTimestamp && want.Kind == KInt:
		return "write " + want.Kind.String() + "(...) around it"
	}
	return ""
}

// Conform brings a value into a declared type: null where it is allowed, an
// object for a map that has its fields, a json value for anything. It never
// rounds or parses.
func Conform(v value.Value, t Type) (value.Value, *Fault) {
	f := Frame{Meter: &Meter{Limit: ^uint64(0)}}
	return f.conform(v, t)
}

func (f *Frame) conform(v value.Value, t Type) (value.Value, *Fault) {
	if t.Kind == KJSON {
		return f.toJSON(v)
	}
	if v.IsNull() {
		if t.takesNull() {
			return v, nil
		}
		return v, fault2(FaultNullValue, "", t.String())
	}
	switch t.Kind {
	case KList:
		if v.Kind() == value.List {
			return f.conformList(v, t.elem())
		}
	case KMap:
		if v.Kind() == value.Map {
			return f.conformMap(v, t)
		}
	case KObject:
		if v.Kind() == value.Object && v.Shape() == t.Object.Shape {
			return v, nil
		}
		if v.Kind() == value.Map {
			return f.conformObject(v, t.Object)
		}
	default:
		switch {
		case v.Kind() != scalarKind(t.Kind):
		case t.Kind == KInt:
			return value.OfInt(v.Int()), nil // one out of a json value is written as a number there only
		default:
			return v, nil
		}
	}
	return value.Value{}, fault2(FaultWrongType, kindName(v), t.String())
}

// scalarKind is the kind that values of a scalar type have.
func scalarKind(k Kind) value.Kind {
	return [...]value.Kind{value.Null, value.Bool, value.Int, value.Uint, value.Double, value.String,
		value.Bytes, value.Timestamp, value.Duration, value.Null, value.List, value.Map, value.Object}[k]
}

// conformList conforms the elements, and copies only where one changes.
func (f *Frame) conformList(v value.Value, t Type) (value.Value, *Fault) {
	out, changed, ft := f.conformAll(v.Elems(), func(e value.Value) (value.Value, *Fault) { return f.conform(e, t) })
	if ft != nil || !changed {
		return v, ft
	}
	return bounded(value.OfList(out))
}

// conformAll applies a conversion to each of the values and copies them where
// one is no longer the same.
func (f *Frame) conformAll(vals []value.Value, convert func(value.Value) (value.Value, *Fault)) ([]value.Value, bool, *Fault) {
	if ft := f.Meter.Charge(uint64(len(vals))); ft != nil {
		return nil, false, ft
	}
	var out []value.Value
	for i, e := range vals {
		c, ft := convert(e)
		if ft != nil {
			return nil, false, ft
		}
		if out == nil && !value.Same(c, e) {
			out = append(make([]value.Value, 0, len(vals)), vals[:i]...)
		}
		if out != nil {
			out = append(out, c)
		}
	}
	return out, out != nil, nil
}

func (f *Frame) conformMap(v value.Value, t Type) (value.Value, *Fault) {
	for _, k := range v.Keys() {
		if t.key().Kind != KJSON && k.Kind() != scalarKind(t.key().Kind) {
			return value.Value{}, fault2(FaultWrongType, kindName(k), t.key().String())
		}
	}
	out, changed, ft := f.conformAll(v.Elems(), func(e value.Value) (value.Value, *Fault) { return f.conform(e, t.elem()) })
	if ft != nil || !changed {
		return v, ft
	}
	m, _ := value.OfMap(append([]value.Value(nil), v.Keys()...), out)
	return bounded(m)
}

// conformObject makes an object of a map that has its fields and no others.
func (f *Frame) conformObject(v value.Value, o *ObjectType) (value.Value, *Fault) {
	if ft := f.Meter.Charge(uint64(len(o.Fields))); ft != nil {
		return value.Value{}, ft
	}
	fields, found := make([]value.Value, len(o.Fields)), 0
	for i, name := range o.Shape.Fields {
		e, ok := v.MapGet(value.OfString(name))
		if ok {
			found++
		} else if !o.Fields[i].takesNull() {
			return value.Value{}, fault2(FaultNoField, name, "map")
		}
		c, ft := f.conform(e, o.Fields[i])
		if ft != nil {
			return value.Value{}, ft
		}
		fields[i] = c
	}
	if found < v.Len() {
		for _, k := range v.Keys() {
			if _, ok := o.Shape.Index(k.Str()); !ok || k.Kind() != value.String {
				return value.Value{}, fault2(FaultNoField, keyText(k), o.Name)
			}
		}
	}
	return bounded(value.OfObject(o.Shape, fields))
}

// toJSON brings a value into the form of json columns.
func (f *Frame) toJSON(v value.Value) (value.Value, *Fault) {
	if ft := f.Meter.Charge(sizeCost(v.Size())); ft != nil {
		return value.Value{}, ft
	}
	j, ok := value.AsJSON(v)
	if !ok {
		return value.Value{}, fault2(FaultConversion, "json", show(v))
	}
	return bounded(j)
}

// sizeCost is what walking a value costs.
func sizeCost(s value.Size) uint64 { return uint64(s.Nodes-1) + uint64(s.Bytes)/bytesPerUnit }
