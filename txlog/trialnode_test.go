package txlog_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"lockstep/txlog"
	"lockstep/txlog/peer"
	"lockstep/txlog/txlogtest"
)

// trialNode tells this test's own program to be one node of the trial.
const trialNode = "LOCKSTEP_TXLOG_TRIAL_NODE"

// trialConfig is what such a process is told.
type trialConfig struct {
	Node    int
	Life    int // how often the node was started before
	Dir     string
	Addrs   []string
	Replica uint64 // 0: none
	Witness bool
	Join    bool
}

// trialOrder asks such a process for something, trialAnswer is what it says to that.
type trialOrder struct {
	Do      string
	Replica uint64
	Node    int
}

type trialAnswer struct {
	Err     string   `json:",omitempty"`
	Leads   bool     `json:",omitempty"`
	Entries []string `json:",omitempty"`
	Members []txlog.Member
}

func trialProfile() txlog.Profile {
	return txlog.Profile{Name: "trial", Tick: 5 * time.Millisecond, ElectionTicks: 20, HeartbeatTicks: 3}
}

func trialID(node int) txlog.NodeID { return 0xb000_0000_0000_0001 + txlog.NodeID(node) }

// The process that is killed: one node, with a copy or a witness or neither, which proposes whenever it leads.
func TestNodeOfTheTrial(t *testing.T) {
	raw := os.Getenv(trialNode)
	if raw == "" {
		return // it is a part of the trial
	}
	var cfg trialConfig
	if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
		t.Fatal(err)
	}
	host := openTrialHost(t, &cfg)
	machine := txlogtest.NewMachine(filepath.Join(cfg.Dir, fmt.Sprint("state", cfg.Replica)))
	var group *txlog.Group
	if cfg.Replica != 0 {
		replica := txlog.GroupConfig{Shard: txlogtest.Shard, Replica: cfg.Replica, Join: cfg.Join}
		switch {
		case cfg.Witness:
			replica.Witness = true
		case cfg.Join:
			replica.NonVoting, replica.StateMachine = true, machine
		default:
			replica.StateMachine = machine
			replica.Members = map[uint64]txlog.NodeID{1: trialID(0), 2: trialID(1), 3: trialID(2)}
		}
		var err error
		if group, err = host.StartGroup(replica); err != nil {
			t.Fatal(err)
		}
	}
	var out sync.Mutex
	say := func(format string, args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	say("ready")
	if group != nil && !cfg.Witness {
		go load(group, &cfg, say)
	}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		var o trialOrder
		if err := json.Unmarshal(orders.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		answer, err := json.Marshal(obey(group, machine, &o))
		if err != nil {
			t.Fatal(err)
		}
		say("answer %s", answer)
	}
}

func openTrialHost(t *testing.T, cfg *trialConfig) *txlog.Host {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	peers, err := peer.Open(peer.Config{Listen: cfg.Addrs[cfg.Node], Self: uint64(trialID(cfg.Node)), Cluster: txlogtest.ClusterID(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	for node, addr := range cfg.Addrs {
		if node != cfg.Node {
			peers.Learn(uint64(trialID(node)), addr)
		}
	}
	host, err := txlog.Open(txlog.Config{
		Dir: filepath.Join(cfg.Dir, "log"), NodeID: trialID(cfg.Node), Peers: peers, Log: log,
		Profile: trialProfile(), SnapshotEntries: 50, KeepEntries: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	return host
}

// load proposes as long as this node leads, a few at a time, and tells of every entry that is committed. Each
// entry is proposed once.
func load(group *txlog.Group, cfg *trialConfig, say func(string, ...any)) {
	slots := make(chan struct{}, 8)
	pace := time.NewTicker(500 * time.Microsecond) // two thousand entries a second are enough
	defer pace.Stop()
	for i := 0; ; i++ {
		slots <- struct{}{}
		text := fmt.Sprintf("%d.%d.%d.%d", cfg.Node, cfg.Replica, cfg.Life, i)
		err := group.Propose([]byte(text), func(r txlog.Result) {
			if r == txlog.Committed {
				say("committed %s", text)
			}
			<-slots
		})
		if err != nil {
			<-slots
		}
		<-pace.C
	}
}

func obey(group *txlog.Group, machine *txlogtest.Machine, o *trialOrder) (a trialAnswer) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var err error
	switch o.Do {
	case "leads":
		a.Leads = group != nil && group.IsLeader()
	case "remove":
		err = group.Remove(ctx, o.Replica)
	case "witness":
		err = group.AddWitness(ctx, o.Replica, trialID(o.Node))
	case "follow":
		err = group.AddNonVoting(ctx, o.Replica, trialID(o.Node))
	case "promote":
		err = group.Promote(ctx, o.Replica, trialID(o.Node))
	case "members":
		var m txlog.Membership
		m, err = group.Members(ctx)
		a.Members = m.Members
	case "entries":
		if _, err = group.ReadIndex(ctx); err == nil {
			a.Entries = machine.Entries()
		}
	}
	if err != nil {
		a.Err = err.Error()
	}
	return a
}
