package router

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// isLines tells whether the body is a stream of transactions, one a line.
func isLines(h *fasthttp.RequestHeader) bool {
	kind, _, _ := bytes.Cut(h.ContentType(), []byte{';'})
	return bytes.EqualFold(bytes.TrimSpace(kind), typeLines)
}

// patientReader gives each read from a connection time of its own: a stream may
// take hours, but must not stand still.
type patientReader struct {
	body io.Reader
	conn net.Conn // nil: all of the body is here
	idle time.Duration
	stop <-chan struct{} // closed: nobody wants to hear more
	last <-chan struct{} // closed: the node is stopping
}

// errStopping ends a stream on a node that stops.
var errStopping = errors.New("the node is stopping")

func (r *patientReader) Read(p []byte) (int, error) {
	if r.conn != nil {
		if err := r.conn.SetReadDeadline(time.Now().Add(r.idle)); err != nil {
			return 0, err
		}
	}
	// Whoever closes stop or last cuts the deadline afterwards: so either this
	// sees it, or the read meets the cut.
	select {
	case <-r.stop:
		return 0, io.EOF
	case <-r.last:
		return 0, errStopping
	default:
		return r.body.Read(p)
	}
}

// lineReader takes a stream apart into lines. A line over the limit is passed
// over without being held.
type lineReader struct {
	from *bufio.Reader
	held []byte // of a line longer than the buffer
}

var errLongLine = errors.New("line over the limit")

// next is the next line that is not blank, without its end. It is valid until
// the next call. A last line needs no end; one that broke off is not returned.
func (l *lineReader) next(limit int) ([]byte, error) {
	for {
		line, err := l.whole(limit)
		if line = bytes.TrimSpace(line); len(line) > 0 || err != nil {
			return line, err
		}
	}
}

func (l *lineReader) whole(limit int) ([]byte, error) {
	l.held = l.held[:0]
	for {
		part, err := l.from.ReadSlice('\n')
		switch {
		case err == nil && len(l.held) == 0:
			return l.checked(part, limit)
		case err == nil:
			return l.checked(append(l.held, part...), limit)
		case err == io.EOF:
			last := append(l.held, part...)
			if len(bytes.TrimSpace(last)) == 0 {
				return nil, io.EOF
			}
			return l.checked(last, limit)
		case err != bufio.ErrBufferFull:
			return nil, err
		}
		if len(l.held)+len(part) > limit+1 {
			return nil, l.skip()
		}
		l.held = append(l.held, part...)
	}
}

func (l *lineReader) checked(line []byte, limit int) ([]byte, error) {
	if len(line) > limit+1 {
		return nil, errLongLine
	}
	return line, nil
}

// skip passes over the rest of a line.
func (l *lineReader) skip() error {
	l.held = nil // it grew large: let it go
	for {
		_, err := l.from.ReadSlice('\n')
		if err == nil || err == io.EOF {
			return errLongLine
		}
		if err != bufio.ErrBufferFull {
			return err
		}
	}
}

// more tells whether a further line may be had without waiting.
func (l *lineReader) more() bool {
	held, _ := l.from.Peek(l.from.Buffered())
	return bytes.IndexByte(held, '\n') >= 0
}
