package txlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/statemachine"
)

// Host is a node's part in all its groups.
type Host struct {
	cfg       Config
	registry  *registry
	unlock    func()
	nh        *dragonboat.NodeHost
	transport *transport
	store     *logStore
	events    *eventQueueOf
	withheld  *withholding

	mu     sync.RWMutex
	groups map[uint64]*Group
	closed bool

	reading sync.RWMutex // held for reading while the log's store is read beside the library
	unread  bool         // it may not be read any more
}

// Open opens the directory and is then ready for StartGroup. ErrInUse and ErrForeignData tell why a directory
// can't be used.
func Open(cfg Config) (*Host, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.defaults()
	if err := refuseStraySettings(); err != nil {
		return nil, err
	}
	routeLibraryLog(cfg.Log)
	unlock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("txlog: opening %s: %w", cfg.Dir, err)
	}
	h := &Host{cfg: cfg, registry: newRegistry(), unlock: unlock, groups: map[uint64]*Group{}}
	h.events = newEventQueue(cfg.OnEvent, cfg.Log)
	h.withheld = newWithholding(h.ticks(cfg.Profile.ElectionTicks))
	if h.nh, err = h.start(); err != nil {
		h.events.close()
		unlock()
		return nil, fmt.Errorf("txlog: opening %s: %w", cfg.Dir, openError(err))
	}
	return h, nil
}

// start starts the library. It panics over a log that it can't read, and answers neither a host nor an error
// when a panic of its own wasn't an error (traps.md, 20).
func (h *Host) start() (nh *dragonboat.NodeHost, err error) {
	defer func() {
		if r := recover(); r != nil {
			nh, err = nil, fmt.Errorf("the raft library cannot open it: %v", r)
		}
	}()
	nh, err = dragonboat.NewNodeHost(h.library())
	if err == nil && nh == nil {
		err = errors.New("the raft library cannot open it and doesn't say why; its log may")
	}
	return nh, err
}

// library is the configuration of the library's host.
func (h *Host) library() config.NodeHostConfig {
	logdb := config.GetTinyMemLogDBConfig()
	logdb.Shards = logShards
	logdb.KVWriteBufferSize = logMemtableBytes
	logdb.KVMaxWriteBufferNumber = logMemtables
	return config.NodeHostConfig{
		DeploymentID:        deployment(h.cfg.Peers.Cluster()),
		NodeHostID:          h.cfg.NodeID.target(),
		NodeHostDir:         h.cfg.Dir,
		RTTMillisecond:      uint64(h.cfg.Profile.Tick.Milliseconds()),
		RaftAddress:         h.cfg.NodeID.target(),
		RaftEventListener:   (*leaderListener)(h),
		SystemEventListener: h.events,
		MaxSendQueueSize:    sendQueueBytes,
		MaxReceiveQueueSize: receiveQueueBytes,
		Expert: config.ExpertConfig{
			TransportFactory: &transportFactory{
				peers: h.cfg.Peers, service: h.cfg.Service, log: h.cfg.Log, lost: h.lost,
				deployment: deployment(h.cfg.Peers.Cluster()), made: func(t *transport) { h.transport = t }, witness: h.isWitness, withheld: h.withheld,
			},
			NodeRegistryFactory: h.registry,
			LogDBFactory:        logStoreFactory{wrote: h.withheld.wrote, opened: func(s *logStore) { h.store = s }},
			LogDB:               logdb,
			Engine: config.EngineConfig{
				ExecShards: stepWorkers, CommitShards: 1, ApplyShards: MaxReplicaGroups,
				SnapshotShards: snapshotWorkers, CloseShards: closeWorkers,
			},
		},
	}
}

// deployment is the library's name for a cluster: never 0 or 1, which mean something to it.
func deployment(cluster [16]byte) uint64 { return binary.BigEndian.Uint64(cluster[:]) | 2 }

// refuseStraySettings keeps files that lie about in the working directory from changing the library's settings.
func refuseStraySettings() error {
	stray, err := filepath.Glob("dragonboat-*-settings.json")
	if err == nil && len(stray) > 0 {
		return fmt.Errorf("txlog: %s in the working directory would change the raft library's settings: remove it", stray[0])
	}
	return nil
}

// openError gives the library's reasons a meaning. Its own error values are internal, so their texts have to do.
func openError(err error) error {
	text := err.Error()
	is := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(text, p) {
				return true
			}
		}
		return false
	}
	switch {
	case is("failed to lock data directory"):
		return fmt.Errorf("%w: %w", ErrInUse, err)
	case is("NodeHostID changed", "hostname changed", "deployment ID changed", "not the owner", "setting changed",
		"settings changed", "logdb type changed", "Enabled changed", "new LogDB on existing", "incompatible LogDB"):
		return fmt.Errorf("%w: %w", ErrForeignData, err)
	case os.IsPermission(err):
		return fmt.Errorf("no permission: %w", err)
	}
	return err
}

// Close stops all replicas, closes their state machines and then the log. It may be called more than once.
func (h *Host) Close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	groups := make([]*Group, 0, len(h.groups))
	for _, g := range h.groups {
		groups = append(groups, g)
	}
	h.groups = map[uint64]*Group{}
	h.mu.Unlock()
	for _, g := range groups {
		g.stop()
	}
	h.closeReading()
	h.nh.Close()
	h.events.close()
	for _, g := range groups {
		g.wait(context.Background())
	}
	h.unlock()
}

// NodeID is this node's id.
func (h *Host) NodeID() NodeID { return h.cfg.NodeID }

// HasData tells whether the replica was started on this host before.
func (h *Host) HasData(shard, replica uint64) bool { return h.nh.HasNodeInfo(shard, replica) }

// StartGroup starts a replica and returns when its state machine is open.
func (h *Host) StartGroup(cfg GroupConfig) (*Group, error) {
	if err := h.checkGroup(cfg); err != nil {
		return nil, fmt.Errorf("txlog: starting group %d: %w", cfg.Shard, err)
	}
	if cfg.Witness {
		cfg.StateMachine = witnessMachine{}
	}
	g := newGroup(h, cfg)
	if err := h.enter(g); err != nil {
		g.stop()
		return nil, fmt.Errorf("txlog: starting group %d: %w", cfg.Shard, err)
	}
	members, join := map[uint64]string{}, cfg.Join
	for replica, node := range cfg.Members {
		members[replica] = node.target()
	}
	if h.HasData(cfg.Shard, cfg.Replica) {
		members, join = nil, false // the library knows
	}
	// The library wants to be told how a replica begins, and stops the process where the log then says otherwise:
	// without a vote if it was added so and its last snapshot is from before it was promoted.
	if cfg.NonVoting {
		votes, err := h.store.votes(cfg.Shard, cfg.Replica)
		if err != nil {
			h.leave(g)
			return nil, fmt.Errorf("txlog: starting group %d: %w", cfg.Shard, err)
		}
		cfg.NonVoting = !votes
	}
	create := func(uint64, uint64) statemachine.IOnDiskStateMachine { return g.machine }
	if err := h.nh.StartOnDiskReplica(members, join, create, h.replica(cfg)); err != nil {
		h.leave(g)
		return nil, fmt.Errorf("txlog: starting group %d: %w", cfg.Shard, libraryError(err))
	}
	user, err := h.nh.GetNodeUser(cfg.Shard)
	if err != nil {
		h.leave(g)
		return nil, fmt.Errorf("txlog: starting group %d: %w", cfg.Shard, libraryError(err))
	}
	g.user.Store(&user)
	return g, nil
}

func (h *Host) checkGroup(cfg GroupConfig) error {
	switch {
	case cfg.Shard == 0 || cfg.Replica == 0:
		return errors.New("Shard and Replica begin at 1")
	case cfg.Witness:
		return checkWitness(&cfg)
	case cfg.StateMachine == nil:
		return errors.New("StateMachine is missing")
	case h.HasData(cfg.Shard, cfg.Replica):
		return nil
	case cfg.Join && len(cfg.Members) > 0:
		return errors.New("both Join and Members are given, which exclude each other: a replica joins a group or begins one")
	case !cfg.Join && len(cfg.Members) == 0:
		return errors.New("the replica has never run here: give the Members that the group begins with, or Join")
	case !cfg.Join && cfg.Members[cfg.Replica] != h.cfg.NodeID:
		return fmt.Errorf("Members doesn't have replica %d on this node %s", cfg.Replica, h.cfg.NodeID)
	}
	return nil
}

// replica is the library's configuration of a replica.
func (h *Host) replica(cfg GroupConfig) config.Config {
	snapshots := h.cfg.SnapshotEntries
	if cfg.Witness {
		snapshots = 0 // it has no state to save, and the library refuses anything else
	}
	return config.Config{
		ReplicaID: cfg.Replica, ShardID: cfg.Shard,
		CheckQuorum: true, PreVote: true, // from the first day: they cannot be turned on later (traps.md, 14)
		ElectionRTT: h.cfg.Profile.ElectionTicks, HeartbeatRTT: h.cfg.Profile.HeartbeatTicks,
		SnapshotEntries: snapshots, CompactionOverhead: h.cfg.KeepEntries,
		OrderedConfigChange: true, // decides on membership, so the same everywhere and for ever
		MaxInMemLogSize:     MaxInMemoryBytes,
		IsNonVoting:         cfg.NonVoting,
		IsWitness:           cfg.Witness,
		WaitReady:           true,
	}
}

func (h *Host) enter(g *Group) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.closed:
		return ErrClosed
	case h.groups[g.id] != nil:
		return ErrGroupExists
	}
	h.groups[g.id] = g
	return nil
}

func (h *Host) leave(g *Group) {
	h.mu.Lock()
	if h.groups[g.id] == g {
		delete(h.groups, g.id)
	}
	h.mu.Unlock()
	g.stop()
}

// Group answers a running group.
func (h *Host) Group(shard uint64) (*Group, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	g := h.groups[shard]
	return g, g != nil
}

// StopGroup stops a replica and returns when its state machine is closed. Its data stays.
func (h *Host) StopGroup(ctx context.Context, shard uint64) error {
	g, ok := h.Group(shard)
	if !ok {
		return fmt.Errorf("txlog: stopping group %d: %w", shard, ErrNoGroup)
	}
	h.leave(g)
	if err := h.nh.StopShard(shard); err != nil && !errors.Is(err, dragonboat.ErrShardNotFound) {
		return fmt.Errorf("txlog: stopping group %d: %w", shard, libraryError(err))
	}
	if !g.wait(ctx) {
		return fmt.Errorf("txlog: stopping group %d: %w", shard, context.Cause(ctx))
	}
	return nil
}

// RemoveData deletes a stopped replica's log for good. The replica must have been removed from its group.
func (h *Host) RemoveData(ctx context.Context, shard, replica uint64) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	remove := h.nh.SyncRemoveData
	if g, ok := h.Group(shard); ok && g.replica != replica {
		// Its successor runs already; the library's patient way wants the whole group stopped.
		remove = func(_ context.Context, shard, replica uint64) error { return h.nh.RemoveData(shard, replica) }
	}
	if err := remove(ctx, shard, replica); err != nil {
		return fmt.Errorf("txlog: removing replica %d of group %d: %w", replica, shard, libraryError(err))
	}
	h.withheld.forget(replicaKey{shard, replica})
	return nil
}

func (h *Host) fatal(shard uint64, doing string, err error) {
	err = fmt.Errorf("group %d: %s: %w", shard, doing, err)
	h.cfg.Log.Error("a replica cannot go on", "group", shard, "error", err)
	if h.cfg.OnFatal != nil {
		h.cfg.OnFatal(err)
	}
}

// ticks is the time of so many ticks.
func (h *Host) ticks(n uint64) time.Duration { return time.Duration(n) * h.cfg.Profile.Tick }

func (h *Host) log() *slog.Logger { return h.cfg.Log }

// withDeadline gives a context the deadline that the library asks for.
func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Hour)
}
