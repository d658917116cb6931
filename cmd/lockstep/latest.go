package main

import (
	"context"
	"sync"
	"time"
)

// latest is the line of progress of work that is asked how far it is.
type latest struct {
	mu   sync.Mutex
	what string
	far  string
}

func newLatest(what string) *latest { return &latest{what: what} }

func (l *latest) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.far == "" {
		return l.what
	}
	return l.what + ": " + l.far
}

// look asks until the context ends.
func (l *latest) look(ctx context.Context, far func(ctx context.Context) string) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		asked, cancel := context.WithTimeout(ctx, 2*progressEvery)
		text := far(asked)
		cancel()
		l.mu.Lock()
		l.far = text
		l.mu.Unlock()
	}
}
