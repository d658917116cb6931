// Package measure tells how busy the machine of a node is: the share of its
// processors in use, and of its memory and disk that is free.
//
// A [Meter] reads the operating system when it is asked, at most once a second, and
// gives what it read last in between. What the system does not tell is left as it
// was, and a first reading as if the machine were idle: a figure that is missing
// must not make a policy move anything.
//
// Shares are of the whole machine, not of a limit that a container has: nodes of one
// cluster are compared by them.
package measure

import (
	"context"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// Every is how often the system is read: a few system calls, some 100 µs.
const Every = time.Second

// Sample is one reading. All are shares of 1.
type Sample struct {
	CPU        float64 `json:"cpu"`         // in use since the reading before
	MemoryFree float64 `json:"memory_free"` // that could be had without swapping
	DiskFree   float64 `json:"disk_free"`   // of the file system of the data folder
}

// Meter measures the machine that it runs on. It is safe for concurrent use.
type Meter struct {
	dir string

	mu         sync.Mutex
	last       Sample
	read       time.Time
	busy, idle float64 // seconds of all processors, at the last reading
}

// New makes a meter; dir lies on the disk that is measured.
func New(dir string) *Meter {
	return &Meter{dir: dir, last: Sample{MemoryFree: 1, DiskFree: 1}}
}

// Sample is the last reading, a second old at the most.
func (m *Meter) Sample() Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); now.Sub(m.read) >= Every {
		m.read = now
		m.measure()
	}
	return m.last
}

func (m *Meter) measure() {
	ctx, cancel := context.WithTimeout(context.Background(), Every)
	defer cancel()
	if times, err := cpu.TimesWithContext(ctx, false); err == nil && len(times) == 1 {
		t := times[0]
		idle := t.Idle + t.Iowait
		busy := t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal
		if all := busy - m.busy + idle - m.idle; m.busy > 0 && all > 0 {
			m.last.CPU = share(busy-m.busy, all)
		}
		m.busy, m.idle = busy, idle
	}
	if v, err := mem.VirtualMemoryWithContext(ctx); err == nil && v.Total > 0 {
		m.last.MemoryFree = share(float64(v.Available), float64(v.Total))
	}
	if u, err := disk.UsageWithContext(ctx, m.dir); err == nil && u.Total > 0 {
		m.last.DiskFree = share(float64(u.Free), float64(u.Total))
	}
}

// share is part of all, within 0 and 1, to three places: heartbeats that say the
// same are shorter.
func share(part, all float64) float64 {
	thousandths := part*1000/all + 0.5
	return float64(int(min(max(thousandths, 0), 1000))) / 1000
}
