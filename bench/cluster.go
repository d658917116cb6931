package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"lockstep/bench/wire"
	"lockstep/router/client"
)

// ClusterConfig says which cluster to work on.
type ClusterConfig struct {
	// Servers are the addresses of a running cluster; without any, bench starts
	// one of its own.
	Servers []string

	// Binary is the lockstep program; empty: FindBinary's.
	Binary string

	// Dir is where the folder of an own cluster is made; empty: the system's
	// folder for temporary files. For figures it must be on the disk that is
	// meant.
	Dir string

	// Nodes of an own cluster; 0: three.
	Nodes int

	// Profile is the raft profile of its nodes; empty: the program's own.
	Profile string

	// Apart has each of its nodes run in a network namespace of its own, joined by
	// links that can be spoilt (Cluster.Wire).
	Apart bool

	// WireSeed is of what those links lose by chance.
	WireSeed uint64

	// Copies of the group, on the first nodes of an own cluster; 0: on all.
	Copies int

	// Settings that the group is made with; nil: the defaults.
	Settings map[string]any

	// Group is the group that is worked on; it is made where there is none.
	Group string

	// Schema is its schema document, applied where the group has none.
	Schema string
}

// Cluster is a cluster to work on: its own processes, or somebody's.
type Cluster struct {
	Group string

	mu      sync.Mutex // of the two below, which change as nodes come and go
	nodes   []*Node    // none where it is somebody's
	servers []string

	made     int // nodes so far
	client   *client.Client
	dir      string
	binary   string
	profile  string
	launcher launcher
	wire     *wire.Net // nil: the nodes are on the loopback interface
}

// Open starts a cluster, or connects to the one that is named, and makes the group.
// Close ends it.
func Open(ctx context.Context, cfg ClusterConfig) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c := &Cluster{Group: cfg.Group, servers: cfg.Servers}
	if len(cfg.Servers) == 0 {
		if err := c.launch(cfg); err != nil {
			return nil, errors.Join(err, c.Close(false))
		}
	}
	if err := c.connect(ctx, cfg); err != nil {
		return nil, errors.Join(err, c.Close(false))
	}
	return c, nil
}

// launch starts the processes.
func (c *Cluster) launch(cfg ClusterConfig) (err error) {
	if c.binary = cfg.Binary; c.binary == "" {
		if c.binary, err = FindBinary(); err != nil {
			return err
		}
	}
	if c.dir, err = os.MkdirTemp(cfg.Dir, "lockstep-bench-"); err != nil {
		return fmt.Errorf("making the cluster's folder: %w", err)
	}
	places, err := c.places(cfg)
	if err != nil {
		return err
	}
	c.launcher = newLauncher()
	c.profile = cfg.Profile
	for i, p := range places {
		join := []string{"--join", places[0].raft}
		if i == 0 {
			join = []string{"--bootstrap"}
		}
		if _, err := c.add(p, join...); err != nil {
			return err
		}
	}
	return nil
}

// add starts a node that was not there before.
func (c *Cluster) add(p place, join ...string) (*Node, error) {
	c.made++
	n := &Node{Name: "n" + strconv.Itoa(c.made), HTTP: p.http, raft: p.raft, within: p.within}
	n.dir, n.log = filepath.Join(c.dir, n.Name), filepath.Join(c.dir, n.Name+".log")
	n.args = append([]string{"serve", "--name", n.Name, "--data", n.dir, "--http", p.http, "--raft", p.raft}, join...)
	if c.profile != "" {
		n.args = append(n.args, "--raft-profile", c.profile)
	}
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of %s: %w", n.Name, err)
	}
	c.mu.Lock()
	c.nodes, c.servers = append(slices.Clip(c.nodes), n), append(slices.Clip(c.servers), n.HTTP)
	c.mu.Unlock()
	return n, n.start(c.launcher, c.binary)
}

// Grow starts one more node, which joins the others, and waits until it is ready. It is
// not for nodes that are apart.
func (c *Cluster) Grow(ctx context.Context) (*Node, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	var members []string
	for _, n := range c.Nodes() {
		members = append(members, n.raft)
	}
	n, err := c.add(place{http: local(ports[0]), raft: local(ports[1])}, "--join", strings.Join(members, ","))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	return n, c.WaitReady(ctx)
}

// Withdraw asks a node nothing any more, and lets it end by itself, for it is about to
// be removed.
func (c *Cluster) Withdraw(n *Node) {
	c.mu.Lock()
	c.servers = slices.DeleteFunc(slices.Clone(c.servers), func(s string) bool { return s == n.HTTP })
	c.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted = false
}

// Retire ends a node that was withdrawn and that the cluster has removed, and forgets it.
func (c *Cluster) Retire(gone *Node) {
	gone.stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes = slices.DeleteFunc(slices.Clone(c.nodes), func(n *Node) bool { return n == gone })
}

// connect makes the group and its schema, and waits until all nodes are ready.
func (c *Cluster) connect(ctx context.Context, cfg ClusterConfig) (err error) {
	own := len(c.nodes) > 0
	config := client.Config{Servers: c.servers, UserAgent: "lockstep-bench"}
	if own {
		config.DialPatience = -1
	}
	if c.client, err = client.New(config); err != nil {
		return err
	}
	group := client.Group{Name: c.Group, Settings: cfg.Settings}
	if own {
		if err := c.allJoined(ctx); err != nil {
			return err
		}
		for _, n := range c.nodes[:cfg.copies()] {
			group.Nodes = append(group.Nodes, n.Name)
		}
	} else {
		if group.Copies, err = c.copies(ctx); err != nil {
			return err
		}
	}
	if _, err := c.client.Group(ctx, c.Group); client.HasCode(err, "unknown_group") {
		if _, err := c.client.CreateGroup(ctx, group); err != nil {
			return fmt.Errorf("making the group %s: %w", c.Group, err)
		}
	} else if err != nil {
		return fmt.Errorf("asking for the group %s: %w", c.Group, err)
	}
	if err := c.applySchema(ctx, cfg.Schema); err != nil {
		return err
	}
	return c.WaitReady(ctx)
}

// copies is how many copies a group of our own has on somebody's cluster.
func (c *Cluster) copies(ctx context.Context) (int, error) {
	s, err := c.client.Status(ctx)
	if err != nil {
		return 0, fmt.Errorf("asking for the cluster's status: %w", err)
	}
	return max(1, min(clusterNodes, len(s.Nodes))), nil
}

// applySchema gives the group its schema if it has none: a schema that is there is
// somebody's, and is used as it is.
func (c *Cluster) applySchema(ctx context.Context, schema string) error {
	_, err := c.client.Schema(ctx, c.Group)
	if err == nil {
		return nil
	}
	if !client.HasCode(err, "not_found") {
		return fmt.Errorf("asking for the schema of group %s: %w", c.Group, err)
	}
	if _, err := c.client.PutSchema(ctx, c.Group, []byte(schema), client.SchemaOptions{}); err != nil {
		return fmt.Errorf("applying the schema of group %s: %w", c.Group, err)
	}
	return nil
}

// allJoined waits until the first node knows all others: a group is made of nodes
// that the cluster knows.
func (c *Cluster) allJoined(ctx context.Context) error {
	first, err := client.New(client.Config{Servers: c.servers[:1], DialPatience: -1})
	if err != nil {
		return err
	}
	defer first.Close()
	return poll(ctx, "all nodes have joined", func(ctx context.Context) error {
		if err := c.Fault(); err != nil {
			return err
		}
		s, err := first.Status(ctx)
		if err == nil && len(s.Nodes) < len(c.nodes) {
			err = fmt.Errorf("%d of %d have joined", len(s.Nodes), len(c.nodes))
		}
		return err
	})
}

// poll looks until look finds nothing amiss, a node ends by itself, or there is no
// more time.
func poll(ctx context.Context, goal string, look func(context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	last := errors.New("there was no time")
	for {
		one, cancel := context.WithTimeout(ctx, probeTime)
		err := look(one)
		cancel()
		var ended *endedError
		if err == nil || errors.As(err, &ended) {
			return err
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w: %w", goal, context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}

// probe is a query that needs the group's primary and nothing of its schema.
const probe = `{"steps": [{"let": {"x": "1"}}], "return": "x"}`

// WaitReady waits until every node says that it is ready and answers a linearizable
// read: then a write through it commits.
func (c *Cluster) WaitReady(ctx context.Context) error {
	for _, server := range c.Servers() {
		one, err := client.New(client.Config{Servers: []string{server}, DialPatience: -1})
		if err != nil {
			return err
		}
		err = poll(ctx, server+" is ready", func(ctx context.Context) error {
			if err := c.Fault(); err != nil {
				return err
			}
			if err := one.Ready(ctx, server); err != nil {
				return err
			}
			_, err := one.Query(ctx, c.Group, []byte(probe), client.ReadOptions{})
			return err
		})
		one.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Own says whether the processes are bench's own, to be killed as it likes.
func (c *Cluster) Own() bool { return len(c.nodes) > 0 }

// Servers are the nodes' addresses.
func (c *Cluster) Servers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.servers
}

// Dir is the folder of an own cluster.
func (c *Cluster) Dir() string { return c.dir }

// Client is for what is not measured.
func (c *Cluster) Client() *client.Client { return c.client }

// Primary is the node that leads the group, asked of all nodes in turn until one
// names one.
func (c *Cluster) Primary(ctx context.Context) (name string, err error) {
	err = poll(ctx, "the group has a primary", func(ctx context.Context) error {
		s, err := c.client.Status(ctx)
		if err != nil {
			return err
		}
		for _, g := range s.Groups {
			if g.Name == c.Group && g.Primary != "" {
				name = g.Primary
				return nil
			}
		}
		return fmt.Errorf("no node names a primary of %s", c.Group)
	})
	return name, err
}

// Node finds an own node by name.
func (c *Cluster) Node(name string) (*Node, error) {
	for _, n := range c.Nodes() {
		if n.Name == name {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no process of this cluster is node %s", name)
}

// Nodes are the own processes.
func (c *Cluster) Nodes() []*Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodes
}

// Kill ends nodes at once as kill -9 does, and waits until they are gone. It gives
// how many of them ran.
func (c *Cluster) Kill(nodes ...*Node) (killed int) {
	var gone []<-chan struct{}
	for _, n := range nodes {
		done, sent := n.signal(syscall.SIGKILL, true)
		if done != nil {
			gone = append(gone, done)
		}
		if sent {
			killed++
		}
	}
	for _, done := range gone {
		<-done
	}
	return killed
}

// Start runs a node that was killed; it does not wait until it is ready.
func (c *Cluster) Start(n *Node) error {
	if n.PID() != 0 {
		return nil
	}
	return n.start(c.launcher, c.binary)
}

// Fault is the first node that ended by itself, with the end of its log.
func (c *Cluster) Fault() error {
	for _, n := range c.Nodes() {
		if err := n.fault(); err != nil {
			return err
		}
	}
	return nil
}

// Watch returns when a node ends by itself, with that as an error, or when the
// context ends, without one.
func (c *Cluster) Watch(ctx context.Context) error {
	for rest(ctx, watchEvery) {
		if err := c.Fault(); err != nil {
			return err
		}
	}
	return nil
}

// Close stops own processes and removes their folder, unless it is to be kept.
func (c *Cluster) Close(keep bool) error {
	if c.client != nil {
		c.client.Close()
	}
	stopped := make(chan struct{}, len(c.nodes))
	for _, n := range c.nodes {
		go func() {
			n.stop()
			stopped <- struct{}{}
		}()
	}
	for range c.nodes {
		<-stopped
	}
	if c.launcher != nil {
		close(c.launcher)
		c.launcher = nil
	}
	var err error
	if c.wire != nil {
		err = c.wire.Close()
	}
	if c.dir == "" || keep {
		return err
	}
	if failed := os.RemoveAll(c.dir); failed != nil {
		err = errors.Join(err, fmt.Errorf("removing the cluster's folder: %w", failed))
	}
	return err
}
