package peer

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"
)

// Config says how a node takes part in the network.
type Config struct {
	// Listen is the address of the node's listener, as host:port. Port 0 takes any free one.
	Listen string
	// Advertise is the address that peers are told to reach this node at; empty means the listener's own. It
	// has to be set when Listen names no particular host.
	Advertise string
	// Self is this node's permanent id; never 0.
	Self uint64
	// Cluster is the cluster that this node belongs to; zero when that isn't known yet (see SetCluster).
	Cluster ClusterID
	// Resolve is asked for the address of a node that was never learned; nil when there is nobody to ask. It
	// must answer at once.
	Resolve func(node uint64) (addr string, ok bool)
	// Log takes what people may want to know; nil discards it.
	Log *slog.Logger
	// MaxFrameBytes bounds the payload of a frame, both ways; 0 means the constant of the same name.
	MaxFrameBytes int
	// HandshakeTimeout and WriteTimeout are the limits of the same names; 0 means the constants.
	HandshakeTimeout time.Duration
	WriteTimeout     time.Duration
}

// Validate names the first field that cannot work and what to write instead.
func (c *Config) Validate() error {
	if c.Self == 0 {
		return fmt.Errorf("peer: Self is 0: give the node its permanent id")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("peer: Listen %q is not an address: write host:port, such as 127.0.0.1:7001: %w", c.Listen, err)
	}
	if c.Advertise != "" {
		if err := checkAddress(c.Advertise); err != nil {
			return fmt.Errorf("peer: Advertise: %w", err)
		}
	}
	return nil
}

func (c *Config) defaults() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.MaxFrameBytes <= 0 {
		c.MaxFrameBytes = MaxFrameBytes
	}
	if c.HandshakeTimeout <= 0 {
		c.HandshakeTimeout = HandshakeTimeout
	}
	if c.WriteTimeout <= 0 {
		c.WriteTimeout = WriteTimeout
	}
}

// Handler serves one accepted connection and returns when it is done with it; the Network closes the
// connection then. Reading fails once the peer or this Network is closed: the handler has to return soon
// after.
type Handler func(from uint64, c *Conn)

// Option changes how a service is offered.
type Option func(*service)

// AllowUnknownCluster offers a service to nodes that belong to no cluster yet, or while this node belongs to
// none: what joining a cluster needs. Two nodes of different clusters still don't talk.
func AllowUnknownCluster(s *service) { s.open = true }

type service struct {
	handle Handler
	open   bool
}

// Network is a node's end of everything between nodes.
type Network struct {
	cfg      Config
	listener net.Listener
	instance uint64
	ctx      context.Context
	cancel   context.CancelFunc
	workers  sync.WaitGroup

	mu         sync.Mutex
	cluster    ClusterID
	advertise  string
	services   map[byte]*service
	addresses  map[uint64]string
	conns      map[*Conn]struct{}
	pending    map[net.Conn]struct{} // handshakes in progress
	callers    map[callKey]*caller
	acceptedBy int // connections that were accepted, handshakes included
	closed     bool
}

// Open starts listening. Services may be registered before or after; until one is, peers that ask for it are
// refused.
func Open(cfg Config) (*Network, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.defaults()
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("peer: listening on %s: %w", cfg.Listen, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Network{
		cfg: cfg, listener: listener, instance: randomID(), ctx: ctx, cancel: cancel,
		cluster: cfg.Cluster, advertise: cfg.Advertise,
		services: map[byte]*service{}, addresses: map[uint64]string{}, conns: map[*Conn]struct{}{},
		pending: map[net.Conn]struct{}{}, callers: map[callKey]*caller{},
	}
	if n.advertise == "" {
		n.advertise = listener.Addr().String()
	}
	if err := checkAddress(n.advertise); err != nil {
		_ = listener.Close()
		cancel()
		return nil, fmt.Errorf("peer: Listen %q names no host that peers could reach: set Advertise: %w", cfg.Listen, err)
	}
	n.addresses[cfg.Self] = n.advertise
	n.workers.Go(n.accept)
	return n, nil
}

// Close ends all connections and waits until every handler has returned. It may be called more than once.
func (n *Network) Close() {
	n.mu.Lock()
	if n.closed {
		n.mu.Unlock()
		n.workers.Wait()
		return
	}
	n.closed = true
	conns := make([]*Conn, 0, len(n.conns))
	for c := range n.conns {
		conns = append(conns, c)
	}
	for raw := range n.pending {
		_ = raw.Close()
	}
	n.mu.Unlock()
	n.cancel()
	_ = n.listener.Close()
	for _, c := range conns {
		_ = c.Close()
	}
	n.workers.Wait()
}

// Addr is the address that this node listens on.
func (n *Network) Addr() string { return n.listener.Addr().String() }

// Advertised is the address that peers are told.
func (n *Network) Advertised() string { return n.advertise }

// Self is this node's id.
func (n *Network) Self() uint64 { return n.cfg.Self }

// Cluster is the cluster that this node belongs to, zero while unknown.
func (n *Network) Cluster() ClusterID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cluster
}

// SetCluster tells the cluster once it is known. A node doesn't change its cluster: another one than before is
// refused.
func (n *Network) SetCluster(id ClusterID) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.cluster.IsZero() && n.cluster != id {
		return fmt.Errorf("peer: this node belongs to cluster %s already, not to %s", n.cluster, id)
	}
	n.cluster = id
	return nil
}

// Learn puts a node's address into the book. When it differs from the one before, connections that this node
// dialled to the old one are closed.
func (n *Network) Learn(node uint64, addr string) {
	if node == 0 || node == n.cfg.Self || checkAddress(addr) != nil {
		return
	}
	n.mu.Lock()
	old := n.addresses[node]
	n.addresses[node] = addr
	var stale []*Conn
	if old != "" && old != addr {
		for c := range n.conns {
			if c.dialled && c.node == node {
				stale = append(stale, c)
			}
		}
	}
	n.mu.Unlock()
	for _, c := range stale {
		_ = c.Close()
	}
}

// Forget takes a node out of the book.
func (n *Network) Forget(node uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if node != n.cfg.Self {
		delete(n.addresses, node)
	}
}

// Address is the address at which a node is thought to listen.
func (n *Network) Address(node uint64) (string, bool) {
	n.mu.Lock()
	addr, ok := n.addresses[node]
	n.mu.Unlock()
	if !ok && n.cfg.Resolve != nil {
		return n.cfg.Resolve(node)
	}
	return addr, ok
}

// Nodes lists the nodes in the address book in ascending order, this one included.
func (n *Network) Nodes() []uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	nodes := make([]uint64, 0, len(n.addresses))
	for node := range n.addresses {
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	return nodes
}

// Handle offers a service. A service registered again is replaced: connections made before stay with the
// handler before.
func (n *Network) Handle(id byte, handle Handler, options ...Option) {
	s := &service{handle: handle}
	for _, o := range options {
		o(s)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.services[id] = s
}

// Unhandle withdraws a service and closes its accepted connections.
func (n *Network) Unhandle(id byte) {
	n.mu.Lock()
	delete(n.services, id)
	var gone []*Conn
	for c := range n.conns {
		if !c.dialled && c.service == id {
			gone = append(gone, c)
		}
	}
	n.mu.Unlock()
	for _, c := range gone {
		_ = c.Close()
	}
}

// keep remembers a connection so that Close ends it; false when the network is closed already.
func (n *Network) keep(c *Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.conns[c] = struct{}{}
	return true
}

func (n *Network) forget(c *Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, c)
}

// checkAddress tells whether peers could dial the address.
func checkAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	switch {
	case err != nil:
		return fmt.Errorf("%q is not host:port: %w", addr, err)
	case len(addr) > MaxAddressBytes:
		return fmt.Errorf("address of %d bytes, the limit is %d", len(addr), MaxAddressBytes)
	case host == "" || net.ParseIP(host).IsUnspecified():
		return fmt.Errorf("%q names no host", addr)
	case port == "" || port == "0":
		return fmt.Errorf("%q names no port", addr)
	}
	return nil
}

func randomID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return binary.BigEndian.Uint64(b[:])
}
