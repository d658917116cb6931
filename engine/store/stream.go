package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A snapshot stream, all integers little-endian, all checksums CRC-32C:
//
//	header   "LSTPSNAP"  u32 version (1)  u32 zero  u32 checksum of the 16 bytes before
//	block    u32 length n > 0  u32 checksum of (u64 block number, payload)  payload of n bytes
//	...
//	trailer  u32 zero  u64 entries  u64 payload bytes  u32 checksum of all blocks' checksums
//	         u32 checksum of the 24 bytes before
//
// A payload is entries, each uvarint key length, uvarint value length, key,
// value; keys ascend strictly through the whole stream. The number in a block's
// checksum finds blocks lost, doubled or moved. What follows the trailer is not
// the stream's and is not read.
const (
	streamMagic    = "LSTPSNAP"
	streamVersion  = 1
	headerBytes    = 20
	blockHeadBytes = 8
	trailerBytes   = 28
	minEntryBytes  = 3 // two lengths and a key of one byte
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// encoder writes a stream. Errors of the writer are returned as they are.
type encoder struct {
	w       io.Writer
	table   *crc32.Table
	buf     []byte // head of the block and payload so far
	number  uint64
	entries uint64
	bytes   uint64
	sums    uint32
}

func newEncoder(w io.Writer) (*encoder, error) {
	e := &encoder{w: w, table: castagnoli(), buf: make([]byte, blockHeadBytes, 4<<10)}
	head := make([]byte, 0, headerBytes)
	head = append(head, streamMagic...)
	head = binary.LittleEndian.AppendUint32(head, streamVersion)
	head = binary.LittleEndian.AppendUint32(head, 0)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, e.table))
	_, err := w.Write(head)
	return e, err
}

// add appends an entry; full tells that a block was written.
func (e *encoder) add(key, val []byte) (full bool, err error) {
	e.buf = binary.AppendUvarint(e.buf, uint64(len(key)))
	e.buf = binary.AppendUvarint(e.buf, uint64(len(val)))
	e.buf = append(e.buf, key...)
	e.buf = append(e.buf, val...)
	e.entries++
	if len(e.buf) < blockHeadBytes+blockBytes {
		return false, nil
	}
	return true, e.writeBlock()
}

func (e *encoder) writeBlock() error {
	payload := e.buf[blockHeadBytes:]
	if len(payload) == 0 {
		return nil
	}
	sum := blockSum(e.table, e.number, payload)
	binary.LittleEndian.PutUint32(e.buf, uint32(len(payload)))
	binary.LittleEndian.PutUint32(e.buf[4:], sum)
	e.sums = chainSum(e.table, e.sums, sum)
	e.number++
	e.bytes += uint64(len(payload))
	_, err := e.w.Write(e.buf)
	e.buf = e.buf[:blockHeadBytes]
	return err
}

func (e *encoder) finish() error {
	if err := e.writeBlock(); err != nil {
		return err
	}
	t := make([]byte, 0, trailerBytes)
	t = binary.LittleEndian.AppendUint32(t, 0)
	t = binary.LittleEndian.AppendUint64(t, e.entries)
	t = binary.LittleEndian.AppendUint64(t, e.bytes)
	t = binary.LittleEndian.AppendUint32(t, e.sums)
	t = binary.LittleEndian.AppendUint32(t, crc32.Checksum(t, e.table))
	_, err := e.w.Write(t)
	return err
}

func blockSum(table *crc32.Table, number uint64, payload []byte) uint32 {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], number)
	return crc32.Update(crc32.Checksum(n[:], table), table, payload)
}

func chainSum(table *crc32.Table, chain, sum uint32) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], sum)
	return crc32.Update(chain, table, b[:])
}

// decoder reads a stream and believes nothing of it. Errors of the reader other
// than its end are returned as they are; all else is ErrBadStream.
type decoder struct {
	r       io.Reader
	table   *crc32.Table
	payload []byte // what is left of the block
	block   bytes.Buffer
	last    []byte // key of the entry before
	number  uint64
	entries uint64
	bytes   uint64
	sums    uint32
}

func badStream(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadStream, fmt.Sprintf(format, args...))
}

func newDecoder(r io.Reader) (*decoder, error) {
	d := &decoder{r: r, table: castagnoli()}
	var head [headerBytes]byte
	if err := d.read(head[:], "header"); err != nil {
		return nil, err
	}
	if string(head[:8]) != streamMagic {
		return nil, badStream("it does not begin as a snapshot does")
	}
	if crc32.Checksum(head[:16], d.table) != binary.LittleEndian.Uint32(head[16:]) {
		return nil, badStream("checksum of the header is wrong")
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != streamVersion {
		return nil, badStream("its version is %d, this program reads %d", v, streamVersion)
	}
	if binary.LittleEndian.Uint32(head[12:]) != 0 {
		return nil, badStream("header has unknown flags")
	}
	return d, nil
}

// read fills b.
func (d *decoder) read(b []byte, what string) error {
	_, err := io.ReadFull(d.r, b)
	return d.readError(err, what)
}

func (d *decoder) readError(err error, what string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badStream("it ends within the %s, after %d blocks", what, d.number)
	}
	return err
}

// nextBlock reads a block; false means that the trailer was reached, and is right.
func (d *decoder) nextBlock() (bool, error) {
	var head [blockHeadBytes]byte
	if err := d.read(head[:4], "blocks"); err != nil {
		return false, err
	}
	n := binary.LittleEndian.Uint32(head[:4])
	if n == 0 {
		return false, d.trailer()
	}
	if n < minEntryBytes || n > maxBlockBytes {
		return false, badStream("block %d has an impossible length of %d bytes", d.number, n)
	}
	if err := d.read(head[4:], "blocks"); err != nil {
		return false, err
	}
	d.block.Reset()
	// CopyN grows the buffer as data arrive: a false length costs nothing.
	if _, err := io.CopyN(&d.block, d.r, int64(n)); err != nil {
		return false, d.readError(err, "blocks")
	}
	d.payload = d.block.Bytes()
	sum := binary.LittleEndian.Uint32(head[4:])
	if blockSum(d.table, d.number, d.payload) != sum {
		return false, badStream("checksum of block %d is wrong", d.number)
	}
	d.sums = chainSum(d.table, d.sums, sum)
	d.number++
	d.bytes += uint64(n)
	return true, nil
}

func (d *decoder) trailer() error {
	var t [trailerBytes]byte // its first four bytes, the zero length, are read
	if err := d.read(t[4:], "trailer"); err != nil {
		return err
	}
	if crc32.Checksum(t[:24], d.table) != binary.LittleEndian.Uint32(t[24:]) {
		return badStream("checksum of the trailer is wrong")
	}
	entries, size := binary.LittleEndian.Uint64(t[4:]), binary.LittleEndian.Uint64(t[12:])
	if entries != d.entries || size != d.bytes || binary.LittleEndian.Uint32(t[20:]) != d.sums {
		return badStream("it has %d entries in %d bytes, its trailer says %d in %d", d.entries, d.bytes, entries, size)
	}
	return nil
}

// next returns the next entry of the block read last, until the next call; false
// at the block's end.
func (d *decoder) next() (key, val []byte, ok bool, err error) {
	if len(d.payload) == 0 {
		return nil, nil, false, nil
	}
	keyLen, rest, ok1 := uvarint(d.payload)
	valLen, rest, ok2 := uvarint(rest)
	if !ok1 || !ok2 || keyLen == 0 || keyLen > MaxKeyBytes || valLen > MaxValueBytes ||
		keyLen+valLen > uint64(len(rest)) {
		return nil, nil, false, badStream("entry %d has impossible lengths", d.entries)
	}
	key, val = rest[:keyLen], rest[keyLen:keyLen+valLen]
	d.payload = rest[keyLen+valLen:]
	if d.entries > 0 && bytes.Compare(d.last, key) >= 0 {
		return nil, nil, false, badStream("entry %d is out of order", d.entries)
	}
	d.last = append(d.last[:0], key...)
	d.entries++
	return key, val, true, nil
}

// uvarint reads one number in its shortest form.
func uvarint(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size > maxVarintBytes || size > 1 && b[size-1] == 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}
