package engine

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"lockstep/engine/value"
)

// Message is what a transaction put into the change feed by an emit step.
type Message struct {
	Topic string
	Value []byte // JSON
}

// Emitted are the messages of one committed transaction, in the order of its
// steps.
type Emitted struct {
	Revision uint64
	Messages []Message
}

// feedVersion is the first byte of an entry of the change feed, which goes on
// with the number of messages and of each its topic and its value as JSON.
const feedVersion = 1

var errFeed = errors.New("entry of the change feed is corrupt")

// feedBuffer has the messages of the present item, encoded.
type feedBuffer struct {
	count int
	bytes []byte
	text  []byte // scratch
}

func (f *feedBuffer) reset() { f.count, f.bytes = 0, f.bytes[:0] }

// Emit keeps a message of the present item.
func (m *Machine) Emit(topic string, v value.Value) error {
	f := &m.emitted
	f.count++
	f.bytes = appendPart(f.bytes, []byte(topic))
	f.text = value.AppendJSON(f.text[:0], v)
	f.bytes = appendPart(f.bytes, f.text)
	return nil
}

// recordFeed keeps what the item emitted, for the next commit, and returns it
// for the digest.
func (m *Machine) recordFeed() []byte {
	f := &m.emitted
	if f.count == 0 {
		return nil
	}
	entry := m.arena.grow(binary.MaxVarintLen64 + 1 + len(f.bytes))
	entry = binary.AppendUvarint(append(entry, feedVersion), uint64(f.count))
	entry = m.arena.keep(append(entry, f.bytes...))
	m.probe = binary.BigEndian.AppendUint64(append(m.probe[:0], spaceFeed), m.revision)
	key := m.arena.keep(m.probe)
	m.feed = append(m.feed, feedEntry{key, entry})
	m.feedKept.add(m.revision, m.keep.clock, len(key)+len(entry))
	m.written += len(key) + len(entry)
	return entry
}

// trimFeed drops what comes before a key, in the store and of what is not
// committed yet.
func (m *Machine) trimFeed(end []byte) {
	m.batch.DeleteRange([]byte{spaceFeed}, end)
	m.feed = slices.DeleteFunc(m.feed, func(e feedEntry) bool { return bytes.Compare(e.key, end) < 0 })
}

// feedEntry is an entry that is not in the store yet.
type feedEntry struct{ key, value []byte }

// decodeFeed reads an entry.
func decodeFeed(src []byte) ([]Message, error) {
	if len(src) == 0 || src[0] != feedVersion {
		return nil, fmt.Errorf("%w: unknown version", errFeed)
	}
	n, size := binary.Uvarint(src[1:])
	if size <= 0 || n > uint64(len(src)) {
		return nil, errFeed
	}
	src = src[1+size:]
	part := func() ([]byte, bool) {
		n, size := binary.Uvarint(src)
		if size <= 0 || n > uint64(len(src)-size) {
			return nil, false
		}
		p := src[size : size+int(n)]
		src = src[size+int(n):]
		return p, true
	}
	messages := make([]Message, 0, n)
	for range n {
		topic, ok := part()
		text, ok2 := part()
		if !ok || !ok2 {
			return nil, errFeed
		}
		messages = append(messages, Message{string(topic), append([]byte(nil), text...)})
	}
	if len(src) > 0 {
		return nil, errFeed
	}
	return messages, nil
}

// Emitted reads the messages of up to limit transactions after a revision.
// earliest is the revision from which on the feed is kept: what was emitted
// before may be gone.
func (v *View) Emitted(after uint64, limit int) (list []Emitted, earliest uint64, err error) {
	from := binary.BigEndian.AppendUint64([]byte{spaceFeed}, after+1)
	it := v.reader.NewIter(from, []byte{spaceFeed + 1})
	for ok := it.First(); ok && len(list) < limit; ok = it.Next() {
		messages, err := decodeFeed(it.Value())
		if err != nil {
			return nil, 0, closeWith(it, err)
		}
		list = append(list, Emitted{binary.BigEndian.Uint64(it.Key()[1:]), messages})
	}
	return list, v.feed.earliest(), closeWith(it, it.Err())
}

// feedRetention decides which entries of the feed are kept: those of the last
// hour by the retention clock, and no more than 1 GiB. They go a segment at a
// time.
type feedRetention struct{ segments []feedSegment }

type feedSegment struct {
	first uint64 // the lowest revision of an entry in it
	start int64  // retention clock when it was opened, milliseconds
	bytes int64
}

func (r *feedRetention) earliest() uint64 {
	if len(r.segments) == 0 {
		return 0
	}
	return r.segments[0].first
}

// add counts an entry.
func (r *feedRetention) add(revision uint64, clock int64, size int) {
	if n := len(r.segments); n == 0 || r.segments[n-1].bytes >= feedBytes/feedSegments || clock-r.segments[n-1].start >= feedMillis/feedSegments {
		r.segments = append(r.segments, feedSegment{first: revision, start: clock})
	}
	r.segments[len(r.segments)-1].bytes += int64(size)
}

// trim drops the segments whose time is over, and returns the revision before
// which no entry is kept any more; 0 if nothing was dropped.
func (r *feedRetention) trim(clock int64) (before uint64) {
	var total int64
	for i := range r.segments {
		total += r.segments[i].bytes
	}
	for len(r.segments) > 1 && (clock-r.segments[1].start >= feedMillis || total > feedBytes) {
		total -= r.segments[0].bytes
		r.segments = r.segments[1:]
		before = r.segments[0].first
	}
	return before
}

func (r *feedRetention) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(r.segments)))
	for _, s := range r.segments {
		dst = binary.AppendUvarint(dst, s.first)
		dst = binary.AppendUvarint(dst, uint64(s.start))
		dst = binary.AppendUvarint(dst, uint64(s.bytes))
	}
	return dst
}

func decodeFeedRetention(src []byte) (r feedRetention, rest []byte, err error) {
	d := stateReader{src: src}
	for range d.count() {
		r.segments = append(r.segments, feedSegment{first: uint64(d.number()), start: d.number(), bytes: d.number()})
	}
	return r, d.src, d.err
}
