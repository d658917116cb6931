package value

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// Form tells a decoder where objects stand within a value, for the bytes of an
// object hold its fields and not its shape. A nil Form is a value without
// objects. Forms are built once for a type and shared.
type Form struct {
	Shape  *Shape  // the value is an object of this shape (or null)
	Fields []*Form // forms of its fields, parallel to Shape.Fields; nil: none of them holds objects
	Elem   *Form   // the value is a list or map whose elements or values have this form
}

// field is the form of the i-th field of an object.
func (f *Form) field(i int) *Form {
	if f.Fields == nil {
		return nil
	}
	return f.Fields[i]
}

// DecodeBinary reads the value that src begins with, which must hold no object,
// and returns the bytes after it. Strings are copied, so src may be reused.
// Memory is bounded by a multiple of what is read; a count that the bytes cannot
// hold is refused before anything is made for it. Errors are ErrTruncated,
// ErrEncoding and ErrShape.
func DecodeBinary(src []byte) (v Value, rest []byte, err error) {
	return DecodeForm(src, nil)
}

// DecodeForm is DecodeBinary for a value that may hold objects, where the form
// says.
func DecodeForm(src []byte, form *Form) (v Value, rest []byte, err error) {
	d := Decoder{src: view(src), budget: len(src)}
	v, err = d.value(form, 0)
	return v, src[d.at:], err
}

// DecodeObject reads one object, or null, that src consists of. Its strings
// share one copy of src.
func DecodeObject(src []byte, shape *Shape) (Value, error) {
	d := NewDecoder(src)
	form := Form{Shape: shape}
	v, err := d.Next(&form)
	if err == nil && !d.Done() {
		err = ErrTrailing
	}
	return v, err
}

// SkipBinary returns the bytes after the value that src begins with, having
// looked at no more of it than that takes.
func SkipBinary(src []byte) (rest []byte, err error) {
	d := Decoder{src: view(src), budget: len(src)}
	err = d.Skip()
	return src[d.at:], err
}

// MeasureBinary counts the values (map keys included) and the bytes of text and
// binary data within the value that src begins with, without making it: whoever
// reads bytes from outside can refuse at no cost what would be TooLarge. The names
// of fields, which Size counts, are not in the bytes of objects.
func MeasureBinary(src []byte) (nodes, bytes int, err error) {
	d := Decoder{src: view(src), budget: len(src)}
	for pending := 1; pending > 0; pending-- {
		parts, text, err := d.skipOne()
		if err != nil {
			return 0, 0, err
		}
		pending += parts
		nodes++
		bytes += text
	}
	return nodes, bytes, nil
}

// Decoder reads values that follow each other in one piece of bytes, such as
// the columns of a row. All strings that it makes share one copy of the bytes,
// which is made when the first is met: one allocation for a row, however many
// texts it holds.
type Decoder struct {
	src    string // the caller's bytes, viewed
	owned  string // our copy, "" until needed
	shared bool   // strings are cut from owned, not copied one by one
	at     int
	budget int // elements that the bytes can still hold, at a byte each
}

// NewDecoder makes a decoder of src, which must not change until the last call.
func NewDecoder(src []byte) Decoder {
	return Decoder{src: view(src), shared: true, budget: len(src)}
}

// view is a string over the bytes, without a copy. It never leaves the decoder:
// every string of a Value is cut from a copy.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Done tells whether all bytes have been read.
func (d *Decoder) Done() bool { return d.at == len(d.src) }

// Next reads a value of the form given; see DecodeBinary for the errors.
func (d *Decoder) Next(form *Form) (Value, error) { return d.value(form, 0) }

// Uvarint reads an unsigned varint, which containers of values use between
// them. Only the shortest form is taken.
func (d *Decoder) Uvarint() (uint64, error) {
	var u uint64
	for shift := uint(0); d.at < len(d.src); shift += 7 {
		b := d.src[d.at]
		d.at++
		if shift == 63 && b > 1 {
			return 0, ErrEncoding
		}
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if b == 0 && shift > 0 {
				return 0, ErrEncoding
			}
			return u, nil
		}
	}
	return 0, ErrTruncated
}

// varint reads a zigzag varint.
func (d *Decoder) varint() (int64, error) {
	u, err := d.Uvarint()
	return int64(u>>1) ^ -int64(u&1), err
}

// value reads one value within so many containers.
func (d *Decoder) value(form *Form, depth int) (Value, error) {
	if d.at >= len(d.src) {
		return Value{}, ErrTruncated
	}
	tag := d.src[d.at]
	if form != nil && form.Shape != nil && tag != tagObject && tag != tagNull {
		return Value{}, ErrShape
	}
	d.at++
	if tag >= tagShortString {
		return d.text(String, int(tag&^tagShortString))
	}
	if tag >= tagSmallInt {
		return OfInt(int64(tag &^ tagSmallInt)), nil
	}
	switch tag {
	case tagNull:
		return Value{}, nil
	case tagFalse, tagTrue:
		return OfBool(tag == tagTrue), nil
	case tagInt, tagJSONInt:
		return d.int(tag == tagJSONInt)
	case tagUint:
		u, err := d.Uvarint()
		return OfUint(u), err
	case tagDouble:
		return d.double()
	case tagString, tagBytes:
		return d.longText(tag)
	case tagTimestamp:
		return d.timestamp()
	case tagDuration:
		n, err := d.varint()
		return OfDuration(n), err
	case tagList, tagMap, tagObject:
		return d.composite(tag, form, depth+1)
	}
	return Value{}, ErrEncoding
}

// int reads an int that is not a small one.
func (d *Decoder) int(fromJSON bool) (Value, error) {
	i, err := d.varint()
	if err != nil {
		return Value{}, err
	}
	v := OfInt(i)
	if fromJSON {
		v = OfJSONInt(i)
	}
	if uint64(i) < smallInts || v.fromJSON() != fromJSON {
		return Value{}, ErrEncoding
	}
	return v, nil
}

func (d *Decoder) double() (Value, error) {
	if len(d.src)-d.at < 8 {
		return Value{}, ErrTruncated
	}
	var bits uint64
	for _, b := range []byte(d.src[d.at : d.at+8]) {
		bits = bits<<8 | uint64(b)
	}
	d.at += 8
	if !finite(bits) {
		return Value{}, ErrEncoding
	}
	return Value{head: uint64(Double), bits: bits}, nil
}

func (d *Decoder) timestamp() (Value, error) {
	seconds, err := d.varint()
	if err != nil {
		return Value{}, err
	}
	nanos, err := d.Uvarint()
	if err != nil {
		return Value{}, err
	}
	if nanos >= nanosPerSecond || !ValidTimestamp(seconds, int32(nanos)) {
		return Value{}, ErrEncoding
	}
	return OfTimestamp(seconds, int32(nanos)), nil
}

// longText reads bytes, or a string whose length does not fit into its tag.
func (d *Decoder) longText(tag byte) (Value, error) {
	n, err := d.Uvarint()
	if err != nil {
		return Value{}, err
	}
	if n > uint64(len(d.src)-d.at) {
		return Value{}, ErrTruncated
	}
	if tag == tagBytes {
		return d.text(Bytes, int(n))
	}
	if n < shortStrings {
		return Value{}, ErrEncoding
	}
	return d.text(String, int(n))
}

// text takes the next n bytes.
func (d *Decoder) text(kind Kind, n int) (Value, error) {
	if n > len(d.src)-d.at {
		return Value{}, ErrTruncated
	}
	from, to := d.at, d.at+n
	if kind == String && !utf8.ValidString(d.src[from:to]) {
		return Value{}, ErrEncoding
	}
	d.at = to
	if n == 0 {
		return ofText(kind, ""), nil
	}
	if !d.shared {
		return ofText(kind, strings.Clone(d.src[from:to])), nil
	}
	if d.owned == "" {
		d.owned = strings.Clone(d.src)
	}
	return ofText(kind, d.owned[from:to]), nil
}

// count reads how many elements a container has, each made of so many values.
// Every value takes a byte, so all containers together cannot hold more values
// than there are bytes: a few bytes that claim millions are refused here.
func (d *Decoder) count(values uint64) (int, error) {
	n, err := d.Uvarint()
	if err != nil {
		return 0, err
	}
	if n > uint64(d.budget)/values {
		return 0, ErrTruncated
	}
	d.budget -= int(n * values)
	return int(n), nil
}

// composite reads a list, a map or an object.
func (d *Decoder) composite(tag byte, form *Form, depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, ErrEncoding
	}
	if tag == tagMap {
		return d.mapping(form, depth)
	}
	object := tag == tagObject
	if object != (form != nil && form.Shape != nil) {
		return Value{}, ErrShape
	}
	n, err := d.count(1)
	if err != nil {
		return Value{}, err
	}
	if object && n != len(form.Shape.Fields) {
		return Value{}, ErrShape
	}
	elems := make([]Value, n)
	for i := range elems {
		if elems[i], err = d.value(form.part(object, i), depth); err != nil {
			return Value{}, err
		}
	}
	if object {
		return OfObject(form.Shape, elems), nil
	}
	return OfList(elems), nil
}

// part is the form of what a composite holds at i.
func (f *Form) part(object bool, i int) *Form {
	switch {
	case f == nil:
		return nil
	case object:
		return f.field(i)
	}
	return f.Elem
}

// mapping reads the entries of a map, whose keys must ascend.
func (d *Decoder) mapping(form *Form, depth int) (Value, error) {
	n, err := d.count(2)
	if err != nil {
		return Value{}, err
	}
	both := make([]Value, 2*n)
	keys, vals := both[:n:n], both[n:]
	size := Size{Nodes: 1, Depth: 1}
	for i := range keys {
		if keys[i], err = d.value(nil, depth); err != nil {
			return Value{}, err
		}
		if !keys[i].IsKey() || (i > 0 && CompareKeys(keys[i-1], keys[i]) >= 0) {
			return Value{}, ErrEncoding
		}
		if vals[i], err = d.value(form.part(false, i), depth); err != nil {
			return Value{}, err
		}
		size.add(keys[i])
		size.add(vals[i])
	}
	if textRepeats(keys) {
		return Value{}, ErrEncoding
	}
	return ofComposite(Map, &Composite{elems: vals, keys: keys, size: size}), nil
}

// Skip passes over one value, of whatever form, without making it.
func (d *Decoder) Skip() error {
	// pending counts the values still to pass: no recursion, so that no depth of
	// nesting costs stack.
	for pending := 1; pending > 0; pending-- {
		parts, _, err := d.skipOne()
		if err != nil {
			return err
		}
		pending += parts
	}
	return nil
}

// skipOne passes over one tag with its content. It says how many values follow
// that belong to it, and how long its text is.
func (d *Decoder) skipOne() (parts, text int, err error) {
	if d.at >= len(d.src) {
		return 0, 0, ErrTruncated
	}
	tag := d.src[d.at]
	d.at++
	switch {
	case tag >= tagShortString:
		n := int(tag &^ tagShortString)
		return 0, n, d.advance(uint64(n))
	case tag >= tagSmallInt || tag <= tagTrue:
		return 0, 0, nil
	}
	switch tag {
	case tagDouble:
		return 0, 0, d.advance(8)
	case tagString, tagBytes:
		n, err := d.Uvarint()
		if err != nil {
			return 0, 0, err
		}
		return 0, int(n), d.advance(n)
	case tagTimestamp:
		if _, err := d.Uvarint(); err != nil {
			return 0, 0, err
		}
		_, err = d.Uvarint()
		return 0, 0, err
	case tagList, tagObject:
		parts, err = d.count(1)
		return parts, 0, err
	case tagMap:
		entries, err := d.count(2)
		return 2 * entries, 0, err
	case tagInt, tagJSONInt, tagUint, tagDuration:
		_, err = d.Uvarint()
		return 0, 0, err
	}
	return 0, 0, ErrEncoding
}

// advance passes over n bytes.
func (d *Decoder) advance(n uint64) error {
	if n > uint64(len(d.src)-d.at) {
		return ErrTruncated
	}
	d.at += int(n)
	return nil
}
