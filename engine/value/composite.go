package value

import (
	"sort"
	"strconv"
	"unsafe"
)

// Composite is the shared, immutable body of a list, a map or an object.
type Composite struct {
	elems []Value // list: elements; map: values in key order; object: fields in the shape's order
	keys  []Value // map only: strictly ascending by CompareKeys
	shape *Shape  // object only
	size  Size    // deep size, this composite included
}

// Size is the deep size of a value, which the language's limits are stated in.
// Shared parts count as often as they are reached. Sizes saturate far above
// the limits, so they never overflow.
type Size struct {
	Nodes int // values, containers and map keys included
	Bytes int // bytes of text and binary data, map keys and names of fields included
	Depth int // nesting: 0 for a scalar, 1 for an empty list
}

// TooLarge tells whether a size is over the limits of the language: MaxNodes,
// MaxBytes or MaxDepth.
func (s Size) TooLarge() bool {
	return s.Nodes > MaxNodes || s.Bytes > MaxBytes || s.Depth > MaxDepth
}

// add counts a part of a composite.
func (s *Size) add(v Value) {
	c := v.Comp()
	if c == nil {
		s.Nodes = min(s.Nodes+1, sizeCap)
		s.Bytes = min(s.Bytes+len(v.Str()), sizeCap)
		return
	}
	part := c.size
	s.Nodes = min(s.Nodes+part.Nodes, sizeCap)
	s.Bytes = min(s.Bytes+part.Bytes, sizeCap)
	s.Depth = max(s.Depth, min(part.Depth+1, sizeCap))
}

// Size is the deep size of the value, in constant time.
func (v Value) Size() Size {
	if c := v.Comp(); c != nil {
		return c.size
	}
	return Size{Nodes: 1, Bytes: len(v.Str())}
}

// TooLarge tells whether the value is over the limits of the language.
func (v Value) TooLarge() bool {
	if c := v.Comp(); c != nil {
		return c.size.TooLarge()
	}
	return len(v.Str()) > MaxBytes
}

// OfList makes a list and takes the slice over: the caller must not change it
// afterwards.
func OfList(elems []Value) Value {
	size := Size{Nodes: 1, Depth: 1}
	for _, e := range elems {
		size.add(e)
	}
	return ofComposite(List, &Composite{elems: elems, size: size})
}

// OfMap makes a map of keys[i] to vals[i], sorts it, and takes both slices
// over. It is not ok where a key is of a kind that cannot be one (see IsKey) or
// where a key is repeated. Keys repeat each other where they are equal as
// numbers (1 and 1u) and also where JSON could not tell them apart (1 and '1').
func OfMap(keys, vals []Value) (m Value, ok bool) {
	size := Size{Nodes: 1, Depth: 1}
	for i := range keys {
		if !keys[i].IsKey() {
			return Value{}, false
		}
		size.add(keys[i])
		size.add(vals[i])
	}
	sortEntries(keys, vals)
	for i := 1; i < len(keys); i++ {
		if CompareKeys(keys[i-1], keys[i]) == 0 {
			return Value{}, false
		}
	}
	if textRepeats(keys) {
		return Value{}, false
	}
	return ofComposite(Map, &Composite{elems: vals, keys: keys, size: size}), true
}

// OfObject makes an object whose fields stand in the order of the shape, and
// takes the slice over. A slice of another length is a programmer's error and
// panics.
func OfObject(shape *Shape, fields []Value) Value {
	if len(fields) != len(shape.Fields) {
		panic("value: object " + shape.Name + " made with " + strconv.Itoa(len(fields)) +
			" fields, its shape has " + strconv.Itoa(len(shape.Fields)))
	}
	size := Size{Nodes: 1, Bytes: shape.nameBytes, Depth: 1}
	for _, f := range fields {
		size.add(f)
	}
	return ofComposite(Object, &Composite{elems: fields, shape: shape, size: size})
}

// ofComposite makes a List, a Map or an Object of its body.
func ofComposite(kind Kind, c *Composite) Value {
	return Value{head: uint64(kind), ptr: unsafe.Pointer(c)}
}

// Comp is the body of a List, Map or Object; nil for scalars.
func (v Value) Comp() *Composite {
	if v.Kind() < List {
		return nil
	}
	return (*Composite)(v.ptr)
}

// Len is the number of elements of a List, entries of a Map or fields of an
// Object; 0 for scalars.
func (v Value) Len() int {
	return len(v.Elems())
}

// At is the i-th element of a List, or the i-th value of a Map in key order.
func (v Value) At(i int) Value { return v.Comp().elems[i] }

// Field is the i-th field of an Object, in the order of its shape.
func (v Value) Field(i int) Value { return v.Comp().elems[i] }

// Elems are the elements of a List, the values of a Map in key order, or the
// fields of an Object; nil for scalars. The slice must not be changed.
func (v Value) Elems() []Value {
	if c := v.Comp(); c != nil {
		return c.elems
	}
	return nil
}

// Keys are the keys of a Map, ascending; nil for other kinds. The slice must not
// be changed.
func (v Value) Keys() []Value {
	if c := v.Comp(); c != nil {
		return c.keys
	}
	return nil
}

// Shape is the shape of an Object; nil for other kinds.
func (v Value) Shape() *Shape {
	if c := v.Comp(); c != nil {
		return c.shape
	}
	return nil
}

// MapGet finds the entry of a Map whose key equals the given one, numbers by
// value as in CEL. A key of another kind, whatever it is, is not found.
func (v Value) MapGet(key Value) (Value, bool) {
	if key.Kind() != String && !key.IsNumber() && key.Kind() != Bool {
		return Value{}, false
	}
	keys := v.Keys()
	lo, hi := 0, len(keys)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := CompareKeys(keys[mid], key); {
		case c == 0:
			return v.Comp().elems[mid], true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return Value{}, false
}

// insertionMax is the length up to which insertion sort is the faster one; most
// maps of programs are this small and many are sorted already.
const insertionMax = 12

// sortEntries sorts the keys ascending and moves the values along.
func sortEntries(keys, vals []Value) {
	if len(keys) > insertionMax {
		if e := (entries{keys, vals}); !sort.IsSorted(e) {
			sort.Stable(e)
		}
		return
	}
	for i := 1; i < len(keys); i++ {
		for j := i; j > 0 && CompareKeys(keys[j-1], keys[j]) > 0; j-- {
			keys[j-1], keys[j] = keys[j], keys[j-1]
			vals[j-1], vals[j] = vals[j], vals[j-1]
		}
	}
}

// entries sorts the keys and the values of a map together.
type entries struct{ keys, vals []Value }

func (e entries) Len() int           { return len(e.keys) }
func (e entries) Less(i, j int) bool { return CompareKeys(e.keys[i], e.keys[j]) < 0 }
func (e entries) Swap(i, j int) {
	e.keys[i], e.keys[j] = e.keys[j], e.keys[i]
	e.vals[i], e.vals[j] = e.vals[j], e.vals[i]
}

// textRepeats tells whether a key that is no string is written in JSON as one
// of the strings among the sorted keys.
func textRepeats(keys []Value) bool {
	n := len(keys)
	if n == 0 || keys[0].Kind() == String || keys[n-1].Kind() != String {
		return false
	}
	first := sort.Search(n, func(i int) bool { return keys[i].Kind() == String })
	texts := keys[first:]
	var scratch [24]byte
	for _, k := range keys[:first] {
		text := appendKeyText(scratch[:0], k)
		at := sort.Search(len(texts), func(i int) bool { return texts[i].Str() >= string(text) })
		if at < len(texts) && texts[at].Str() == string(text) {
			return true
		}
	}
	return false
}

// appendKeyText appends a key as the text that JSON has for it.
func appendKeyText(dst []byte, k Value) []byte {
	switch k.Kind() {
	case Bool:
		return strconv.AppendBool(dst, k.Bool())
	case Int:
		return strconv.AppendInt(dst, k.Int(), 10)
	case Uint:
		return strconv.AppendUint(dst, k.Uint(), 10)
	}
	return append(dst, k.Str()...)
}
