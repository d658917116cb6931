package recording

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Reader reads a recording and believes nothing of it. Errors of the underlying
// reader other than its end are returned as they are; all else is ErrDamaged or
// ErrGivenUp. It is for one goroutine.
type Reader struct {
	r     io.Reader
	zstd  *zstd.Decoder
	table *crc32.Table
	begin Begin

	stored bytes.Buffer
	plain  []byte // of the present block
	left   []byte // what is not read of it

	offset                 uint64 // bytes read of the file
	at, number             uint64 // where the present block begins, and its number
	blocks, records, bytes uint64
	sums                   uint32

	index uint64 // of the last entry or digest
	state bool   // the state is still being read
	ended bool   // the end was read: only the trailer follows
}

// NewReader reads how a recording begins.
func NewReader(r io.Reader) (*Reader, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlainBytes),
		zstd.WithDecoderMaxWindow(maxPlainBytes), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, fmt.Errorf("make the decompressor: %w", err)
	}
	rd := &Reader{r: r, zstd: dec, table: castagnoli()}
	if err := rd.header(); err != nil {
		return nil, err
	}
	kind, body, err := rd.record()
	if err != nil {
		return nil, err
	}
	if kind != kindBegin {
		return nil, rd.damaged("it does not say what it is of")
	}
	if rd.begin, err = decodeBegin(body); err != nil {
		return nil, rd.placed(err)
	}
	rd.index, rd.state = rd.begin.From.Index, rd.begin.Snapshot
	return rd, nil
}

// Begin is what the recording says of itself.
func (r *Reader) Begin() Begin { return r.begin }

// Offset is how many bytes of the file were read.
func (r *Reader) Offset() uint64 { return r.offset }

func (r *Reader) header() error {
	var head [headerBytes]byte
	if err := r.read(head[:], "its header"); err != nil {
		return err
	}
	switch {
	case string(head[:8]) != magic:
		return fmt.Errorf("%w: it does not begin as a recording does; `lockstep replay export` writes one", ErrDamaged)
	case crc32.Checksum(head[:16], r.table) != binary.LittleEndian.Uint32(head[16:]):
		return fmt.Errorf("%w: the checksum of its header is wrong", ErrDamaged)
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != version || binary.LittleEndian.Uint32(head[12:]) != 0 {
		return fmt.Errorf("the recording has version %d of the format, and this program knows version %d: use a program that knows it", v, version)
	}
	return nil
}

// State reads the state that the recording begins with. It ends with io.EOF, at
// once where there is none, and must be read before Next is called, which passes
// over what is left of it.
func (r *Reader) State() io.Reader { return &stateReader{r: r} }

type stateReader struct {
	r    *Reader
	left []byte
}

func (s *stateReader) Read(p []byte) (int, error) {
	for len(s.left) == 0 {
		chunk, err := s.r.chunk()
		if err != nil {
			return 0, err
		}
		s.left = chunk
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

// chunk is the next part of the state, io.EOF at its end.
func (r *Reader) chunk() ([]byte, error) {
	if !r.state {
		return nil, io.EOF
	}
	kind, err := r.peek()
	if err != nil {
		return nil, err
	}
	if kind != kindSnapshot {
		r.state = false
		return nil, io.EOF
	}
	_, body, err := r.record()
	return body, err
}

// Next reads the next record after the state: an entry, a digest, and once the
// end. After the end it returns io.EOF, when the trailer was right as well.
func (r *Reader) Next() (Record, error) {
	for r.state {
		if _, err := r.chunk(); err != nil && !errors.Is(err, io.EOF) {
			return Record{}, err
		}
	}
	if r.ended {
		return Record{}, r.finish()
	}
	kind, body, err := r.record()
	if err != nil {
		return Record{}, err
	}
	rec, err := r.understand(kind, body)
	if err != nil {
		return Record{}, err
	}
	return rec, nil
}

func (r *Reader) understand(kind Kind, body []byte) (rec Record, err error) {
	rec.Kind = kind
	switch kind {
	case KindEntry:
		f := fields{src: body}
		rec.Index = f.uvarint("index")
		if rec.Cmd = f.src; f.bad != "" || rec.Index <= r.index {
			return Record{}, r.damaged(fmt.Sprintf("entry %d comes after entry %d", rec.Index, r.index))
		}
		r.index = rec.Index
	case KindDigest:
		if rec.Digest, err = decodeDigest(body); err != nil {
			return Record{}, r.placed(err)
		}
		if rec.Digest.Index < r.index {
			return Record{}, r.damaged(fmt.Sprintf("the digest at entry %d comes after entry %d", rec.Digest.Index, r.index))
		}
		r.index = rec.Digest.Index
	case KindEnd:
		f := fields{src: body}
		rec.TakenMillis = f.millis("taken")
		if err := f.end("its end"); err != nil {
			return Record{}, r.placed(err)
		}
		r.ended = true
	case kindFailure:
		return Record{}, fmt.Errorf("%w: %s", ErrGivenUp, body[:min(len(body), maxTextBytes)])
	default:
		return Record{}, r.damaged(fmt.Sprintf("a record has kind %d, which has no place there", kind))
	}
	return rec, nil
}

// peek is the kind of the next record.
func (r *Reader) peek() (Kind, error) {
	if len(r.left) == 0 {
		if err := r.block(); err != nil {
			return 0, err
		}
	}
	return Kind(r.left[0]), nil
}

// record reads the next record; its body is valid until the next call.
func (r *Reader) record() (Kind, []byte, error) {
	kind, err := r.peek()
	if err != nil {
		return 0, nil, err
	}
	n, size := binary.Uvarint(r.left[1:])
	if size <= 0 || size > 1 && r.left[size] == 0 || n > uint64(len(r.left)-1-size) || n > maxRecordBytes {
		return 0, nil, r.damaged("a record has an impossible length")
	}
	body := r.left[1+size : 1+size+int(n)]
	r.left = r.left[1+size+int(n):]
	r.records++
	return kind, body, nil
}

// block reads the next block.
func (r *Reader) block() error {
	r.at, r.number = r.offset, r.blocks
	var head [blockHead]byte
	if err := r.read(head[:4], "its trailer"); err != nil {
		return err
	}
	stored := binary.LittleEndian.Uint32(head[:4])
	if stored == 0 {
		return r.damaged("it ends without having said so")
	}
	if err := r.read(head[4:], "a block"); err != nil {
		return err
	}
	plain := binary.LittleEndian.Uint32(head[4:])
	if stored > maxStoredBytes || plain > maxPlainBytes || plain == 0 {
		return r.damaged("a block has an impossible length")
	}
	r.stored.Reset()
	// CopyN grows the buffer as data arrive: a false length costs nothing.
	n, err := io.CopyN(&r.stored, r.r, int64(stored))
	r.offset += uint64(n)
	if err != nil {
		return r.cut(err, "a block")
	}
	sum := binary.LittleEndian.Uint32(head[8:])
	if blockSum(r.table, r.blocks, head[:8], r.stored.Bytes()) != sum {
		return r.damaged("the checksum of a block is wrong")
	}
	if cap(r.plain) < int(plain) {
		r.plain = make([]byte, 0, plain)
	}
	r.left, err = r.zstd.DecodeAll(r.stored.Bytes(), r.plain[:0:plain])
	if err != nil || len(r.left) != int(plain) {
		return r.damaged("a block can't be decompressed")
	}
	r.sums = chainSum(r.table, r.sums, sum)
	r.blocks++
	r.bytes += uint64(plain)
	return nil
}

// finish reads the trailer; io.EOF means that all is well.
func (r *Reader) finish() error {
	if len(r.left) > 0 {
		return r.damaged("something follows its end")
	}
	r.at, r.number = r.offset, r.blocks
	var t [trailerBytes]byte
	if err := r.read(t[:], "its trailer"); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(t[:]) != 0 || crc32.Checksum(t[:trailerBytes-4], r.table) != binary.LittleEndian.Uint32(t[trailerBytes-4:]) {
		return r.damaged("its trailer is wrong")
	}
	blocks, records, plain := binary.LittleEndian.Uint64(t[4:]), binary.LittleEndian.Uint64(t[12:]), binary.LittleEndian.Uint64(t[20:])
	if blocks != r.blocks || records != r.records || plain != r.bytes || binary.LittleEndian.Uint32(t[28:]) != r.sums {
		return r.damaged(fmt.Sprintf("it has %d records in %d blocks, its trailer says %d in %d", r.records, r.blocks, records, blocks))
	}
	if n, err := r.r.Read(make([]byte, 1)); n > 0 || err != nil && !errors.Is(err, io.EOF) {
		if n > 0 {
			return r.damaged("something follows its trailer")
		}
		return err
	}
	return io.EOF
}

func (r *Reader) read(p []byte, what string) error {
	n, err := io.ReadFull(r.r, p)
	r.offset += uint64(n)
	if err != nil {
		return r.cut(err, what)
	}
	return nil
}

// cut says that the file ends too early, unless it can't be read at all.
func (r *Reader) cut(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it was cut: it ends after %d bytes, within or before %s", ErrDamaged, r.offset, what)
	}
	return err
}

func (r *Reader) damaged(what string) error {
	return r.placed(fmt.Errorf("%w: %s", ErrDamaged, what))
}

// placed adds where in the file something is wrong.
func (r *Reader) placed(err error) error {
	return fmt.Errorf("%w, in block %d, which begins at byte %d", err, r.number, r.at)
}
