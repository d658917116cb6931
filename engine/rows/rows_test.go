package rows_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"lockstep/engine/rows"
	"lockstep/engine/value"
)

// cell draws what a column may hold.
func cell() *rapid.Generator[value.Value] {
	scalar := rapid.OneOf(
		rapid.Just(value.Value{}),
		rapid.Map(rapid.Bool(), value.OfBool),
		rapid.Map(rapid.Int64(), value.OfInt),
		rapid.Map(rapid.Int64(), value.OfJSONInt),
		rapid.Map(rapid.Uint64(), value.OfUint),
		rapid.Map(rapid.Float64(), value.OfDouble),
		rapid.Map(rapid.StringN(0, 9, -1), value.OfString),
		rapid.Map(rapid.StringN(0, 9, -1), value.OfBytes),
		rapid.Map(rapid.Int64Range(value.MinTimestamp, value.MaxTimestamp), func(s int64) value.Value { return value.OfTimestamp(s, 1) }),
		rapid.Map(rapid.Int64(), value.OfDuration),
	)
	return rapid.OneOf(scalar, rapid.Map(rapid.SliceOfN(scalar, 0, 3), value.OfList))
}

// same tells whether two values are the same, kinds and all.
func same(a, b value.Value) bool {
	return bytes.Equal(value.AppendBinary(nil, a), value.AppendBinary(nil, b))
}

// table is a model of a table whose columns come and go, and of one row in it:
// what the row must show, whichever schema it was written under.
type table struct {
	next  rows.ColumnID // numbers are never used twice
	cols  []rows.ColumnID
	shown []value.Value // what the row shows, parallel to cols
	fill  []value.Value // what rows older than the column show
	rev   uint64
	bytes []byte
}

// add gives the table a column. Its default is fixed now, and older rows show it.
func (m *table) add(def value.Value) {
	m.next++
	m.cols = append(m.cols, m.next)
	m.fill = append(m.fill, def)
	m.shown = append(m.shown, def)
}

// drop takes a column away, with what the row had in it.
func (m *table) drop(i int) {
	m.cols = slices.Delete(m.cols, i, i+1)
	m.fill = slices.Delete(m.fill, i, i+1)
	m.shown = slices.Delete(m.shown, i, i+1)
}

// write stores the row anew, under the schema of the moment.
func (m *table) write(rev uint64, vals []value.Value) {
	m.rev, m.shown = rev, vals
	m.bytes = rows.Append([]byte("key"), rev, m.cols, vals)[len("key"):]
}

// check reads the stored bytes under the schema of the moment.
func (m *table) check(t *rapid.T) {
	got := make([]value.Value, len(m.cols))
	for i := range got {
		got[i] = value.OfString("left over from another row")
	}
	rev, err := rows.Decode(m.bytes, m.cols, m.fill, got)
	if err != nil || rev != m.rev {
		t.Fatalf("%x: revision %d, want %d, error %v", m.bytes, rev, m.rev, err)
	}
	for i := range got {
		if !same(got[i], m.shown[i]) {
			t.Fatalf("column %d shows %s, want %s", m.cols[i], value.AppendJSON(nil, got[i]), value.AppendJSON(nil, m.shown[i]))
		}
	}
	if rev, err := rows.Revision(m.bytes); err != nil || rev != m.rev {
		t.Fatalf("revision alone %d, want %d, error %v", rev, m.rev, err)
	}
}

// transactions.md, Schema: "Carrying rows over rewrites none of them nor their
// _revision; the default that they show is fixed at activation". However columns
// come and go between the writes of a row, it shows what it should.
func TestRowsSurviveSchemaChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m table
		for range rapid.IntRange(0, 3).Draw(t, "columns at first") {
			m.add(value.Value{})
		}
		write := func(t *rapid.T) {
			vals := rapid.SliceOfN(cell(), len(m.cols), len(m.cols)).Draw(t, "row")
			m.write(rapid.Uint64().Draw(t, "revision"), vals)
		}
		write(t)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) { m.add(cell().Draw(t, "default")) },
			"drop": func(t *rapid.T) {
				if len(m.cols) > 0 {
					m.drop(rapid.IntRange(0, len(m.cols)-1).Draw(t, "which"))
				}
			},
			"write": write,
			"":      m.check,
		})
	})
}

// A null that was written is a null under every later schema, and not the default
// of a column that came after it.
func TestNullIsNotAbsence(t *testing.T) {
	b := rows.Append(nil, 7, []rows.ColumnID{1, 4}, []value.Value{value.OfInt(1), {}})
	fill := []value.Value{value.OfString("f1"), value.OfString("f3"), value.OfString("f4"), value.OfString("f5")}
	got := make([]value.Value, 4)
	if _, err := rows.Decode(b, []rows.ColumnID{1, 3, 4, 5}, fill, got); err != nil {
		t.Fatal(err)
	}
	if s := string(value.AppendJSON(nil, value.OfList(got))); s != `[1,null,null,"f5"]` {
		t.Errorf("the row shows %s", s)
	}
}

func TestDamagedRowsAreRefused(t *testing.T) {
	cols, fill := []rows.ColumnID{1, 2}, make([]value.Value, 2)
	for _, c := range []struct {
		name string
		b    string
		want error
	}{
		{"nothing", "", rows.ErrFormat},
		{"a newer format", "02070101", rows.ErrFormat},
		{"no revision", "01", value.ErrTruncated},
		{"no horizon", "0107", value.ErrTruncated},
		{"a horizon over 32 bits", "01078080808010", rows.ErrEncoding},
		{"a column without a value", "01070201", value.ErrTruncated},
		{"a column beyond the horizon", "0107010241", rows.ErrEncoding},
		{"a column twice", "01070201410041", rows.ErrEncoding},
		{"a null", "0107020100", rows.ErrEncoding},
		{"a dropped column cut short", "0107030383", value.ErrTruncated},
		{"a column with no value's bytes", "010702010e", value.ErrEncoding},
		{"an object", "010702010c00", value.ErrShape},
	} {
		b, err := hex.DecodeString(c.b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rows.Decode(b, cols, fill, make([]value.Value, 2)); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

// The encoding is on disk. The golden file writes rows and reads them under later
// schemas; a diff of the bytes means that old data can't be read.
//
//	write rev=R
//	ID=JSON …        a line for the columns, as id=value
//	----
//	bytes
//
//	read ID[=FILL] …  the same row under a schema with these columns
func TestGolden(t *testing.T) {
	var row []byte
	datadriven.RunTest(t, "testdata/rows.txt", func(t *testing.T, d *datadriven.TestData) string {
		var cols []rows.ColumnID
		var vals []value.Value
		for _, line := range strings.Fields(d.Input) {
			id, text, _ := strings.Cut(line, "=")
			n, err := strconv.ParseUint(id, 10, 32)
			if err != nil {
				d.Fatalf(t, "%s: %v", line, err)
			}
			v := value.Value{}
			if text != "" {
				if v, err = value.FromJSON([]byte(text)); err != nil {
					d.Fatalf(t, "%s: %v", line, err)
				}
			}
			cols, vals = append(cols, rows.ColumnID(n)), append(vals, v)
		}
		switch d.Cmd {
		case "write":
			var rev uint64
			d.ScanArgs(t, "rev", &rev)
			row = rows.Append(nil, rev, cols, vals)
			return fmt.Sprintf("%x\n", row)
		case "read":
			got := make([]value.Value, len(cols))
			rev, err := rows.Decode(row, cols, vals, got)
			if err != nil {
				return fmt.Sprintf("error: %v\n", err)
			}
			var out strings.Builder
			fmt.Fprintf(&out, "revision %d\n", rev)
			for i, v := range got {
				fmt.Fprintf(&out, "%d=%s\n", cols[i], value.AppendJSON(nil, v))
			}
			return out.String()
		}
		d.Fatalf(t, "no such command")
		return ""
	})
}

// Whatever bytes are read as a row is what would be written for it.
func FuzzDecode(f *testing.F) {
	f.Add(rows.Append(nil, 1042, []rows.ColumnID{1, 2, 3}, []value.Value{value.OfString("ann"), {}, value.OfInt(70)}))
	f.Add(rows.Append(nil, 1, nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		cols := []rows.ColumnID{1, 2, 3, 4, 5, 6}
		fill, vals := make([]value.Value, len(cols)), make([]value.Value, len(cols))
		for i := range fill {
			fill[i] = value.OfInt(int64(i))
		}
		rev, err := rows.Decode(b, cols, fill, vals)
		if err != nil {
			return
		}
		again := rows.Append(nil, rev, cols, vals)
		twice := make([]value.Value, len(cols))
		if rev2, err := rows.Decode(again, cols, fill, twice); err != nil || rev2 != rev || !slices.EqualFunc(vals, twice, same) {
			t.Fatalf("%x was read and written as %x, which is read otherwise, error %v", b, again, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	cols := []rows.ColumnID{1, 2, 3, 4}
	row := rows.Append(nil, 1042, cols, []value.Value{
		value.OfString("account-000123"), value.OfString("alice"), value.OfInt(1_000_000), value.OfTimestamp(1_795_428_000, 0),
	})
	fill, dst := make([]value.Value, 4), make([]value.Value, 4)
	for b.Loop() {
		if _, err := rows.Decode(row, cols, fill, dst); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	cols := []rows.ColumnID{1, 2, 3, 4}
	vals := []value.Value{
		value.OfString("account-000123"), value.OfString("alice"), value.OfInt(1_000_000), value.OfTimestamp(1_795_428_000, 0),
	}
	buf := make([]byte, 0, 128)
	for b.Loop() {
		buf = rows.Append(buf[:0], 1042, cols, vals)
	}
}
