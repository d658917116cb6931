package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"lockstep/txlog"
	"lockstep/txlog/peer"
)

// joinRequest asks a member to be entered in its cluster's catalog, or to have
// the entry brought up to date.
type joinRequest struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	HTTP    string            `json:"http"`
	Raft    string            `json:"raft"`
	Version string            `json:"version"`
	OS      string            `json:"os"`
	Arch    string            `json:"arch"`
	Labels  map[string]string `json:"labels"`
	Token   string            `json:"token,omitempty"`
	// Replace says that the data of the node of this name is lost.
	Replace bool `json:"replace,omitempty"`
	// Relayed requests are not relayed again: one hop.
	Relayed bool `json:"relayed,omitempty"`
}

// joinAnswer is what a node needs to begin.
type joinAnswer struct {
	Cluster string            `json:"cluster"`
	Replica uint64            `json:"replica"` // of the system group
	Nodes   map[string]string `json:"nodes"`   // id to raft address
	Refused string            `json:"refused,omitempty"`
}

var errRefused = errors.New("the cluster refused this node")

// enter sees to it that the node belongs to a cluster: one it was in before, a
// new one, or the one that it was told to join.
func (n *Node) enter(ctx context.Context) error {
	id := &n.folder.id
	switch {
	case id.Member:
		return n.greet(ctx)
	case len(n.cfg.Join) > 0:
		return n.join(ctx)
	case n.cfg.Bootstrap || id.First:
		return n.begin()
	}
	return fmt.Errorf("the data folder %s is new: give --bootstrap to begin a cluster with node %s, or --join with the raft address of a member", n.folder.dir, n.cfg.Name)
}

// begin makes a new cluster of this node alone.
func (n *Node) begin() error {
	id := &n.folder.id
	if !id.First {
		var raw peer.ClusterID
		_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
		n.folder.setCluster(raw)
		id.First, id.System, id.Member = true, 1, true
		if err := n.folder.save(); err != nil {
			return err
		}
	}
	return n.setCluster()
}

func (n *Node) setCluster() error {
	if err := n.peers.SetCluster(n.folder.cluster()); err != nil {
		return fmt.Errorf("take the cluster's id: %w", err)
	}
	return nil
}

// greet asks the members that were named whether they are of this cluster, so
// that a folder of another one is told at once. Silence is no answer: the
// others may be starting too.
func (n *Node) greet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, greetWait)
	defer cancel()
	answers := make(chan error, len(n.cfg.Join))
	for _, addr := range n.cfg.Join {
		n.work.Go(func() {
			raw, from, err := n.peers.CallAddr(ctx, addr, serviceStatus, nil)
			var r nodeReport
			if err == nil && json.Unmarshal(raw, &r) == nil {
				n.peers.Learn(from, addr)
				if r.You.Removed {
					answers <- n.removedError()
					return
				}
				n.heed(r.You)
			}
			if errors.Is(err, peer.ErrWrongCluster) {
				answers <- fmt.Errorf("the data folder %s belongs to cluster %s and the node at %s to another: give the node the folder of the right cluster, or an empty one to join anew (%w)", n.folder.dir, n.folder.id.Group, addr, err)
				return
			}
			answers <- nil
		})
	}
	for range n.cfg.Join {
		if err := <-answers; err != nil {
			return err
		}
	}
	return nil
}

// join asks the named members in turn until one enters this node.
func (n *Node) join(ctx context.Context) error {
	var last error
	for {
		for _, addr := range n.cfg.Join {
			answer, err := n.askToJoin(ctx, addr)
			if err == nil {
				return n.joined(answer)
			}
			if errors.Is(err, errRefused) || errors.Is(err, peer.ErrWrongCluster) {
				return fmt.Errorf("join by the member at %s: %w", addr, err)
			}
			if last == nil || last.Error() != err.Error() {
				n.cfg.Log.Info("waiting to join", "member", addr, "reason", err)
			}
			last = err
		}
		pause := time.NewTimer(joinPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return fmt.Errorf("join the cluster: %w (last: %w)", ctx.Err(), last)
		}
	}
}

func (n *Node) askToJoin(ctx context.Context, addr string) (joinAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	ask, err := json.Marshal(n.introduction())
	if err != nil {
		return joinAnswer{}, err
	}
	raw, from, err := n.peers.CallAddr(ctx, addr, serviceJoin, ask)
	if err != nil {
		return joinAnswer{}, err
	}
	var answer joinAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return joinAnswer{}, fmt.Errorf("the member's answer can't be read: %w", err)
	}
	if answer.Refused != "" {
		return joinAnswer{}, fmt.Errorf("%w: %s", errRefused, answer.Refused)
	}
	n.peers.Learn(from, addr)
	return answer, nil
}

// introduction is what this node has to say of itself.
func (n *Node) introduction() joinRequest {
	return joinRequest{
		ID: n.id.String(), Name: n.cfg.Name, HTTP: n.cfg.HTTP, Raft: n.cfg.Raft, Version: Version,
		OS: runtime.GOOS, Arch: runtime.GOARCH, Labels: n.cfg.Labels, Token: n.cfg.JoinToken, Replace: n.cfg.Replace,
	}
}

func (n *Node) joined(answer joinAnswer) error {
	var cluster peer.ClusterID
	if len(answer.Cluster) != 2*len(cluster) || answer.Replica == 0 {
		return fmt.Errorf("join the cluster: the member's answer names no cluster or replica")
	}
	if _, err := hex.Decode(cluster[:], []byte(answer.Cluster)); err != nil {
		return fmt.Errorf("join the cluster: %w", err)
	}
	n.learn(answer.Nodes)
	n.folder.setCluster(cluster)
	n.folder.id.System, n.folder.id.Member = answer.Replica, true
	if err := n.folder.save(); err != nil {
		return err
	}
	return n.setCluster()
}

func (n *Node) learn(nodes map[string]string) {
	for text, addr := range nodes {
		if id, err := txlog.ParseNodeID(text); err == nil && id != n.id {
			n.peers.Learn(uint64(id), addr)
		}
	}
}

// answerJoin enters a node in the catalog and adds its copy of the system group.
// All of it can be repeated.
func (n *Node) answerJoin(ctx context.Context, _ uint64, raw []byte) ([]byte, error) {
	var ask joinRequest
	if err := json.Unmarshal(raw, &ask); err != nil {
		return nil, fmt.Errorf("the request can't be read: %w", err)
	}
	if refused := n.checkJoin(&ask); refused != "" {
		return json.Marshal(joinAnswer{Refused: refused})
	}
	sys := n.systemCopy()
	if sys == nil {
		return nil, errors.New("this member is starting")
	}
	leader, _, ok := sys.log.Leader()
	if !ok {
		return nil, errors.New("the cluster has no leader at the moment")
	}
	if leader != n.id {
		if ask.Relayed {
			return nil, errors.New("the leader has just changed")
		}
		ask.Relayed = true
		raw, err := json.Marshal(&ask)
		if err != nil {
			return nil, err
		}
		return n.peers.Call(ctx, uint64(leader), serviceJoin, raw)
	}
	return n.admit(ctx, sys, &ask)
}

func (n *Node) checkJoin(ask *joinRequest) string {
	if _, err := txlog.ParseNodeID(ask.ID); err != nil {
		return err.Error()
	}
	if !validName(ask.Name) {
		return fmt.Sprintf("%q is no name of a node", ask.Name)
	}
	for _, addr := range []string{ask.HTTP, ask.Raft} {
		if err := checkAddress(addr); err != nil {
			return fmt.Sprintf("%q: %v", addr, err)
		}
	}
	return ""
}

func (n *Node) admit(ctx context.Context, sys *copyOf, ask *joinRequest) ([]byte, error) {
	cat, err := readCatalog(sys.part)
	if err != nil {
		return nil, err
	}
	// The one that began the cluster has the first replica: it enters first.
	if _, ok := cat.node(n.id); !ok {
		return nil, errors.New("this member is starting")
	}
	id, _ := txlog.ParseNodeID(ask.ID) // checkJoin has read it
	if refused := n.mayEnter(cat, id, ask); refused != "" {
		return json.Marshal(joinAnswer{Refused: refused})
	}
	replica, err := n.register(ctx, sys, ask)
	if err != nil {
		return nil, err
	}
	n.peers.Learn(uint64(id), ask.Raft)
	if err := sys.log.AddNonVoting(ctx, replica, id); err != nil {
		return nil, fmt.Errorf("add node %s to the system group: %w", ask.Name, err)
	}
	if cat, err = readCatalog(sys.part); err != nil {
		return nil, err
	}
	answer := joinAnswer{Cluster: n.folder.id.Group, Replica: replica, Nodes: map[string]string{}}
	for _, row := range cat.nodes {
		answer.Nodes[row.id.String()] = row.raft
	}
	n.cfg.Log.Info("a node joins", "name", ask.Name, "raft", ask.Raft)
	return json.Marshal(&answer)
}

// mayEnter tells why a node may not enter the catalog; empty: it may.
func (n *Node) mayEnter(cat *catalog, id txlog.NodeID, ask *joinRequest) (refused string) {
	if _, known := cat.node(id); known {
		return "" // it asks again, or something about it has changed
	}
	if _, removed := cat.removed[id]; removed {
		return "the node was removed from this cluster: give it an empty data folder to join anew"
	}
	if refused := cat.mayJoin(ask, time.Now()); refused != "" {
		return refused
	}
	other, taken := cat.named(ask.Name)
	switch {
	case !taken:
		return ""
	case n.statuses.reachable(other.id) || other.id == n.id:
		return fmt.Sprintf("the cluster has a node named %s already, which answers: give this one another name", ask.Name)
	case !ask.Replace:
		return fmt.Sprintf("the cluster has a node named %s already, with other data: start that node with its own data folder, or give this one another name; if its data is lost, --replace has this one take its place", ask.Name)
	}
	return ""
}

// seek asks the members that were named where they are until the node is ready: when
// several nodes are started under other addresses, what they know of each other is of
// the past.
func (n *Node) seek() {
	for {
		select {
		case <-n.ready:
			return
		case <-n.ctx.Done():
			return
		case <-time.After(seekEvery):
		}
		if err := n.greet(n.ctx); err != nil {
			n.fatal(err)
			return
		}
	}
}
