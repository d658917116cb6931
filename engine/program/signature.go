package program

import (
	"strconv"

	"lockstep/engine/value"
)

// Signature is what the compiler found out about a procedure, for people and for
// those who generate clients: types are written in full, as lang.Type.Structure
// does.
type Signature struct {
	Name      string
	Params    []TypedName // in byte order of their names
	Result    string      // the type of its result; null where it returns nothing
	ReadsOnly bool        // it writes nothing, and may be run as a query
}

// TypedName is a param and its type. One whose type ends in ? may be left out.
type TypedName struct{ Name, Type string }

// Signatures are those of all procedures, in byte order of their names.
func (c *Compiled) Signatures() []Signature {
	list := make([]Signature, len(c.Procs))
	for i, p := range c.Procs {
		list[i] = Signature{Name: p.Name, Result: p.ResultType.Structure(), ReadsOnly: p.ReadOnly}
		for _, param := range p.Params {
			list[i].Params = append(list[i].Params, TypedName{param.Name, param.Type.Structure()})
		}
	}
	return list
}

// AppendDerived appends the signatures and the language version as JSON: the
// member schema.Derived of a schema document.
func (c *Compiled) AppendDerived(dst []byte) []byte {
	dst = append(dst, `{"language":`...)
	dst = append(dst, itoa(int(c.Language))...)
	dst = append(dst, `,"procedures":{`...)
	for i, s := range c.Signatures() {
		dst = value.AppendJSONString(comma(dst, i), s.Name)
		dst = append(dst, `:{"params":{`...)
		for j, p := range s.Params {
			dst = value.AppendJSONString(comma(dst, j), p.Name)
			dst = value.AppendJSONString(append(dst, ':'), p.Type)
		}
		dst = value.AppendJSONString(append(dst, `},"result":`...), s.Result)
		dst = append(dst, `,"reads_only":`...)
		dst = append(strconv.AppendBool(dst, s.ReadsOnly), '}')
	}
	return append(dst, "}}"...)
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
