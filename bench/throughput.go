package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"lockstep/testdata/bank"
)

// ThroughputConfig of a closed loop: each connection sends its next request when it
// has the answer to the one before.
type ThroughputConfig struct {
	Cluster     ClusterConfig
	Workload    string        // transfer
	Connections int           // spread over the nodes
	Batch       int           // transactions a request; above 1 as NDJSON
	Accounts    int           // among which transfers go
	Warmup      time.Duration // before the measured time
	Duration    time.Duration // measured
	Seed        uint64        // of what transfers do

	// Progress is told what goes on; nil: nobody wants to know. It must be quick.
	Progress func(string)
}

// Validate names the field that can't be, and what can.
func (c *ThroughputConfig) Validate() error {
	switch {
	case c.Workload != "transfer":
		return fmt.Errorf("workload %q: there are transfer and certify", c.Workload)
	case c.Batch < 1 || c.Batch > MaxBatch:
		return fmt.Errorf("batch %d: must be 1 to %d", c.Batch, MaxBatch)
	case c.Duration <= 0 || c.Warmup < 0:
		return fmt.Errorf("duration %v, warmup %v: the duration must be above 0, the warmup not below", c.Duration, c.Warmup)
	}
	return validWork(c.Connections, c.Accounts)
}

func validWork(connections, accounts int) error {
	if connections < 1 || connections > 1<<16 {
		return fmt.Errorf("connections %d: must be 1 to %d", connections, 1<<16)
	}
	if accounts < 2 || accounts > 1<<30 {
		return fmt.Errorf("accounts %d: must be 2 to %d", accounts, 1<<30)
	}
	return nil
}

// Throughput is the result. Figures are absent where a check failed.
type Throughput struct {
	Workload    string   `json:"workload"`
	Connections int      `json:"connections"`
	Batch       int      `json:"batch"`
	PerSecond   *float64 `json:"tx_per_second,omitempty"` // committed
	P50         *float64 `json:"p50_ms,omitempty"`        // of a request, which may hold a batch
	P99         *float64 `json:"p99_ms,omitempty"`
	Errors      int64    `json:"errors"` // answers that were no commit
	Checks      Checks   `json:"checks"`
	Yardstick   *float64 `json:"yardstick_per_second,omitempty"`
}

// RunThroughput opens the cluster, measures and checks. An error of type
// *ChecksError comes with the result; the folder of an own cluster is then kept.
func RunThroughput(ctx context.Context, cfg ThroughputConfig) (*Throughput, error) {
	cfg.Cluster.Schema = bank.Schema
	cfg.Progress = orNobody(cfg.Progress)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Progress("starting the cluster")
	c, err := Open(ctx, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	result, err := cfg.measure(ctx, c)
	return result, c.finish(err)
}

func orNobody(progress func(string)) func(string) {
	if progress == nil {
		return func(string) {}
	}
	return progress
}

// finish closes a cluster; after a failure its folder is kept, and named. An
// interruption is no failure.
func (c *Cluster) finish(err error) error {
	keep := err != nil && !errors.Is(err, context.Canceled) && c.dir != ""
	if closed := c.Close(keep); closed != nil {
		if err == nil {
			return closed
		}
		return fmt.Errorf("%w; and %w", err, closed)
	}
	if keep {
		return fmt.Errorf("%w\nThe nodes' data and logs are kept in %s", err, c.dir)
	}
	return err
}

// measure runs the workload on an open cluster.
func (cfg *ThroughputConfig) measure(ctx context.Context, c *Cluster) (*Throughput, error) {
	t := newTransfers(cfg.Seed, cfg.Accounts)
	s, err := newServers(c.Servers(), c.Group, cfg.Connections+loadConnections)
	if err != nil {
		return nil, err
	}
	defer s.close()
	cfg.Progress("measuring the empty handler")
	empty, err := yardstick(ctx, t, cfg.Connections, min(cfg.Duration, yardstickTime))
	if err != nil {
		return nil, err
	}
	if err := openAccounts(ctx, t, s, cfg.Progress); err != nil {
		return nil, err
	}
	crew := newCrew(t, s, cfg.Connections)
	latency, count, err := crew.measure(ctx, cfg)
	if err != nil {
		return nil, err
	}
	result := &Throughput{
		Workload: cfg.Workload, Connections: cfg.Connections, Batch: cfg.Batch,
		Errors: crew.tally.failures() + crew.tally.aborted.Load(),
	}
	if result.Checks, _, err = audit(ctx, c, t, s, crew.book(), maxResend, cfg.Progress); err != nil {
		return nil, err
	}
	if err := result.Checks.Failure(); err != nil {
		return result, err
	}
	rate := float64(count) / cfg.Duration.Seconds()
	p50, p99 := millis(latency.ValueAtPercentile(50)), millis(latency.ValueAtPercentile(99))
	result.PerSecond, result.P50, result.P99, result.Yardstick = &rate, &p50, &p99, &empty
	return result, nil
}

func millis(micros int64) float64 { return float64(micros) / 1000 }

// measure has the crew work for warm-up and measured time, and gives the latencies
// and the commits of the latter.
func (c *crew) measure(ctx context.Context, cfg *ThroughputConfig) (*hdrhistogram.Histogram, int64, error) {
	from := time.Now().Add(cfg.Warmup)
	to := from.Add(cfg.Duration)
	for _, w := range c.workers {
		w.meter = newMeter(from, to)
	}
	watched, stop := context.WithCancel(ctx)
	defer stop()
	go c.watch(watched, from, to, cfg.Progress)
	err := c.run(ctx, cfg.Batch, func(most int) int {
		if time.Now().After(to) {
			return 0
		}
		return most
	})
	if err != nil {
		return nil, 0, err
	}
	latency, count := newMeter(from, to).latency, int64(0)
	for _, w := range c.workers {
		latency.Merge(w.meter.latency)
		count += w.meter.committed
	}
	return latency, count, nil
}

// watch tells how it goes, once a second.
func (c *crew) watch(ctx context.Context, from, to time.Time, progress func(string)) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var before int64
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			count := c.tally.committed.Load()
			what := "measuring"
			if now.Before(from) {
				what = "warming up"
			}
			progress(fmt.Sprintf("%s: %d transactions in the last second, %d s to go", what, count-before, int(time.Until(to).Seconds())))
			before = count
		}
	}
}
