package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"lockstep/router/client"
	"lockstep/testdata/bank"
)

// SchemaChangeConfig of a change of the schema of a large table under writes: two
// indexes, one of them unique, and a check.
type SchemaChangeConfig struct {
	Cluster     ClusterConfig
	Rows        int    // accounts, all of which the change must look at
	Connections int    // each sends one transfer after the other, spread over the nodes
	Check       string // expression of the new check on a row; empty: a cheap one
	Kill        bool   // the primary, in the middle of the change; it is started again afterwards
	Seed        uint64

	// Progress is told what goes on; nil: nobody wants to know.
	Progress func(string)
}

// Validate names the field that can't be, and what can.
func (c *SchemaChangeConfig) Validate() error {
	if c.Kill && len(c.Cluster.Servers) > 0 {
		return fmt.Errorf("kill: %w on somebody's cluster: it needs processes that bench started itself, so leave the servers out", ErrFault)
	}
	return validWork(c.Connections, c.Rows)
}

// SchemaChange is the result. Figures are absent where a check failed. A gap is the
// longest time between two successive commits seen by any client.
type SchemaChange struct {
	Rows        int              `json:"rows"`
	Connections int              `json:"connections"`
	Killed      int              `json:"killed"`
	Seconds     *float64         `json:"seconds,omitempty"`       // until the change held
	Gap         *float64         `json:"gap_ms,omitempty"`        // meanwhile
	GapBefore   *float64         `json:"gap_before_ms,omitempty"` // in as long as it takes to see one
	PerSecond   *float64         `json:"tx_per_second,omitempty"` // committed meanwhile
	Before      *float64         `json:"tx_per_second_before,omitempty"`
	Errors      map[string]int64 `json:"errors"` // that clients saw, by code
	Checks      Checks           `json:"checks"`
}

// changedSchema is the bank's with what the change brings.
func (c *SchemaChangeConfig) changedSchema() []byte {
	const index, check = "      by_owner: {columns: [owner]}\n", "    checks:\n"
	text := strings.Replace(bank.Schema, index, index+
		"      by_balance: {columns: [balance]}\n"+
		"      by_owner_id: {columns: [owner, id], unique: true}\n", 1)
	expr := c.Check
	if expr == "" {
		expr = "row.balance < 1000000000000"
	}
	return []byte(strings.Replace(text, check, check+fmt.Sprintf("      - {expr: %q, code: unlikely}\n", expr), 1))
}

// RunSchemaChange opens the cluster, measures and checks. An error of type
// *ChecksError comes with the result; the folder of an own cluster is then kept.
func RunSchemaChange(ctx context.Context, cfg SchemaChangeConfig) (*SchemaChange, error) {
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

func (cfg *SchemaChangeConfig) measure(ctx context.Context, c *Cluster) (*SchemaChange, error) {
	t := newTransfers(cfg.Seed, cfg.Rows)
	s, err := newServers(c.Servers(), c.Group, cfg.Connections+loadConnections)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := openAccounts(ctx, t, s, cfg.Progress); err != nil {
		return nil, err
	}
	crew := newCrew(t, s, cfg.Connections)
	result := &SchemaChange{Rows: cfg.Rows, Connections: cfg.Connections}
	var before, during window
	err = crew.during(ctx, c, func(ctx context.Context) error {
		if err := crew.commitsAfter(ctx, crew.gaps.now()); err != nil {
			return err
		}
		cfg.Progress("measuring before the change")
		if err := crew.windowOf(&before, func() error {
			rest(ctx, changeBefore)
			return ctx.Err()
		}); err != nil {
			return err
		}
		err := crew.windowOf(&during, func() error { return cfg.change(ctx, c, result) })
		if err != nil || !cfg.Kill {
			return err
		}
		return cfg.heal(ctx, c)
	})
	if err != nil {
		return nil, err
	}
	result.Errors = crew.tally.errors()
	if result.Checks, _, err = audit(ctx, c, t, s, crew.book(), maxResend, cfg.Progress); err != nil {
		return nil, err
	}
	held, err := checkIndex(ctx, c, t)
	if err != nil {
		return nil, err
	}
	result.Checks = append(result.Checks, held)
	if err := result.Checks.Failure(); err != nil {
		return result, err
	}
	seconds := during.took.Seconds()
	result.Seconds, result.Gap, result.GapBefore = &seconds, &during.gap, &before.gap
	result.PerSecond, result.Before = &during.rate, &before.rate
	return result, nil
}

// window is what clients saw in some time.
type window struct {
	took time.Duration
	gap  float64 // milliseconds
	rate float64 // commits a second
}

// windowOf measures while f runs.
func (c *crew) windowOf(w *window, f func() error) error {
	c.gaps.reset()
	count, began := c.tally.committed.Load(), time.Now()
	err := f()
	w.took = time.Since(began)
	w.gap = inMillis(c.gaps.gap())
	w.rate = float64(c.tally.committed.Load()-count) / w.took.Seconds()
	return err
}

// change makes the change and waits until it holds; with Kill the primary is killed
// once some rows, but not all, were looked at.
func (cfg *SchemaChangeConfig) change(ctx context.Context, c *Cluster, result *SchemaChange) error {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	put := make(chan error, 1)
	go func() {
		_, err := c.Client().PutSchema(ctx, c.Group, cfg.changedSchema(), client.SchemaOptions{})
		put <- err
	}()
	if err := cfg.follow(ctx, c, result, put); err != nil {
		return fmt.Errorf("changing the schema: %w", err)
	}
	return nil
}

// follow looks how far the change is until it has ended.
func (cfg *SchemaChangeConfig) follow(ctx context.Context, c *Cluster, result *SchemaChange, put <-chan error) error {
	for {
		select {
		case err := <-put:
			return err
		case <-time.After(pollEvery):
		}
		g, err := c.underWay(ctx)
		if err != nil || g.SchemaChange == nil {
			continue // the change is not begun yet, or over; or a node is down
		}
		cfg.Progress("changing the schema: " + g.SchemaChange.String())
		if !cfg.Kill || result.Killed > 0 || g.SchemaChange.State != "building" || g.SchemaChange.RowsDone == 0 {
			continue
		}
		n, err := c.Node(g.Primary)
		if err != nil {
			return err
		}
		result.Killed = c.Kill(n)
	}
}

// underWay is the group as status shows it.
func (c *Cluster) underWay(ctx context.Context) (client.GroupStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	s, err := c.client.Status(ctx)
	if err != nil {
		return client.GroupStatus{}, err
	}
	for _, g := range s.Groups {
		if g.Name == c.Group && g.Primary != "" {
			return g, nil
		}
	}
	return client.GroupStatus{}, errors.New("no node names a primary")
}

// heal starts what was killed and waits until the cluster is whole.
func (cfg *SchemaChangeConfig) heal(ctx context.Context, c *Cluster) error {
	for _, n := range c.Nodes() {
		if err := c.Start(n); err != nil {
			return err
		}
	}
	ready, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return c.WaitReady(ready)
}

// checkIndex: the new index finds accounts by what they hold now, each once.
func checkIndex(ctx context.Context, c *Cluster, t *transfers) (Check, error) {
	var f finding
	asked := 0
	for i := 0; i < t.accounts; i += max(1, t.accounts/changeSamples) {
		asked++
		query, err := json.Marshal(map[string]any{
			"params": map[string]any{"id": string(t.appendAccount(nil, i))},
			"steps": []any{
				map[string]any{"get": map[string]any{"table": "accounts", "key": []string{"params.id"}, "as": "a"}},
				map[string]any{"scan": map[string]any{"table": "accounts", "index": "by_balance", "prefix": []string{"a.balance", "params.id"}, "count": true, "as": "n"}},
			},
			"return": "n",
		})
		if err != nil {
			return Check{}, fmt.Errorf("writing a query: %w", err)
		}
		r, err := c.Client().Query(ctx, c.Group, query, client.ReadOptions{})
		switch {
		case err != nil:
			return Check{}, fmt.Errorf("asking the new index: %w", err)
		case string(r.Result) != "1":
			f.add("account %d is found %s times", i, r.Result)
		}
	}
	return f.check("index_finds_rows", "%d accounts looked up by balance", asked), nil
}
