package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"lockstep/engine/lang"
	"lockstep/engine/partition"
	"lockstep/engine/store"
	"lockstep/router"
	"lockstep/router/heartbeat"
	"lockstep/router/jobs"
	"lockstep/router/measure"
	"lockstep/router/order"
	"lockstep/router/spread"
	"lockstep/router/tasks"
	"lockstep/txlog"
	"lockstep/txlog/peer"
)

// Version is the program's version, as status and metrics show it.
const Version = "0.1.0"

// Names within a data folder.
const (
	raftDir   = "raft"
	groupsDir = "groups"
)

// Services that nodes offer each other, beside the log's own ('R' and 'S').
const (
	serviceOrder   byte = 'O' // transactions for the primary
	serviceJoin    byte = 'J' // entering the cluster
	serviceStatus  byte = 'H' // what a node says of itself, when asked
	serviceDigest  byte = 'D' // digests at a checkpoint
	serviceRecover byte = 'V' // what is left of a group
	serviceForward byte = 'F' // requests for groups without a copy at the asker
	serviceTasks   byte = 'T' // who holds which task, and how it goes
	serviceExport  byte = 'X' // recordings of groups without a copy at the asker

	serviceHandOver byte = 'P' // another primary, by plan

	serviceAnnounce  byte = 'A' // why a group is handed over
	serviceHeartbeat byte = 'B' // what a node says of itself, unasked
)

// Node is a running node.
type Node struct {
	cfg     Config
	folder  *folder
	id      txlog.NodeID
	session uint64 // of this run; copies have their own
	env     *lang.Env
	cache   *store.Cache
	peers   *peer.Network
	host    *txlog.Host
	orders  *order.Switch
	server  *router.Server
	front   atomic.Pointer[router.Server] // the same, once it may be asked by peers
	http    net.Listener

	mu     sync.Mutex
	copies map[string]*copyOf // by group, the system group included
	system *copyOf
	// Copies that differ from the majority: those on their way to be replaced, by
	// group, what is kept of former ones, and the replicas that must not be opened.
	rebuilds  map[string]*rebuild
	evidence  []*Evidence
	condemned map[string]bool
	formers   []uint64            // shards that groups had before they were rebuilt (formers.go)
	kept      []uint64            // shards of which a former replica is still on disk
	blocked   map[string][]string // as leader of the system group: why nodes can't drain, by their ids
	stopping  bool                // nothing is added to work any more by those that are no part of it

	witnesses map[string]*txlog.Group // by group

	// Of the goroutine that reconciles: since when it does, and whether it has had all
	// of the catalog.
	begun    time.Time
	caughtUp bool

	guarding sync.Mutex
	guards   map[string]*guard // by group
	// catalogVoters are the replicas that vote in the system group, as its leader has seen.
	catalogVoters []uint64
	checks        checkMetrics
	pacer         *partition.Pacer

	catalog       atomic.Pointer[catalog]
	reading       sync.Mutex // held while the catalog is read anew, so that it never goes back
	statuses      statuses
	jobs          *jobs.Runner
	readers       atomic.Pointer[map[string]*spread.Set]
	runner        *tasks.Runner
	policies      policies
	recheck       chan struct{} // has one where what this node holds may have changed
	rejudge       chan struct{} // has one where the supervisor should look at once
	pulse         pulse
	exports       chan struct{} // holds one for each recording being written
	swept         atomic.Uint64 // the catalog's revision, and one, by which former replicas were last wiped
	entitled      atomic.Uint64 // the replica of the system group that the catalog has for this node
	removedAt     atomic.Int64  // when this node learnt that it was removed, Unix nanoseconds; 0: it was not
	catalogSealed uint64        // version of the system group's members after which an entry was ordered; of tendLoop alone
	busy          atomic.Bool   // as leader of the system group: there is more to do soon
	draining      atomic.Bool
	ready         chan struct{} // closed when the node is first ready
	failed        chan error    // the first fatal error
	failOnce      sync.Once

	work   sync.WaitGroup // background loops
	ctx    context.Context
	cancel context.CancelFunc
}

// Start starts a node and returns when it serves: it may still have to catch up
// before it is ready. What ctx bounds is the start.
func Start(ctx context.Context, cfg Config) (*Node, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.voterPatience == 0 {
		cfg.voterPatience = voterPatience
	}
	if cfg.aloneWait == 0 {
		cfg.aloneWait = aloneWait
	}
	if cfg.catalogSchema == nil {
		cfg.catalogSchema, cfg.catalogVersion = catalogSchema, catalogVersion
	}
	n := &Node{
		cfg: cfg, orders: order.NewSwitch(), copies: map[string]*copyOf{},
		exports: make(chan struct{}, maxExports), recheck: make(chan struct{}, 1),
		ready: make(chan struct{}), failed: make(chan error, 1), session: newSession(),
		rebuilds: map[string]*rebuild{}, condemned: map[string]bool{}, guards: map[string]*guard{},
		checks: newCheckMetrics(), pacer: partition.NewPacer(cfg.ScrubBytes),
	}
	n.rejudge = make(chan struct{}, 1)
	n.catalog.Store(&catalog{})
	n.pulse.board, n.pulse.meter, n.pulse.started = heartbeat.NewBoard(cfg.Name, systemGroup), measure.New(cfg.Data), time.Now()
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.start(ctx); err != nil {
		n.cancel()
		n.release()
		return nil, err
	}
	return n, nil
}

// newSession draws the number under which a copy's router gives ids while the copy is
// open, or by which a run of the node is known. No two ever share one.
func newSession() uint64 {
	for {
		var raw [8]byte
		_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
		if s := binary.BigEndian.Uint64(raw[:]); s != 0 {
			return s
		}
	}
}

func (n *Node) start(ctx context.Context) (err error) {
	if n.folder, err = openFolder(n.cfg.Data, n.cfg.Name); err != nil {
		return err
	}
	n.id = n.folder.nodeID()
	if err := n.loadEvidence(); err != nil {
		return err
	}
	if err := n.loadFormers(); err != nil {
		return err
	}
	n.cfg.Log = n.cfg.Log.With("node", n.cfg.Name)
	n.startRunner()
	n.startJobs()
	language := n.cfg.language
	if language == nil {
		language = lang.NewEnv
	}
	if n.env, err = language(); err != nil {
		return fmt.Errorf("make the language environment: %w", err)
	}
	if err := n.startPolicies(); err != nil {
		return err
	}
	// Memtables are counted in the cache: without room for them no block stays.
	n.cache = store.NewCache(n.cfg.CacheBytes + int64(n.cfg.MemTableBytes))
	// Clients' listener first: a port in use is told before anything is written.
	if n.http, err = net.Listen("tcp", n.cfg.HTTP); err != nil {
		return fmt.Errorf("listen for clients at http address %s: %w; choose another with --http, or stop what uses it", n.cfg.HTTP, err)
	}
	if err := n.openPeers(); err != nil {
		return err
	}
	if err := n.enter(ctx); err != nil {
		return err
	}
	if err := n.openLog(); err != nil {
		return err
	}
	if err := n.startSystem(); err != nil {
		return err
	}
	return n.serve()
}

func (n *Node) openPeers() (err error) {
	n.peers, err = peer.Open(peer.Config{
		Listen: n.cfg.Raft, Self: uint64(n.id), Cluster: n.folder.cluster(), Resolve: n.resolve, Log: n.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("listen for nodes at raft address %s: %w; choose another with --raft, or stop what uses it", n.cfg.Raft, err)
	}
	n.peers.Handle(serviceOrder, func(from uint64, c *peer.Conn) {
		if err := n.orders.Serve(from, c); err != nil {
			n.cfg.Log.Debug("a router's connection ended", "peer", txlog.NodeID(from).String(), "reason", err)
		}
	})
	n.peers.Handle(serviceExport, n.serveExport)
	n.peers.HandleCall(serviceAnnounce, n.answerAnnounce)
	n.peers.Handle(serviceHeartbeat, n.serveHeartbeats)
	n.peers.HandleCall(serviceStatus, n.answerStatus)
	n.peers.HandleCall(serviceDigest, n.answerDigest)
	n.peers.HandleCall(serviceRecover, n.answerRecover)
	n.peers.HandleCall(serviceForward, n.answerForward)
	n.peers.HandleCall(serviceHandOver, n.answerHandOver)
	n.peers.HandleCall(serviceTasks, n.answerTasks)
	n.peers.HandleCall(serviceJoin, n.answerJoin, peer.AllowUnknownCluster)
	return nil
}

// resolve finds a node's address in the catalog.
func (n *Node) resolve(id uint64) (string, bool) {
	row, ok := n.catalog.Load().node(txlog.NodeID(id))
	return row.raft, ok
}

func (n *Node) openLog() error {
	profile, err := txlog.ProfileByName(n.cfg.Profile)
	if err == nil {
		err = n.folder.checkLogs()
	}
	if err != nil {
		return err
	}
	n.host, err = txlog.Open(txlog.Config{
		Dir: filepath.Join(n.folder.dir, raftDir), NodeID: n.id, Peers: n.peers,
		Profile: profile, Log: n.cfg.Log, OnFatal: n.fatal, SnapshotEntries: n.cfg.snapshotEntries,
	})
	if err != nil {
		return fmt.Errorf("open the logs: %w", err)
	}
	return n.folder.noteLogs()
}

// serve begins to take clients' requests and to look after the node.
func (n *Node) serve() (err error) {
	profile, err := txlog.ProfileByName(n.cfg.Profile)
	if err != nil {
		return err
	}
	cfg := router.Defaults()
	cfg.Cluster, cfg.Forwarder, cfg.Tasks, cfg.Log, cfg.Tick = n, n, n, n.cfg.Log, profile.Tick
	cfg.Readers = n
	cfg.Settings = n
	cfg.Policies = n
	cfg.Election = time.Duration(2*profile.ElectionTicks) * profile.Tick
	if cfg.Registry, err = n.registry(); err != nil {
		return err
	}
	if n.server, err = router.New(cfg); err != nil {
		return fmt.Errorf("make the router: %w", err)
	}
	if err := n.startHeartbeats(); err != nil {
		return err
	}
	n.refresh()
	n.watchNodes(n.catalog.Load())
	n.front.Store(n.server)
	n.work.Go(func() {
		if err := n.server.Serve(n.http); err != nil && n.ctx.Err() == nil {
			n.fatal(fmt.Errorf("serve clients at %s: %w", n.cfg.HTTP, err))
		}
	})
	n.work.Go(n.reconcileLoop)
	n.work.Go(n.readersLoop)
	n.work.Go(n.tendLoop)
	n.work.Go(n.flushLoop)
	n.work.Go(n.guardLoop)
	n.work.Go(n.superviseLoop)
	n.work.Go(n.inquire)
	if len(n.cfg.Join) > 0 {
		n.work.Go(n.seek)
	}
	n.work.Go(n.taskLoop)
	n.work.Go(n.historyLoop)
	return nil
}

// fatal notes the first error after which the node must stop.
func (n *Node) fatal(err error) {
	n.failOnce.Do(func() {
		n.cfg.Log.Error("the node stops", "error", err)
		n.failed <- err
	})
}

// Failed yields the error after which the node can't go on; the process should
// say so and end. What was acknowledged is safe.
func (n *Node) Failed() <-chan error { return n.failed }

// Ready is closed when the node is first ready for traffic.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// HTTPAddr is where clients are served.
func (n *Node) HTTPAddr() string { return n.http.Addr().String() }

// Name is the node's name.
func (n *Node) Name() string { return n.cfg.Name }

// Stop leaves in good order: groups are handed over, what is under way
// finishes, and all is flushed, as far as ctx allows.
func (n *Node) Stop(ctx context.Context) error {
	n.draining.Store(true)
	n.stopTasks(ctx)
	n.handOver(ctx)
	var errs []error
	// Clients first: what they have under way still gets its outcome.
	if err := n.server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		errs = append(errs, fmt.Errorf("stop serving clients: %w", err))
	}
	for _, c := range n.allCopies() {
		if err := c.orderer.Load().Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("drain group %s: %w", c.name, err))
		}
	}
	n.cancel()
	_ = n.http.Close() // a stop right after the start may come before Serve began
	n.mu.Lock()
	n.stopping = true
	n.mu.Unlock()
	n.work.Wait()
	for _, c := range n.allCopies() {
		if err := c.part.Flush(); err != nil && !over(c.part.Closed()) { // a copy that has left its group closes by itself
			errs = append(errs, err)
		}
	}
	n.release()
	return errors.Join(errs...)
}

// release closes what was opened, from the top down.
func (n *Node) release() {
	if n.jobs != nil {
		n.jobs.Stop()
	}
	if n.runner != nil {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		n.runner.Stop(over)
	}
	if beats := n.pulse.beats.Load(); beats != nil {
		beats.Close()
	}
	if n.host != nil {
		n.host.Close()
	}
	if n.peers != nil {
		n.peers.Close()
	}
	if n.http != nil {
		_ = n.http.Close()
	}
	if n.cache != nil {
		n.cache.Close()
	}
	if n.folder != nil {
		_ = n.folder.close()
	}
}

func (n *Node) allCopies() []*copyOf {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]*copyOf, 0, len(n.copies))
	for _, c := range n.copies {
		out = append(out, c)
	}
	return out
}

func (n *Node) copy(name string) *copyOf {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.copies[name]
}
