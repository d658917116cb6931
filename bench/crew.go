package bench

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// crew is the workers of a run.
type crew struct {
	load    workload
	servers *servers
	tally   *tally
	gaps    *gapMeter
	spread  *atomic.Int64
	workers []*worker
}

// newCrew makes n workers, spread over the nodes.
func newCrew(load workload, s *servers, n int) *crew {
	c := &crew{load: load, servers: s, tally: &tally{}, gaps: newGapMeter(), spread: &atomic.Int64{}}
	for i := range n {
		c.workers = append(c.workers, &worker{
			number: i, load: load, servers: s, node: i % len(s.hosts), spread: c.spread, tally: c.tally, gaps: c.gaps,
		})
	}
	return c
}

// run has all workers work until take gives no more.
func (c *crew) run(ctx context.Context, batch int, take func(most int) int) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range c.workers {
		g.Go(func() error {
			if err := w.run(ctx, batch, take); err != nil {
				return fmt.Errorf("connection %d: %w", w.number, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// scatter has all workers go on at the nodes at which they began: a node that failed
// them is left, and who is left by all of them shows nothing of the next fault.
func (c *crew) scatter() { c.spread.Add(1) }

// book is what every transaction was acknowledged as, once the workers have ended.
func (c *crew) book() book {
	b := make(book, len(c.workers))
	for i, w := range c.workers {
		b[i] = w.page
	}
	return b
}

// budget gives out a number of transactions.
type budget struct {
	left  atomic.Int64
	extra func() bool // goes on beyond the number while true; nil: never
}

func (b *budget) take(most int) int {
	for {
		left := b.left.Load()
		if left <= 0 {
			if b.extra != nil && b.extra() {
				return most
			}
			return 0
		}
		n := min(left, int64(most))
		if b.left.CompareAndSwap(left, left-n) {
			return int(n)
		}
	}
}

// openings is the workload that opens the accounts of transfers.
type openings struct {
	*transfers
	stride int // workers
}

func (o openings) account(worker, number int) int { return number*o.stride + worker }

func (o openings) appendID(dst []byte, worker, number int) []byte {
	return fmt.Appendf(dst, "%s-open-%d", o.run, o.account(worker, number))
}

func (o openings) appendDocument(dst []byte, worker, number int) []byte {
	return o.appendOpening(dst, o.account(worker, number))
}

// openAccounts opens all accounts.
func openAccounts(ctx context.Context, t *transfers, s *servers, progress func(string)) error {
	c := newCrew(openings{t, loadConnections}, s, loadConnections)
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range c.workers {
		share := (t.accounts - w.number + loadConnections - 1) / loadConnections
		g.Go(func() error {
			var b budget
			b.left.Store(int64(share))
			return w.run(ctx, loadBatch, func(most int) int {
				progress(fmt.Sprintf("opening accounts: %d of %d", c.tally.committed.Load(), t.accounts))
				return b.take(most)
			})
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("opening accounts: %w", err)
	}
	if n := c.tally.aborted.Load(); n > 0 {
		return fmt.Errorf("opening accounts: %d of %d were aborted", n, t.accounts)
	}
	return nil
}
