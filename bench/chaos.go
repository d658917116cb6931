package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"lockstep/testdata/chaos"
)

// ChaosConfig of transfers while processes are killed and started again.
type ChaosConfig struct {
	Cluster     ClusterConfig // its own: no servers
	Transfers   int           // at least so many are made
	Connections int
	Batch       int // lines of one request
	Accounts    int
	KillEvery   time.Duration // on average, after a strike's end
	Seed        uint64        // of the strikes and of what transfers do

	// Script of strikes comes first, each when the one before is overcome. The
	// transfers go on until it is done.
	Script []Strike

	// Progress is told what goes on; nil: nobody wants to know.
	Progress func(string)
}

// Validate names the field that can't be, and what can.
func (c *ChaosConfig) Validate() error {
	switch {
	case len(c.Cluster.Servers) > 0:
		return errors.New("chaos kills processes, and only those that it started itself: leave the servers out")
	case c.Transfers < 1:
		return fmt.Errorf("transfers %d: must be at least 1", c.Transfers)
	case c.Batch < 2 || c.Batch > MaxBatch:
		return fmt.Errorf("batch %d: must be 2 to %d", c.Batch, MaxBatch)
	case c.KillEvery < 10*time.Millisecond:
		return fmt.Errorf("kill-every %v: must be at least 10ms", c.KillEvery)
	}
	return validWork(c.Connections, c.Accounts)
}

// Gaps sum up the longest gap between two successive commits, seen by any client,
// of each strike.
type Gaps struct {
	Count  int     `json:"count"`
	Median float64 `json:"median_ms"`
	Max    float64 `json:"max_ms"`
}

// Chaos is the result.
type Chaos struct {
	Seed       uint64           `json:"seed"`
	Transfers  int64            `json:"transfers"` // acknowledged
	Committed  int64            `json:"committed"`
	Aborted    int64            `json:"aborted"`
	Kills      int              `json:"kills"` // processes
	Restarts   int              `json:"restarts"`
	Strikes    map[Strike]int   `json:"strikes"`
	Retries    int64            `json:"retries"`                   // transactions sent again
	Unknown    int64            `json:"unknown_outcomes"`          // transactions once in doubt
	Resolved   int64            `json:"unknown_outcomes_resolved"` // of these, under the same id
	Errors     map[string]int64 `json:"errors"`                    // answers that were no outcome
	Gaps       Gaps             `json:"gaps"`
	Operations int              `json:"history_operations"`
	Seconds    float64          `json:"seconds"` // of the transfers
	Checks     Checks           `json:"checks"`
}

// RunChaos starts a cluster, hurts and checks it. An error of type *ChecksError
// comes with the result; the cluster's folder is then kept.
func RunChaos(ctx context.Context, cfg ChaosConfig) (*Chaos, error) {
	cfg.Cluster.Schema = chaos.Schema
	cfg.Progress = orNobody(cfg.Progress)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Progress("starting the cluster")
	c, err := Open(ctx, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	result, err := cfg.run(ctx, c)
	return result, c.finish(err)
}

// turmoil is a run of chaos.
type turmoil struct {
	*ChaosConfig
	*trial
	striker *striker
	took    time.Duration
}

func (cfg *ChaosConfig) run(ctx context.Context, c *Cluster) (*Chaos, error) {
	t, err := newTrial(ctx, c, cfg.Connections, cfg.Accounts, cfg.Seed, cfg.Progress)
	if err != nil {
		return nil, err
	}
	defer t.close()
	r := &turmoil{ChaosConfig: cfg, trial: t}
	r.striker = newStriker(c, r.crew.gaps, cfg.KillEvery, cfg.Seed, cfg.Script)
	if err := r.rage(ctx); err != nil {
		return nil, err
	}
	ready, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := c.WaitReady(ready); err != nil {
		return nil, fmt.Errorf("after the last strike: %w", err)
	}
	result := r.sum()
	if result.Checks, err = r.check(ctx, math.MaxInt); err != nil {
		return nil, err
	}
	return result, result.Checks.Failure()
}

// rage has transfers, strikes and the history go on until the transfers are done.
func (r *turmoil) rage(ctx context.Context) error {
	var b budget
	var scripted atomic.Bool
	b.left.Store(int64(r.Transfers))
	b.extra = func() bool { return !scripted.Load() }
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	striking, enough := context.WithCancel(ctx)
	defer enough()
	over := make(chan struct{})
	end := sync.OnceFunc(func() { close(over); enough() })
	g.Go(func() error {
		defer end()
		err := r.crew.run(ctx, r.Batch, func(most int) int {
			r.Progress(fmt.Sprintf("%d of %d transfers", r.crew.tally.acknowledged(), r.Transfers))
			return b.take(most)
		})
		r.took = time.Since(began)
		return err
	})
	g.Go(func() error {
		err := r.striker.run(striking, func() { scripted.Store(true) })
		if err != nil {
			return fmt.Errorf("killing and starting processes: %w", err)
		}
		return nil
	})
	g.Go(func() error { return r.cluster.Watch(striking) })
	g.Go(func() error { return r.historian.work(ctx, over) })
	return g.Wait()
}

// sum gives the counts.
func (r *turmoil) sum() *Chaos {
	r.striker.note()
	t := r.crew.tally
	result := &Chaos{
		Seed: r.Seed, Transfers: t.acknowledged(), Committed: t.committed.Load(), Aborted: t.aborted.Load(),
		Kills: r.striker.kills, Restarts: r.striker.restarts, Strikes: r.striker.strikes,
		Retries: t.retries.Load(), Unknown: t.doubted.Load(), Resolved: t.resolved.Load(), Errors: t.errors(),
		Operations: len(r.historian.history), Seconds: r.took.Seconds(),
	}
	if gaps := r.striker.longest; len(gaps) > 0 {
		result.Gaps = Gaps{Count: len(gaps), Median: median(gaps), Max: slices.Max(gaps)}
	}
	return result
}
