package txlog

import (
	"errors"
	"sync"

	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/raftio"
)

var errUnknownReplica = errors.New("no node is known for this replica")

// registry knows which node each replica is on. It answers targets, not addresses: where a node listens is
// looked up when it is dialled, so an address may change under a living group.
type registry struct {
	mu    sync.RWMutex
	nodes map[replicaKey]NodeID
}

type replicaKey struct{ shard, replica uint64 }

var _ raftio.INodeRegistry = (*registry)(nil)

func newRegistry() *registry { return &registry{nodes: map[replicaKey]NodeID{}} }

// Create lets the registry be its own factory.
func (r *registry) Create(string, uint64, config.TargetValidator) (raftio.INodeRegistry, error) {
	return r, nil
}

func (r *registry) Close() error { return nil }

// Add is called for members of a group, and for whoever sends a message. A replica never moves to another
// node, so what is known already stays.
func (r *registry) Add(shard, replica uint64, target string) {
	node, ok := parseTarget(target)
	if !ok {
		return
	}
	key := replicaKey{shard, replica}
	r.mu.RLock()
	_, known := r.nodes[key]
	r.mu.RUnlock()
	if known {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.nodes[key]; !known {
		r.nodes[key] = node
	}
}

func (r *registry) Remove(shard, replica uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.nodes, replicaKey{shard, replica})
}

func (r *registry) RemoveShard(shard uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.nodes {
		if key.shard == shard {
			delete(r.nodes, key)
		}
	}
}

// Resolve answers the target twice: as address, and as the key under which connections are shared. All groups
// share one connection a peer, so heartbeats of many groups go in one frame.
func (r *registry) Resolve(shard, replica uint64) (string, string, error) {
	node, ok := r.node(shard, replica)
	if !ok {
		return "", "", errUnknownReplica
	}
	target := node.target()
	return target, target, nil
}

func (r *registry) node(shard, replica uint64) (NodeID, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	node, ok := r.nodes[replicaKey{shard, replica}]
	return node, ok
}

// replica finds a group's replica on a node; the highest if there were several, for ids only grow.
func (r *registry) replica(shard uint64, node NodeID) (uint64, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	found := uint64(0)
	for key, n := range r.nodes {
		if key.shard == shard && n == node {
			found = max(found, key.replica)
		}
	}
	return found, found != 0
}

// rank is a replica's place among its group's in ascending order, one of them left out.
func (r *registry) rank(shard, replica, without uint64) uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	before := uint64(0)
	for key := range r.nodes {
		if key.shard == shard && key.replica < replica && key.replica != without {
			before++
		}
	}
	return before
}
