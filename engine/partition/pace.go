package partition

import (
	"sync"
	"time"
)

// Pacer keeps the scrubs of a node, of all its copies together, from taking more
// of disk and processor than their share.
type Pacer struct {
	bytes int // a second
	mu    sync.Mutex
	next  time.Time // when the next bytes may be read
}

// scrubShare is the share of a processor's time that scrubs take at most, as one
// part in so many: a node has few cores, and clients need them.
const scrubShare = 8

// NewPacer paces scrubs to so many bytes a second, or to scrubShare if that is
// less.
func NewPacer(bytesPerSecond int) *Pacer { return &Pacer{bytes: max(bytesPerSecond, 1)} }

// pause waits until more may be read after so many bytes took so long.
func (p *Pacer) pause(bytes int, took time.Duration, stop <-chan struct{}) {
	cost := max(time.Duration(bytes)*time.Second/time.Duration(p.bytes), took*scrubShare)
	p.mu.Lock()
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(cost)
	wait := p.next.Sub(now)
	p.mu.Unlock()
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-stop:
	}
}
