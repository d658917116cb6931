package bench

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// trial is transfers that leave rows in a ledger, and clients who keep a history of
// registers, on a cluster to which something happens meanwhile.
type trial struct {
	cluster   *Cluster
	load      *transfers
	servers   *servers
	crew      *crew
	historian *historian
	progress  func(string)
}

// newTrial opens the accounts and prepares the registers. The group must have the
// schema of testdata/chaos.
func newTrial(ctx context.Context, c *Cluster, connections, accounts int, seed uint64, progress func(string)) (*trial, error) {
	load := newTransfers(seed, accounts)
	s, err := newServers(c.Servers(), c.Group, connections+loadConnections+historyClients)
	if err != nil {
		return nil, err
	}
	t := &trial{
		cluster: c, load: load, servers: s, crew: newCrew(load, s, connections), progress: progress,
		historian: &historian{cluster: c, servers: s, run: load.run, seed: seed, origin: time.Now()},
	}
	if err := openAccounts(ctx, load, s, progress); err != nil {
		t.close()
		return nil, err
	}
	if err := t.historian.prepare(ctx); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *trial) close() { t.servers.close() }

// during has the crew and the clients of the history work as long as f runs. The
// first error ends all.
func (t *trial) during(ctx context.Context, f func(context.Context) error) error {
	return t.crew.during(ctx, t.cluster, func(ctx context.Context) error {
		stop := make(chan struct{})
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return t.historian.work(ctx, stop) })
		g.Go(func() error {
			defer close(stop)
			return f(ctx)
		})
		return g.Wait()
	})
}

// check makes all checks, when nobody works any more. Acknowledged ids, at most most
// of them, are sent again before the ledger is read: it must show that this executed
// nothing either.
func (t *trial) check(ctx context.Context, most int) (Checks, error) {
	b := t.crew.book()
	checks, balances, err := audit(ctx, t.cluster, t.load, t.servers, b, max(1, min(most, b.size())), t.progress)
	if err != nil {
		return nil, err
	}
	t.progress("reading the ledger")
	rows, quiet, err := readLedger(ctx, t.cluster, t.load)
	if err != nil {
		return nil, err
	}
	var f finding
	if !quiet {
		f.add("the revision moved while the ledger was read and nobody wrote")
	}
	checks = append(checks, f.check("quiet_at_the_end", "nothing is executed after the last answer"),
		checkLedger(t.load, b, rows), checkReplay(t.load, rows, balances))
	t.progress("checking the history")
	return append(checks, checkHistory(t.historian.history)), nil
}
