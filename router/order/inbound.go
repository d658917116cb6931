package order

import (
	"encoding/binary"
	"fmt"

	"lockstep/engine/outcome"
)

// inbound is a connection over which a peer asks this node, as primary. All but
// parsed is guarded by the orderer's lock.
type inbound struct {
	o      *Orderer
	node   uint64
	conn   Conn
	wake   chan struct{} // the writer
	out    [][]byte      // frames of answers, the last one still growing
	bytes  int           // in out
	pong   bool
	gone   bool
	parsed []asked // the reader's
}

func (o *Orderer) newInbound(node uint64, conn Conn) *inbound {
	in := &inbound{o: o, node: node, conn: conn, wake: make(chan struct{}, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.inbounds[in] = struct{}{}
	return in
}

// serve takes in one frame of the peer.
func (in *inbound) serve(frame []byte) error {
	if len(frame) == 0 {
		return errFrame
	}
	o := in.o
	switch frame[0] {
	case framePing:
		o.mu.Lock()
		in.pong = true
		o.mu.Unlock()
		wake(in.wake)
		return nil
	case frameRequests:
	default:
		return fmt.Errorf("%w: kind %d", errFrame, frame[0])
	}
	var err error
	if in.parsed, err = decodeRequests(frame, in.parsed[:0]); err != nil {
		return err
	}
	var fx effects
	now := o.now()
	// The peer may have heard of this node's election before the event came here.
	node, term, ok := o.cfg.Log.Leader()
	o.mu.Lock()
	o.see(view{node, term, ok}, &fx)
	for i := range in.parsed {
		o.admitForeign(in, &in.parsed[i], now)
	}
	o.kick(&fx)
	o.mu.Unlock()
	clear(in.parsed)
	o.perform(&fx)
	return nil
}

// admitForeign takes a peer's request in, or answers at once.
func (o *Orderer) admitForeign(in *inbound, a *asked, now int64) {
	size := itemOverhead + len(a.raw)
	switch {
	case !o.route.self || o.drain:
		in.refusal(a.number, statusNotPrimary)
		return
	case a.timeout == 0:
		in.refusal(a.number, statusExpired)
		return
	case o.held(a.kind):
		in.refusal(a.number, statusDiverged)
		return
	case size > maxItem+itemOverhead:
		in.refusal(a.number, statusTooLarge)
		return
	case o.foreign >= o.cfg.Foreign || o.foreignBytes+o.replyBytes+size > o.cfg.ForeignBytes:
		o.stats.Overloaded++
		in.refusal(a.number, statusOverloaded)
		return
	}
	r := o.newForeign()
	r.Item.ID, r.SchemaVersion, r.Cost = a.id, a.schema, a.cost
	r.in, r.number, r.size, r.since, r.slot = in, a.number, size, now, -1
	r.dueMillis = now + a.timeout
	p := o.newPending()
	p.kind, p.raw, p.conditional = a.kind, a.raw, a.conditional
	p.takeFrom(r)
	o.join(p, r, now)
	o.waiting.push(p)
}

// grow is the frame that the next answer is appended to.
func (in *inbound) grow() *[]byte {
	n := len(in.out)
	switch {
	case n > 0 && len(in.out[n-1]) < frameBytes:
		return &in.out[n-1]
	case n < cap(in.out): // the memory of a frame that was written
		in.out = in.out[:n+1]
		in.out[n] = append(in.out[n][:0], frameAnswers)
	default:
		in.out = append(in.out, []byte{frameAnswers})
	}
	return &in.out[n]
}

func (in *inbound) verdict(number uint64, v *outcome.Verdict) {
	in.answer(number, statusVerdict, v)
}

func (in *inbound) refusal(number uint64, s status) {
	in.answer(number, s, nil)
}

func (in *inbound) answer(number uint64, s status, v *outcome.Verdict) {
	if in.gone {
		return
	}
	frame := in.grow()
	before := len(*frame)
	*frame = append(binary.AppendUvarint(*frame, number), byte(s))
	if v != nil {
		*frame = outcome.AppendVerdict(*frame, v)
	}
	in.bytes += len(*frame) - before
	in.o.replyBytes += len(*frame) - before
	wake(in.wake)
}

// take gives the frames to write, and the memory of those written before back.
func (in *inbound) take(spare [][]byte) (frames [][]byte, pong bool) {
	in.o.mu.Lock()
	defer in.o.mu.Unlock()
	frames, pong = in.out, in.pong
	in.o.replyBytes -= in.bytes
	in.out, in.bytes, in.pong = spare[:0], 0, false
	return frames, pong
}

func (in *inbound) shut() {
	if in.conn != nil {
		_ = in.conn.Close()
	}
}

// end forgets the connection. What waits for it is dropped when its turn comes.
func (in *inbound) end() {
	in.o.mu.Lock()
	defer in.o.mu.Unlock()
	in.gone = true
	in.o.replyBytes -= in.bytes
	in.out, in.bytes = nil, 0
	delete(in.o.inbounds, in)
}

// run reads requests until the connection ends.
func (in *inbound) run() error {
	over, written := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(written)
		if err := in.write(over); err != nil {
			in.shut() // the reader ends by it
		}
	}()
	defer func() {
		close(over)
		in.shut()
		<-written
		in.end()
	}()
	for {
		frame, err := in.conn.ReadFrame()
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := in.serve(frame); err != nil {
			return err
		}
	}
}

// write sends answers until over is closed or the connection fails.
func (in *inbound) write(over chan struct{}) error {
	var frames, spare [][]byte
	for {
		var pong bool
		frames, pong = in.take(spare)
		if len(frames) == 0 && !pong {
			spare = frames
			select {
			case <-in.wake:
				continue
			case <-over:
				return nil
			}
		}
		if pong {
			if err := in.conn.WriteFrame([]byte{framePong}); err != nil {
				return err
			}
		}
		for _, frame := range frames {
			if err := in.conn.WriteFrame(frame); err != nil {
				return err
			}
		}
		if err := in.conn.Flush(); err != nil {
			return err
		}
		if spare = frames; len(frames) > framesKept {
			spare = nil
		}
	}
}
