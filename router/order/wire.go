package order

import (
	"encoding/binary"
	"errors"
	"fmt"

	"lockstep/engine/entry"
)

// Frames between routers. Integers are unsigned varints unless a width is
// named. The first frame of a connection comes from the side that dialled:
//
//	hello = version:1 group            (the rest of the frame)
//
// Then it sends requests and pings, and gets answers and pongs:
//
//	requests = 1:1 first count (kind:1 schema timeout_ms cost (item | length entry))*
//	ping     = 2:1
//	answers  = 3:1 (number status:1 [verdict])*
//	pong     = 4:1
//	goodbye  = 5:1 reason              (the rest of the frame)
//
// A request's number is first plus its place in the frame; numbers ascend over
// the life of a connection, and each is answered at most once. kind is that of
// package entry, and so are the forms of item and entry; verdict is that of
// package outcome. timeout_ms is how long the asker still waits.
const (
	wireVersion = 1

	frameRequests = 1
	framePing     = 2
	frameAnswers  = 3
	framePong     = 4
	frameGoodbye  = 5
)

// status says how a request from a peer ended. Append only.
type status byte

const (
	statusVerdict    status = 1
	statusNotPrimary status = 2 // never proposed: this node is not primary
	statusLost       status = 3 // perhaps proposed, outcome not known here
	statusOverloaded status = 4 // never proposed
	statusExpired    status = 5 // never proposed: its time was over
	statusTooLarge   status = 6 // never proposed, and never will be
	statusDiverged   status = 7 // never proposed: the group takes no changes
)

// errNotPrimary is what a peer is told; clients never see it.
var errNotPrimary = errors.New("this node is not the group's primary")

func statusOf(err error) status {
	switch err {
	case ErrOutcomeUnknown:
		return statusLost
	case ErrOverloaded:
		return statusOverloaded
	case ErrTooLarge:
		return statusTooLarge
	case ErrDiverged:
		return statusDiverged
	case ErrDeadline, ErrNoPrimary:
		return statusExpired
	default:
		return statusNotPrimary
	}
}

// errFrame says that a peer sent a frame that is none.
var errFrame = errors.New("frame of a peer's router is corrupt")

// asked is a request in a frame.
type asked struct {
	number      uint64
	kind        entry.Kind
	schema      uint64
	timeout     int64 // milliseconds
	cost        uint64
	conditional bool
	id          entry.ID
	raw         []byte
}

// decodeRequests reads a frame of requests, all or nothing. What it returns
// aliases the frame; asked beyond dst's length is memory to use again.
func decodeRequests(frame []byte, dst []asked) ([]asked, error) {
	f := fields{src: frame[1:]}
	first, count := f.uvarint(), f.uvarint()
	if f.bad || count > frameItems || first == 0 || first > 1<<62 {
		return nil, fmt.Errorf("%w: its head", errFrame)
	}
	for i := range count {
		a := asked{number: first + i, kind: entry.Kind(f.byte())}
		a.schema = f.uvarint()
		a.timeout = int64(min(f.uvarint(), maxTimeoutMillis))
		a.cost = f.uvarint()
		if f.bad {
			return nil, fmt.Errorf("%w: request %d of %d", errFrame, i, count)
		}
		if err := f.body(&a); err != nil {
			return nil, fmt.Errorf("%w: request %d of %d: %w", errFrame, i, count, err)
		}
		dst = append(dst, a)
	}
	if len(f.src) > 0 {
		return nil, fmt.Errorf("%w: %d bytes left over", errFrame, len(f.src))
	}
	return dst, nil
}

// fields reads the fields of a frame; bad is set by the first that runs past
// the end.
type fields struct {
	src []byte
	bad bool
}

func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.src)
	if f.bad || n <= 0 {
		f.bad = true
		return 0
	}
	f.src = f.src[n:]
	return v
}

func (f *fields) byte() byte {
	if f.bad || len(f.src) == 0 {
		f.bad = true
		return 0
	}
	b := f.src[0]
	f.src = f.src[1:]
	return b
}

// body reads an item or an entry and checks that it is well formed: what is
// malformed must never get into the log.
func (f *fields) body(a *asked) error {
	if a.kind == entry.KindBatch {
		var it entry.Item
		rest, err := entry.DecodeItem(f.src, &it)
		if err != nil {
			return err
		}
		a.id, a.raw, f.src = it.ID, f.src[:len(f.src)-len(rest)], rest
		return nil
	}
	n := f.uvarint()
	if f.bad || n > uint64(len(f.src)) {
		return errFrame
	}
	a.raw, f.src = f.src[:n:n], f.src[n:]
	var r entry.Reader
	kind, err := r.Reset(a.raw)
	if err != nil || kind != a.kind {
		return errFrame
	}
	switch kind {
	case entry.KindSchema:
		s, err := r.Schema()
		a.conditional = s.IfMatch != 0
		return err
	case entry.KindAssign:
		a.conditional = true
	}
	return entry.Check(a.raw)
}

// appendRequest appends one request of a frame.
func appendRequest(dst []byte, p *pending, timeoutMillis int64) []byte {
	dst = append(dst, byte(p.kind))
	dst = binary.AppendUvarint(dst, p.schema)
	dst = binary.AppendUvarint(dst, uint64(max(timeoutMillis, 0)))
	dst = binary.AppendUvarint(dst, p.cost)
	if p.kind != entry.KindBatch {
		dst = binary.AppendUvarint(dst, uint64(len(p.raw)))
	}
	return p.append(dst)
}
