package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lockstep/testdata/bank"
)

// FailoverConfig of a run of the same fault several times under load.
type FailoverConfig struct {
	Cluster     ClusterConfig
	Fault       string // one of Faults
	Repeat      int
	Connections int // each sends one transfer after the other, spread over the nodes
	Accounts    int
	Seed        uint64

	// Progress is told what goes on; nil: nobody wants to know.
	Progress func(string)
}

// Validate names the field that can't be, and what can.
func (c *FailoverConfig) Validate() error {
	f, err := findFault(c.Fault)
	if err != nil {
		return err
	}
	if f.own && len(c.Cluster.Servers) > 0 {
		return fmt.Errorf("fault %s: %w on somebody's cluster: it needs processes that bench started itself, so leave the servers out", c.Fault, ErrFault)
	}
	if c.Repeat < 1 || c.Repeat > 10_000 {
		return fmt.Errorf("repeat %d: must be 1 to 10000", c.Repeat)
	}
	return validWork(c.Connections, c.Accounts)
}

// Failover is the result. Gaps are absent where a check failed. A gap is the longest
// time between two successive commits seen by any client.
type Failover struct {
	Fault       string           `json:"fault"`
	Connections int              `json:"connections"`
	Gaps        []float64        `json:"gaps_ms,omitempty"`
	Median      *float64         `json:"median_ms,omitempty"`
	Max         *float64         `json:"max_ms,omitempty"`
	Errors      map[string]int64 `json:"errors"` // that clients saw, by code
	Checks      Checks           `json:"checks"`
}

// RunFailover opens the cluster, measures and checks. An error of type
// *ChecksError comes with the result; the folder of an own cluster is then kept.
func RunFailover(ctx context.Context, cfg FailoverConfig) (*Failover, error) {
	cfg.Cluster.Schema = bank.Schema
	cfg.Progress = orNobody(cfg.Progress)
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	f, err := findFault(cfg.Fault)
	if err != nil {
		return nil, err
	}
	cfg.Cluster.Apart = cfg.Cluster.Apart || f.apart
	cfg.Progress("starting the cluster")
	c, err := Open(ctx, cfg.Cluster)
	if err != nil {
		return nil, err
	}
	if f.probe != nil {
		if err := f.probe(ctx, c); err != nil {
			return nil, errors.Join(err, c.Close(false))
		}
	}
	result, err := cfg.measure(ctx, c, f)
	return result, c.finish(err)
}

func (cfg *FailoverConfig) measure(ctx context.Context, c *Cluster, f fault) (*Failover, error) {
	t := newTransfers(cfg.Seed, cfg.Accounts)
	s, err := newServers(c.Servers(), c.Group, cfg.Connections+loadConnections)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := openAccounts(ctx, t, s, cfg.Progress); err != nil {
		return nil, err
	}
	crew := newCrew(t, s, cfg.Connections)
	var gaps []float64
	err = crew.during(ctx, c, func(ctx context.Context) error {
		for i := range cfg.Repeat {
			cfg.Progress(fmt.Sprintf("fault %d of %d", i+1, cfg.Repeat))
			gap, err := crew.suffer(ctx, c, f)
			if err != nil {
				return fmt.Errorf("fault %d, %s: %w", i+1, f.name, err)
			}
			gaps = append(gaps, inMillis(gap))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	result := &Failover{Fault: cfg.Fault, Connections: cfg.Connections, Errors: crew.tally.errors()}
	if result.Checks, _, err = audit(ctx, c, t, s, crew.book(), maxResend, cfg.Progress); err != nil {
		return nil, err
	}
	if err := result.Checks.Failure(); err != nil {
		return result, err
	}
	middle, longest := median(gaps), slices.Max(gaps)
	result.Gaps, result.Median, result.Max = gaps, &middle, &longest
	return result, nil
}

// during has the crew work as long as f runs, one transaction a request. The first
// error ends both; a node that ends by itself is one.
func (c *crew) during(ctx context.Context, cluster *Cluster, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if err := cluster.Watch(ctx); err != nil {
			cancel(err)
		}
	}()
	over := make(chan struct{})
	worked := make(chan error, 1)
	go func() {
		err := c.run(ctx, 1, func(most int) int {
			select {
			case <-over:
				return 0
			default:
				return most
			}
		})
		if err != nil {
			cancel(err)
		}
		worked <- err
	}()
	err := f(ctx)
	if err != nil {
		cancel(err)
	}
	close(over)
	failed := <-worked
	if cause := context.Cause(ctx); cause != nil {
		return cause // the first
	}
	return errors.Join(err, failed)
}

// suffer makes a fault, measures the gap, heals the cluster and waits until it is
// whole again.
func (c *crew) suffer(ctx context.Context, cluster *Cluster, f fault) (time.Duration, error) {
	if err := c.commitsAfter(ctx, c.gaps.now()+int64(settleTime)); err != nil {
		return 0, fmt.Errorf("before the fault: %w", err)
	}
	c.gaps.reset()
	at := c.gaps.now()
	heal, err := f.inject(ctx, cluster)
	if err != nil {
		return 0, err
	}
	if err := c.commitsAfter(ctx, max(at, c.gaps.now())+int64(gapTime)); err != nil {
		return 0, err
	}
	gap := c.gaps.gap()
	if heal != nil {
		if err := heal(ctx); err != nil {
			return 0, fmt.Errorf("healing: %w", err)
		}
	}
	ready, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return gap, cluster.WaitReady(ready)
}

// commitsAfter waits for a commit after a moment of the gap meter.
func (c *crew) commitsAfter(ctx context.Context, at int64) error {
	ctx, cancel := context.WithTimeout(ctx, recoveryTime)
	defer cancel()
	return poll(ctx, "transactions commit", func(context.Context) error {
		if c.gaps.lastCommit() <= at {
			return errors.New("none has committed")
		}
		return nil
	})
}

// median of some figures.
func median(figures []float64) float64 {
	ordered := slices.Sorted(slices.Values(figures))
	n := len(ordered)
	if n == 0 {
		return 0
	}
	return (ordered[(n-1)/2] + ordered[n/2]) / 2
}
