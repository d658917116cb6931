package txlogtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"lockstep/txlog"
	"lockstep/txlog/peer"
)

// Shard is the group that a Cluster runs.
const Shard = 1

// Patience bounds every wait of a Cluster.
const Patience = 20 * time.Second

// Calm is a profile for tests that aren't about time: a busy machine shouldn't change the leader behind a test's
// back.
func Calm() txlog.Profile {
	return txlog.Profile{Name: "calm", Tick: 5 * time.Millisecond, ElectionTicks: 60, HeartbeatTicks: 5}
}

// ClusterID is the cluster of every Cluster.
func ClusterID() peer.ClusterID { return peer.ClusterID{'t', 'e', 's', 't', 1, 2, 3, 4, 5} }

// Options change a Cluster.
type Options struct {
	// Host changes a node's host configuration.
	Host func(node int, c *txlog.Config)
	// Machine changes a node's state machine before it starts.
	Machine func(node int, m *Machine)
	// Profile is how the cluster keeps time; the zero value means Calm.
	Profile txlog.Profile
	// Dir is where the nodes keep their directories; empty means a new one of the test. Nodes that were there
	// before go on.
	Dir string
	// Log takes the log; nil discards it.
	Log *slog.Logger
}

// Cluster is some nodes of one cluster in this process.
type Cluster struct {
	t     testing.TB
	dir   string
	opts  Options
	nodes []*node

	session  string // makes the ids of entries this cluster's own
	proposed int
}

type node struct {
	id      txlog.NodeID
	dir     string
	addr    string // after the first start, so that a restart listens there again
	replica txlog.GroupConfig

	peers   *peer.Network
	host    *txlog.Host
	group   *txlog.Group
	machine *Machine
}

// Start starts n nodes, each a voter of the group.
func Start(t testing.TB, n int, opts Options) *Cluster {
	t.Helper()
	if opts.Profile == (txlog.Profile{}) {
		opts.Profile = Calm()
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	c := &Cluster{t: t, dir: opts.Dir, opts: opts, session: rand.Text()[:8]}
	t.Cleanup(c.close)
	members := map[uint64]txlog.NodeID{}
	for i := range n {
		c.add(txlog.GroupConfig{Shard: Shard, Replica: uint64(i + 1), Members: members})
		members[uint64(i+1)] = c.nodes[i].id
	}
	for i := range n {
		c.listen(i)
	}
	for i := range n {
		c.run(i)
	}
	return c
}

func (c *Cluster) add(replica txlog.GroupConfig) int {
	i := len(c.nodes)
	c.nodes = append(c.nodes, &node{
		id: nodeID(i), dir: filepath.Join(c.dir, fmt.Sprintf("node%d", i)),
		addr: "127.0.0.1:0", replica: replica,
	})
	return i
}

// listen opens a node's network and tells it and the others their addresses.
func (c *Cluster) listen(i int) {
	c.t.Helper()
	n := c.nodes[i]
	peers, err := peer.Open(peer.Config{
		Listen: n.addr, Self: uint64(n.id), Cluster: ClusterID(), Log: c.opts.Log,
	})
	if err != nil {
		c.t.Fatalf("node %d: %v", i, err)
	}
	n.peers, n.addr = peers, peers.Addr()
	for _, other := range c.nodes {
		if other.peers != nil && other != n {
			other.peers.Learn(uint64(n.id), n.addr)
		}
		if other != n {
			peers.Learn(uint64(other.id), other.addr)
		}
	}
}

// run opens a node's host and starts its replica.
func (c *Cluster) run(i int) {
	c.t.Helper()
	n := c.nodes[i]
	cfg := txlog.Config{
		Dir: filepath.Join(n.dir, "log"), NodeID: n.id, Peers: n.peers, Log: c.opts.Log, Profile: c.opts.Profile,
	}
	if c.opts.Host != nil {
		c.opts.Host(i, &cfg)
	}
	host, err := txlog.Open(cfg)
	if err != nil {
		c.t.Fatalf("node %d: %v", i, err)
	}
	n.host = host
	replica := n.replica
	if !replica.Witness {
		n.machine = NewMachine(filepath.Join(n.dir, "state"))
		if c.opts.Machine != nil {
			c.opts.Machine(i, n.machine)
		}
		replica.StateMachine = n.machine
	}
	n.group, err = host.StartGroup(replica)
	if err != nil {
		c.t.Fatalf("node %d: %v", i, err)
	}
}

// Join starts a new node whose replica joins the group without a vote; it must have been added with the answered
// replica and node before. Give the result of Next to AddNonVoting first.
func (c *Cluster) Join() int {
	c.t.Helper()
	replica, _ := c.Next()
	i := c.add(txlog.GroupConfig{Shard: Shard, Replica: replica, Join: true, NonVoting: true})
	c.listen(i)
	c.run(i)
	return i
}

// JoinWitness is Join for a witness, after AddWitness.
func (c *Cluster) JoinWitness() int {
	c.t.Helper()
	replica, _ := c.Next()
	i := c.add(txlog.GroupConfig{Shard: Shard, Replica: replica, Join: true, Witness: true})
	c.listen(i)
	c.run(i)
	return i
}

// Next is the replica and node that Join will start.
func (c *Cluster) Next() (replica uint64, node txlog.NodeID) {
	return uint64(len(c.nodes) + 1), nodeID(len(c.nodes))
}

// Stop ends a node in good order.
func (c *Cluster) Stop(i int) {
	n := c.nodes[i]
	if n.host != nil {
		n.host.Close()
	}
	if n.peers != nil {
		n.peers.Close()
	}
	n.host, n.group, n.peers = nil, nil, nil
}

// Crash takes a node off the network without a word, as a killed process would be, and then ends it.
func (c *Cluster) Crash(i int) {
	n := c.nodes[i]
	n.peers.Close()
	n.host.Close()
	n.host, n.group, n.peers = nil, nil, nil
}

// Restart brings a node back.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	c.listen(i)
	c.run(i)
}

func (c *Cluster) close() {
	for i := range c.nodes {
		c.Stop(i)
	}
}

// ID is a node's permanent id.
func (c *Cluster) ID(i int) txlog.NodeID { return c.nodes[i].id }

// Group is a node's replica; nil while it is stopped.
func (c *Cluster) Group(i int) *txlog.Group { return c.nodes[i].group }

// Host is a node's host; nil while it is stopped.
func (c *Cluster) Host(i int) *txlog.Host { return c.nodes[i].host }

// Peers is a node's network; nil while it is stopped.
func (c *Cluster) Peers(i int) *peer.Network { return c.nodes[i].peers }

// Machine is a node's state machine, the last one if it is stopped; nil for a witness.
func (c *Cluster) Machine(i int) *Machine { return c.nodes[i].machine }

// Dir is a node's directory.
func (c *Cluster) Dir(i int) string { return c.nodes[i].dir }

// Leader waits until a running node leads and answers it.
func (c *Cluster) Leader() int {
	c.t.Helper()
	leader := -1
	c.Eventually("a leader", func() bool {
		for i, n := range c.nodes {
			if n.group != nil && n.group.IsLeader() {
				leader = i
				return true
			}
		}
		return false
	})
	return leader
}

// Propose proposes at the leader, wherever it is, until the entry is committed, and answers how often it had to.
// The entry gets an id, by which machines know it when it comes twice.
func (c *Cluster) Propose(text string) int {
	c.t.Helper()
	c.proposed++
	cmd := fmt.Appendf(nil, "%s-%d|%s", c.session, c.proposed, text)
	limit := time.After(Patience)
	for attempts := 1; ; attempts++ {
		result := make(chan txlog.Result, 1)
		err := c.nodes[c.Leader()].group.Propose(cmd, func(r txlog.Result) { result <- r })
		if err == nil {
			select {
			case r := <-result:
				if r == txlog.Committed {
					return attempts
				}
			case <-limit:
				c.t.Fatalf("%.20q was not committed in %s", cmd, Patience)
			}
		} else if !errors.Is(err, txlog.ErrNotLeader) && !errors.Is(err, txlog.ErrBusy) && !errors.Is(err, txlog.ErrNotReady) {
			c.t.Fatalf("proposing: %v", err)
		}
		select {
		case <-limit:
			c.t.Fatalf("%.20q was not committed in %s and %d attempts", cmd, Patience, attempts)
		case <-time.After(time.Millisecond):
		}
	}
}

// Same waits until all running nodes with data have applied the same n entries or more.
func (c *Cluster) Same(n int) {
	c.t.Helper()
	c.Eventually(fmt.Sprintf("all nodes to have the same %d entries", n), func() bool {
		first := -1
		for i, nd := range c.nodes {
			if nd.host == nil || nd.replica.Witness {
				continue
			}
			if nd.machine.Len() < n || (first >= 0 && nd.machine.Digest() != c.nodes[first].machine.Digest()) {
				return false
			}
			first = i
		}
		return true
	})
}

// Eventually waits until a condition holds.
func (c *Cluster) Eventually(what string, ok func() bool) {
	c.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(Patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			c.t.Fatalf("waited %s in vain for %s", Patience, what)
		}
	}
}

// Context ends after Patience.
func (c *Cluster) Context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	c.t.Cleanup(cancel)
	return ctx
}

// nodeID gives nodes ids that use all their bits.
func nodeID(i int) txlog.NodeID { return 0xa000_0000_0000_0001 + txlog.NodeID(i) }
