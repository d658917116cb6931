package peer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"
)

// Frames of a call: a kind, the number of the question, then what the kind needs.
//
//	question: kind 1, number (8), milliseconds the asker waits (4), the request
//	result:   kind 2, number (8), the response
//	failure:  kind 3, number (8), the text of the error
const (
	kindQuestion byte = 1
	kindResult   byte = 2
	kindFailure  byte = 3

	callHeader     = 1 + 8
	questionHeader = callHeader + 4

	// maxCallWait bounds how long a question may wait whatever its context says: a question without a
	// deadline doesn't stay for ever on the answering side.
	maxCallWait = 10 * time.Minute
)

// CallHandler answers a question. Its context ends when the asker's time is over or its connection is gone.
type CallHandler func(ctx context.Context, from uint64, request []byte) ([]byte, error)

// HandleCall offers a service of questions and answers.
func (n *Network) HandleCall(id byte, handle CallHandler, options ...Option) {
	n.Handle(id, func(from uint64, c *Conn) { n.answerCalls(from, c, handle) }, options...)
}

// answerCalls reads questions and answers each on its own goroutine.
func (n *Network) answerCalls(from uint64, c *Conn, handle CallHandler) {
	ctx, cancel := context.WithCancel(n.ctx)
	var answering sync.WaitGroup
	defer answering.Wait()
	defer cancel()
	slots := make(chan struct{}, MaxConcurrentCalls)
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return
		}
		if len(frame) < questionHeader || frame[0] != kindQuestion {
			n.cfg.Log.Warn("a peer sent what is no question", "node", nodeText(from), "bytes", len(frame))
			return
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		answering.Go(func() {
			defer func() { <-slots }()
			answerCall(ctx, c, from, frame, handle)
		})
	}
}

// guarded runs the handler; a defect of it that panics is an answer like any failure, not the end of the node.
func guarded(ctx context.Context, c *Conn, from uint64, request []byte, handle CallHandler) (response []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.network.cfg.Log.Error("the handler of a call panicked", "service", string(rune(c.service)), "panic", r, "stack", string(debug.Stack()))
			response, err = nil, fmt.Errorf("internal error: %v", r)
		}
	}()
	return handle(ctx, from, request)
}

func answerCall(ctx context.Context, c *Conn, from uint64, frame []byte, handle CallHandler) {
	wait := time.Duration(binary.BigEndian.Uint32(frame[callHeader:])) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, min(wait, maxCallWait))
	defer cancel()
	response, err := guarded(ctx, c, from, frame[questionHeader:], handle)
	head := frame[:callHeader]
	head[0] = kindResult
	if err != nil {
		head[0], response = kindFailure, []byte(err.Error())
	}
	if err := c.sendParts(head, response); errors.Is(err, ErrFrameTooLarge) {
		head[0] = kindFailure
		_ = c.sendParts(head, []byte(err.Error()))
	}
}

// sendParts writes one frame of several parts and flushes.
func (c *Conn) sendParts(parts ...[]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.writeFrame(parts...); err != nil {
		return err
	}
	return c.flush()
}

// Call asks a node a question and waits for the answer. An error that is a *RemoteError is the handler's; any
// other means that it isn't known whether the question was answered. Calls to this node itself go through its
// own listener like all others.
func (n *Network) Call(ctx context.Context, node uint64, service byte, request []byte) ([]byte, error) {
	call, err := n.caller(ctx, callKey{node: node, service: service})
	if err != nil {
		return nil, err
	}
	return call.ask(ctx, request)
}

// CallAddr asks whichever node listens at an address, over a connection of its own, and tells which it was.
func (n *Network) CallAddr(ctx context.Context, addr string, service byte, request []byte) (response []byte, node uint64, err error) {
	c, err := n.DialAddr(ctx, addr, service)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	call := newCaller(c)
	n.workers.Go(func() { call.read() })
	response, err = call.ask(ctx, request)
	return response, c.Node(), err
}

type callKey struct {
	node    uint64
	service byte
}

// caller is the asking side of one cached connection.
type caller struct {
	ready chan struct{} // closed when dialling is over
	conn  *Conn
	err   error // of dialling

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan answer
	broken  error
}

type answer struct {
	response []byte
	err      error
}

func newCaller(c *Conn) *caller {
	call := &caller{ready: make(chan struct{}), conn: c, waiting: map[uint64]chan answer{}}
	close(call.ready)
	return call
}

// caller answers the cached connection for a key, dialling it once for all who ask at the same time.
func (n *Network) caller(ctx context.Context, key callKey) (*caller, error) {
	n.mu.Lock()
	call := n.callers[key]
	if call == nil {
		if n.closed {
			n.mu.Unlock()
			return nil, ErrClosed
		}
		call = &caller{ready: make(chan struct{}), waiting: map[uint64]chan answer{}}
		n.callers[key] = call
		n.workers.Go(func() { n.runCaller(key, call) })
	}
	n.mu.Unlock()
	select {
	case <-call.ready:
		return call, call.err
	case <-ctx.Done():
		return nil, fmt.Errorf("calling node %s: %w", nodeText(key.node), context.Cause(ctx))
	}
}

// runCaller dials, reads answers until the connection ends, and leaves the cache. The dialling is not bound to
// the context of the one who asked first: others wait for it too.
func (n *Network) runCaller(key callKey, call *caller) {
	conn, err := n.Dial(n.ctx, key.node, key.service)
	if err != nil {
		call.err = err
		n.dropCaller(key, call)
		close(call.ready)
		return
	}
	call.conn = conn
	close(call.ready)
	call.readUntil(func() { n.dropCaller(key, call) })
}

func (n *Network) dropCaller(key callKey, call *caller) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.callers[key] == call {
		delete(n.callers, key)
	}
}

func (call *caller) read() { call.readUntil(func() {}) }

// readUntil hands out answers until the connection fails; then it runs leave, so that nobody new comes, and
// tells all who wait.
func (call *caller) readUntil(leave func()) {
	var failure error
	for failure == nil {
		frame, err := call.conn.ReadFrame()
		switch {
		case errors.Is(err, io.EOF):
			failure = fmt.Errorf("node %s closed the connection: %w", nodeText(call.conn.node), io.ErrUnexpectedEOF)
		case err != nil:
			failure = err
		case len(frame) < callHeader || (frame[0] != kindResult && frame[0] != kindFailure):
			failure = fmt.Errorf("%w: not an answer", ErrCorrupt)
		default:
			call.deliver(frame)
		}
	}
	_ = call.conn.Close()
	leave()
	call.mu.Lock()
	waiting := call.waiting
	call.waiting, call.broken = nil, failure
	call.mu.Unlock()
	for _, ch := range waiting {
		ch <- answer{err: failure}
	}
}

func (call *caller) deliver(frame []byte) {
	number := binary.BigEndian.Uint64(frame[1:])
	call.mu.Lock()
	ch := call.waiting[number]
	delete(call.waiting, number)
	call.mu.Unlock()
	if ch == nil {
		return // the asker has gone
	}
	if frame[0] == kindFailure {
		ch <- answer{err: &RemoteError{Node: call.conn.node, Message: string(frame[callHeader:])}}
		return
	}
	ch <- answer{response: frame[callHeader:]}
}

func (call *caller) ask(ctx context.Context, request []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ch := make(chan answer, 1)
	call.mu.Lock()
	if call.broken != nil {
		call.mu.Unlock()
		return nil, call.broken
	}
	call.next++
	number := call.next
	call.waiting[number] = ch
	call.mu.Unlock()
	var head [questionHeader]byte
	head[0] = kindQuestion
	binary.BigEndian.PutUint64(head[1:], number)
	binary.BigEndian.PutUint32(head[callHeader:], uint32(waitOf(ctx).Milliseconds()))
	if err := call.conn.sendParts(head[:], request); err != nil {
		call.abandon(number)
		return nil, err
	}
	select {
	case a := <-ch:
		return a.response, a.err
	case <-ctx.Done():
		call.abandon(number)
		return nil, fmt.Errorf("waiting for node %s: %w", nodeText(call.conn.node), context.Cause(ctx))
	}
}

func (call *caller) abandon(number uint64) {
	call.mu.Lock()
	defer call.mu.Unlock()
	delete(call.waiting, number)
}

// waitOf is how long the asker will wait, at least a millisecond so that the other side tries at all.
func waitOf(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return maxCallWait
	}
	return max(time.Millisecond, min(time.Until(deadline), maxCallWait))
}
