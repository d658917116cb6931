package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progressAfter is how long work goes on in silence (interface.md).
const progressAfter = 2 * time.Second

// progressEvery is how often the line is drawn again.
const progressEvery = 500 * time.Millisecond

// progress keeps a person informed while something takes longer than two
// seconds: one line on a terminal's standard error, drawn again and again and
// wiped by stop. text is asked each time; it must be safe to call from another
// goroutine.
func (a *app) progress(text func() string) (stop func()) {
	if !isTerminal(a.err) {
		return func() {}
	}
	done := make(chan struct{})
	var finished sync.WaitGroup
	finished.Go(func() { drawProgress(a.err, text, done) })
	return sync.OnceFunc(func() {
		close(done)
		finished.Wait()
	})
}

// waiting is progress for a request whose steps can't be seen.
func (a *app) waiting(what string) (stop func()) {
	return a.progress(func() string { return what })
}

func drawProgress(w io.Writer, text func() string, done <-chan struct{}) {
	const wipe = "\r\x1b[K"
	began := time.Now()
	select {
	case <-done:
		return
	case <-time.After(progressAfter):
	}
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		fmt.Fprintf(w, "%s%s … %d s", wipe, text(), int(time.Since(began).Seconds()))
		select {
		case <-done:
			fmt.Fprint(w, wipe)
			return
		case <-tick.C:
		}
	}
}
