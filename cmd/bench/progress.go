package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// progressEvery is how often the line is drawn again.
const progressEvery = 200 * time.Millisecond

// progress is one line on a terminal that tells what goes on; elsewhere nothing.
type progress struct {
	w       io.Writer
	done    chan struct{}
	stopped sync.WaitGroup

	mu   sync.Mutex
	text string
}

func newProgress(w io.Writer) *progress {
	p := &progress{done: make(chan struct{})}
	if !isTerminal(w) {
		return p
	}
	p.w = w
	p.stopped.Go(p.draw)
	return p
}

// isTerminal tells whether a person may be looking.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// tell sets the line. It may be called from any goroutine, and is quick.
func (p *progress) tell(text string) {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
}

// wipe takes the line away.
const wipe = "\r\x1b[K"

// keep writes a line that stays above the one that is drawn.
func (p *progress) keep(line string) {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%s%s\n", wipe, line)
}

func (p *progress) draw() {
	began := time.Now()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			fmt.Fprint(p.w, wipe)
			return
		case <-tick.C:
		}
		p.mu.Lock()
		fmt.Fprintf(p.w, "%s%4.0f s  %s", wipe, time.Since(began).Seconds(), p.text)
		p.mu.Unlock()
	}
}

// stop wipes the line.
func (p *progress) stop() {
	close(p.done)
	p.stopped.Wait()
}
