package program

import (
	"errors"
	"fmt"

	"lockstep/engine/lang"
	"lockstep/engine/value"
)

// errParams says that encoded params are not those of the program: the entry
// was typed against another schema, or is damaged.
var errParams = errors.New("program: encoded params do not fit the program")

// appendParams appends the binary form of a program's params: one value for each,
// in the order of Program.Params, and nothing around them.
func appendParams(dst []byte, fields []value.Value) []byte {
	for _, v := range fields {
		dst = value.AppendBinary(dst, v)
	}
	return dst
}

// DecodeParams reads params as Typed.Params holds them into the object that
// goes into slot 0. Whatever bytes it is given, the object that it returns has
// the program's types.
func (p *Program) DecodeParams(b []byte) (value.Value, error) {
	fields := make([]value.Value, len(p.Params))
	dec := value.NewDecoder(b)
	for i := range fields {
		v, err := dec.Next(p.forms[i])
		if err != nil {
			return value.Value{}, fmt.Errorf("decoding param %s: %w", p.Params[i].Name, err)
		}
		if !fits(v, p.Params[i].Type) {
			return value.Value{}, fmt.Errorf("decoding param %s: %w", p.Params[i].Name, errParams)
		}
		fields[i] = v
	}
	if !dec.Done() {
		return value.Value{}, errParams
	}
	return value.OfObject(p.ParamsType.Shape, fields), nil
}

// paramForms tell the decoder where objects stand in params.
func paramForms(params []Param) []*value.Form {
	forms := make([]*value.Form, len(params))
	for i, p := range params {
		forms[i] = formOf(p.Type)
	}
	return forms
}

// formOf is nil for a type without objects.
func formOf(t lang.Type) *value.Form {
	switch t.Kind {
	case lang.KList:
		if elem := formOf(*t.Elem); elem != nil {
			return &value.Form{Elem: elem}
		}
	case lang.KObject:
		f := &value.Form{Shape: t.Object.Shape}
		for _, field := range t.Object.Fields {
			f.Fields = append(f.Fields, formOf(field))
		}
		return f
	}
	return nil
}

// fits tells whether a decoded value is one of the type.
func fits(v value.Value, t lang.Type) bool {
	if v.IsNull() {
		return t.Nullable || t.Kind == lang.KJSON || t.Kind == lang.KNull
	}
	switch t.Kind {
	case lang.KJSON:
		_, ok := value.AsJSON(v)
		return ok
	case lang.KList:
		return v.Kind() == value.List && all(v.Elems(), func(int) lang.Type { return *t.Elem })
	case lang.KObject:
		return v.Kind() == value.Object && all(v.Elems(), func(i int) lang.Type { return t.Object.Fields[i] })
	}
	return v.Kind() == kindOf(t.Kind)
}

func all(elems []value.Value, t func(int) lang.Type) bool {
	for i, e := range elems {
		if !fits(e, t(i)) {
			return false
		}
	}
	return true
}

// kindOf is the kind of the values of a scalar type; Null for others, which
// fits treats apart.
func kindOf(k lang.Kind) value.Kind {
	switch k {
	case lang.KBool:
		return value.Bool
	case lang.KInt:
		return value.Int
	case lang.KUint:
		return value.Uint
	case lang.KDouble:
		return value.Double
	case lang.KString:
		return value.String
	case lang.KBytes:
		return value.Bytes
	case lang.KTimestamp:
		return value.Timestamp
	case lang.KDuration:
		return value.Duration
	}
	return value.Null
}
