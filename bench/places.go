package bench

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"

	"lockstep/bench/wire"
)

// place is where a node of an own cluster runs.
type place struct {
	http, raft string                   // addresses
	within     func(func() error) error // starts its process there; nil: as it is
}

// nodes is how many nodes an own cluster has.
func (cfg *ClusterConfig) nodes() int {
	if cfg.Nodes == 0 {
		return clusterNodes
	}
	return cfg.Nodes
}

// copies is how many copies the group has on an own cluster.
func (cfg *ClusterConfig) copies() int {
	if cfg.Copies == 0 {
		return cfg.nodes()
	}
	return min(cfg.Copies, cfg.nodes())
}

// places finds room for the nodes of an own cluster: ports of the loopback
// interface or, where they are to be apart, a namespace each.
func (c *Cluster) places(cfg ClusterConfig) (all []place, err error) {
	n := cfg.nodes()
	if !cfg.Apart {
		ports, err := freePorts(2 * n)
		if err != nil {
			return nil, err
		}
		for i := range n {
			all = append(all, place{http: local(ports[i]), raft: local(ports[n+i])})
		}
		return all, nil
	}
	if c.wire, err = wire.Open(n, cfg.WireSeed); err != nil {
		return nil, err
	}
	for i := 1; i <= n; i++ {
		address := c.wire.Address(i)
		all = append(all, place{
			http:   net.JoinHostPort(address, strconv.Itoa(apartHTTP)),
			raft:   net.JoinHostPort(address, strconv.Itoa(apartRaft)),
			within: func(start func() error) error { return c.wire.Within(i, start) },
		})
	}
	return all, nil
}

// Wire is the network between the nodes, nil where they are not apart. The nodes are
// its hosts by their places in Nodes, from 1; this process is outside.
func (c *Cluster) Wire() *wire.Net { return c.wire }

// host is a node's number on the wire.
func (c *Cluster) host(name string) (int, error) {
	for i, n := range c.nodes {
		if n.Name == name && c.wire != nil {
			return i + 1, nil
		}
	}
	return 0, fmt.Errorf("no node %s is in a network namespace of this cluster", name)
}

// freePorts finds ports that nobody listens on. It begins anywhere, for another
// bench may be looking at the same moment.
func freePorts(n int) ([]int, error) {
	const span = lastPort - firstPort
	first := rand.IntN(span)
	var ports []int
	for i := 0; i < span && len(ports) < n; i++ {
		port := firstPort + (first+i)%span
		l, err := net.Listen("tcp", local(port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("letting port %d go: %w", port, err)
		}
		ports = append(ports, port)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("of the ports %d to %d only %d are free, and %d are needed: stop what listens there, or name a running cluster with --server", firstPort, lastPort, len(ports), n)
	}
	return ports, nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
