package recording

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kind tells what a record holds.
type Kind byte

// The kinds of records.
const (
	kindBegin    Kind = 1
	kindSnapshot Kind = 2
	KindEntry    Kind = 3 // an entry of the log
	KindDigest   Kind = 4 // what the writing copy had
	KindEnd      Kind = 5 // the recording is whole
	kindFailure  Kind = 6
)

const (
	magic        = "LSTPRECD"
	version      = 1
	headerBytes  = 20
	blockHead    = 12
	trailerBytes = 36

	flagSnapshot = 1 << 0
	flagContent  = 1 << 0
)

// ErrDamaged says that a file is no whole recording; what it wraps says where and
// how.
var ErrDamaged = errors.New("the recording is damaged")

// ErrGivenUp says that the writer had to give up; what it wraps says why.
var ErrGivenUp = errors.New("the node that wrote the recording gave up")

// Position is a point of a group's order.
type Position struct {
	Index      uint64 // of the last entry applied
	Revision   uint64
	TimeMillis int64  // the group's time, Unix milliseconds
	Schema     uint64 // version of the schema; 0: none
	Running    [32]byte
}

// Begin says what a recording is of, and where it begins.
type Begin struct {
	Group       string
	Node        string // that wrote it
	Program     string // its version
	Language    uint64 // version of the language at From; 0: a group's first
	TakenMillis int64  // by that node's clock, Unix milliseconds
	Snapshot    bool   // the state at From follows; else From is the group's beginning
	From        Position
}

// Digest is what the writing copy had when it had applied every entry up to Index.
type Digest struct {
	Index      uint64
	Revision   uint64
	TimeMillis int64
	Running    [32]byte // chained over ordered writes and outcomes
	HasContent bool
	Content    [32]byte // of the whole content
}

// Record is one record after the state.
type Record struct {
	Kind   Kind
	Index  uint64 // KindEntry: its index in the log
	Cmd    []byte // KindEntry: the entry, until the next record is read
	Digest Digest // KindDigest
	// TakenMillis is when the recording was closed, by the writer's clock (KindEnd).
	TakenMillis int64
}

func (b *Begin) append(dst []byte) []byte {
	var flags byte
	if b.Snapshot {
		flags |= flagSnapshot
	}
	dst = appendTime(append(dst, flags), b.TakenMillis)
	for _, s := range [...]string{b.Group, b.Node, b.Program} {
		s = s[:min(len(s), maxTextBytes)]
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	dst = binary.AppendUvarint(dst, b.Language)
	dst = binary.AppendUvarint(dst, b.From.Index)
	dst = binary.AppendUvarint(dst, b.From.Revision)
	dst = appendTime(dst, b.From.TimeMillis)
	dst = binary.AppendUvarint(dst, b.From.Schema)
	return append(dst, b.From.Running[:]...)
}

func (d *Digest) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, d.Index)
	dst = binary.AppendUvarint(dst, d.Revision)
	dst = appendTime(dst, d.TimeMillis)
	if !d.HasContent {
		return append(append(dst, 0), d.Running[:]...)
	}
	dst = append(append(dst, flagContent), d.Running[:]...)
	return append(dst, d.Content[:]...)
}

// appendTime appends milliseconds; before 1970 is 1970.
func appendTime(dst []byte, millis int64) []byte {
	return binary.AppendUvarint(dst, uint64(max(millis, 0)))
}

// fields reads the fields of one record. The first that is wrong is remembered.
type fields struct {
	src []byte
	bad string
}

func (f *fields) fail(field string) {
	if f.bad == "" {
		f.bad, f.src = field, nil
	}
}

func (f *fields) uvarint(field string) uint64 {
	if f.bad != "" {
		return 0
	}
	v, n := binary.Uvarint(f.src)
	if n <= 0 || n > 1 && f.src[n-1] == 0 {
		f.fail(field)
		return 0
	}
	f.src = f.src[n:]
	return v
}

func (f *fields) millis(field string) int64 {
	v := f.uvarint(field)
	if v > 1<<62 {
		f.fail(field)
		return 0
	}
	return int64(v)
}

func (f *fields) fixed(n int, field string) []byte {
	if f.bad == "" && len(f.src) < n {
		f.fail(field)
	}
	if f.bad != "" {
		return nil
	}
	b := f.src[:n:n]
	f.src = f.src[n:]
	return b
}

func (f *fields) flags(known byte, field string) byte {
	b := f.fixed(1, field)
	if b == nil {
		return 0
	}
	if b[0]&^known != 0 {
		f.fail(field)
	}
	return b[0]
}

func (f *fields) text(field string) string {
	n := f.uvarint(field)
	if n > maxTextBytes {
		f.fail(field)
		return ""
	}
	return string(f.fixed(int(n), field))
}

// end is what was wrong with the record, nil if it was read wholly.
func (f *fields) end(what string) error {
	if f.bad != "" {
		return fmt.Errorf("%w: the field %s of %s is wrong", ErrDamaged, f.bad, what)
	}
	if len(f.src) > 0 {
		return fmt.Errorf("%w: %d bytes are left over in %s", ErrDamaged, len(f.src), what)
	}
	return nil
}

func decodeBegin(src []byte) (b Begin, err error) {
	f := fields{src: src}
	b.Snapshot = f.flags(flagSnapshot, "flags")&flagSnapshot != 0
	b.TakenMillis = f.millis("taken")
	b.Group, b.Node, b.Program = f.text("group"), f.text("node"), f.text("program")
	b.Language = f.uvarint("language")
	b.From.Index, b.From.Revision = f.uvarint("index"), f.uvarint("revision")
	b.From.TimeMillis, b.From.Schema = f.millis("time"), f.uvarint("schema")
	copy(b.From.Running[:], f.fixed(32, "running"))
	if f.bad == "" && !b.Snapshot && b.From != (Position{}) {
		f.fail("position")
	}
	return b, f.end("its beginning")
}

func decodeDigest(src []byte) (d Digest, err error) {
	f := fields{src: src}
	d.Index, d.Revision, d.TimeMillis = f.uvarint("index"), f.uvarint("revision"), f.millis("time")
	d.HasContent = f.flags(flagContent, "flags")&flagContent != 0
	copy(d.Running[:], f.fixed(32, "running"))
	if d.HasContent {
		copy(d.Content[:], f.fixed(32, "content"))
	}
	return d, f.end("a digest")
}
