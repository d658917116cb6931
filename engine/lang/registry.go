package lang

import (
	"strconv"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"lockstep/engine/value"
)

// registry gives the object types of one scope to the type checker. A type's
// name there begins with a character that no source can spell, so that it can
// be neither named nor constructed.
type registry struct {
	names  map[*ObjectType]string
	byName map[string]*ObjectType
}

func newRegistry(s *Scope) *registry {
	r := &registry{names: map[*ObjectType]string{}, byName: map[string]*ObjectType{}}
	for _, name := range s.names {
		r.add(s.vars[name].Type)
	}
	if s.tx != TxNone {
		r.add(txType(s.tx))
	}
	return r
}

// add registers the object types that a type reaches.
func (r *registry) add(t Type) {
	if t.Elem != nil {
		r.add(*t.Elem)
	}
	if t.Key != nil {
		r.add(*t.Key)
	}
	if t.Object == nil || r.names[t.Object] != "" {
		return
	}
	name := "#" + strconv.Itoa(len(r.names)) + " " + t.Object.Name
	r.names[t.Object] = name
	r.byName[name] = t.Object
	for _, ft := range t.Object.Fields {
		r.add(ft)
	}
}

// celType is the checker's form of a type.
func (r *registry) celType(t Type) *types.Type {
	switch t.Kind {
	case KNull:
		return types.NullType
	case KTimestamp:
		return types.TimestampType // the checker takes null for it anyhow
	case KDuration:
		return types.DurationType
	case KList, KMap:
		if t.Nullable {
			return types.DynType // the checker has no nullable lists; the compiler looks closer
		}
		if t.Kind == KList {
			return types.NewListType(r.celType(t.elem()))
		}
		return types.NewMapType(r.celType(t.key()), r.celType(t.elem()))
	case KObject:
		return types.NewObjectType(r.names[t.Object])
	}
	scalar, ok := scalarType(t.Kind)
	if !ok {
		return types.DynType
	}
	if t.Nullable {
		return types.NewNullableType(scalar)
	}
	return scalar
}

func scalarType(k Kind) (*types.Type, bool) {
	switch k {
	case KBool:
		return types.BoolType, true
	case KInt:
		return types.IntType, true
	case KUint:
		return types.UintType, true
	case KDouble:
		return types.DoubleType, true
	case KString:
		return types.StringType, true
	case KBytes:
		return types.BytesType, true
	}
	return nil, false
}

// langType is the type that the checker found.
func (r *registry) langType(t *types.Type) Type {
	nullable := t.IsAssignableType(types.NullType)
	switch t.Kind() {
	case types.NullTypeKind:
		return Type{Kind: KNull}
	case types.BoolKind:
		return Type{Kind: KBool, Nullable: nullable}
	case types.IntKind:
		return Type{Kind: KInt, Nullable: nullable}
	case types.UintKind:
		return Type{Kind: KUint, Nullable: nullable}
	case types.DoubleKind:
		return Type{Kind: KDouble, Nullable: nullable}
	case types.StringKind:
		return Type{Kind: KString, Nullable: nullable}
	case types.BytesKind:
		return Type{Kind: KBytes, Nullable: nullable}
	case types.TimestampKind:
		return Type{Kind: KTimestamp}
	case types.DurationKind:
		return Type{Kind: KDuration}
	case types.ListKind:
		elem := r.langType(t.Parameters()[0])
		return Type{Kind: KList, Elem: &elem}
	case types.MapKind:
		key, elem := r.langType(t.Parameters()[0]), r.langType(t.Parameters()[1])
		return Type{Kind: KMap, Key: &key, Elem: &elem}
	case types.StructKind:
		if o := r.byName[t.TypeName()]; o != nil {
			return Type{Kind: KObject, Object: o}
		}
	}
	return Type{Kind: KJSON}
}

// The methods below are what the checker asks of a provider of types.

// FindStructType finds an object type.
func (r *registry) FindStructType(name string) (*types.Type, bool) {
	if _, ok := r.byName[name]; !ok {
		return nil, false
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
}

// FindStructFieldNames lists the fields of an object type.
func (r *registry) FindStructFieldNames(name string) ([]string, bool) {
	o, ok := r.byName[name]
	if !ok {
		return nil, false
	}
	return o.Shape.Fields, true
}

// FindStructFieldType finds the type of a field.
func (r *registry) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	o, ok := r.byName[name]
	if !ok {
		return nil, false
	}
	_, t, ok := o.Field(field)
	if !ok {
		return nil, false
	}
	return &types.FieldType{Type: r.celType(t)}, true
}

// FindIdent finds no names: variables are declared in the scope.
func (r *registry) FindIdent(string) (ref.Val, bool) { return nil, false }

// EnumValue finds no enumerations.
func (r *registry) EnumValue(string) ref.Val { return types.NewErr("no enumerations") }

// NewValue makes no values: expressions can't construct objects.
func (r *registry) NewValue(string, map[string]ref.Val) ref.Val {
	return types.NewErr("objects can't be constructed")
}

// txType is the object type that `tx` has in a scope.
func txType(s TxScope) Type {
	if s == TxQuery {
		return Type{Kind: KObject, Object: queryTx}
	}
	return Type{Kind: KObject, Object: fullTx}
}

// The two forms of tx, with the fields in the order that txField knows.
var (
	fullTx = &ObjectType{Name: "tx", Shape: value.NewShape("tx", []string{"revision", "now", "id"}),
		Fields: []Type{{Kind: KInt}, {Kind: KTimestamp}, {Kind: KString}}}
	queryTx = &ObjectType{Name: "tx", Shape: value.NewShape("tx", []string{"revision", "now"}),
		Fields: []Type{{Kind: KInt}, {Kind: KTimestamp}}}
)
