package peer

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Both handshake messages have one shape: magic, version, a fixed part, a text of bounded length, a checksum.
const (
	magic = "LSTP"
	// protocol is the version of handshake and frames. A node refuses all others, naming both.
	protocol byte = 1

	helloFixed   = len(magic) + 2 + 16 + 8 + 8 + 8 + 2
	welcomeFixed = len(magic) + 2 + 16 + 8 + 2
	checksumSize = 4
)

// ClusterID names a cluster; the zero value means that the node belongs to none yet.
type ClusterID [16]byte

func (c ClusterID) String() string { return fmt.Sprintf("%x", c[:]) }

// IsZero tells whether the node belongs to no cluster yet.
func (c ClusterID) IsZero() bool { return c == ClusterID{} }

// hello is what the dialling side says first.
type hello struct {
	Service  byte
	Cluster  ClusterID
	From     uint64
	To       uint64 // 0: whoever answers
	Instance uint64 // random for each opened Network: tells two processes with one id apart
	Address  string // where From listens
}

// welcome is the answer: accepted, or a refusal with a reason for people.
type welcome struct {
	Status  refusal
	Cluster ClusterID
	Node    uint64
	Reason  string
}

func (h *hello) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, protocol, h.Service)
	dst = append(dst, h.Cluster[:]...)
	dst = binary.BigEndian.AppendUint64(dst, h.From)
	dst = binary.BigEndian.AppendUint64(dst, h.To)
	dst = binary.BigEndian.AppendUint64(dst, h.Instance)
	dst = appendText(dst, h.Address, MaxAddressBytes)
	return binary.BigEndian.AppendUint32(dst, checksum(dst[start:]))
}

func readHello(r io.Reader) (hello, error) {
	b, text, err := readMessage(r, helloFixed, MaxAddressBytes)
	if err != nil {
		return hello{}, err
	}
	h := hello{Service: b[5], Address: text}
	copy(h.Cluster[:], b[6:22])
	h.From = binary.BigEndian.Uint64(b[22:])
	h.To = binary.BigEndian.Uint64(b[30:])
	h.Instance = binary.BigEndian.Uint64(b[38:])
	if h.From == 0 {
		return hello{}, fmt.Errorf("%w: hello from node 0", ErrCorrupt)
	}
	return h, nil
}

func (w *welcome) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, protocol, byte(w.Status))
	dst = append(dst, w.Cluster[:]...)
	dst = binary.BigEndian.AppendUint64(dst, w.Node)
	dst = appendText(dst, w.Reason, MaxReasonBytes)
	return binary.BigEndian.AppendUint32(dst, checksum(dst[start:]))
}

func readWelcome(r io.Reader) (welcome, error) {
	b, text, err := readMessage(r, welcomeFixed, MaxReasonBytes)
	if err != nil {
		return welcome{}, err
	}
	w := welcome{Status: refusal(b[5]), Reason: text}
	copy(w.Cluster[:], b[6:22])
	w.Node = binary.BigEndian.Uint64(b[22:])
	return w, nil
}

// readMessage reads a handshake message: its fixed part, whose last two bytes are the length of a text, the
// text, and the checksum of both. The magic comes first and alone, so that something that isn't a node is
// told from a node after four bytes.
func readMessage(r io.Reader, fixed, maxText int) ([]byte, string, error) {
	b := make([]byte, fixed, fixed+maxText+checksumSize)
	if _, err := io.ReadFull(r, b[:len(magic)+1]); err != nil {
		return nil, "", err
	}
	if string(b[:len(magic)]) != magic {
		return nil, "", fmt.Errorf("%w: it starts with %q", ErrIncompatible, b[:len(magic)])
	}
	if b[len(magic)] != protocol {
		return nil, "", fmt.Errorf("%w: version %d, this node speaks %d", ErrIncompatible, b[len(magic)], protocol)
	}
	if _, err := io.ReadFull(r, b[len(magic)+1:]); err != nil {
		return nil, "", err
	}
	n := int(binary.BigEndian.Uint16(b[fixed-2:]))
	if n > maxText {
		return nil, "", fmt.Errorf("%w: text of %d bytes in a handshake", ErrCorrupt, n)
	}
	b = b[:fixed+n+checksumSize]
	if _, err := io.ReadFull(r, b[fixed:]); err != nil {
		return nil, "", err
	}
	if binary.BigEndian.Uint32(b[fixed+n:]) != checksum(b[:fixed+n]) {
		return nil, "", fmt.Errorf("%w: handshake checksum", ErrCorrupt)
	}
	return b, string(b[fixed : fixed+n]), nil
}

func appendText(dst []byte, s string, limit int) []byte {
	s = s[:min(len(s), limit)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	return append(dst, s...)
}
