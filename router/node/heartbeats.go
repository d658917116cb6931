package node

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lockstep/policy/supervision"
	"lockstep/router/heartbeat"
	"lockstep/router/measure"
	"lockstep/router/settings"
	"lockstep/txlog"
	"lockstep/txlog/peer"
)

// pulse is what tells nodes of each other: heartbeats, and what they carry.
type pulse struct {
	beats   atomic.Pointer[heartbeat.Pulse] // nil until the node serves
	board   *heartbeat.Board
	meter   *measure.Meter
	started time.Time

	mu     sync.Mutex
	report []byte    // what this node says of itself
	made   time.Time // when that was put together
}

// systemWatch is how all nodes watch each other, whatever groups they have copies of.
func systemWatch() supervision.Config {
	return supervision.Config{Interval: nodeBeat, Timeout: 3 * nodeBeat, Retries: 3}
}

func (n *Node) startHeartbeats() error {
	beats, err := heartbeat.New(heartbeat.Config{
		Boot: n.session, Board: n.pulse.board, Log: n.cfg.Log,
		Dial: func(ctx context.Context, id uint64) (heartbeat.Conn, error) {
			c, err := n.peers.Dial(ctx, id, serviceHeartbeat)
			if err != nil {
				return nil, err
			}
			return c, nil
		},
		Refused: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) },
		Report:  n.reportText,
		Heard:   n.heard,
		Gone:    func(id uint64) { n.statuses.gone(txlog.NodeID(id)) },
		Changed: func(e heartbeat.Event) {
			n.judgeAnew()
			n.cfg.Log.Info("a node is "+string(e.To), "peer", e.Node, "group", e.Group, "was", string(e.From), "reason", e.Text)
		},
	})
	n.pulse.beats.Store(beats)
	return err
}

// watchNodes has those watched whom the catalog names, each group's by its settings.
func (n *Node) watchNodes(cat *catalog) {
	beats := n.pulse.beats.Load()
	if beats == nil {
		return
	}
	member := func(row nodeRow) heartbeat.Member {
		return heartbeat.Member{Name: row.name, Wished: supervision.State(row.state)}
	}
	groups := map[string]heartbeat.Group{}
	all := heartbeat.Group{Config: systemWatch()}
	every := map[txlog.NodeID]time.Duration{}
	for _, row := range cat.nodes {
		all.Members = append(all.Members, member(row))
		every[row.id] = nodeBeat
	}
	groups[systemGroup] = all
	for _, g := range cat.groups {
		copies := cat.copies(g.name)
		mine := false
		set, _ := settings.Parse(g.settings) // checked when it was written
		watched := heartbeat.Group{Config: set.Supervision}
		for _, p := range copies {
			mine = mine || p.node == n.id
			if row, ok := cat.node(p.node); ok {
				watched.Members = append(watched.Members, member(row))
			}
		}
		if !mine {
			continue
		}
		groups[g.name] = watched
		for _, p := range copies {
			every[p.node] = min(every[p.node], set.Supervision.Interval)
		}
	}
	if err := n.pulse.board.Set(groups); err != nil {
		n.cfg.Log.Warn("not all of the catalog's nodes can be watched", "error", err)
	}
	var peers []heartbeat.Peer
	for _, row := range cat.nodes {
		if row.id != n.id {
			peers = append(peers, heartbeat.Peer{ID: uint64(row.id), Name: row.name, Every: every[row.id]})
		}
	}
	beats.SetPeers(peers)
}

// heard takes in what a peer said of itself; nil: that nothing has changed.
func (n *Node) heard(from uint64, report []byte) {
	id := txlog.NodeID(from)
	if report == nil {
		n.statuses.touch(id)
		return
	}
	var r nodeReport
	if err := json.Unmarshal(report, &r); err != nil {
		n.cfg.Log.Warn("a peer's status can't be read", "peer", id.String(), "error", err)
		return
	}
	n.statuses.set(id, r)
}

// reportText is what this node says of itself, put together once for all peers.
func (n *Node) reportText() []byte {
	p := &n.pulse
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); p.report == nil || now.Sub(p.made) > reportKept {
		raw, err := json.Marshal(n.report())
		if err != nil {
			return p.report
		}
		p.report, p.made = raw, now
	}
	return p.report
}

func (n *Node) serveHeartbeats(from uint64, c *peer.Conn) {
	if beats := n.pulse.beats.Load(); beats != nil {
		beats.Serve(from, c)
		return
	}
	_ = c.Close() // it is starting
}

// stateOf is what a node is taken for: by the group's own watch where this node has
// a copy of it, else by that of all nodes.
func (n *Node) stateOf(group, name string) (supervision.Status, bool) {
	for _, watched := range []string{group, systemGroup} {
		for _, s := range n.pulse.board.Status(watched) {
			if s.Node == name {
				return s, true
			}
		}
	}
	return supervision.Status{}, false
}

// states is stateOf for all nodes.
func (n *Node) states(group string) map[string]supervision.Status {
	out := map[string]supervision.Status{}
	for _, watched := range []string{systemGroup, group} {
		for _, s := range n.pulse.board.Status(watched) {
			out[s.Node] = s
		}
	}
	return out
}

// pace is how large a copy is and how fast it goes on, measured every so often.
type pace struct {
	mu       sync.Mutex
	at       time.Time
	revision uint64
	rate     float64 // revisions a second
	bytes    int64
}

func (p *pace) measure(c *copyOf, revision uint64) (bytes int64, rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.at) >= paceEvery {
		if !p.at.IsZero() && revision >= p.revision {
			p.rate = math.Round(float64(revision-p.revision) / now.Sub(p.at).Seconds())
		}
		p.at, p.revision, p.bytes = now, revision, int64(c.part.DiskBytes())
	}
	return p.bytes, p.rate
}
