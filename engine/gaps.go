package engine

import (
	"slices"
	"strings"
)

// gaps remembers where the store was found to have no key although many were
// deleted there: a scan would have to pass over what deleting leaves until the
// store has cleaned up, which costs time and, since that differs from copy to
// copy, can't be charged. It changes no result, only how long one takes.
type gaps struct {
	list []gap // ascending, apart from each other
	// steps is from how many keys passed over a gap is worth remembering.
	steps int
}

// gap says that no key of the store is at or after low and before high.
type gap struct{ low, high string }

// at finds the gap that a key lies in.
func (g *gaps) at(key string) (gap, bool) {
	if len(g.list) == 0 {
		return gap{}, false
	}
	i, found := slices.BinarySearchFunc(g.list, key, func(x gap, key string) int { return strings.Compare(x.low, key) })
	if !found {
		i--
	}
	if i < 0 || key >= g.list[i].high {
		return gap{}, false
	}
	return g.list[i], true
}

// before finds the gap that reaches up to a key, or over it.
func (g *gaps) before(key string) (gap, bool) {
	if len(g.list) == 0 {
		return gap{}, false
	}
	i, _ := slices.BinarySearchFunc(g.list, key, func(x gap, key string) int { return strings.Compare(x.low, key) })
	if i--; i < 0 || key > g.list[i].high {
		return gap{}, false
	}
	return g.list[i], true
}

// found remembers a gap, joined with those that it touches.
func (g *gaps) found(low, high string) {
	if low >= high {
		return
	}
	first := 0
	for first < len(g.list) && g.list[first].high < low {
		first++
	}
	last := first
	for ; last < len(g.list) && g.list[last].low <= high; last++ {
		low, high = min(low, g.list[last].low), max(high, g.list[last].high)
	}
	g.list = slices.Replace(g.list, first, last, gap{low, high})
	if len(g.list) > maxGaps {
		g.list = slices.Delete(g.list, 0, 1)
	}
}

// written says that the store is about to have a key.
func (g *gaps) written(key string) {
	if len(g.list) == 0 {
		return
	}
	x, in := g.at(key)
	if !in {
		return
	}
	i := slices.Index(g.list, x)
	var rest []gap
	if x.low < key {
		rest = append(rest, gap{x.low, key})
	}
	if after := key + "\x00"; after < x.high {
		rest = append(rest, gap{after, x.high})
	}
	g.list = slices.Replace(g.list, i, i+1, rest...)
}

// walk goes over a range of the store in one direction, past known gaps, and
// notes those that it finds.
type walk struct {
	it        Iterator
	desc      bool
	low, high string
	gaps      *gaps // nil: none are known or noted
	skipped   int
	ok        bool
}

// newWalk begins at the first key of a range, or the last. It is to be closed.
func newWalk(r Reader, b *bounds, desc bool, g *gaps) *walk {
	w := &walk{desc: desc, low: string(b.low), high: string(b.high), gaps: g}
	if g != nil {
		if x, in := g.at(w.low); in {
			w.low = min(x.high, w.high)
		}
		if x, in := g.before(w.high); in {
			w.high = max(x.low, w.low)
		}
	}
	w.it = r.NewIter([]byte(w.low), []byte(w.high))
	if w.low >= w.high {
		return w
	}
	if desc {
		w.ok = w.it.Last()
		w.note(w.high)
	} else {
		w.ok = w.it.First()
		w.note(w.low)
	}
	return w
}

// note remembers what lies between a place and the present key, if it took many
// steps to get from there to here.
func (w *walk) note(from string) {
	if w.gaps == nil {
		return
	}
	skipped := w.it.Skipped()
	passed := skipped - w.skipped
	w.skipped = skipped
	if passed < w.gaps.steps || w.it.Err() != nil {
		return
	}
	switch {
	case w.desc && w.ok:
		w.gaps.found(string(w.it.Key())+"\x00", from)
	case w.desc:
		w.gaps.found(w.low, from)
	case w.ok:
		w.gaps.found(from, string(w.it.Key()))
	default:
		w.gaps.found(from, w.high)
	}
}

// next moves on.
func (w *walk) next() {
	if w.gaps == nil {
		if w.desc {
			w.ok = w.it.Prev()
		} else {
			w.ok = w.it.Next()
		}
		return
	}
	if w.desc {
		from := string(w.it.Key())
		if x, in := w.gaps.before(from); in {
			w.ok = w.it.SeekLT([]byte(x.low))
			from = x.low
		} else {
			w.ok = w.it.Prev()
		}
		w.note(from)
		return
	}
	from := string(w.it.Key()) + "\x00"
	if x, in := w.gaps.at(from); in {
		w.ok = w.it.SeekGE([]byte(x.high))
		from = x.high
	} else {
		w.ok = w.it.Next()
	}
	w.note(from)
}
