package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/store"
	"lockstep/engine/value"
)

const (
	shelfBefore = `{"tables": {"shelf": {"columns": {"id": {"type": "int"}, "name": {"type": "string", "optional": true}, "old": {"type": "int", "default": "1"}}, "key": ["id"], "indexes": {"by_old": {"columns": ["old"]}}}}}`
	shelfAfter  = `{"tables": {"shelf": {"columns": {"id": {"type": "int"}, "name": {"type": "string", "optional": true}, "size": {"type": "int", "default": "3"}}, "key": ["id"], "indexes": {"alone": {"columns": ["name", "size"], "unique": true}, "by_size": {"columns": ["size", "name"]}}, "checks": [{"expr": "row.id != 7 || row.name != 'z'", "code": "no"}]}}}`
)

// shelf is a machine with the names that its rows should have; "" is null.
type shelf struct {
	*Machine
	t       *rapid.T
	store   *store.Store
	env     *lang.Env
	counter uint64
	names   map[int]string
}

type machineStore struct{ *store.Store }

func (s machineStore) NewIter(lo, hi []byte) Iterator { return s.Store.NewIter(lo, hi) }
func (s machineStore) NewBatch() Batch                { return s.Store.NewBatch() }

func (s *shelf) open() {
	m, err := Open(machineStore{s.store}, Options{Local: 1, Env: s.env})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Machine = m
}

func (s *shelf) log(cmd []byte) {
	err := s.Apply(entry.Raw{Index: s.Position().Index + 1, Cmd: cmd})
	if err == nil {
		_, err = s.Commit()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// transact orders one transaction that gives rows names, "-" deletes. On the way
// there each row may have another name.
func (s *shelf) transact(wanted map[int]string) {
	doc := `{"steps": [`
	for i, id := range slices.Sorted(maps.Keys(wanted)) {
		if i > 0 {
			doc += ", "
		}
		if rapid.Bool().Draw(s.t, "twice") {
			doc += fmt.Sprintf(`{"upsert": {"table": "shelf", "row": {"id": %d, "name": "'a'"}}}, `, id)
		}
		switch name := wanted[id]; name {
		case "-":
			doc += fmt.Sprintf(`{"delete": {"table": "shelf", "key": ["%d"], "optional": true}}`, id)
			delete(s.names, id)
		case "":
			doc += fmt.Sprintf(`{"upsert": {"table": "shelf", "row": {"id": %d}}}`, id)
			s.names[id] = name
		default:
			doc += fmt.Sprintf(`{"upsert": {"table": "shelf", "row": {"id": %d, "name": "'%s'"}}}`, id, name)
			s.names[id] = name
		}
	}
	typed, refusal := program.ParseTransaction([]byte(doc+"]}"), s.Compiled())
	if refusal != nil {
		s.t.Fatal(refusal)
	}
	s.counter++
	s.log(entry.AppendBatch(nil, &entry.Batch{SchemaVersion: s.Compiled().Version, Items: []entry.Item{
		{ID: entry.ID{Session: 5, Counter: s.counter}, Proc: -1, Source: typed.Source, Params: typed.Params},
	}}))
}

// broken tells whether the rows break the schema to come.
func (s *shelf) broken() bool {
	seen := map[string]bool{}
	for id, name := range s.names {
		if name != "" && seen[name] || id == 7 && name == "z" {
			return true
		}
		seen[name] = true
	}
	return false
}

// entries are all entries of all indexes.
func (s *shelf) entries() map[string]string {
	found := map[string]string{}
	it := s.store.NewIter([]byte{spaceIndexes}, []byte{spaceIndexes + 1})
	for ok := it.First(); ok; ok = it.Next() {
		found[string(it.Key())] = string(it.Value())
	}
	if err := closeWith(it, it.Err()); err != nil {
		s.t.Fatal(err)
	}
	return found
}

// expected are the entries that the present schema's indexes should have.
func (s *shelf) expected() map[string]string {
	want := map[string]string{}
	t := s.Compiled().Table("shelf")
	for id := range s.names {
		row, err := s.Get(t, []value.Value{value.OfInt(int64(id))})
		if err != nil || row.IsNull() {
			s.t.Fatalf("row %d: %v %v", id, row, err)
		}
		tuple := t.KeyOf(nil, row)
		for _, x := range t.Indexes {
			want[string(appendIndexKey(nil, x, tuple, row))] = string(appendTuple(nil, tuple))
		}
	}
	return want
}

// "It happens whole or not at all." "A violation marks the change as failed and
// aborts nobody's write." (transactions.md, Schema) Whatever is written between the
// steps, and wherever the copy is opened again: a change that comes to hold has the
// entries of exactly the rows there are; one that fails does so because rows break
// it, and leaves nothing behind.
func TestChangesHoldWhollyOrNotAtAll(t *testing.T) {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	before, _ := schema.Parse([]byte(shelfBefore))
	after, _ := schema.Parse([]byte(shelfAfter))
	held, failed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		st, err := store.Open(store.Options{Dir: "copy", FS: vfs.NewMem()})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		s := &shelf{t: t, store: st, env: env, names: map[int]string{}}
		s.open()
		s.log(entry.AppendSchema(nil, &entry.Schema{Document: before.Canonical()}))
		name := rapid.SampledFrom([]string{"", "-", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "z"})
		wanted := rapid.MapOfN(rapid.IntRange(0, 9), name, 1, 3)
		for range rapid.IntRange(1, 5).Draw(t, "rows before") {
			s.transact(wanted.Draw(t, "first"))
		}
		s.log(entry.AppendSchema(nil, &entry.Schema{Document: after.Canonical()}))
		for s.Change() != nil {
			now := s.Change()
			switch rapid.IntRange(0, 5).Draw(t, "next") {
			case 0, 1:
				s.transact(wanted.Draw(t, "write"))
			case 2:
				s.open()
			case 3:
				if now.Phase != PhaseBuilding {
					s.log(entry.AppendFinish(nil, &entry.Finish{Change: now.ID}))
				}
			default:
				s.log(entry.AppendBackfill(nil, &entry.Backfill{Change: now.ID, Step: now.Step, Rows: uint64(rapid.IntRange(1, 3).Draw(t, "rows"))}))
			}
			if then := s.Change(); then != nil && then.Phase == PhaseFailed && now.Phase != PhaseFailed && !s.broken() {
				t.Fatalf("the change failed, and no row breaks it: %v, %v", s.names, s.change.first)
			}
		}
		if got, want := s.entries(), s.expected(); !maps.Equal(got, want) {
			t.Fatalf("the indexes have %q, and should have %q", got, want)
		}
		switch s.Compiled().Table("shelf").Index("alone") {
		case nil:
			failed++
		default:
			held++
			if s.broken() {
				t.Fatalf("the change holds, and rows break it: %v", s.names)
			}
		}
	})
	if held == 0 || failed == 0 {
		t.Errorf("%d changes came to hold and %d failed: that proves little", held, failed)
	}
}
