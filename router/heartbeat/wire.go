package heartbeat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"lockstep/policy/supervision"
)

// A frame is
//
//	frame  = version:1 flags:1 boot:8 sequence stalled_us name count hearing* [report]
//	flags  = bit 0: a report follows
//	hearing = flags:1 name age_us
//	          bit 0: that node hears the receiver
//
// Numbers are varints, texts a varint length and the bytes; the report is the rest.
const wireVersion = 1

const (
	flagReport   = 1 << 0
	flagHearsYou = 1 << 0
)

// ErrFrame says that bytes are no heartbeat.
var ErrFrame = errors.New("not a heartbeat")

// appendFrame appends a heartbeat; report is nil where the last one still holds.
func appendFrame(dst []byte, b *supervision.Beat, report []byte) []byte {
	var flags byte
	if report != nil {
		flags = flagReport
	}
	dst = append(dst, wireVersion, flags)
	dst = binary.LittleEndian.AppendUint64(dst, b.Boot)
	dst = binary.AppendUvarint(dst, b.Sequence)
	dst = appendSpan(dst, b.Stalled)
	dst = appendText(dst, b.From)
	dst = binary.AppendUvarint(dst, uint64(len(b.Hears)))
	for _, h := range b.Hears {
		var flags byte
		if h.HearsYou {
			flags = flagHearsYou
		}
		dst = appendSpan(appendText(append(dst, flags), h.Node), h.Age)
	}
	return append(dst, report...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendSpan(dst []byte, d time.Duration) []byte {
	return binary.AppendUvarint(dst, uint64(max(d, 0)/time.Microsecond))
}

// decodeFrame reads a heartbeat. The report aliases src; it is nil where none was
// sent. Whatever src holds, memory in proportion to it is the most that is taken.
func decodeFrame(src []byte, b *supervision.Beat) (report []byte, err error) {
	d := decoder{src: src}
	version, flags := d.byte(), d.byte()
	*b = supervision.Beat{Boot: d.fixed(), Sequence: d.number(), Stalled: d.span(), From: d.text()}
	count := d.number()
	if version != wireVersion || flags&^flagReport != 0 || count > maxHears || count > uint64(len(d.src)) {
		return nil, fmt.Errorf("%w: its head", ErrFrame)
	}
	for range count {
		flags := d.byte()
		b.Hears = append(b.Hears, supervision.Hearing{Node: d.text(), Age: d.span(), HearsYou: flags&flagHearsYou != 0})
		d.bad = d.bad || flags&^flagHearsYou != 0
	}
	switch {
	case d.bad || b.From == "" || b.Boot == 0:
		return nil, fmt.Errorf("%w: its fields", ErrFrame)
	case flags&flagReport == 0 && len(d.src) > 0, len(d.src) > maxReport:
		return nil, fmt.Errorf("%w: %d bytes after it", ErrFrame, len(d.src))
	case flags&flagReport == 0:
		return nil, nil
	}
	return d.src[:len(d.src):len(d.src)], nil
}

// decoder reads fields; after an error it reads zeros.
type decoder struct {
	src []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n > len(d.src) {
		d.src, d.bad = nil, true
		return make([]byte, min(n, 8))
	}
	b := d.src[:n]
	d.src = d.src[n:]
	return b
}

func (d *decoder) byte() byte    { return d.take(1)[0] }
func (d *decoder) fixed() uint64 { return binary.LittleEndian.Uint64(d.take(8)) }

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.src)
	if d.bad || n <= 0 {
		d.src, d.bad = nil, true
		return 0
	}
	d.src = d.src[n:]
	return v
}

// span reads a duration, a year at the most.
func (d *decoder) span() time.Duration {
	us := d.number()
	if us > uint64(366*24*time.Hour/time.Microsecond) {
		d.bad = true
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

func (d *decoder) text() string {
	n := d.number()
	if n > maxName || n > uint64(len(d.src)) {
		d.src, d.bad = nil, true
		return ""
	}
	return string(d.take(int(n)))
}
