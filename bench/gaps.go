package bench

import (
	"sync/atomic"
	"time"
)

// gapMeter finds the longest time between two successive commits seen by any
// client. It may be used from any goroutine.
type gapMeter struct {
	origin  time.Time
	last    atomic.Int64 // the last commit, nanoseconds since origin
	longest atomic.Int64 // gap that ended since the last reset
	slowest atomic.Int64 // transaction that ended since the last span began, nanoseconds
}

func newGapMeter() *gapMeter { return &gapMeter{origin: time.Now()} }

// now is the present as nanoseconds since origin.
func (g *gapMeter) now() int64 { return int64(time.Since(g.origin)) }

// commit notes a commit that a client sees now.
func (g *gapMeter) commit() { g.commitAt(g.now()) }

func (g *gapMeter) commitAt(now int64) {
	before := g.last.Swap(now)
	if before == 0 {
		return
	}
	for gap := now - before; ; {
		longest := g.longest.Load()
		if gap <= longest || g.longest.CompareAndSwap(longest, gap) {
			return
		}
	}
}

// reset forgets earlier gaps; one that is open counts from its beginning.
func (g *gapMeter) reset() { g.longest.Store(0) }

// gap is the longest one since the last reset.
func (g *gapMeter) gap() time.Duration { return time.Duration(g.longest.Load()) }

// lastCommit is when the last commit was seen, nanoseconds since origin.
func (g *gapMeter) lastCommit() int64 { return g.last.Load() }

// inMillis is a duration in milliseconds, whole microseconds.
func inMillis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
