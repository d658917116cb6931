package rows

import (
	"encoding/binary"
	"errors"
	"fmt"

	"lockstep/engine/value"
)

// ColumnID is the number of a column within its table: from 1, given out
// ascending, never used twice.
type ColumnID = uint32

// format is the version of the encoding, the first byte of each row. A change of
// the encoding takes the next number, and old rows stay readable.
const format = 1

// Errors of Decode. Rows come from the store alone, so each means damage or a
// newer program.
var (
	// ErrFormat: the row's format byte is not one that this program knows.
	ErrFormat = errors.New("rows: unknown format")
	// ErrEncoding: the row's columns are not as Append writes them.
	ErrEncoding = errors.New("rows: not an encoding of a row")
)

// Append appends a row that revision rev wrote: vals[i] is the value of column
// cols[i], and cols are all columns of the table, ascending. Values hold no
// objects (value.AsJSON for json columns).
func Append(dst []byte, rev uint64, cols []ColumnID, vals []value.Value) []byte {
	horizon := ColumnID(0)
	if len(cols) > 0 {
		horizon = cols[len(cols)-1]
	}
	dst = binary.AppendUvarint(append(dst, format), rev)
	dst = binary.AppendUvarint(dst, uint64(horizon))
	last := ColumnID(0)
	for i, id := range cols {
		if vals[i].IsNull() {
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(id-last))
		dst = value.AppendBinary(dst, vals[i])
		last = id
	}
	return dst
}

// Decode reads a row under the present schema, whose columns are cols,
// ascending: it sets dst[i] to the value of cols[i], which is fill[i] where the
// row is older than the column. The three slices are parallel. The strings of the
// row share one copy of src. It returns the revision that wrote the row; errors
// are ErrFormat, ErrEncoding and those of package value, wrapped.
func Decode(src []byte, cols []ColumnID, fill, dst []value.Value) (rev uint64, err error) {
	d, rev, horizon, err := open(src)
	if err != nil {
		return 0, err
	}
	next := 0 // the first of cols that is not set yet
	for last := ColumnID(0); !d.Done(); {
		id, err := nextID(&d, last, horizon)
		if err != nil {
			return 0, err
		}
		last = id
		for next < len(cols) && cols[next] < id {
			dst[next] = absent(cols[next], horizon, fill[next])
			next++
		}
		if next == len(cols) || cols[next] != id {
			if err := d.Skip(); err != nil {
				return 0, fmt.Errorf("passing over dropped column %d of a row: %w", id, err)
			}
			continue
		}
		if dst[next], err = d.Next(nil); err != nil {
			return 0, fmt.Errorf("reading column %d of a row: %w", id, err)
		}
		if dst[next].IsNull() {
			return 0, fmt.Errorf("column %d of a row: %w: null is not written", id, ErrEncoding)
		}
		next++
	}
	for ; next < len(cols); next++ {
		dst[next] = absent(cols[next], horizon, fill[next])
	}
	return rev, nil
}

// Revision is the revision that wrote a row, without reading its columns.
func Revision(src []byte) (uint64, error) {
	_, rev, _, err := open(src)
	return rev, err
}

// open reads what stands before the columns.
func open(src []byte) (d value.Decoder, rev uint64, horizon ColumnID, err error) {
	if len(src) == 0 || src[0] != format {
		return d, 0, 0, ErrFormat
	}
	d = value.NewDecoder(src[1:])
	if rev, err = d.Uvarint(); err != nil {
		return d, 0, 0, fmt.Errorf("reading the revision of a row: %w", err)
	}
	h, err := d.Uvarint()
	if err != nil {
		return d, 0, 0, fmt.Errorf("reading the horizon of a row: %w", err)
	}
	if h > 1<<32-1 {
		return d, 0, 0, ErrEncoding
	}
	return d, rev, ColumnID(h), nil
}

// nextID reads the number of the next column, which comes after the last one and
// lies within the horizon.
func nextID(d *value.Decoder, last, horizon ColumnID) (ColumnID, error) {
	delta, err := d.Uvarint()
	if err != nil {
		return 0, fmt.Errorf("reading the number of a row's column: %w", err)
	}
	if delta == 0 || delta > uint64(horizon-last) {
		return 0, ErrEncoding
	}
	return last + ColumnID(delta), nil
}

// absent is the value of a column that a row does not hold.
func absent(id, horizon ColumnID, fill value.Value) value.Value {
	if id > horizon {
		return fill
	}
	return value.Value{}
}
