package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lockstep/router/client"
	"lockstep/testdata/chaos"
)

// DayConfig of a day in the life of a cluster: what its operators do, and what
// happens to it, while a client works throughout.
type DayConfig struct {
	Cluster     ClusterConfig // its own: no servers
	Upgrade     string        // the program that nodes are restarted with; empty: the same
	Connections int           // each sends one transfer after the other, spread over the nodes
	Accounts    int
	Rows        int           // that are loaded into a second group
	Pace        time.Duration // the least that each event lasts, for its rate to mean something
	// ReplaceAfter is after how long a copy that is away is replaced by a witness.
	ReplaceAfter time.Duration
	Seed         uint64

	// Progress is told what goes on, Told of each event that is over; nil: nobody
	// wants to know.
	Progress func(string)
	Told     func(DayEvent)
}

// Validate names the field that can't be, and what can.
func (c *DayConfig) Validate() error {
	switch {
	case len(c.Cluster.Servers) > 0:
		return errors.New("a day kills and replaces processes, and only those that it started itself: leave the servers out")
	case c.Rows < 1:
		return fmt.Errorf("rows %d: must be at least 1", c.Rows)
	case c.Pace < 0 || c.Pace > longestFault:
		return fmt.Errorf("pace %v: must be 0 to %v", c.Pace, longestFault)
	case c.ReplaceAfter < time.Second || c.ReplaceAfter > longestFault:
		return fmt.Errorf("replace-after %v: must be 1s to %v", c.ReplaceAfter, longestFault)
	}
	return validWork(c.Connections, c.Accounts)
}

// DayEvent is one thing that happened, and what the client saw from its beginning
// until all was well again.
type DayEvent struct {
	Event string `json:"event"`
	Span
	What string `json:"what"`
}

// Day is the result. Events are absent where a check failed.
type Day struct {
	Nodes       int        `json:"nodes"` // at its beginning
	Copies      int        `json:"copies"`
	Connections int        `json:"connections"`
	Transfers   int64      `json:"transfers"`                 // acknowledged
	Unknown     int64      `json:"unknown_outcomes"`          // transactions once in doubt
	Resolved    int64      `json:"unknown_outcomes_resolved"` // of these, under the same id
	Operations  int        `json:"history_operations"`
	Events      []DayEvent `json:"events,omitempty"`
	Checks      Checks     `json:"checks"`
}

// day is one under way.
type day struct {
	*DayConfig
	*trial
	events   []DayEvent
	compared finding // of the copies after each event
	away     []*Node // they were killed, and are not back
}

// RunDay starts five nodes with a group of three copies, has its events happen one
// after the other, and checks. An error of type *ChecksError comes with the result;
// the cluster's folder is then kept.
func RunDay(ctx context.Context, cfg DayConfig) (*Day, error) {
	cfg.Cluster.Schema, cfg.Cluster.Nodes, cfg.Cluster.Copies = chaos.Schema, dayNodes, clusterNodes
	cfg.Cluster.Settings = map[string]any{"last_copy": "serve", "replace_after": cfg.ReplaceAfter.String()}
	cfg.Progress = orNobody(cfg.Progress)
	if cfg.Told == nil {
		cfg.Told = func(DayEvent) {}
	}
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

func (cfg *DayConfig) run(ctx context.Context, c *Cluster) (*Day, error) {
	t, err := newTrial(ctx, c, cfg.Connections, cfg.Accounts, cfg.Seed, cfg.Progress)
	if err != nil {
		return nil, err
	}
	defer t.close()
	d := &day{DayConfig: cfg, trial: t}
	err = t.during(ctx, func(ctx context.Context) error {
		if err := t.crew.commitsAfter(ctx, t.crew.gaps.now()+int64(settleTime)); err != nil {
			return err
		}
		for _, e := range dayEvents() {
			if err := d.happen(ctx, e); err != nil {
				return fmt.Errorf("event %s: %w", e.name, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	tally := t.crew.tally
	result := &Day{
		Nodes: dayNodes, Copies: clusterNodes, Connections: cfg.Connections, Transfers: tally.acknowledged(),
		Unknown: tally.doubted.Load(), Resolved: tally.resolved.Load(), Operations: len(t.historian.history), Events: d.events,
	}
	if result.Checks, err = t.check(ctx, maxResend); err != nil {
		return nil, err
	}
	result.Checks = append(result.Checks, d.compared.check("equal_after_each_event", "%d events", len(d.events)))
	err = result.Checks.Failure()
	if err != nil {
		result.Events = nil
	}
	return result, err
}

// happen has one event happen, waits until all is well, and compares the copies.
func (d *day) happen(ctx context.Context, e dayEvent) error {
	d.Progress(e.name)
	d.crew.scatter()
	m := d.crew.span()
	what, err := e.do(ctx, d)
	if err != nil {
		return err
	}
	if err := d.well(ctx); err != nil {
		return err
	}
	rest(ctx, time.Until(m.began.Add(d.Pace)))
	told := DayEvent{Event: e.name, Span: *m.end(), What: what}
	if err := d.compare(ctx, e.name); err != nil {
		return err
	}
	d.events = append(d.events, told)
	d.Told(told)
	return nil
}

// well waits until all nodes that should be there are ready, and transactions
// commit.
func (d *day) well(ctx context.Context) error {
	if len(d.away) == 0 {
		ready, cancel := context.WithTimeout(ctx, startTime)
		defer cancel()
		if err := d.cluster.WaitReady(ready); err != nil {
			return err
		}
	}
	return d.crew.commitsAfter(ctx, d.crew.gaps.now())
}

// compare compares the copies while the client goes on.
func (d *day) compare(ctx context.Context, event string) error {
	if len(d.away) > 0 {
		return nil
	}
	d.Progress(event + ": comparing the copies")
	v, err := d.cluster.Client().Verify(ctx, d.cluster.Group, startTime)
	if err != nil {
		return fmt.Errorf("comparing the copies: %w", err)
	}
	for _, p := range v.Partitions {
		if p.Error != "" {
			d.compared.add("after %s the copy on %s could not be looked at: %s", event, p.Node, p.Error)
		} else if p.Digest != v.Partitions[0].Digest {
			d.compared.add("after %s the copy on %s has digest %s at revision %d, the one on %s %s",
				event, p.Node, p.Digest, p.Revision, v.Partitions[0].Node, v.Partitions[0].Digest)
		}
	}
	return nil
}

// primary waits until the group has a primary other than one node.
func (d *day) primary(ctx context.Context, not string) (name string, err error) {
	ctx, cancel := context.WithTimeout(ctx, recoveryTime)
	defer cancel()
	err = poll(ctx, "the group has another primary", func(ctx context.Context) error {
		s, err := d.cluster.Client().Status(ctx)
		if err != nil {
			return err
		}
		if name = primaryOf(s, d.cluster.Group); name == "" || name == not {
			return fmt.Errorf("its primary is %q", name)
		}
		return nil
	})
	return name, err
}

// primaryOf is a group's primary by a status; empty where it names none.
func primaryOf(s *client.Status, group string) string {
	for _, g := range s.Groups {
		if g.Name == group {
			return g.Primary
		}
	}
	return ""
}
