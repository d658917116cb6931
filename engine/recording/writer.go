package recording

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Writer writes a recording: the state by Write, if Begin announced one, then
// entries and digests, then Close, or Fail. Errors of the underlying writer are
// returned as they are. It is for one goroutine.
type Writer struct {
	w       io.Writer
	zstd    *zstd.Encoder
	table   *crc32.Table
	plain   []byte
	stored  []byte
	scratch []byte

	blocks, records, bytes uint64
	sums                   uint32
}

// NewWriter begins a recording.
func NewWriter(w io.Writer, b Begin) (*Writer, error) {
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowBytes))
	if err != nil {
		return nil, fmt.Errorf("make the compressor: %w", err)
	}
	wr := &Writer{w: w, zstd: enc, table: castagnoli()}
	head := append(make([]byte, 0, headerBytes), magic...)
	head = binary.LittleEndian.AppendUint32(head, version)
	head = binary.LittleEndian.AppendUint32(head, 0)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, wr.table))
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	if err := wr.record(kindBegin, b.append(nil)); err != nil {
		return nil, err
	}
	return wr, nil
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// Write adds bytes of the state.
func (w *Writer) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		n := min(len(p)-done, chunkBytes)
		if err := w.record(kindSnapshot, p[done:done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return len(p), nil
}

// Entry adds an entry of the log.
func (w *Writer) Entry(index uint64, cmd []byte) error {
	if len(cmd) > MaxEntryBytes {
		return fmt.Errorf("record entry %d: it has %d bytes, at most %d are allowed", index, len(cmd), MaxEntryBytes)
	}
	w.scratch = append(binary.AppendUvarint(w.scratch[:0], index), cmd...)
	return w.record(KindEntry, w.scratch)
}

// Digest adds what the copy has.
func (w *Writer) Digest(d Digest) error {
	w.scratch = d.append(w.scratch[:0])
	return w.record(KindDigest, w.scratch)
}

// Flush hands on what is complete.
func (w *Writer) Flush() error {
	if len(w.plain) == 0 {
		return nil
	}
	w.stored = append(w.stored[:0], make([]byte, blockHead)...)
	w.stored = w.zstd.EncodeAll(w.plain, w.stored)
	binary.LittleEndian.PutUint32(w.stored, uint32(len(w.stored)-blockHead))
	binary.LittleEndian.PutUint32(w.stored[4:], uint32(len(w.plain)))
	sum := blockSum(w.table, w.blocks, w.stored[:8], w.stored[blockHead:])
	binary.LittleEndian.PutUint32(w.stored[8:], sum)
	w.sums = chainSum(w.table, w.sums, sum)
	w.blocks++
	w.bytes += uint64(len(w.plain))
	w.plain = w.plain[:0]
	_, err := w.w.Write(w.stored)
	w.keepSmall()
	return err
}

// keepSmall lets go of what one large entry made grow.
func (w *Writer) keepSmall() {
	if cap(w.plain) > 8*blockBytes {
		w.plain, w.stored, w.scratch = nil, nil, nil
	}
}

// Close ends a whole recording.
func (w *Writer) Close(takenMillis int64) error {
	if err := w.record(KindEnd, appendTime(nil, takenMillis)); err != nil {
		return err
	}
	return w.finish()
}

// Fail ends a recording that could not be finished, and says why.
func (w *Writer) Fail(reason string) error {
	if err := w.record(kindFailure, []byte(reason[:min(len(reason), maxTextBytes)])); err != nil {
		return err
	}
	return w.finish()
}

func (w *Writer) finish() error {
	if err := w.Flush(); err != nil {
		return err
	}
	t := make([]byte, 4, trailerBytes)
	t = binary.LittleEndian.AppendUint64(t, w.blocks)
	t = binary.LittleEndian.AppendUint64(t, w.records)
	t = binary.LittleEndian.AppendUint64(t, w.bytes)
	t = binary.LittleEndian.AppendUint32(t, w.sums)
	t = binary.LittleEndian.AppendUint32(t, crc32.Checksum(t, w.table))
	_, err := w.w.Write(t)
	return err
}

func (w *Writer) record(k Kind, body []byte) error {
	w.plain = append(w.plain, byte(k))
	w.plain = binary.AppendUvarint(w.plain, uint64(len(body)))
	w.plain = append(w.plain, body...)
	w.records++
	if len(w.plain) < blockBytes {
		return nil
	}
	return w.Flush()
}

func blockSum(table *crc32.Table, number uint64, lengths, stored []byte) uint32 {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], number)
	return crc32.Update(crc32.Update(crc32.Checksum(n[:], table), table, lengths), table, stored)
}

func chainSum(table *crc32.Table, chain, sum uint32) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], sum)
	return crc32.Update(chain, table, b[:])
}
