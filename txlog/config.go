package txlog

import (
	"fmt"
	"log/slog"
	"time"

	"lockstep/txlog/peer"
)

// Profile is how a cluster keeps time. It must be the same on all nodes of a cluster.
type Profile struct {
	Name string
	// Tick is the unit of the others, and how often a host looks at its groups.
	Tick time.Duration
	// ElectionTicks is how long a follower waits for a leader before it stands for election, at least; the wait
	// is random up to twice that.
	ElectionTicks uint64
	// HeartbeatTicks is how often a leader shows that it is there.
	HeartbeatTicks uint64
}

// LAN is for nodes that reach each other in well under 5 ms: a lost leader is replaced in 50 to 100 ms.
func LAN() Profile {
	// A heartbeat every other tick: five within an election's wait, at half the wake-ups of an idle group.
	return Profile{Name: "lan", Tick: 5 * time.Millisecond, ElectionTicks: 10, HeartbeatTicks: 2}
}

// WAN is for nodes up to some 300 ms apart: a lost leader is replaced in 1.5 to 3 s.
func WAN() Profile {
	return Profile{Name: "wan", Tick: 50 * time.Millisecond, ElectionTicks: 30, HeartbeatTicks: 3}
}

// ProfileByName answers the profile that a configuration names; empty means lan.
func ProfileByName(name string) (Profile, error) {
	switch name {
	case "", "lan":
		return LAN(), nil
	case "wan":
		return WAN(), nil
	}
	return Profile{}, fmt.Errorf("raft_profile %q is unknown: write lan or wan", name)
}

// Config says how a host keeps its logs.
type Config struct {
	// Dir holds the logs. It is created if missing, and bound to node, cluster and host name when first used.
	Dir string
	// NodeID is this node's permanent id. It must be the Self of Peers.
	NodeID NodeID
	// Peers is the network; its cluster must be known. It must stay open until the host is closed.
	Peers *peer.Network
	// Service is the first of the two service bytes that the host uses on the network; 0 means DefaultService.
	Service byte
	// Profile is how the cluster keeps time; the zero value means LAN.
	Profile Profile
	// Log takes what people may want to know. The library's own log goes to the Log of the host that was opened
	// last, for it knows only one a process. nil discards.
	Log *slog.Logger
	// OnEvent is told what happens to replicas, on a goroutine of the host. nil: nobody.
	OnEvent func(Event)
	// OnFatal is told why the process is about to stop, on the goroutine that failed; a panic follows if it
	// returns. nil: only the log is told.
	OnFatal func(error)
	// SnapshotEntries is after how many applied entries a replica syncs its state machine and drops log; it
	// bounds what is applied again after a crash. 0 means 50,000.
	SnapshotEntries uint64
	// KeepEntries is how many entries before that stay in the log for replicas that are behind. 0 means half of
	// SnapshotEntries.
	KeepEntries uint64
	// LogBytes is about how large a group's log may grow whatever the number of entries. 0 means 512 MiB.
	LogBytes uint64
}

// DefaultService and the byte after it carry Raft's messages and snapshot streams.
const DefaultService byte = 'R'

// Validate names the first field that cannot work and what to write instead.
func (c *Config) Validate() error {
	switch {
	case c.Dir == "":
		return fmt.Errorf("txlog: Dir is empty: name a directory for the logs")
	case c.NodeID == 0:
		return fmt.Errorf("txlog: NodeID is 0: give the node its permanent id")
	case c.Peers == nil:
		return fmt.Errorf("txlog: Peers is missing: open the peer network first")
	case NodeID(c.Peers.Self()) != c.NodeID:
		return fmt.Errorf("txlog: NodeID is %s but the peer network's is %s: they must be the same",
			c.NodeID, NodeID(c.Peers.Self()))
	case c.Peers.Cluster().IsZero():
		return fmt.Errorf("txlog: the peer network has no cluster id yet: call SetCluster first")
	}
	p := c.Profile
	if p == (Profile{}) {
		return nil
	}
	if p.Tick < time.Millisecond || p.Tick%time.Millisecond != 0 {
		return fmt.Errorf("txlog: Profile.Tick is %s: write whole milliseconds, at least 1", p.Tick)
	}
	if p.HeartbeatTicks == 0 || p.ElectionTicks < 3*p.HeartbeatTicks {
		return fmt.Errorf("txlog: Profile has %d election ticks for %d heartbeat ticks: write at least three times as many, and a heartbeat of at least 1",
			p.ElectionTicks, p.HeartbeatTicks)
	}
	return nil
}

func (c *Config) defaults() {
	if c.Profile == (Profile{}) {
		c.Profile = LAN()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Service == 0 {
		c.Service = DefaultService
	}
	if c.SnapshotEntries == 0 {
		c.SnapshotEntries = defaultSnapshotEntries
	}
	if c.KeepEntries == 0 {
		c.KeepEntries = c.SnapshotEntries / 2
	}
	if c.LogBytes == 0 {
		c.LogBytes = defaultLogBytes
	}
}

// GroupConfig says which replica to run.
type GroupConfig struct {
	// Shard is the group, Replica this copy of it; neither is 0, and neither is ever used for another.
	Shard, Replica uint64
	// Members are the voters that a new group begins with, replica to node; the same on each of them. Empty when
	// the replica joins an existing group, and when it was started on this host before.
	Members map[uint64]NodeID
	// Join is for the first start of a replica that was added to an existing group.
	Join bool
	// NonVoting is for a replica that was added with AddNonVoting, at every start, promoted since or not.
	NonVoting bool
	// Witness is for a replica that was added with AddWitness, at every start, with Join and without StateMachine.
	Witness bool
	// StateMachine is what the entries are applied to. The group closes it.
	StateMachine StateMachine
}
