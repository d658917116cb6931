package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// StreamOptions of a stream of transactions. The zero value is a good choice.
type StreamOptions struct {
	// Ordered proposes a line only after the one before it has its outcome; the
	// stream ends at the first refusal.
	Ordered bool
	// Window is how many lines may wait for their answer before Send blocks;
	// 0 means DefaultWindow.
	Window int
	// Stall is how long to wait for an answer before going to another server;
	// 0 means DefaultStall.
	Stall time.Duration
}

// Line is the answer to one line: exactly one of Outcome and Problem is set.
type Line struct {
	ID      string          // under which it was sent; empty where the line was no document
	Raw     json.RawMessage // the answer as received
	Outcome *Outcome
	Problem *Problem
}

// ErrEnded is what Recv and Send return once an ordered stream has ended at a
// refusal: the lines after that one were not proposed.
var ErrEnded = errors.New("client: the ordered stream ended at a refusal; the lines after it were not proposed")

// ErrClosed is what Send returns after CloseSend or Close.
var ErrClosed = errors.New("client: the stream takes no more lines")

// item is one line on its way: sent, answered, delivered.
type item struct {
	line   []byte
	id     string
	answer *Line // set once there is a final one
	doubt  bool  // an earlier connection broke before it was answered: it may be applied
}

// Stream sends transactions and yields their answers in the order sent. One
// goroutine may send while another receives. Close it when done.
type Stream struct {
	c       *Client
	group   string
	o       StreamOptions
	ctx     context.Context
	cancel  context.CancelFunc
	prefix  string // of the ids made here
	stopped chan struct{}

	mu      sync.Mutex
	changed *sync.Cond // whatever below changed
	made    uint64     // ids made
	order   []*item    // accepted and not yet delivered, in the order sent
	todo    []*item    // of these, to be written to the present connection
	flight  []*item    // of these, written and unanswered on the present connection
	held    []*item    // of these, refused for the moment, to be written again after a pause
	closing bool       // no more lines will come
	ended   bool       // ordered, and refused
	err     error      // why the stream failed, for good
	open    int        // of order, without a final answer
	moved   time.Time  // the last answer, or the first line in flight since
	final   time.Time  // the last final answer, or the first line waiting since
	refusal *Problem   // the last one that was not final
}

// Stream opens a stream of transactions to a group. Nothing is sent before the
// first line. The stream lives until Close, the end of ctx, or a failure: as long
// as lines are answered it has no deadline of its own, and it fails when none is
// for Config.Timeout.
func (c *Client) Stream(ctx context.Context, group string, o StreamOptions) *Stream {
	setDefault(&o.Stall, DefaultStall)
	if o.Window <= 0 {
		o.Window = DefaultWindow
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{c: c, group: group, o: o, ctx: ctx, cancel: cancel, prefix: NewID(), stopped: make(chan struct{})}
	s.changed = sync.NewCond(&s.mu)
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	go s.run()
	return s
}

// Send gives one document to be sent as a line; it is made one line, and gets an
// id where it has none. It blocks while the window is full.
func (s *Stream) Send(doc []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.order) >= s.o.Window && s.closed() == nil {
		s.changed.Wait()
	}
	if err := s.closed(); err != nil {
		return err
	}
	s.made++
	line, id, err := lineWithID(doc, fmt.Sprintf("%s-%d", s.prefix, s.made))
	if err != nil {
		return err
	}
	it := &item{line: line, id: id}
	if s.open == 0 {
		s.final = time.Now()
	}
	s.open++
	s.order = append(s.order, it)
	s.todo = append(s.todo, it)
	s.changed.Broadcast()
	return nil
}

// closed says why no line can be sent, nil where one can.
func (s *Stream) closed() error {
	switch {
	case s.err != nil:
		return s.err
	case s.ended:
		return ErrEnded
	case s.closing:
		return ErrClosed
	}
	return s.ctx.Err()
}

// CloseSend says that no more lines will come; Recv goes on to the last answer.
func (s *Stream) CloseSend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	s.changed.Broadcast()
}

// Recv gives the next answer in the order sent. It returns io.EOF after the last
// one where CloseSend was called, ErrEnded where an ordered stream ended early,
// and else the reason why the stream failed: then the lines not yet answered may
// or may not have been applied.
func (s *Stream) Recv() (*Line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if len(s.order) > 0 && s.order[0].answer != nil {
			l := s.order[0].answer
			s.order[0] = nil
			s.order = s.order[1:]
			s.changed.Broadcast()
			return l, nil
		}
		switch {
		case s.err != nil:
			return nil, s.err
		case s.ended:
			return nil, ErrEnded
		case s.closing && len(s.order) == 0:
			return nil, io.EOF
		case s.ctx.Err() != nil:
			return nil, s.ctx.Err()
		}
		s.changed.Wait()
	}
}

// Close ends the stream at once and waits for its goroutines. Lines without an
// answer may or may not be applied.
func (s *Stream) Close() {
	s.CloseSend()
	s.cancel()
	<-s.stopped
}

// finish gives an item its final answer. The lock is held.
func (s *Stream) finish(it *item, l *Line) {
	it.answer = l
	s.open--
	s.final = time.Now()
	if l.Problem != nil && s.o.Ordered {
		s.ended = true
	}
	s.changed.Broadcast()
}

// fail ends the stream for good. The lock is held.
func (s *Stream) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.cancel()
	s.changed.Broadcast()
}

// unanswered are the lines that still want an answer, in order. The lock is held.
func (s *Stream) unanswered() []*item {
	var rest []*item
	for _, it := range s.order {
		if it.answer == nil {
			rest = append(rest, it)
		}
	}
	return rest
}

// Waiting says whether Recv would wait: the moment to flush what was received.
func (s *Stream) Waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.order) == 0 || s.order[0].answer == nil
}
