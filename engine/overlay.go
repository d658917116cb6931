package engine

import (
	"encoding/binary"
	"slices"
	"strings"
	"unsafe"

	"lockstep/engine/value"
)

// slot is one row as the machine has it in memory: read from the store, or
// changed since the last commit, or known not to be there.
type slot struct {
	key     string // the store's key
	row     value.Value
	rev     uint64 // revision that last wrote the row; 0: there is none
	enc     []byte // the row as it will be stored, in the arena, while dirty; nil: deleted
	dirty   bool
	used    bool   // read since the clock hand passed
	changed uint64 // number of the item that last changed it, for undo
	before  uint64 // rev at the beginning of that item
	size    int    // estimated bytes of memory
}

// dirtySlot is a slot to be written, with what nearly always decides the order
// of two: sorting need not follow the pointers.
type dirtySlot struct {
	table uint32 // number in the key
	head  uint64 // first eight bytes of the row's key
	slot  *slot
}

func keyTable(key string) uint32 {
	return uint32(key[1])<<24 | uint32(key[2])<<16 | uint32(key[3])<<8 | uint32(key[4])
}

func keyHead(key string) (head uint64) {
	var first [8]byte
	copy(first[:], key[prefixBytes:])
	return binary.BigEndian.Uint64(first[:])
}

func compareDirty(x, y dirtySlot) int {
	switch {
	case x.table != y.table:
		return compare(uint64(x.table), uint64(y.table))
	case x.head != y.head:
		return compare(x.head, y.head)
	}
	return strings.Compare(x.slot.key, y.slot.key)
}

// undo takes back one change of a slot.
type undo struct {
	at    *slot
	row   value.Value
	rev   uint64
	enc   []byte
	dirty bool
	// of the item before
	changed, before uint64
}

// index entries are kept apart from rows: small, written blindly, not cached.
type indexSlot struct {
	key   string
	value []byte // nil: deleted
	known bool   // false: only looked up, not written
}

type indexUndo struct {
	at    *indexSlot
	value []byte
	known bool
}

// overlay is the cache of decoded rows and, at once, what lies over the store
// until the next commit.
type overlay struct {
	store Reader
	limit int // bytes

	slots map[string]*slot
	ring  []*slot // clock replacement: which slot leaves shows in speed only
	hand  int
	bytes int
	dirty []dirtySlot // may name a slot that an undo has cleaned again

	indexes    map[string]*indexSlot
	indexDirty []*indexSlot

	sorted sortedOverlay
	gaps   gaps // of the store

	item      uint64 // number of the item being executed
	journal   []undo
	indexUndo []indexUndo
	buf       []byte // scratch for values read
}

func (o *overlay) init(store Reader, limit int) {
	*o = overlay{store: store, limit: limit, slots: map[string]*slot{}, indexes: map[string]*indexSlot{}, gaps: gaps{steps: gapSteps}}
}

// slotOverhead estimates the memory of a slot beside its row.
const slotOverhead = 256

// valueBytes is the memory of one column's value, beside its text.
const valueBytes = int(unsafe.Sizeof(value.Value{}))

func rowSize(key string, row value.Value) int {
	return slotOverhead + len(key) + row.Len()*valueBytes + row.Size().Bytes
}

// find returns the slot under key if it is in memory.
func (o *overlay) find(key []byte) *slot {
	s := o.slots[string(key)]
	if s != nil {
		s.used = true
	}
	return s
}

// add takes a row that was read from the store.
func (o *overlay) add(key []byte, row value.Value, rev uint64) *slot {
	s := &slot{key: string(key), row: row, rev: rev, used: true}
	s.size = rowSize(s.key, row)
	o.slots[s.key] = s
	o.ring = append(o.ring, s)
	o.bytes += s.size
	return s
}

// begin starts an item: changes from here on can be taken back.
func (o *overlay) begin() {
	o.item++
	o.journal = o.journal[:0]
	o.indexUndo = o.indexUndo[:0]
}

// write changes a slot within the present item. A nil enc deletes the row.
func (o *overlay) write(s *slot, row value.Value, rev uint64, enc []byte) {
	o.journal = append(o.journal, undo{at: s, row: s.row, rev: s.rev, enc: s.enc, dirty: s.dirty, changed: s.changed, before: s.before})
	if s.changed != o.item {
		s.changed, s.before = o.item, s.rev
	}
	if enc == nil {
		rev = 0
	}
	s.row, s.rev, s.enc = row, rev, enc
	if size := rowSize(s.key, row); size != s.size {
		o.bytes += size - s.size
		s.size = size
	}
	if !s.dirty {
		s.dirty = true
		o.dirty = append(o.dirty, dirtySlot{table: keyTable(s.key), head: keyHead(s.key), slot: s})
		o.sorted.addRow(s)
	}
}

// lastWriter is the revision that wrote the row before the present item.
func (o *overlay) lastWriter(s *slot) uint64 {
	if s.changed == o.item {
		return s.before
	}
	return s.rev
}

// rollback takes back what the present item changed.
func (o *overlay) rollback() {
	for i := len(o.journal) - 1; i >= 0; i-- {
		u := &o.journal[i]
		s := u.at
		s.row, s.rev, s.enc, s.changed, s.before = u.row, u.rev, u.enc, u.changed, u.before
		if s.dirty && !u.dirty {
			// It stays listed; flush passes over slots that are not dirty.
			s.dirty = false
		}
		if size := rowSize(s.key, s.row); size != s.size {
			o.bytes += size - s.size
			s.size = size
		}
	}
	for i := len(o.indexUndo) - 1; i >= 0; i-- {
		u := &o.indexUndo[i]
		u.at.value, u.at.known = u.value, u.known
	}
	o.journal, o.indexUndo = o.journal[:0], o.indexUndo[:0]
}

// lookupIndex returns the value of an index entry, nil where there is none.
func (o *overlay) lookupIndex(key []byte) ([]byte, error) {
	if s := o.indexes[string(key)]; s != nil && s.known {
		return s.value, nil
	}
	v, ok, err := o.store.Get(key, nil)
	if err != nil || !ok {
		return nil, err
	}
	if v == nil {
		v = []byte{}
	}
	return v, nil
}

// writeIndex sets an index entry, or deletes it where v is nil.
func (o *overlay) writeIndex(key []byte, v []byte) {
	s := o.indexes[string(key)]
	if s == nil {
		s = &indexSlot{key: string(key)}
		o.indexes[s.key] = s
		o.indexDirty = append(o.indexDirty, s)
		o.sorted.addEntry(s)
	}
	o.indexUndo = append(o.indexUndo, indexUndo{at: s, value: s.value, known: s.known})
	s.value, s.known = v, true
}

// flush writes what is dirty into the batch in the order of the keys, which
// the store inserts fastest.
func (o *overlay) flush(b Batch) {
	slices.SortFunc(o.dirty, compareDirty)
	var last *slot
	for _, d := range o.dirty {
		// An undone and repeated change lists a slot twice.
		if s := d.slot; s.dirty && s != last {
			last = s
			if s.enc != nil {
				o.gaps.written(s.key)
			}
			put(b, s.key, s.enc, s.enc != nil)
		}
	}
	slices.SortFunc(o.indexDirty, func(x, y *indexSlot) int { return strings.Compare(x.key, y.key) })
	for _, s := range o.indexDirty {
		if !s.known {
			continue
		}
		if s.value != nil {
			o.gaps.written(s.key)
		}
		put(b, s.key, s.value, s.value != nil)
	}
}

func put(b Batch, key string, v []byte, present bool) {
	// A batch copies what it is given: the string's bytes are only read.
	raw := unsafe.Slice(unsafe.StringData(key), len(key))
	if present {
		b.Set(raw, v)
		return
	}
	b.Delete(raw)
}

// settle is called when the batch is committed: what was dirty is now merely
// cached, and the cache is cut back to its limit.
func (o *overlay) settle() {
	for _, d := range o.dirty {
		d.slot.dirty, d.slot.enc = false, nil
	}
	clear(o.dirty)
	o.dirty = o.dirty[:0]
	clear(o.indexes)
	o.indexDirty = o.indexDirty[:0]
	o.sorted = sortedOverlay{}
	o.evict()
}

// evict lets the clock hand pass until the cache is within its limit.
func (o *overlay) evict() {
	for o.bytes > o.limit && len(o.ring) > 0 {
		if o.hand >= len(o.ring) {
			o.hand = 0
		}
		s := o.ring[o.hand]
		if s.used {
			s.used = false
			o.hand++
			continue
		}
		delete(o.slots, s.key)
		o.bytes -= s.size
		last := len(o.ring) - 1
		o.ring[o.hand] = o.ring[last]
		o.ring[last] = nil
		o.ring = o.ring[:last]
	}
}

// drop forgets every row: the schema that they were decoded by has changed. It
// is called right after settle.
func (o *overlay) drop() { o.init(o.store, o.limit) }
