package engine

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"

	"lockstep/engine/outcome"
)

const windowWords = outcome.WindowSize / 64

// window remembers which of a router session's ids were executed: the highest
// counter and a bitmap of those below it. What lies below the bitmap is never
// executed (transactions.md, Exactly once).
type window struct {
	session  uint64
	high     uint64
	lastSeen int64 // retention clock at its last executed id, milliseconds
	dirty    bool
	bits     [windowWords]uint64 // ring: the bit of counter c is c mod WindowSize
}

type windowState int

const (
	windowNew windowState = iota // not executed yet
	windowDone
	windowBelow // below the bitmap
)

func (w *window) state(counter uint64) windowState {
	switch {
	case counter > w.high:
		return windowNew
	case counter+outcome.WindowSize <= w.high:
		return windowBelow
	case w.bits[counter/64%windowWords]>>(counter%64)&1 == 1:
		return windowDone
	default:
		return windowNew
	}
}

// mark records that counter was executed. The counter is not below the bitmap.
func (w *window) mark(counter uint64) {
	if counter > w.high {
		w.clearAbove(counter)
		w.high = counter
	}
	w.bits[counter/64%windowWords] |= 1 << (counter % 64)
}

// clearAbove clears the ring's bits for the counters in (high, counter].
func (w *window) clearAbove(counter uint64) {
	if counter-w.high >= outcome.WindowSize {
		w.bits = [windowWords]uint64{}
		return
	}
	for c := w.high + 1; c <= counter; {
		if c%64 == 0 && counter-c >= 63 {
			w.bits[c/64%windowWords] = 0
			c += 64
			continue
		}
		w.bits[c/64%windowWords] &^= 1 << (c % 64)
		c++
	}
}

// floor is the lowest counter that the bitmap tells about.
func (w *window) floor() uint64 {
	if w.high < outcome.WindowSize {
		return 1
	}
	return w.high - outcome.WindowSize + 1
}

// append encodes the window: high, last seen, and the counters that were not
// executed as runs of (distance from the run before, length), of which there
// are few, for routers number upwards.
func (w *window) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, w.high)
	dst = binary.AppendUvarint(dst, uint64(w.lastSeen))
	at := w.floor()
	for c := at; c <= w.high; {
		c = w.next(c, false)
		if c > w.high {
			break
		}
		end := min(w.next(c, true), w.high+1)
		dst = binary.AppendUvarint(dst, c-at)
		dst = binary.AppendUvarint(dst, end-c)
		at, c = end, end
	}
	return dst
}

// next is the first counter from c on whose bit equals set, at most high+1.
func (w *window) next(c uint64, set bool) uint64 {
	for c <= w.high {
		word := w.bits[c/64%windowWords]
		if !set {
			word = ^word
		}
		if rest := word >> (c % 64); rest != 0 {
			return min(c+uint64(bits.TrailingZeros64(rest)), w.high+1)
		}
		c += 64 - c%64
	}
	return w.high + 1
}

var errWindow = errors.New("window of a router session is corrupt")

func decodeWindow(session uint64, src []byte) (*window, error) {
	w := &window{session: session}
	read := func() uint64 {
		v, n := binary.Uvarint(src)
		if n <= 0 {
			src = nil
			return 0
		}
		src = src[n:]
		return v
	}
	high, lastSeen := read(), read()
	w.high, w.lastSeen = high, int64(lastSeen)
	if high == 0 || w.lastSeen < 0 {
		return nil, errWindow
	}
	for i := range w.bits {
		w.bits[i] = ^uint64(0)
	}
	at := w.floor()
	for len(src) > 0 {
		gap, run := read(), read()
		if run == 0 || gap > outcome.WindowSize || run > outcome.WindowSize || at+gap+run > high+1 {
			return nil, errWindow
		}
		for c := at + gap; c < at+gap+run; c++ {
			w.bits[c/64%windowWords] &^= 1 << (c % 64)
		}
		at += gap + run
	}
	return w, nil
}

// sessions is the set of windows.
type sessions struct {
	byID  map[uint64]*window
	dirty []*window // in the order in which they were first changed since the last commit
}

func (s *sessions) get(session uint64) *window { return s.byID[session] }

// touch returns the window of session, made if need be, marked as changed.
func (s *sessions) touch(session uint64, clock int64) *window {
	w := s.byID[session]
	if w == nil {
		w = &window{session: session}
		s.byID[session] = w
	}
	w.lastSeen = clock
	if !w.dirty {
		w.dirty = true
		s.dirty = append(s.dirty, w)
	}
	return w
}

// forget drops a window, changed since the last commit or not.
func (s *sessions) forget(session uint64) {
	w := s.byID[session]
	if w.dirty {
		s.dirty = slices.DeleteFunc(s.dirty, func(d *window) bool { return d == w })
	}
	delete(s.byID, session)
}

// expired lists the sessions not seen since before, and beyond the limit the
// longest unseen of the others, in the order of their ids.
func (s *sessions) expired(before int64, limit int) []uint64 {
	all := make([]*window, 0, len(s.byID))
	for _, w := range s.byID {
		all = append(all, w)
	}
	// The map's order ends here: sorted by age, then id.
	slices.SortFunc(all, func(a, b *window) int {
		if a.lastSeen != b.lastSeen {
			return compare(a.lastSeen, b.lastSeen)
		}
		return compare(a.session, b.session)
	})
	var out []uint64
	for i, w := range all {
		if w.lastSeen < before || len(all)-i > limit {
			out = append(out, w.session)
		}
	}
	slices.Sort(out)
	return out
}

func compare[T int64 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
