package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"lockstep/router/client"
)

// streamWork carries lines into a stream and answers out of it.
type streamWork struct {
	in    io.Reader
	name  string // of in, for errors
	out   io.Writer
	quiet bool

	mu     sync.Mutex
	totals streamTotals
}

func (w *streamWork) snapshot() streamTotals {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.totals
}

func (w *streamWork) text() string { return w.snapshot().String() }

// run goes on until the last line is answered or the stream fails.
func (w *streamWork) run(s *client.Stream) error {
	sent := make(chan error, 1)
	go func() {
		sent <- w.send(s)
		s.CloseSend()
	}()
	err := w.receive(s)
	if err != nil {
		return err // the sender may hang on its input: leave it
	}
	return <-sent
}

// send reads lines; an empty one is passed over.
func (w *streamWork) send(s *client.Stream) error {
	lines := bufio.NewReaderSize(w.in, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			if err := s.Send(line); err != nil {
				return ignoreEnd(err)
			}
			w.mu.Lock()
			w.totals.sent++
			w.mu.Unlock()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", w.name, err)
		}
	}
}

// ignoreEnd: that the stream takes no more lines is told by the receiving side.
func ignoreEnd(err error) error {
	if errors.Is(err, client.ErrEnded) || errors.Is(err, client.ErrClosed) {
		return nil
	}
	return err
}

func (w *streamWork) receive(s *client.Stream) (err error) {
	out := bufio.NewWriter(w.out)
	defer func() {
		if e := out.Flush(); err == nil && e != nil {
			err = fmt.Errorf("writing an answer: %w", e)
		}
	}()
	for {
		if s.Waiting() {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("writing an answer: %w", err)
			}
		}
		l, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if w.count(l) && w.quiet {
			continue
		}
		out.Write(l.Raw)
		if err := out.WriteByte('\n'); err != nil {
			return fmt.Errorf("writing an answer: %w", err)
		}
	}
}

// count takes an answer into the totals, and says whether it is a commit.
func (w *streamWork) count(l *client.Line) (committed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case l.Problem != nil && !l.Problem.Recorded():
		w.totals.refused++
	case l.Problem != nil, !l.Outcome.Committed():
		w.totals.aborted++
	default:
		w.totals.committed++
		return true
	}
	return false
}
