package txlog_test

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"lockstep/txlog"
	"lockstep/txlog/txlogtest"
)

// BenchmarkPropose is one proposer that waits for each entry, on three hosts of this machine: the floor under
// every single transaction (goals.md: p50 under 3 × fdatasync + 0.3 ms for the whole way).
func BenchmarkPropose(b *testing.B) {
	b.Run("fdatasync", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "f"))
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		block := make([]byte, 300)
		report(b, func() {
			_, _ = f.Write(block)
			_ = syscall.Fdatasync(int(f.Fd()))
		})
	})
	b.Run("propose", func(b *testing.B) {
		c := txlogtest.Start(b, 3, txlogtest.Options{})
		g := c.Group(c.Leader())
		cmd := make([]byte, 200)
		result := make(chan txlog.Result, 1)
		done := func(r txlog.Result) { result <- r }
		report(b, func() {
			if err := g.Propose(cmd, done); err != nil {
				b.Fatal(err)
			}
			if r := <-result; r != txlog.Committed {
				b.Fatal(r)
			}
		})
	})
	b.Run("readindex", func(b *testing.B) {
		c := txlogtest.Start(b, 3, txlogtest.Options{})
		g := c.Group(c.Leader())
		c.Propose("x")
		ctx := c.Context()
		report(b, func() {
			if _, err := g.ReadIndex(ctx); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func report(b *testing.B, f func()) {
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		f()
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}
