package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// FuzzHandshake feeds bytes to both sides of the handshake: they never panic, and what is taken is a Hello that
// says the same when it is written again.
func FuzzHandshake(f *testing.F) {
	f.Add((&hello{Service: 1, Cluster: ClusterID{1}, From: 2, To: 3, Instance: 4, Address: "host:1"}).append(nil))
	f.Add((&welcome{Status: refusedNode, Cluster: ClusterID{1}, Node: 2, Reason: "because"}).append(nil))
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := readHello(bytes.NewReader(b)); err == nil {
			if again := h.append(nil); !bytes.Equal(again, b[:len(again)]) {
				t.Fatalf("%+v was read from\n% x but is written\n% x", h, b, again)
			}
		}
		if w, err := readWelcome(bytes.NewReader(b)); err == nil {
			if again := w.append(nil); !bytes.Equal(again, b[:len(again)]) {
				t.Fatalf("%+v was read from\n% x but is written\n% x", w, b, again)
			}
		}
	})
}

// FuzzFrames feeds bytes to the reader of frames: it never panics, never takes memory on the word of a header,
// and ends.
func FuzzFrames(f *testing.F) {
	frame := func(payload string) []byte {
		near, far := newMemory(nil)
		_ = near.Send([]byte(payload))
		return far.written.Bytes()
	}
	f.Add(frame("hello"))
	f.Add(append(frame(""), frame("world")...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Add([]byte{3, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		near, _ := newMemory(b)
		total := 0
		for {
			payload, err := near.ReadFrame()
			if err != nil {
				if total > 0 && errors.Is(err, io.EOF) && total != len(b) {
					t.Fatalf("%d bytes of frames were read from %d", total, len(b))
				}
				return
			}
			if cap(payload) > 2*len(b)+2*growBytes {
				t.Fatalf("%d bytes of memory for %d bytes of input", cap(payload), len(b))
			}
			total += frameHeader + len(payload)
		}
	})
}

// memory is a net.Conn of bytes.
type memory struct {
	read    *bytes.Reader
	written bytes.Buffer
}

func newMemory(b []byte) (*Conn, *memory) {
	m := &memory{read: bytes.NewReader(b)}
	n := &Network{cfg: Config{MaxFrameBytes: MaxFrameBytes}}
	n.cfg.defaults()
	return newConn(n, m, 1), m
}

func (m *memory) Read(b []byte) (int, error)       { return m.read.Read(b) }
func (m *memory) Write(b []byte) (int, error)      { return m.written.Write(b) }
func (m *memory) Close() error                     { return nil }
func (m *memory) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (m *memory) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (m *memory) SetDeadline(time.Time) error      { return nil }
func (m *memory) SetReadDeadline(time.Time) error  { return nil }
func (m *memory) SetWriteDeadline(time.Time) error { return nil }
