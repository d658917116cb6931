package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"lockstep/engine/value"
)

// Layout numbers what a schema names. It is replicated state, stored beside the
// document: numbers are given once, in the order of the log, and never again.
type Layout struct {
	Language  uint32 // language version that the schema was applied under
	NextTable uint32 // the number that the next new table gets
	NextIndex uint32 // the number that the next new index gets
	Tables    []TableLayout
}

// TableLayout numbers a table and its parts, all in byte order of their names.
type TableLayout struct {
	Name       string
	ID         uint32
	NextColumn uint32 // the number that the next new column gets; numbers of a table's columns begin at 1
	Columns    []ColumnLayout
	Indexes    []IndexLayout
}

// ColumnLayout numbers a column.
type ColumnLayout struct {
	Name string
	ID   uint32
	Fill value.Value // what rows older than the column show; fixed when it was added
}

// IndexLayout numbers an index.
type IndexLayout struct {
	Name string
	ID   uint32
}

func (l *Layout) table(name string) *TableLayout {
	for i := range l.Tables {
		if l.Tables[i].Name == name {
			return &l.Tables[i]
		}
	}
	return nil
}

func (t *TableLayout) column(name string) *ColumnLayout {
	at := slices.IndexFunc(t.Columns, func(c ColumnLayout) bool { return c.Name == name })
	if at < 0 {
		return nil
	}
	return &t.Columns[at]
}

// layoutFormat is the first byte of an encoded layout.
const layoutFormat = 1

// errLayout says that an encoded layout can't be read: the store is damaged.
var errLayout = errors.New("schema: the stored layout is damaged")

// AppendBinary appends the layout's stored form:
//
//	format byte, language, next table, next index, tables
//	table:  name, id, next column, columns (name, id, fill), indexes (name, id)
//
// Numbers are unsigned varints, lists and names are preceded by their length,
// fills are in the binary form of package value.
func (l *Layout) AppendBinary(dst []byte) []byte {
	dst = append(dst, layoutFormat)
	dst = appendNumbers(dst, l.Language, l.NextTable, l.NextIndex, uint32(len(l.Tables)))
	for _, t := range l.Tables {
		dst = appendName(dst, t.Name)
		dst = appendNumbers(dst, t.ID, t.NextColumn, uint32(len(t.Columns)))
		for _, c := range t.Columns {
			dst = appendNumbers(appendName(dst, c.Name), c.ID)
			dst = value.AppendBinary(dst, c.Fill)
		}
		dst = appendNumbers(dst, uint32(len(t.Indexes)))
		for _, x := range t.Indexes {
			dst = appendNumbers(appendName(dst, x.Name), x.ID)
		}
	}
	return dst
}

func appendNumbers(dst []byte, numbers ...uint32) []byte {
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

func appendName(dst []byte, name string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(name))), name...)
}

// DecodeLayout reads what AppendBinary wrote, all of src.
func DecodeLayout(src []byte) (Layout, error) {
	if len(src) == 0 || src[0] != layoutFormat {
		return Layout{}, fmt.Errorf("%w: unknown format", errLayout)
	}
	d := layoutDecoder{rest: src[1:]}
	l := Layout{Language: d.number(), NextTable: d.number(), NextIndex: d.number()}
	for range d.count() {
		t := TableLayout{Name: d.name(), ID: d.number(), NextColumn: d.number()}
		for range d.count() {
			t.Columns = append(t.Columns, ColumnLayout{Name: d.name(), ID: d.number(), Fill: d.value()})
		}
		for range d.count() {
			t.Indexes = append(t.Indexes, IndexLayout{Name: d.name(), ID: d.number()})
		}
		l.Tables = append(l.Tables, t)
	}
	if d.err == nil && len(d.rest) > 0 {
		d.err = fmt.Errorf("%w: %d bytes follow it", errLayout, len(d.rest))
	}
	if d.err != nil {
		return Layout{}, d.err
	}
	return l, nil
}

// layoutDecoder reads a layout; after an error it reads zeros.
type layoutDecoder struct {
	rest []byte
	err  error
}

func (d *layoutDecoder) fail() {
	d.rest = nil
	if d.err == nil {
		d.err = errLayout
	}
}

func (d *layoutDecoder) number() uint32 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > 1<<32-1 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return uint32(n)
}

// count reads the length of a list; each element takes at least two bytes.
func (d *layoutDecoder) count() int {
	n := int(d.number())
	if n > len(d.rest)/2 {
		d.fail()
		return 0
	}
	return n
}

func (d *layoutDecoder) name() string {
	n := int(d.number())
	if n > len(d.rest) {
		d.fail()
		return ""
	}
	name := string(d.rest[:n])
	d.rest = d.rest[n:]
	return name
}

func (d *layoutDecoder) value() value.Value {
	v, rest, err := value.DecodeBinary(d.rest)
	if err != nil {
		d.fail()
		return value.Value{}
	}
	d.rest = rest
	return v
}
