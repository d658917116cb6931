package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lockstep/bench/wire"
	"lockstep/router/client"
	"lockstep/testdata/chaos"
)

// NetworkConfig of a run of network faults under load.
type NetworkConfig struct {
	Cluster     ClusterConfig // its own: no servers
	Faults      []string      // of NetworkFaults, one after the other; none: all
	Time        time.Duration // that each lasts
	Delay       time.Duration // of faults delay and slow-primary, each way
	Loss        float64       // of fault loss, share of the packets between any two nodes
	Flap        time.Duration // of fault flap: so long cut off, so long not
	Connections int           // each sends one transfer after the other, spread over the nodes
	Accounts    int
	Seed        uint64

	// Progress is told what goes on; nil: nobody wants to know.
	Progress func(string)
}

// Validate names the field that can't be, and what can.
func (c *NetworkConfig) Validate() error {
	for _, name := range c.Faults {
		if _, err := findNetworkFault(name); err != nil {
			return err
		}
	}
	switch {
	case len(c.Cluster.Servers) > 0:
		return errors.New("network faults are made between nodes that bench started itself: leave the servers out")
	case c.Time < shortestFault || c.Time > longestFault:
		return fmt.Errorf("time %v: must be %v to %v", c.Time, shortestFault, longestFault)
	case c.Delay <= 0 || c.Delay > wire.MaxDelay:
		return fmt.Errorf("delay %v: must be above 0, at most %v", c.Delay, wire.MaxDelay)
	case !(c.Loss > 0 && c.Loss < 1):
		return fmt.Errorf("loss %v: must be a share between 0 and 1", c.Loss)
	case c.Flap < shortestFlap || c.Flap > c.Time:
		return fmt.Errorf("flap %v: must be %v up to the fault's time, %v", c.Flap, shortestFlap, c.Time)
	}
	return validWork(c.Connections, c.Accounts)
}

// Network is the result. Figures are absent where a check failed.
type Network struct {
	Profile     string          `json:"profile"`
	Nodes       int             `json:"nodes"`
	Connections int             `json:"connections"`
	Transfers   int64           `json:"transfers"`                 // acknowledged
	Unknown     int64           `json:"unknown_outcomes"`          // transactions once in doubt
	Resolved    int64           `json:"unknown_outcomes_resolved"` // of these, under the same id
	Operations  int             `json:"history_operations"`
	Faults      []NetworkEffect `json:"faults,omitempty"`
	Sightings   []Sighting      `json:"status,omitempty"`
	Checks      Checks          `json:"checks"`
}

// NetworkEffect is what one fault did.
type NetworkEffect struct {
	Fault   string  `json:"fault"`
	Primary string  `json:"primary"` // when it began
	Next    string  `json:"next"`    // the primary after it
	Before  float64 `json:"before_per_second"`
	Span            // from its beginning to its end
	Missing int64   `json:"packets_missing"` // between nodes
	// HealGap is the longest gap after the fault's end, until all nodes are ready.
	HealGap float64 `json:"heal_gap_ms"`
	// Ready is how long after the fault's end every node was ready, and answered a
	// linearizable read.
	Ready float64 `json:"ready_ms"`
	After float64 `json:"after_per_second"`
}

// Sighting is what the cluster's status said at one node while there was a fault.
type Sighting struct {
	Fault   string            `json:"fault"`
	Asked   string            `json:"asked"`
	Side    string            `json:"side"` // of the fault: primary (when it began) or other
	Primary string            `json:"primary"`
	Nodes   map[string]string `json:"nodes,omitempty"`  // status
	Copies  map[string]string `json:"copies,omitempty"` // role and status
	Group   string            `json:"group,omitempty"`  // its state, and why
	// Says are the reasons of nodes that are not available, and what else it finds wrong.
	Says  []string `json:"says,omitempty"`
	Error string   `json:"error,omitempty"` // in place of the rest
}

// RunNetwork starts a cluster whose nodes have a network namespace each, spoils the
// links between them under load, and checks. It fails with wire.ErrUnavailable where
// there are no namespaces. An error of type *ChecksError comes with the result; the
// cluster's folder is then kept.
func RunNetwork(ctx context.Context, cfg NetworkConfig) (*Network, error) {
	cfg.Cluster.Schema, cfg.Cluster.Apart, cfg.Cluster.WireSeed = chaos.Schema, true, cfg.Seed
	cfg.Progress = orNobody(cfg.Progress)
	if len(cfg.Faults) == 0 {
		cfg.Faults = NetworkFaults()
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

func (cfg *NetworkConfig) run(ctx context.Context, c *Cluster) (*Network, error) {
	t, err := newTrial(ctx, c, cfg.Connections, cfg.Accounts, cfg.Seed, cfg.Progress)
	if err != nil {
		return nil, err
	}
	defer t.close()
	result := &Network{Profile: cfg.Cluster.Profile, Nodes: len(c.Nodes()), Connections: cfg.Connections}
	if result.Profile == "" {
		result.Profile = "lan"
	}
	err = t.during(ctx, func(ctx context.Context) error {
		before, err := t.quiet(ctx)
		if err != nil {
			return fmt.Errorf("before any fault: %w", err)
		}
		for _, name := range cfg.Faults {
			f, err := findNetworkFault(name)
			if err != nil {
				return err
			}
			e, err := cfg.suffer(ctx, t, f, result)
			if err != nil {
				return fmt.Errorf("fault %s: %w", name, err)
			}
			e.Before, before = before, e.After
			result.Faults = append(result.Faults, *e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	result.Transfers, result.Unknown, result.Resolved = t.crew.tally.acknowledged(), t.crew.tally.doubted.Load(), t.crew.tally.resolved.Load()
	result.Operations = len(t.historian.history)
	if result.Checks, err = t.check(ctx, maxResend); err != nil {
		return nil, err
	}
	result.Checks = append(result.Checks, checkFaults(result.Faults))
	err = result.Checks.Failure()
	if err != nil {
		result.Faults = nil
	}
	return result, err
}

// checkFaults: faults that lose packets did.
func checkFaults(all []NetworkEffect) Check {
	var f finding
	for _, e := range all {
		if known, err := findNetworkFault(e.Fault); err != nil || known.loses && e.Missing == 0 {
			f.add("no packet went missing in fault %s", e.Fault)
		}
	}
	return f.check("faults_made", "%d faults", len(all))
}

// suffer makes one fault, looks at it from both sides, and heals it.
func (cfg *NetworkConfig) suffer(ctx context.Context, t *trial, f networkFault, result *Network) (*NetworkEffect, error) {
	c, w := t.cluster, t.cluster.Wire()
	name, err := c.Primary(ctx)
	if err != nil {
		return nil, err
	}
	primary, err := c.host(name)
	if err != nil {
		return nil, err
	}
	e := &NetworkEffect{Fault: f.name, Primary: name, Missing: -missing(w)}
	cfg.Progress(fmt.Sprintf("%s: %s is the primary", f.name, name))
	m := t.crew.span()
	stop := f.impose(w, primary, cfg)
	if rest(ctx, time.Duration(float64(cfg.Time)*sightAfter)) {
		result.Sightings = append(result.Sightings, c.sight(ctx, f.name, name)...)
		rest(ctx, time.Until(m.began.Add(cfg.Time)))
	}
	if stop != nil {
		stop()
	}
	e.Span, e.Missing = *m.end(), e.Missing+missing(w)
	return e, cfg.heal(ctx, t, e)
}

// heal has all links pass everything, and waits until the cluster is whole.
func (cfg *NetworkConfig) heal(ctx context.Context, t *trial, e *NetworkEffect) error {
	cfg.Progress(fmt.Sprintf("%s: healing", e.Fault))
	t.cluster.Wire().Heal()
	m := t.crew.span()
	t.crew.gaps.begin()
	ready, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := t.cluster.WaitReady(ready); err != nil {
		return fmt.Errorf("healing: %w", err)
	}
	e.Ready = inMillis(time.Since(m.began))
	if err := t.crew.commitsAfter(ctx, t.crew.gaps.now()); err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	e.HealGap = m.end().Gap
	var err error
	if e.After, err = t.quiet(ctx); err != nil {
		return fmt.Errorf("after it: %w", err)
	}
	e.Next, err = t.cluster.Primary(ctx)
	return err
}

// quiet is the rate of commits while nothing happens, when they go on.
func (t *trial) quiet(ctx context.Context) (float64, error) {
	t.crew.scatter()
	if err := t.crew.commitsAfter(ctx, t.crew.gaps.now()+int64(settleTime)); err != nil {
		return 0, err
	}
	m := t.crew.span()
	if !rest(ctx, settleTime) {
		return 0, context.Cause(ctx)
	}
	return m.end().PerSecond, nil
}

// sight asks every node for the cluster's status.
func (c *Cluster) sight(ctx context.Context, fault, primary string) (all []Sighting) {
	for _, n := range c.Nodes() {
		s := Sighting{Fault: fault, Asked: n.Name, Side: "other"}
		if n.Name == primary {
			s.Side = "primary"
		}
		if err := c.ask(ctx, n, &s); err != nil {
			s.Error = err.Error()
		}
		all = append(all, s)
	}
	return all
}

// ask fills a sighting in from one node's status.
func (c *Cluster) ask(ctx context.Context, n *Node, s *Sighting) error {
	one, err := client.New(client.Config{Servers: []string{n.HTTP}, DialPatience: -1})
	if err != nil {
		return err
	}
	defer one.Close()
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	status, err := one.Status(ctx)
	if err != nil {
		return err
	}
	s.Nodes, s.Copies = map[string]string{}, map[string]string{}
	for _, node := range status.Nodes {
		s.Nodes[node.Name] = node.Status
		if node.Status != "available" && node.Reason != "" {
			s.Says = append(s.Says, node.Name+": "+node.Reason)
		}
	}
	for _, t := range status.Troubles {
		s.Says = append(s.Says, t.Severity+": "+t.What)
	}
	for _, g := range status.Groups {
		if g.Name != c.Group {
			continue
		}
		s.Primary = g.Primary
		if s.Group = g.Status; g.Reason != "" {
			s.Group += ": " + g.Reason
		}
		for _, p := range g.Partitions {
			s.Copies[p.Node] = strings.TrimSpace(p.Role + " " + p.Status)
		}
	}
	return nil
}
