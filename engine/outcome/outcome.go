package outcome

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"lockstep/engine/entry"
	"lockstep/engine/value"
)

const (
	version         = 1
	statusCommitted = 1
	statusAborted   = 2
)

// WindowSize is how many of a router's ids, counted down from the highest that
// was executed, the replicated state can tell apart. A router never has ids
// further apart than this under way; an older one is never executed.
const WindowSize = 1 << 16

// ErrCorrupt says that bytes are no outcome of this format.
var ErrCorrupt = errors.New("outcome is corrupt")

// Outcome is the recorded end of a transaction.
type Outcome struct {
	ID          entry.ID
	Fingerprint entry.Fingerprint
	Revision    uint64
	TimeMillis  int64 // tx.now of the transaction, Unix milliseconds
	Committed   bool
	Code        string // aborted: the user's code, or the system's
	Step        string // aborted: where, such as steps[3]
	Message     string // aborted: for people
	Result      []byte // committed: JSON
}

// Append appends the binary form.
func (o *Outcome) Append(dst []byte) []byte {
	status := byte(statusAborted)
	if o.Committed {
		status = statusCommitted
	}
	dst = append(dst, version, status)
	dst = binary.AppendUvarint(dst, o.Revision)
	dst = binary.AppendUvarint(dst, uint64(o.TimeMillis))
	dst = append(dst, o.Fingerprint[:]...)
	if o.Committed {
		return append(binary.AppendUvarint(dst, uint64(len(o.Result))), o.Result...)
	}
	for _, s := range [...]string{o.Code, o.Step, o.Message} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return dst
}

// Decode reads an outcome from the front of src. Result aliases src.
func Decode(src []byte, id entry.ID) (o Outcome, rest []byte, err error) {
	d := decoder{src: src}
	head := d.fixed(2)
	if d.bad || head[0] != version || (head[1] != statusCommitted && head[1] != statusAborted) {
		return Outcome{}, nil, fmt.Errorf("%w: version or status", ErrCorrupt)
	}
	o.ID, o.Committed = id, head[1] == statusCommitted
	o.Revision = d.uvarint()
	o.TimeMillis = int64(d.uvarint())
	copy(o.Fingerprint[:], d.fixed(16))
	if o.Committed {
		o.Result = d.bytes()
	} else {
		o.Code, o.Step, o.Message = string(d.bytes()), string(d.bytes()), string(d.bytes())
	}
	if d.bad || o.TimeMillis < 0 {
		return Outcome{}, nil, fmt.Errorf("%w: a field runs past the end", ErrCorrupt)
	}
	return o, d.src, nil
}

// AppendJSON appends the document that users see (transactions.md, Outcome).
func (o *Outcome) AppendJSON(dst []byte, group string) []byte {
	dst = append(dst, `{"id":`...)
	dst = appendID(dst, o.ID)
	dst = append(dst, `,"group":`...)
	dst = value.AppendJSONString(dst, group)
	dst = append(dst, `,"revision":`...)
	dst = strconv.AppendUint(dst, o.Revision, 10)
	if o.Committed {
		dst = append(dst, `,"status":"committed"`...)
	} else {
		dst = append(dst, `,"status":"aborted"`...)
	}
	dst = append(dst, `,"time":"`...)
	dst = AppendTime(dst, o.TimeMillis)
	dst = append(dst, '"')
	if o.Committed {
		dst = append(append(dst, `,"result":`...), o.Result...)
		return append(dst, '}')
	}
	dst = append(dst, `,"code":`...)
	dst = value.AppendJSONString(dst, o.Code)
	if o.Message != "" {
		dst = append(dst, `,"message":`...)
		dst = value.AppendJSONString(dst, o.Message)
	}
	if o.Step != "" {
		dst = append(dst, `,"step":`...)
		dst = value.AppendJSONString(dst, o.Step)
	}
	return append(dst, '}')
}

// appendID appends the id as a JSON string: a router's needs no escaping.
func appendID(dst []byte, id entry.ID) []byte {
	if id.Key != "" {
		return value.AppendJSONString(dst, id.Key)
	}
	return append(id.Append(append(dst, '"')), '"')
}

// AppendTime appends Unix milliseconds as RFC 3339 in UTC, without trailing
// zeros in the fraction.
func AppendTime(dst []byte, millis int64) []byte {
	at, _ := value.TimestampOfMillis(millis)
	return value.AppendTimestamp(dst, at)
}

type decoder struct {
	src []byte
	bad bool
}

func (d *decoder) fixed(n int) []byte {
	if d.bad || len(d.src) < n {
		d.bad = true
		return nil
	}
	b := d.src[:n:n]
	d.src = d.src[n:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.src)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.src = d.src[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if d.bad || n > uint64(len(d.src)) {
		d.bad = true
		return nil
	}
	return d.fixed(int(n))
}
