package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const frameHeader = 4 + checksumSize // length, checksum of the payload

// Conn is a connection of one service with one peer. Frames may be written by several goroutines at once;
// one goroutine at a time may read.
type Conn struct {
	network *Network
	raw     net.Conn
	service byte
	node    uint64
	cluster ClusterID
	dialled bool
	maximum int

	read   *bufio.Reader
	header [frameHeader]byte // the reader's

	mu     sync.Mutex // guards the writing half
	write  *bufio.Writer
	head   [frameHeader]byte
	failed error // the first failed write: nothing is written after it

	close sync.Once
}

func newConn(n *Network, raw net.Conn, service byte) *Conn {
	return &Conn{
		network: n, raw: raw, service: service, maximum: n.cfg.MaxFrameBytes,
		read: bufio.NewReaderSize(raw, bufferBytes), write: bufio.NewWriterSize(raw, bufferBytes),
	}
}

// Node is the node at the other end.
func (c *Conn) Node() uint64 { return c.node }

// Cluster is the cluster of the node at the other end as it was when the connection was made.
func (c *Conn) Cluster() ClusterID { return c.cluster }

// RemoteAddr is the other end's network address, for logs.
func (c *Conn) RemoteAddr() string { return c.raw.RemoteAddr().String() }

// WriteFrame appends one frame to the connection's buffer; Flush sends what is buffered. The bytes are copied
// before it returns. After an error the connection is useless and should be closed.
func (c *Conn) WriteFrame(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeFrame(payload)
}

// WriteParts appends one frame whose payload is the given parts one after the other, without joining them
// first.
func (c *Conn) WriteParts(parts ...[]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeFrame(parts...)
}

// Flush sends what is buffered.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.flush()
}

// Send writes one frame and flushes.
func (c *Conn) Send(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.writeFrame(payload); err != nil {
		return err
	}
	return c.flush()
}

func (c *Conn) writeFrame(parts ...[]byte) error {
	if c.failed != nil {
		return c.failed
	}
	size, sum := 0, uint32(0)
	for _, p := range parts {
		size += len(p)
		sum = updateChecksum(sum, p)
	}
	if size > c.maximum {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrFrameTooLarge, size, c.maximum)
	}
	binary.BigEndian.PutUint32(c.head[:], uint32(size))
	binary.BigEndian.PutUint32(c.head[4:], sum)
	if size+frameHeader > c.write.Available() {
		c.armWrite() // the buffer will be sent on the way
	}
	if _, err := c.write.Write(c.head[:]); err != nil {
		return c.fail(err)
	}
	for _, p := range parts {
		if _, err := c.write.Write(p); err != nil {
			return c.fail(err)
		}
	}
	return nil
}

func (c *Conn) flush() error {
	if c.failed != nil {
		return c.failed
	}
	if c.write.Buffered() == 0 {
		return nil
	}
	c.armWrite()
	if err := c.write.Flush(); err != nil {
		return c.fail(err)
	}
	return nil
}

// armWrite gives the write that follows its time limit.
func (c *Conn) armWrite() { _ = c.raw.SetWriteDeadline(time.Now().Add(c.network.cfg.WriteTimeout)) }

func (c *Conn) fail(err error) error {
	c.failed = fmt.Errorf("writing to node %016x: %w", c.node, translate(err))
	return c.failed
}

// ReadFrame waits for one frame and answers its payload, which belongs to the caller.
func (c *Conn) ReadFrame() ([]byte, error) { return c.ReadFrameInto(nil) }

// ReadFrameInto is ReadFrame with memory to use again: the payload is put into buf when it fits.
func (c *Conn) ReadFrameInto(buf []byte) ([]byte, error) {
	if _, err := io.ReadFull(c.read, c.header[:]); err != nil {
		return nil, c.readError(err)
	}
	size := int64(binary.BigEndian.Uint32(c.header[:]))
	if size > int64(c.maximum) {
		return nil, c.readError(fmt.Errorf("%w: %d bytes announced, the limit is %d", ErrFrameTooLarge, size, c.maximum))
	}
	b, err := readGrowing(c.read, buf[:0], int(size))
	if err != nil {
		return nil, c.readError(err)
	}
	if updateChecksum(0, b) != binary.BigEndian.Uint32(c.header[4:]) {
		return nil, c.readError(fmt.Errorf("%w: frame checksum", ErrCorrupt))
	}
	return b, nil
}

func (c *Conn) readError(err error) error {
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("reading from node %016x: %w", c.node, translate(err))
}

// readGrowing reads size bytes into buf and takes memory only as they arrive.
func readGrowing(r io.Reader, buf []byte, size int) ([]byte, error) {
	for len(buf) < size {
		step := min(size-len(buf), max(cap(buf)-len(buf), growBytes))
		if cap(buf)-len(buf) < step {
			grown := make([]byte, len(buf), max(len(buf)+step, min(2*len(buf), size)))
			copy(grown, buf)
			buf = grown
		}
		n := len(buf)
		buf = buf[:n+step]
		if _, err := io.ReadFull(r, buf[n:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF // in the midst of a frame, even if none of its bytes came
			}
			return nil, err
		}
	}
	return buf, nil
}

// SetReadDeadline bounds the reads that follow; the zero time lifts the bound.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.raw.SetReadDeadline(t) }

// Close ends the connection without sending what is still buffered. It may be called more than once and at
// the same time as anything else, and makes reads and writes in progress fail.
func (c *Conn) Close() error {
	c.close.Do(func() {
		c.network.forget(c)
		_ = c.raw.Close()
	})
	return nil
}

// translate turns the network's own "used after close" into this package's error.
func translate(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return ErrClosed
	}
	return err
}
