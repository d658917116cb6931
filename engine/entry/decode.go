package entry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// ErrCorrupt says that bytes are no entry of this format. What it wraps names
// the field.
var ErrCorrupt = errors.New("entry is corrupt")

// ErrVersion says that an entry was written by a newer program: this one must
// not guess at it.
var ErrVersion = errors.New("entry has a version or kind that this program does not know")

// Reader reads one entry. Its zero value is ready for Reset; it keeps no
// reference to former input, and what it returns aliases the input.
type Reader struct {
	kind Kind
	src  []byte
	left int // items of a batch not yet read
	bad  error
}

// Reset begins to read cmd and returns its kind.
func (r *Reader) Reset(cmd []byte) (Kind, error) {
	*r = Reader{}
	if len(cmd) > MaxBytes {
		return 0, fmt.Errorf("%w: %d bytes are more than the %d allowed", ErrCorrupt, len(cmd), MaxBytes)
	}
	if len(cmd) < 2 {
		return 0, fmt.Errorf("%w: it ends before its kind", ErrCorrupt)
	}
	kind := Kind(cmd[1])
	if cmd[0] != Version || !known(kind) {
		return 0, fmt.Errorf("%w: version %d, kind %d", ErrVersion, cmd[0], cmd[1])
	}
	r.kind, r.src = kind, cmd[2:]
	return kind, nil
}

func known(kind Kind) bool {
	switch kind {
	case KindBatch, KindSchema, KindCheckpoint, KindBackfill, KindFinish, KindVerdict, KindLanguage, KindAssign, KindSettings, KindIncarnation:
		return true
	}
	return false
}

// Batch reads the head of a batch; the items follow by Next. Items is nil.
func (r *Reader) Batch() (Batch, error) {
	var b Batch
	b.Origin, b.TimeMillis = r.origin()
	copy(b.Seed[:], r.fixed(16, "seed"))
	b.SchemaVersion = r.uvarint("schema version")
	count := r.uvarint("count")
	if r.bad == nil && (count > MaxItems || count > uint64(len(r.src))) {
		r.fail("count")
	}
	if r.bad != nil {
		return Batch{}, r.bad
	}
	r.left = int(count)
	return b, nil
}

// Next reads the batch's next item into it. It returns false at the end, when
// Err tells whether the entry was whole.
func (r *Reader) Next(it *Item) bool {
	if r.bad != nil {
		return false
	}
	if r.left == 0 {
		r.end()
		return false
	}
	r.left--
	r.item(it)
	return r.bad == nil
}

// Err is what was wrong with the entry, nil if nothing.
func (r *Reader) Err() error { return r.bad }

// Schema reads a schema change.
func (r *Reader) Schema() (Schema, error) {
	var s Schema
	s.Origin, s.TimeMillis = r.origin()
	s.IfMatch = r.uvarint("if_match")
	s.IfBegun = r.uvarint("if_begun")
	s.Document = r.bytes(MaxBytes, "document")
	r.end()
	return s, r.bad
}

// Checkpoint reads a checkpoint.
func (r *Reader) Checkpoint() (Checkpoint, error) {
	var c Checkpoint
	c.Origin, c.TimeMillis = r.origin()
	if b := r.fixed(8, "id"); b != nil {
		c.ID = binary.LittleEndian.Uint64(b)
	}
	if c.Contents = Contents(r.byte("contents")); c.Contents > ContentsScrubbed {
		r.fail("contents")
	}
	r.end()
	return c, r.bad
}

// Language reads a switch of the language.
func (r *Reader) Language() (Language, error) {
	var l Language
	l.Origin, l.TimeMillis = r.origin()
	v := r.uvarint("version")
	if r.bad == nil && (v == 0 || v > math.MaxUint32) {
		r.fail("version")
	}
	l.Version, l.IfMatch = uint32(v), r.uvarint("if_match")
	r.end()
	return l, r.bad
}

// Assign reads an assignment. It does not alias the input.
func (r *Reader) Assign() (Assign, error) {
	var a Assign
	a.Origin, a.TimeMillis = r.origin()
	a.Task = string(r.bytes(MaxTaskBytes, "task"))
	a.Holder = r.uvarint("holder")
	a.Epoch = r.uvarint("epoch")
	a.Reason = Reason(r.byte("reason"))
	a.Text = string(r.bytes(MaxReasonBytes, "text"))
	if r.bad == nil && (a.Task == "" || a.Epoch == 0 || a.Epoch > math.MaxInt64) {
		r.fail("task")
	}
	if r.bad == nil && (a.Reason < ReasonNormal || a.Reason > ReasonShutdown) {
		r.fail("reason")
	}
	r.end()
	return a, r.bad
}

// Settings reads settings.
func (r *Reader) Settings() (Settings, error) {
	var s Settings
	s.Origin, s.TimeMillis = r.origin()
	s.Version = r.uvarint("version")
	kept := r.uvarint("key retention")
	if r.bad == nil && (s.Version == 0 || s.Version > math.MaxInt64) {
		r.fail("version")
	}
	if r.bad == nil && (kept < MinKeyRetentionMillis || kept > MaxKeyRetentionMillis) {
		r.fail("key retention")
	}
	s.KeyRetentionMillis = int64(kept)
	r.end()
	return s, r.bad
}

// Incarnation reads the beginning of an incarnation.
func (r *Reader) Incarnation() (Incarnation, error) {
	var i Incarnation
	i.Origin, i.TimeMillis = r.origin()
	i.Number = r.uvarint("number")
	if r.bad == nil && (i.Number == 0 || i.Number > MaxIncarnations) {
		r.fail("number")
	}
	r.end()
	return i, r.bad
}

// Verdict reads a verdict. It does not alias the input.
func (r *Reader) Verdict() (Verdict, error) {
	var v Verdict
	v.Origin, v.TimeMillis = r.origin()
	if b := r.fixed(8, "checkpoint"); b != nil {
		v.Checkpoint = binary.LittleEndian.Uint64(b)
	}
	v.Revision = r.uvarint("revision")
	copy(v.Running[:], r.fixed(len(v.Running), "running digest"))
	flags := r.byte("flags")
	if flags&^(flagContent|flagChosen) != 0 {
		r.fail("flags")
	}
	v.HasContent, v.Chosen = flags&flagContent != 0, flags&flagChosen != 0
	if v.HasContent {
		copy(v.Content[:], r.fixed(len(v.Content), "content digest"))
	}
	v.Agreed = r.replicas("agreed")
	v.Differed = r.replicas("differed")
	r.end()
	return v, r.bad
}

// replicas reads ids of replicas.
func (r *Reader) replicas(field string) []uint64 {
	n := r.uvarint(field)
	if n > MaxCopies {
		r.fail(field)
	}
	if r.bad != nil || n == 0 {
		return nil
	}
	ids := make([]uint64, n)
	for i := range ids {
		ids[i] = r.uvarint(field)
	}
	return ids
}

// Backfill reads a step of a schema change.
func (r *Reader) Backfill() (Backfill, error) {
	var b Backfill
	b.Origin, b.TimeMillis = r.origin()
	b.Change, b.Step, b.Rows = r.uvarint("change"), r.uvarint("step"), r.uvarint("rows")
	r.end()
	return b, r.bad
}

// Finish reads the end of a schema change.
func (r *Reader) Finish() (Finish, error) {
	var f Finish
	f.Origin, f.TimeMillis = r.origin()
	f.Change = r.uvarint("change")
	abandon := r.byte("abandon")
	if abandon > 1 {
		r.fail("abandon")
	}
	f.Abandon = abandon == 1
	r.end()
	return f, r.bad
}

// Check reads a whole entry and keeps nothing: nil if it is well formed.
func Check(cmd []byte) error {
	var r Reader
	kind, err := r.Reset(cmd)
	if err != nil {
		return err
	}
	switch kind {
	case KindSchema:
		_, err = r.Schema()
	case KindCheckpoint:
		_, err = r.Checkpoint()
	case KindLanguage:
		_, err = r.Language()
	case KindAssign:
		_, err = r.Assign()
	case KindSettings:
		_, err = r.Settings()
	case KindIncarnation:
		_, err = r.Incarnation()
	case KindVerdict:
		_, err = r.Verdict()
	case KindBackfill:
		_, err = r.Backfill()
	case KindFinish:
		_, err = r.Finish()
	case KindBatch:
		if _, err = r.Batch(); err != nil {
			return err
		}
		var it Item
		for r.Next(&it) {
		}
		err = r.Err()
	}
	return err
}

// DecodeItem reads one item from the front of src and returns what is left.
func DecodeItem(src []byte, it *Item) (rest []byte, err error) {
	r := Reader{src: src}
	r.item(it)
	return r.src, r.bad
}

func (r *Reader) item(it *Item) {
	*it = Item{Proc: -1}
	flags := r.byte("flags")
	if flags&^(flagKeyed|flagInline) != 0 {
		r.fail("flags")
	}
	if flags&flagKeyed != 0 {
		key := r.bytes(MaxKeyBytes, "key")
		if r.bad == nil && len(key) == 0 {
			r.fail("key")
		}
		it.ID.Key = unsafe.String(unsafe.SliceData(key), len(key))
	} else {
		if b := r.fixed(8, "session"); b != nil {
			it.ID.Session = binary.LittleEndian.Uint64(b)
		}
		it.ID.Counter = r.uvarint("counter")
		if r.bad == nil && (it.ID.Session == 0 || it.ID.Counter == 0) {
			r.fail("id")
		}
	}
	copy(it.Fingerprint[:], r.fixed(16, "fingerprint"))
	if flags&flagInline != 0 {
		it.Source = r.bytes(MaxItemBytes, "source")
	} else {
		proc := r.uvarint("procedure")
		if proc > math.MaxInt32 {
			r.fail("procedure")
		}
		it.Proc = int32(proc)
	}
	it.Params = r.bytes(MaxItemBytes, "params")
}

func (r *Reader) origin() (Origin, int64) {
	var o Origin
	if b := r.fixed(8, "proposer"); b != nil {
		o.Proposer = binary.LittleEndian.Uint64(b)
	}
	o.Sequence = r.uvarint("sequence")
	ms := r.uvarint("time")
	if ms > maxTimeMillis {
		r.fail("time")
	}
	return o, int64(ms)
}

// maxTimeMillis is the end of the year 9999, the last instant of the language.
const maxTimeMillis = 253402300799999

func (r *Reader) byte(field string) byte {
	if b := r.fixed(1, field); b != nil {
		return b[0]
	}
	return 0
}

func (r *Reader) fixed(n int, field string) []byte {
	if r.bad != nil {
		return nil
	}
	if len(r.src) < n {
		r.fail(field)
		return nil
	}
	b := r.src[:n:n]
	r.src = r.src[n:]
	return b
}

func (r *Reader) uvarint(field string) uint64 {
	if r.bad != nil {
		return 0
	}
	v, n := binary.Uvarint(r.src)
	// One number has one form: an entry encodes back to the same bytes.
	if n <= 0 || (n > 1 && r.src[n-1] == 0) {
		r.fail(field)
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *Reader) bytes(limit int, field string) []byte {
	n := r.uvarint(field)
	if r.bad == nil && n > uint64(limit) {
		r.fail(field)
	}
	if r.bad != nil {
		return nil
	}
	if n > uint64(len(r.src)) {
		r.fail(field)
		return nil
	}
	return r.fixed(int(n), field)
}

func (r *Reader) end() {
	if r.bad == nil && len(r.src) > 0 {
		r.bad = fmt.Errorf("%w: %d bytes are left over", ErrCorrupt, len(r.src))
	}
}

func (r *Reader) fail(field string) {
	if r.bad == nil {
		r.bad = fmt.Errorf("%w: field %s", ErrCorrupt, field)
	}
}

// KindOf is the kind of an encoded entry by its head alone; 0 where it has none.
func KindOf(cmd []byte) Kind {
	if len(cmd) < 2 {
		return 0
	}
	return Kind(cmd[1])
}
