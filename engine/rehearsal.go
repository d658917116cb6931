package engine

import (
	"fmt"
	"slices"

	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/schema"
	"lockstep/engine/value"
)

// Rehearsal is what a schema document would do.
type Rehearsal struct {
	Canonical []byte           // the document as it would be logged
	Changed   bool             // false where it is the present one
	Plan      schema.Plan      // what it adds, drops and changes
	Passes    []Pass           // the tables whose rows it must look at
	Problems  []schema.Problem // of the document
	Broken    uint64           // rows that break it, among those looked at
	First     []Violation      // the first of them
	Err       error            // the copy could not be read, or ErrStopped
}

// Pass is a table whose rows a change must look at.
type Pass struct {
	Table string
	For   []string // the new indexes and checks, by place
	Rows  uint64   // rows looked at by the rehearsal
	All   bool     // these are all that the table has
}

// Extent says among how many rows those were found that break the document.
func (r *Rehearsal) Extent() string {
	all, rows := true, uint64(0)
	for i := range r.Passes {
		all = all && r.Passes[i].All
		rows += r.Passes[i].Rows
	}
	if all {
		return fmt.Sprintf("of %d in all", rows)
	}
	return fmt.Sprintf("as far as %d rows have been looked at", rows)
}

// Rehearse finds what a document would do to the view's copy, and changes
// nothing. It looks at no more than the given number of rows, 0: at all, until
// stop is closed.
func (v *View) Rehearse(document []byte, env *lang.Env, rows uint64, stop <-chan struct{}) Rehearsal {
	doc, problems := schema.Parse(document)
	if problems != nil {
		return Rehearsal{Problems: problems}
	}
	r := Rehearsal{Canonical: doc.Canonical()}
	if v.compiled != nil && string(r.Canonical) == string(v.compiled.Doc.Canonical()) {
		return r
	}
	r.Changed = true
	tx := lang.Tx{Revision: int64(v.pos.Revision) + 1, Now: instant(v.pos.NowMillis)}
	next, change, problems := program.BuildAt(v.compiled, doc, env, &tx)
	if problems != nil {
		r.Problems = problems
		return r
	}
	var old *schema.Schema
	if v.compiled != nil {
		old = v.compiled.Schema
	}
	r.Plan = schema.PlanOf(old, next.Schema)
	s := scan{reader: v.reader, out: &r, rows: rows, stop: stop}
	for i := range change.Look {
		if r.Err = s.table(&change.Look[i]); r.Err != nil {
			break
		}
	}
	return r
}

// scan looks at the rows that a change must look at, in a snapshot. It finds
// values that stand twice in a unique index in bounded memory: by hashes, in as
// many passes over the table as their number asks for, and then exactly.
type scan struct {
	reader Reader
	out    *Rehearsal
	rows   uint64
	stop   <-chan struct{}
}

func (s *scan) table(look *schema.Look) error {
	pass := Pass{Table: look.Table.Name, For: places(look)}
	var uniques []*repeats
	for _, x := range look.Indexes {
		if x.Unique {
			uniques = append(uniques, &repeats{index: x, parts: 1, room: repeatHashes, twice: map[uint64]struct{}{}})
		}
	}
	w := newWatch(look, nil)
	var err error
	pass.All, err = s.each(look.Table, func(row value.Value) {
		pass.Rows++
		s.judge(w, row)
		for _, u := range uniques {
			u.add(look.Table, row)
		}
	})
	s.out.Passes = append(s.out.Passes, pass)
	for i := 0; err == nil && i < len(uniques); i++ {
		err = s.repeated(w, uniques[i])
	}
	return err
}

func places(look *schema.Look) []string {
	var out []string
	for _, x := range look.Indexes {
		out = append(out, "tables."+look.Table.Name+".indexes."+x.Name)
	}
	for _, c := range look.Checks {
		out = append(out, fmt.Sprintf("tables.%s.checks[%d] (%s)", look.Table.Name, slices.Index(look.Table.Checks, c), c.Code))
	}
	return out
}

// each visits the rows of a table, as many as may be looked at; all tells
// whether there are no more.
func (s *scan) each(t *schema.Table, visit func(row value.Value)) (all bool, err error) {
	const checkEvery = 256
	start := prefixKey(spaceRows, t.ID)
	it := s.reader.NewIter(start, prefixEnd(start))
	n := uint64(0)
	for ok := it.First(); ok; ok = it.Next() {
		if s.rows > 0 && n == s.rows {
			return false, closeWith(it, nil)
		}
		if n++; n%checkEvery == 0 && stopped(s.stop) {
			return false, closeWith(it, ErrStopped)
		}
		row, _, err := decodeRow(it.Value(), t)
		if err != nil {
			return false, closeWith(it, fmt.Errorf("row of table %s is damaged: %w", t.Name, err))
		}
		visit(row)
	}
	return true, closeWith(it, it.Err())
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// judge finds what a row by itself has against the change.
func (s *scan) judge(w *watch, row value.Value) {
	w.meter = lang.Meter{Limit: program.CostLimit}
	tuple := w.look.Table.KeyOf(nil, row)
	v := w.check(tuple, row)
	for i := 0; v == nil && i < len(w.look.Indexes); i++ {
		v = w.tooLong(w.look.Indexes[i], tuple, appendIndexKey(nil, w.look.Indexes[i], tuple, row))
	}
	if v != nil {
		s.broken(v)
	}
}

func (s *scan) broken(v *Violation) {
	s.out.Broken++
	if len(s.out.First) < violationsKept {
		s.out.First = append(s.out.First, *v)
	}
}

// repeated finds the rows whose values in a unique index another row has.
func (s *scan) repeated(w *watch, u *repeats) error {
	t := w.look.Table
	for u.settle(); u.part+1 < u.parts; u.settle() {
		u.part++
		if _, err := s.each(t, func(row value.Value) { u.add(t, row) }); err != nil {
			return err
		}
	}
	if len(u.twice) == 0 {
		return nil
	}
	first := map[string]string{}
	_, err := s.each(t, func(row value.Value) {
		k, ok := u.key(t, row)
		if !ok {
			return
		}
		if _, candidate := u.twice[hashKey(k)]; !candidate {
			return
		}
		own := keyText(t.KeyOf(nil, row))
		if holder, ok := first[k]; ok {
			s.broken(w.sameValues(u.index, own, holder))
		} else {
			first[k] = own
		}
	})
	return err
}

// Bounds of what a rehearsal keeps in memory for a unique index.
const (
	repeatHashes     = 2 << 20 // hashes of one pass: 16 MiB
	repeatCandidates = 4096    // hashes that were met twice; what is beyond is not told
)

// repeats finds hashes of a unique index's values that are met twice.
type repeats struct {
	index       *schema.Index
	part, parts uint64 // of the hashes only those of one part are looked at in a pass
	seen        []uint64
	room        int // how many hashes may be kept before they are sorted
	twice       map[uint64]struct{}
	scratch     []byte
}

// key is a row's values in the index; not ok where it is not constrained.
func (u *repeats) key(t *schema.Table, row value.Value) (string, bool) {
	if hasNull(u.index, row) {
		return "", false
	}
	u.scratch = appendIndexKey(u.scratch[:0], u.index, nil, row)
	return string(u.scratch), true
}

func (u *repeats) add(t *schema.Table, row value.Value) {
	k, ok := u.key(t, row)
	if !ok {
		return
	}
	h := hashKey(k)
	if h%u.parts != u.part {
		return
	}
	if u.seen = append(u.seen, h); len(u.seen) < u.room {
		return
	}
	u.sort()
	// Still more than half are different ones: the first pass leaves some to later
	// ones, which then take what they are given, a little more or less.
	for len(u.seen) > u.room/2 {
		if u.part > 0 {
			u.room *= 2
			continue
		}
		u.parts *= 2
		u.seen = slices.DeleteFunc(u.seen, func(h uint64) bool { return h%u.parts != u.part })
	}
}

// sort keeps each hash once and notes those that were there twice.
func (u *repeats) sort() {
	slices.Sort(u.seen)
	for i := 1; i < len(u.seen); i++ {
		if u.seen[i] == u.seen[i-1] && len(u.twice) < repeatCandidates {
			u.twice[u.seen[i]] = struct{}{}
		}
	}
	u.seen = slices.Compact(u.seen)
}

// settle ends a pass.
func (u *repeats) settle() {
	u.sort()
	u.seen = u.seen[:0]
}
