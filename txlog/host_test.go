package txlog_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"lockstep/txlog"
	"lockstep/txlog/peer"
	"lockstep/txlog/txlogtest"
)

// errors.go: a directory in use, or of another node or cluster, is refused and says so.
func TestForeignDirectoriesAreRefused(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 1, txlogtest.Options{})
	dir := c.Dir(0) + "/log"
	open := func(id txlog.NodeID, cluster peer.ClusterID) error {
		peers, err := peer.Open(peer.Config{Listen: "127.0.0.1:0", Self: uint64(id), Cluster: cluster})
		if err != nil {
			t.Fatal(err)
		}
		defer peers.Close()
		h, err := txlog.Open(txlog.Config{Dir: dir, NodeID: id, Peers: peers})
		if err == nil {
			h.Close()
		}
		return err
	}
	if err := open(c.ID(0), txlogtest.ClusterID()); !errors.Is(err, txlog.ErrInUse) {
		t.Errorf("in use: %v", err)
	}
	c.Stop(0)
	if err := open(0xbad, txlogtest.ClusterID()); !errors.Is(err, txlog.ErrForeignData) {
		t.Errorf("another node's: %v", err)
	}
	if err := open(c.ID(0), peer.ClusterID{9, 9}); !errors.Is(err, txlog.ErrForeignData) {
		t.Errorf("another cluster's: %v", err)
	}
	if err := open(c.ID(0), txlogtest.ClusterID()); err != nil {
		t.Errorf("its own: %v", err)
	}
}

// Two clusters that mistake each other's addresses don't mix: the network refuses.
func TestTheWrongClusterIsRefused(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 1, txlogtest.Options{})
	stranger, err := peer.Open(peer.Config{Listen: "127.0.0.1:0", Self: 0xbad, Cluster: peer.ClusterID{9}})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.DialAddr(c.Context(), c.Peers(0).Addr(), txlog.DefaultService); !errors.Is(err, peer.ErrWrongCluster) {
		t.Fatalf("got %v", err)
	}
}

// traps.md, 10: a packet of 20 bytes crashes the library's own transport. Here garbage, even in good frames of a
// member of the cluster, ends its connection and nothing else.
func TestGarbageInGoodFramesHarmsNobody(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 3, txlogtest.Options{})
	c.Propose("before")
	bad, err := peer.Open(peer.Config{Listen: "127.0.0.1:0", Self: 0xbad, Cluster: txlogtest.ClusterID()})
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	for _, service := range []byte{txlog.DefaultService, txlog.DefaultService + 1} {
		for _, frame := range garbage() {
			conn, err := bad.DialAddr(c.Context(), c.Peers(0).Addr(), service)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Send(frame)
			_ = conn.Close()
		}
	}
	silent, err := net.Dial("tcp", c.Peers(0).Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c.Propose("after")
	c.Same(2)
}

// Every way to start a group that cannot work is refused before anything happens.
func TestGroupsAreCheckedBeforeTheyStart(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 1, txlogtest.Options{})
	h, machine := c.Host(0), txlogtest.NewMachine(t.TempDir())
	for name, cfg := range map[string]txlog.GroupConfig{
		"no shard":           {Replica: 1, StateMachine: machine},
		"no machine":         {Shard: 2, Replica: 1},
		"never started here": {Shard: 2, Replica: 1, StateMachine: machine},
		"both":               {Shard: 2, Replica: 1, Join: true, Members: map[uint64]txlog.NodeID{1: c.ID(0)}, StateMachine: machine},
		"not this node":      {Shard: 2, Replica: 1, Members: map[uint64]txlog.NodeID{1: 0xbad}, StateMachine: machine},
		"runs already":       {Shard: txlogtest.Shard, Replica: 1, StateMachine: machine},
	} {
		if _, err := h.StartGroup(cfg); err == nil {
			t.Errorf("%s: started", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	if !h.HasData(txlogtest.Shard, 1) || h.HasData(2, 1) {
		t.Error("HasData is wrong")
	}
}

// Several groups live on one host and don't see each other's entries; one can stop alone.
func TestGroupsAreApart(t *testing.T) {
	t.Parallel()
	c := txlogtest.Start(t, 1, txlogtest.Options{})
	h, ctx := c.Host(0), c.Context()
	machine := txlogtest.NewMachine(t.TempDir())
	other, err := h.StartGroup(txlog.GroupConfig{
		Shard: 2, Replica: 1, Members: map[uint64]txlog.NodeID{1: c.ID(0)}, StateMachine: machine,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Eventually("a leader of the other group", other.IsLeader)
	result := make(chan txlog.Result, 1)
	if err := other.Propose([]byte("b"), func(r txlog.Result) { result <- r }); err != nil {
		t.Fatal(err)
	}
	if r := <-result; r != txlog.Committed {
		t.Fatal(r)
	}
	c.Propose("a")
	if err := h.StopGroup(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if !machine.Closed() {
		t.Error("the state machine is open after StopGroup")
	}
	c.Propose("a")
	if got := fmt.Sprint(c.Machine(0).Entries(), machine.Entries()); got != "[a a] [b]" {
		t.Fatal(got)
	}
}
