package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/store"
	"lockstep/engine/value"
)

// scanned is a machine with a table that scans go over.
type scanned struct {
	*Machine
	t       fataler
	counter uint64
}

type fataler interface{ Fatal(args ...any) }

const scannedSchema = `{"tables": {"items": {
	"columns": {"id": {"type": "int"}, "g": {"type": "int"}, "u": {"type": "int", "optional": true}},
	"key": ["id"], "indexes": {"by_g": {"columns": ["g"]}, "by_u": {"columns": ["u"], "unique": true}, "by_gid": {"columns": ["g", "id"], "unique": true}}}},
	"procedures": {"fill": {"params": {"from": "int", "n": "int"}, "steps": [{"each": {"in": "lists.range(params.n)", "as": "i", "do": [
		{"insert": {"table": "items", "row": {"id": "params.from + i", "g": "(params.from + i) % 3"}}}]}}]},
	"clear": {"params": {"from": "int", "n": "int"}, "steps": [{"each": {"in": "lists.range(params.n)", "as": "i", "do": [
		{"delete": {"table": "items", "key": ["params.from + i"]}}]}}]}}}`

func newScanned(t fataler) (*scanned, func()) {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(store.Options{Dir: "copy", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Open(benchStore{st}, Options{Local: benchSession, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	s := &scanned{Machine: m, t: t}
	s.apply(entry.AppendSchema(nil, &entry.Schema{Document: []byte(scannedSchema), TimeMillis: 1}))
	s.commit()
	return s, func() { _ = st.Close() }
}

func (s *scanned) apply(cmd []byte) {
	if err := s.Apply(entry.Raw{Index: s.index + 1, Cmd: cmd}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scanned) commit() []Applied {
	done, err := s.Commit()
	if err != nil {
		s.t.Fatal(err)
	}
	return done
}

// order applies a document in an entry of its own; its outcome comes with the
// next commit.
func (s *scanned) order(doc string) {
	typed, refusal := program.ParseTransaction([]byte(doc), s.compiled)
	if refusal != nil {
		s.t.Fatal(doc, refusal)
	}
	s.counter++
	s.apply(entry.AppendBatch(nil, &entry.Batch{
		Origin: entry.Origin{Proposer: benchSession, Sequence: s.counter}, TimeMillis: 2, SchemaVersion: s.schema,
		Items: []entry.Item{{ID: entry.ID{Session: benchSession, Counter: s.counter}, Proc: int32(typed.Proc), Params: typed.Params, Source: typed.Source}},
	}))
}

// run applies a document and commits it.
func (s *scanned) run(doc string) outcome.Outcome {
	s.order(doc)
	done := s.commit()
	return done[len(done)-1].Verdicts[0].Outcome
}

// ints are values of a span.
func ints(list ...int) []value.Value {
	out := make([]value.Value, len(list))
	for i, n := range list {
		out[i] = value.OfInt(int64(n))
	}
	return out
}

// Whatever is written, taken back, committed or not, and wherever a scan has
// noted that there is nothing: a scan gives what a list of all rows would.
func TestScansGiveWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, end := newScanned(t)
		defer end()
		s.rows.gaps.steps = rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "steps")
		var rows []int
		id := rapid.IntRange(0, 40)
		for range rapid.IntRange(5, 60).Draw(t, "actions") {
			switch n := id.Draw(t, "id"); rapid.IntRange(0, 6).Draw(t, "action") {
			case 0, 1:
				s.order(fmt.Sprintf(`{"steps": [{"upsert": {"table": "items", "row": {"id": %d, "g": %d}}}]}`, n, n%3))
				if i, found := slices.BinarySearch(rows, n); !found {
					rows = slices.Insert(rows, i, n)
				}
			case 2, 3:
				s.order(fmt.Sprintf(`{"steps": [{"delete": {"table": "items", "key": [%d], "optional": true}}]}`, n))
				if i, found := slices.BinarySearch(rows, n); found {
					rows = slices.Delete(rows, i, i+1)
				}
			case 4:
				s.order(fmt.Sprintf(`{"steps": [{"upsert": {"table": "items", "row": {"id": %d, "g": 1}}}, {"delete": {"table": "items", "key": [%d], "optional": true}}, {"require": {"expr": "false", "code": "no"}}]}`, n, n+1))
			case 5:
				s.commit()
			}
			s.compare(t, rows, id.Draw(t, "from"), id.Draw(t, "to"))
		}
	})
}

// compare scans by the key and by each index, both ways.
func (s *scanned) compare(t *rapid.T, rows []int, from, to int) {
	table := s.compiled.Table("items")
	want := func(g int, all bool) []int {
		var out []int
		for _, n := range rows {
			if n >= from && n < to && (all || n%3 == g) {
				out = append(out, n)
			}
		}
		return out
	}
	for _, desc := range []bool{false, true} {
		check := func(span program.Span, want []int) {
			span.Desc = desc
			var got []int
			if err := s.Scan(table, &span, func(row value.Value) bool {
				got = append(got, int(row.Field(1).Int()))
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if want = slices.Clone(want); desc {
				slices.Reverse(want)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%+v gives %v, want %v of %v", span, got, want, rows)
			}
		}
		check(program.Span{From: ints(from), To: ints(to)}, want(0, true))
		check(program.Span{Index: table.Index("by_g"), Prefix: ints(1), From: ints(from), To: ints(to)}, want(1, false))
		check(program.Span{Index: table.Index("by_gid"), Prefix: ints(1), From: ints(from), To: ints(to)}, want(1, false))
		check(program.Span{Index: table.Index("by_gid"), Prefix: ints(1), From: ints(from, from), To: ints(to, to)}, want(1, false))
		check(program.Span{Index: table.Index("by_u"), Prefix: []value.Value{{}}, From: ints(from), To: ints(to)}, want(0, true))
	}
}

// "Over the budget … it aborts with cost_exceeded, within a second"
// (transactions.md): a scan reads no row that it is not charged for, whatever the
// bounds in a unique index, and passes over deleted rows once.
func TestScansOfMuchThatIsNotWanted(t *testing.T) {
	s, end := newScanned(t)
	defer end()
	const rows = 30_000
	each := func(procedure string) {
		for from := 0; from < rows; from += 1000 {
			if o := s.run(fmt.Sprintf(`{"procedure": %q, "params": {"from": %d, "n": 1000}}`, procedure, from)); !o.Committed {
				t.Fatal(o)
			}
		}
	}
	each("fill")
	s.rows.drop() // nothing is cached, as after a restart
	quick := func(doc string) {
		t.Helper()
		start := time.Now()
		if o := s.run(doc); string(o.Result) != "0" {
			t.Fatalf("%s: %s %s %s", doc, o.Result, o.Code, o.Message)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", doc, took)
		}
	}
	many := `{"steps": [{"each": {"in": "lists.range(300)", "as": "i", "do": [%s]}}, %s], "return": "n"}`
	for _, scan := range []string{
		`{"scan": {"table": "items", "index": "by_u", "prefix": [null], "from": [1000000], "count": true%s}}`,
		`{"scan": {"table": "items", "index": "by_gid", "from": [1, 1000000, 1], "to": [2], "count": true%s}}`,
	} {
		quick(fmt.Sprintf(many, fmt.Sprintf(scan, ""), fmt.Sprintf(scan, `, "as": "n"`)))
	}
	if cached := len(s.rows.slots); cached > 10 {
		t.Errorf("%d rows were read for scans of none", cached)
	}
	each("clear")
	scan := `{"scan": {"table": "items", "count": true%s}}`
	quick(fmt.Sprintf(many, fmt.Sprintf(scan, ""), fmt.Sprintf(scan, `, "as": "n"`)))
	if len(s.rows.gaps.list) == 0 {
		t.Error("what was deleted is passed over by each scan anew")
	}
}
