package engine

import (
	"iter"

	"github.com/tidwall/btree"
)

// sortedOverlay has what lies over the store in the order of its keys, for scans.
// It is made when the first scan since a commit asks for it, and kept up from
// there: who never scans pays nothing.
type sortedOverlay struct {
	made    bool
	rows    btree.Map[string, *slot]
	entries btree.Map[string, *indexSlot]
}

func (o *sortedOverlay) addRow(s *slot) {
	if o.made {
		o.rows.Set(s.key, s)
	}
}

func (o *sortedOverlay) addEntry(s *indexSlot) {
	if o.made {
		o.entries.Set(s.key, s)
	}
}

// order makes the sorted form if it is not there yet.
func (o *overlay) order() {
	if o.sorted.made {
		return
	}
	o.sorted.made = true
	for _, d := range o.dirty {
		o.sorted.addRow(d.slot)
	}
	for _, s := range o.indexDirty {
		o.sorted.addEntry(s)
	}
}

// rowsBetween are the rows that lie over the store. A row whose change was taken
// back is among them and is what the store has.
func (o *overlay) rowsBetween(b *bounds, desc bool) iter.Seq[*slot] {
	return between(&o.sorted.rows, b, desc, func(*slot) bool { return true })
}

// entriesBetween are the index entries likewise, but for those of which all
// changes were taken back.
func (o *overlay) entriesBetween(b *bounds, desc bool) iter.Seq[*indexSlot] {
	return between(&o.sorted.entries, b, desc, func(s *indexSlot) bool { return s.known })
}

func between[T any](tree *btree.Map[string, T], b *bounds, desc bool, counts func(T) bool) iter.Seq[T] {
	low, high := string(b.low), string(b.high)
	return func(yield func(T) bool) {
		if desc {
			tree.Descend(high, func(key string, v T) bool {
				return key >= low && (key == high || !counts(v) || yield(v))
			})
			return
		}
		tree.Ascend(low, func(key string, v T) bool {
			return key < high && (!counts(v) || yield(v))
		})
	}
}
