package engine

import (
	"encoding/binary"
	"errors"
)

// bucket is a span of the retention clock whose outcomes are dropped together.
type bucket struct {
	id    uint32
	start int64  // retention clock at which it was opened, milliseconds
	bytes int64  // bytes of the outcomes in it
	first uint64 // the lowest revision that an outcome in it can have
}

// retention decides which outcomes are kept. Its clock advances at each entry
// by the time stamped since the last one, at most a second, so that a clock
// that jumps can only keep keys longer (transactions.md, Exactly once).
type retention struct {
	clock     int64 // milliseconds
	lastStamp int64 // stamp of the last entry, Unix milliseconds
	keptSince int64 // clock from which on every outcome is kept
	buckets   []bucket
	span      int64 // milliseconds, by the group's settings; 0: keyRetentionMillis
}

// kept is for how long a client's key is kept.
func (r *retention) kept() int64 {
	if r.span == 0 {
		return keyRetentionMillis
	}
	return r.span
}

// advance moves the clock at the beginning of an entry.
func (r *retention) advance(stamp int64) {
	if r.lastStamp != 0 {
		r.clock += min(max(stamp-r.lastStamp, 0), maxClockStepMillis)
	}
	r.lastStamp = stamp
}

// current is the bucket that new outcomes go into.
func (r *retention) current() *bucket { return &r.buckets[len(r.buckets)-1] }

// roll opens a new bucket, which begins with the revision next, where the present
// one is full or old enough, and returns the buckets to drop, oldest first.
// rolled tells whether it did.
func (r *retention) roll(next uint64) (dropped []bucket, rolled bool) {
	if len(r.buckets) == 0 {
		r.buckets = append(r.buckets, bucket{id: 1, start: r.clock, first: next})
	}
	now := r.current()
	if r.clock-now.start < r.kept()/bucketsKept && now.bytes < keyBytes/bucketsKept {
		return nil, false
	}
	r.buckets = append(r.buckets, bucket{id: now.id + 1, start: r.clock, first: next})
	var total int64
	for _, b := range r.buckets {
		total += b.bytes
	}
	for len(r.buckets) > 1 {
		oldest, end := r.buckets[0], r.buckets[1].start
		if r.clock-end < r.kept() && total <= keyBytes {
			break
		}
		total -= oldest.bytes
		r.keptSince = end
		dropped = append(dropped, oldest)
		r.buckets = r.buckets[1:]
	}
	return dropped, true
}

// windowMillis is for how long back an outcome is certainly kept.
func (r *retention) windowMillis() int64 {
	if r.keptSince == 0 {
		return r.kept()
	}
	return min(r.kept(), r.clock-r.keptSince)
}

func (r *retention) append(dst []byte) []byte {
	for _, v := range [...]int64{r.clock, r.lastStamp, r.keptSince, int64(len(r.buckets))} {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	for _, b := range r.buckets {
		dst = binary.AppendUvarint(dst, uint64(b.id))
		dst = binary.AppendUvarint(dst, uint64(b.start))
		dst = binary.AppendUvarint(dst, uint64(b.bytes))
		dst = binary.AppendUvarint(dst, b.first)
	}
	return dst
}

var errState = errors.New("state record of the copy is corrupt")

func decodeRetention(src []byte) (r retention, rest []byte, err error) {
	d := stateReader{src: src}
	r.clock, r.lastStamp, r.keptSince = d.number(), d.number(), d.number()
	for range d.count() {
		r.buckets = append(r.buckets, bucket{id: uint32(d.number()), start: d.number(), bytes: d.number(), first: uint64(d.number())})
	}
	return r, d.src, d.err
}

// stateReader reads numbers of the state record; after an error it reads zeros.
type stateReader struct {
	src []byte
	err error
}

func (d *stateReader) number() int64 {
	v, n := binary.Uvarint(d.src)
	if n <= 0 || v > 1<<62 {
		d.src, d.err = nil, errState
		return 0
	}
	d.src = d.src[n:]
	return int64(v)
}

// count reads the length of a list, of which each element takes some bytes.
func (d *stateReader) count() int64 {
	n := d.number()
	if n > int64(len(d.src)) {
		d.src, d.err = nil, errState
		return 0
	}
	return n
}
