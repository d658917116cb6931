package engine

import (
	"fmt"
	"testing"

	"lockstep/engine/lang"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// However little memory there is for their hashes, values that stand twice in a
// unique index are found, and hardly any other.
func TestRepeatsAreFoundInLittleMemory(t *testing.T) {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	doc, problems := schema.Parse([]byte(shelfAfter))
	if problems != nil {
		t.Fatal(problems)
	}
	s, _, problems := schema.Evolve(nil, doc, env, &lang.Tx{})
	if problems != nil {
		t.Fatal(problems)
	}
	table := s.Table("shelf")
	const rows, twins = 10_000, 50
	each := func(visit func(value.Value)) {
		for i := range rows + twins {
			fields := make([]value.Value, len(table.Columns)+1)
			name, _ := table.Column("name")
			size, _ := table.Column("size")
			fields[name], fields[size] = value.OfString(fmt.Sprint(i%rows)), value.OfInt(1)
			visit(value.OfObject(table.RowType.Shape, fields))
		}
	}
	for _, room := range []int{64, 1000, 1 << 20} {
		u := &repeats{index: table.Index("alone"), parts: 1, room: room, twice: map[uint64]struct{}{}}
		passes := 1
		each(func(row value.Value) { u.add(table, row) })
		for u.settle(); u.part+1 < u.parts; u.settle() {
			u.part++
			passes++
			each(func(row value.Value) { u.add(table, row) })
		}
		if n := len(u.twice); n < twins || n > twins+2 {
			t.Errorf("with room for %d hashes, in %d passes, %d of %d values are found", room, passes, n, twins)
		}
		if (passes > 1) != (room < rows) || room == 1000 && cap(u.seen) > 4*room {
			t.Errorf("room for %d hashes: %d passes, %d hashes kept", room, passes, cap(u.seen))
		}
	}
}
