package order

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"lockstep/engine/entry"
	"lockstep/engine/outcome"
)

type linkState byte

const (
	linkDown linkState = iota
	linkDialling
	linkUp
)

// link is the way to another node, for the time in which that node is primary.
// Everything in it is guarded by the orderer's lock.
type link struct {
	node    uint64
	state   linkState
	conn    Conn
	wake    chan struct{} // the writer
	blocked bool          // the peer refused: nothing goes out until a tick or another primary
	due     bool          // the next frame needn't be worth a frame of its own
	next    uint64        // number of the next request
	sent    map[uint64]ref
	usual   int // answers of a usual frame, times 8
	ping    bool
	pinged  bool
	quiet   int64 // since when nothing was heard while something was owed, milliseconds
	retryAt int64 // milliseconds before which it is not dialled again
	backoff time.Duration
}

func (o *Orderer) linkTo(node uint64) *link {
	l := o.links[node]
	if l == nil {
		l = &link{node: node, wake: make(chan struct{}, 1), next: 1, sent: make(map[uint64]ref)}
		o.links[node] = l
	}
	return l
}

// kick lets requests out over l, the present route.
func (l *link) kick(o *Orderer, tick bool) {
	if o.closed || o.waiting.count == 0 {
		return
	}
	switch l.state {
	case linkDown:
		if o.cfg.Peers != nil && o.now() >= l.retryAt {
			l.state = linkDialling
			o.spawn(l)
		}
	case linkUp:
		l.due = l.due || tick
		if l.ready(o) {
			wake(l.wake)
		}
	}
}

// ready tells whether a frame may go out: at once where nothing is unanswered,
// else when it is worth one, or after a tick or an answer.
func (l *link) ready(o *Orderer) bool {
	if o.route.link != l || l.state != linkUp || l.blocked || o.waiting.count == 0 || o.closed {
		return false
	}
	return l.due || len(l.sent) == 0 || worth(o.waiting.count, l.usual) || o.waiting.bytes >= frameBytes/2
}

// nextFrame appends the next frame to dst, or returns nil if none may go out.
func (o *Orderer) nextFrame(l *link, dst []byte) []byte {
	now := o.now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if l.state == linkUp && l.ping {
		l.ping = false
		return append(dst, framePing)
	}
	if !l.ready(o) {
		return nil
	}
	if len(l.sent) == 0 {
		l.quiet, l.pinged = now, false
	}
	l.due = false
	count, size := o.frameSize()
	dst = binary.AppendUvarint(append(dst, frameRequests), l.next)
	dst = binary.AppendUvarint(dst, uint64(count))
	if free := cap(dst) - len(dst); free < size {
		dst = append(make([]byte, 0, len(dst)+size), dst...)
	}
	for range count {
		p := o.waiting.first
		r := o.depart(p)
		l.sent[l.next] = r
		l.next++
		dst = appendRequest(dst, p, p.patience(now))
	}
	o.stats.Frames++
	o.stats.Forwarded += uint64(count)
	return dst
}

// frameSize is how many of the waiting requests go into the next frame, and
// about how many bytes they take.
func (o *Orderer) frameSize() (count, size int) {
	for p := o.waiting.first; p != nil && count < frameItems; p = p.next {
		if count > 0 && size+p.size > frameBytes {
			break
		}
		count++
		size += p.size
	}
	return count, size
}

// patience is for how many milliseconds anybody still waits for p.
func (p *pending) patience(now int64) (millis int64) {
	for r := p.first; r != nil; r = r.next {
		millis = max(millis, r.dueMillis-now)
	}
	return millis
}

// receive takes in a frame from the primary.
func (o *Orderer) receive(l *link, frame []byte) error {
	var fx effects
	now := o.now()
	o.mu.Lock()
	l.quiet, l.pinged = now, false
	err := o.receiveFrame(l, frame, &fx)
	l.due = true
	if o.route.link == l {
		l.kick(o, false)
	}
	o.mu.Unlock()
	o.perform(&fx)
	return err
}

func (o *Orderer) receiveFrame(l *link, frame []byte, fx *effects) error {
	if len(frame) == 0 {
		return errFrame
	}
	switch frame[0] {
	case framePong:
		return nil
	case frameGoodbye:
		return fmt.Errorf("the peer refuses: %.200q", frame[1:])
	case frameAnswers:
	default:
		return fmt.Errorf("%w: kind %d", errFrame, frame[0])
	}
	f := fields{src: frame[1:]}
	count := 0
	for ; len(f.src) > 0; count++ {
		number, s := f.uvarint(), status(f.byte())
		if f.bad {
			return fmt.Errorf("%w: an answer's head", errFrame)
		}
		if err := o.answered(l, number, s, &f, fx); err != nil {
			return err
		}
	}
	learn(&l.usual, count)
	return nil
}

// answered takes in one answer; a verdict is read from f.
func (o *Orderer) answered(l *link, number uint64, s status, f *fields, fx *effects) error {
	r, known := l.sent[number]
	if !known {
		return fmt.Errorf("%w: an answer to %d, which is not open", errFrame, number)
	}
	p := r.alive()
	if s == statusVerdict {
		var id entry.ID
		if p != nil {
			id = p.item.ID
		}
		v, rest, err := outcome.DecodeVerdict(f.src, id)
		if err != nil {
			return err
		}
		f.src = rest
		delete(l.sent, number)
		if p != nil {
			o.settle(p, &v, fx)
		}
		return nil
	}
	delete(l.sent, number)
	if p != nil {
		o.rejected(l, r, s, fx)
	}
	return nil
}

// rejected takes in an answer that is no verdict.
func (o *Orderer) rejected(l *link, r ref, s status, fx *effects) {
	p := r.p
	if s != statusLost {
		p.doubt--
	}
	if !r.current() {
		return
	}
	switch {
	case s == statusTooLarge && p.doubt == 0:
		o.refuse(p, ErrTooLarge, fx)
	case s == statusOverloaded && p.doubt == 0:
		o.refuse(p, ErrOverloaded, fx)
	case s == statusDiverged:
		o.refuse(p, ErrDiverged, fx)
	default:
		l.blocked = true
		o.goBack(p, fx)
	}
}

// look does for a link what is due by the clock.
func (l *link) look(o *Orderer, now int64) {
	l.blocked = false
	if l.state == linkUp && len(l.sent) > 0 {
		switch silent, most := now-l.quiet, o.cfg.Silence.Milliseconds(); {
		case silent > most:
			o.cfg.Logger.Warn("the primary's router does not answer; its connection is given up",
				"group", o.cfg.Group, "node", l.node, "milliseconds", silent)
			l.quiet = now
			l.shut()
		case silent > most/4 && !l.pinged:
			l.ping, l.pinged = true, true
			wake(l.wake)
		}
	}
	if o.route.link == l {
		l.kick(o, true)
	}
}

// shut makes the link's goroutines end.
func (l *link) shut() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
}

// connected notes that l can be used.
func (o *Orderer) connected(l *link, conn Conn) (ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false
	}
	l.state, l.conn, l.backoff, l.due, l.ping = linkUp, conn, 0, true, false
	o.noteReach()
	if l.ready(o) {
		wake(l.wake)
	}
	return true
}

// disconnected notes that l is of no use: what it was sent goes back, in doubt.
func (o *Orderer) disconnected(l *link) {
	var fx effects
	now := o.now()
	o.mu.Lock()
	l.state, l.conn = linkDown, nil
	l.backoff = min(max(2*l.backoff, dialBackoffMin), dialBackoffMax)
	l.retryAt = now + l.backoff.Milliseconds()
	refs := make([]ref, 0, len(l.sent))
	for _, r := range l.sent {
		refs = append(refs, r)
	}
	clear(l.sent)
	o.again(refs, &fx)
	o.noteReach()
	o.kick(&fx)
	o.mu.Unlock()
	o.perform(&fx)
}

// startLink is called under the lock.
func (o *Orderer) startLink(l *link) {
	o.running.Add(1)
	go func() {
		defer o.running.Done()
		if err := o.runLink(l); err != nil && o.stop.Err() == nil {
			o.cfg.Logger.Debug("the connection to the primary's router ended", "group", o.cfg.Group, "node", l.node, "error", err)
		}
		o.disconnected(l)
	}()
}

// runLink dials, and reads answers until the connection ends.
func (o *Orderer) runLink(l *link) error {
	ctx, cancel := context.WithTimeout(o.stop, dialTimeout)
	conn, err := o.cfg.Peers.Dial(ctx, l.node)
	cancel()
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	if err := conn.WriteFrame(append([]byte{wireVersion}, o.cfg.Group...)); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	if !o.connected(l, conn) {
		return ErrDraining
	}
	over, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		if err := o.writeLink(l, conn, over); err != nil {
			_ = conn.Close() // the reader ends by it
		}
	}()
	defer func() {
		close(over)
		_ = conn.Close()
		<-written
	}()
	for {
		frame, err := conn.ReadFrame()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := o.receive(l, frame); err != nil {
			return err
		}
	}
}

// writeLink sends frames until over is closed or the connection fails.
func (o *Orderer) writeLink(l *link, conn Conn, over chan struct{}) error {
	var buf []byte
	for {
		frame := o.nextFrame(l, buf[:0])
		if frame == nil {
			select {
			case <-l.wake:
				continue
			case <-over:
				return nil
			}
		}
		buf = frame
		if err := conn.WriteFrame(frame); err != nil {
			return err
		}
		if err := conn.Flush(); err != nil {
			return err
		}
	}
}
