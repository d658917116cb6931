package bench

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// resend sends acknowledged transactions again, the same documents under the same
// ids, and gives what is answered now; 0 stands for those that were left out. At
// most most of them are sent, evenly spread.
func resend(ctx context.Context, load workload, s *servers, b book, most int, progress func(string)) (book, error) {
	stride := max(1, (b.size()+most-1)/most)
	again := make(book, len(b))
	var tally tally
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for i := range loadConnections {
		g.Go(func() error {
			w := &worker{load: load, servers: s, node: i % len(s.hosts), tally: &tally}
			for {
				page := int(next.Add(1)) - 1
				if page >= len(b) {
					return nil
				}
				w.number, w.page = page, make([]answer, len(b[page]))
				again[page] = w.page
				if err := w.resend(ctx, b[page], stride); err != nil {
					return err
				}
				progress(fmt.Sprintf("checking that acknowledged ids are found: %d", tally.acknowledged()))
			}
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("sending acknowledged transactions again: %w", err)
	}
	return again, nil
}

// resend sends each stride-th acknowledged transaction of a page.
func (w *worker) resend(ctx context.Context, page []answer, stride int) error {
	w.pending = w.pending[:0]
	for number := 0; number < len(page); number += stride {
		if page[number].definite() {
			w.pending = append(w.pending, waiting{number: number})
		}
		if len(w.pending) == resendBatch {
			if err := w.settle(ctx, true); err != nil {
				return err
			}
		}
	}
	return w.settle(ctx, true)
}

// audit makes the checks that every run of transfers ends with.
func audit(ctx context.Context, c *Cluster, t *transfers, s *servers, b book, most int, progress func(string)) (Checks, []int64, error) {
	checks := Checks{checkResolved(b), checkRevisions(b)}
	again, err := resend(ctx, t, s, b, most, progress)
	if err != nil {
		return nil, nil, err
	}
	checks = append(checks, checkFound(b, again))
	progress("checking that the money is there")
	balances, err := readBalances(ctx, c, t)
	if err != nil {
		return nil, nil, err
	}
	checks = append(checks, checkMoney(t, balances), checkBalances(t, b, balances))
	progress("comparing the copies")
	v, err := c.Client().Verify(ctx, c.Group, startTime)
	if err != nil {
		return nil, nil, fmt.Errorf("comparing the copies: %w", err)
	}
	return append(checks, checkDigests(v), checkNodes(c)), balances, nil
}
