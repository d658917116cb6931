package node

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"lockstep/router"
	"lockstep/router/measure"
	"lockstep/txlog"
)

// nodeReport is what a node says of itself.
type nodeReport struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Status  string `json:"status"`
	// Languages are the versions of the language that its program knows.
	Languages []uint32 `json:"languages"`
	OS        string   `json:"os,omitempty"`
	Arch      string   `json:"arch,omitempty"`
	// UptimeSeconds is for how long its process has run.
	UptimeSeconds int64 `json:"uptime_seconds"`
	measure.Sample
	// Holds are the tasks that it holds, by the logs of its copies: group/slot.
	Holds  []string              `json:"holds,omitempty"`
	Groups map[string]copyReport `json:"groups"`
	// Catalog is the revision of the catalog that the node has made its copies agree
	// with; of the shards Kept it still has something on disk of a former replica.
	Catalog uint64   `json:"catalog"`
	Kept    []uint64 `json:"kept,omitempty"`
	// Blocked says why nodes can't drain, by their ids, as the system group's leader has
	// it. You is what the catalog has on who asks.
	Blocked map[string][]string `json:"blocked,omitempty"`
	You     told                `json:"you"`
}

// copyReport is what a node says of its copy of a group.
type copyReport struct {
	Revision uint64 `json:"revision"`
	// Incarnation counts how often the group was rebuilt, as the copy has it.
	Incarnation uint64 `json:"incarnation,omitempty"`
	Schema      uint64 `json:"schema"`
	Leader      string `json:"leader,omitempty"` // id of the node that leads, as heard there
	Term        uint64 `json:"term,omitempty"`
	Keys        int64  `json:"key_window_seconds"`
	Replica     uint64 `json:"replica"`
	// Receiving is set while a snapshot that came is being taken in.
	Receiving bool `json:"receiving,omitempty"`
	// SizeBytes is the copy on disk, ApplyRate the revisions that it reaches a second.
	SizeBytes int64   `json:"size_bytes,omitempty"`
	ApplyRate float64 `json:"apply_rate,omitempty"`
	// Diverged is set while the copy differs from the majority and is not served,
	// Former where a copy before it did.
	Diverged *router.Divergence `json:"diverged,omitempty"`
	Former   *router.Divergence `json:"former,omitempty"`
	// Held is set while the group takes no changes; these replicas differ.
	Held []uint64 `json:"held,omitempty"`
	// Witness says that it votes and has no data.
	Witness bool `json:"witness,omitempty"`
	// Voters are the replicas that vote, as the primary has seen.
	Voters []uint64 `json:"voters,omitempty"`
	// Of the primary's copy alone: who holds the group's tasks, a number of them at
	// most, and whom the policies want as primary.
	Tasks     []taskReport `json:"tasks,omitempty"`
	Wanted    string       `json:"wanted,omitempty"`
	WantedWhy string       `json:"wanted_why,omitempty"`

	Change *router.SchemaChange `json:"schema_change,omitempty"`
}

// statuses is what was last heard of each peer.
type statuses struct {
	mu    sync.RWMutex
	heard map[txlog.NodeID]heard
	// missed is since when a peer has been silent.
	missed map[txlog.NodeID]time.Time
}

type heard struct {
	report nodeReport
	at     time.Time // zero where nobody listens there
	last   time.Time // likewise, and never forgotten
}

func (s *statuses) set(id txlog.NodeID, r nodeReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heard == nil {
		s.heard = map[txlog.NodeID]heard{}
	}
	s.heard[id] = heard{report: r, at: time.Now(), last: time.Now()}
}

// touch notes that a peer was heard, and has nothing new to say.
func (s *statuses) touch(id txlog.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.heard[id]; ok {
		h.at, h.last = time.Now(), time.Now()
		s.heard[id] = h
	}
}

// gone notes that nobody listens at a peer's address: no need to wait until its
// silence is long enough.
func (s *statuses) gone(id txlog.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h, ok := s.heard[id]; ok {
		h.at = time.Time{}
		s.heard[id] = h
	}
}

// fresh is what a peer said of itself lately; not ok where it has been silent.
func (s *statuses) fresh(id txlog.NodeID) (nodeReport, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.heard[id]
	return h.report, ok && time.Since(h.at) < staleAfter
}

func (s *statuses) reachable(id txlog.NodeID) bool {
	_, ok := s.fresh(id)
	return ok
}

// revision is the last that was heard of a peer's copy.
func (s *statuses) revision(id txlog.NodeID, group string) uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.heard[id].report.Groups[group].Revision
}

// askStatus has a peer say at once what it would say with its next heartbeat.
func (n *Node) askStatus(id txlog.NodeID) {
	ctx, cancel := context.WithTimeout(n.ctx, statusWait)
	defer cancel()
	raw, err := n.peers.Call(ctx, uint64(id), serviceStatus, nil)
	if err != nil {
		if n.ctx.Err() == nil && unsent(err) {
			n.statuses.gone(id)
		}
		return
	}
	var r nodeReport
	if err := json.Unmarshal(raw, &r); err != nil {
		n.cfg.Log.Warn("a peer's status can't be read", "peer", id.String(), "error", err)
		return
	}
	n.statuses.set(id, r)
	n.heed(r.You)
}

func over(done <-chan struct{}) bool {
	if done == nil {
		return true
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func (n *Node) answerStatus(_ context.Context, from uint64, _ []byte) ([]byte, error) {
	r := n.report()
	r.You = n.tells(txlog.NodeID(from))
	return json.Marshal(r)
}

func (n *Node) report() nodeReport {
	r := nodeReport{
		Name: n.cfg.Name, Version: Version, Status: "available", Languages: n.env.Versions(), Groups: map[string]copyReport{},
		OS: runtime.GOOS, Arch: runtime.GOARCH, UptimeSeconds: int64(time.Since(n.pulse.started) / time.Second), Sample: n.pulse.meter.Sample(),
	}
	if n.draining.Load() {
		r.Status = "draining"
	}
	n.mu.Lock()
	r.Kept = slices.Clone(n.kept)
	if sys := n.system; sys != nil && sys.log.IsLeader() {
		r.Blocked = maps.Clone(n.blocked)
	}
	n.mu.Unlock()
	if swept := n.swept.Load(); swept > 0 {
		r.Catalog = swept - 1
	}
	for _, c := range n.allCopies() {
		pos := c.part.Position()
		report := copyReport{Revision: pos.Revision, Incarnation: pos.Incarnation, Schema: pos.Schema, Keys: pos.KeyWindowMillis / 1000, Change: c.schemaChange(), Receiving: c.transfer.receiving.Load() > 0}
		if leader, term, ok := c.log.Leader(); ok {
			report.Leader, report.Term = leader.String(), term
		}
		n.reportChecks(c, &report)
		report.SizeBytes, report.ApplyRate = c.pace.measure(c, pos.Revision)
		r.Groups[c.name] = report
		for _, t := range c.part.Tasks().List {
			if t.Holder == uint64(n.id) {
				r.Holds = append(r.Holds, c.name+"/"+t.Name)
			}
		}
	}
	for group, replica := range n.runningWitnesses() {
		r.Groups[group] = copyReport{Replica: replica, Witness: true}
	}
	slices.Sort(r.Holds) // copies come in no order
	for group, b := range n.allRebuilds() {
		r.Groups[group] = copyReport{Replica: b.evidence.Replica, Diverged: n.divergence(b.evidence)}
	}
	return r
}

// reportChecks adds what is known of the copy's digests.
func (n *Node) reportChecks(c *copyOf, r *copyReport) {
	r.Replica = c.log.Replica()
	if held := c.part.Judged().Held; held != nil {
		r.Held = held.Differed
	}
	if e := n.lastEvidence(c.name); e != nil {
		r.Former = n.divergence(e)
	}
	if c.log.IsLeader() {
		r.Tasks = reportTasks(c.part.Tasks())
		if w := c.wish.Load(); w != nil {
			r.Wanted, r.WantedWhy = n.catalog.Load().nodeName(w.node), w.shown()
		}
		n.guarding.Lock()
		defer n.guarding.Unlock()
		if c.name == systemGroup {
			r.Voters = n.catalogVoters
			return
		}
		if g := n.guards[c.name]; g != nil {
			r.Voters = g.voters
		}
	}
}

// reportOf is what is known of a node, this one included.
func (n *Node) reportOf(id txlog.NodeID) (nodeReport, bool) {
	if id == n.id {
		return n.report(), true
	}
	return n.statuses.fresh(id)
}

// Groups lists every group.
func (n *Node) Groups() []router.GroupStatus {
	cat := n.catalog.Load()
	out := make([]router.GroupStatus, 0, len(cat.groups))
	for _, g := range cat.groups {
		out = append(out, n.groupStatus(cat, g))
	}
	return out
}

func (n *Node) groupStatus(cat *catalog, g groupRow) router.GroupStatus {
	s := router.GroupStatus{Name: g.name, Labels: g.labels}
	var primary txlog.NodeID
	var term uint64
	reports := map[txlog.NodeID]copyReport{}
	copies := cat.copies(g.name)
	have := 0
	for _, p := range copies {
		r, ok := n.reportOf(p.node)
		report, open := r.Groups[g.name]
		if !ok || !open {
			continue
		}
		reports[p.node] = report
		if report.Diverged != nil || report.Witness || p.away || p.kind == kindWitness {
			continue
		}
		have++
		if report.Held != nil {
			s.Held = heldText(cat, copies, report.Held)
		}
		s.Revision = max(s.Revision, report.Revision)
		s.SchemaVersion = max(s.SchemaVersion, report.Schema)
		s.SchemaChange = furtherChange(s.SchemaChange, report.Change)
		// The highest term that anyone has heard of is the present one.
		if id, err := txlog.ParseNodeID(report.Leader); err == nil && report.Term >= term {
			primary, term = id, report.Term
		}
	}
	at, known := reports[primary]
	if known {
		s.Primary, s.Revision, s.KeyWindowSeconds = cat.nodeName(primary), at.Revision, at.Keys
		s.SchemaChange, s.Incarnation = at.Change, at.Incarnation
	}
	for _, p := range copies {
		s.Partitions = append(s.Partitions, n.partitionStatus(cat, p, reports, primary, s.Revision))
	}
	s.Durability, s.Made = durability(copies, have, g.copies), g.copies
	n.addHealth(cat, &s, at)
	return s
}

// furtherChange is the later of two reports of a group's schema change.
func furtherChange(a, b *router.SchemaChange) *router.SchemaChange {
	if a == nil || b != nil && (b.Change > a.Change || b.Change == a.Change && b.RowsDone > a.RowsDone) {
		return b
	}
	return a
}

// heldText says why a group takes no changes, and what to do.
func heldText(cat *catalog, copies []partitionRow, differ []uint64) string {
	var names []string
	for _, p := range copies {
		if slices.Contains(differ, p.replica) {
			names = append(names, cat.nodeName(p.node))
		}
	}
	return fmt.Sprintf("the copies on %s differ and no majority agrees, so nothing is changed: bring back nodes that are away, for their copies may settle it; "+
		"or compare the data, and say which copy is right with lockstep group trust %s NODE: the others are then built anew from it", strings.Join(names, ", "), copies[0].group)
}

func (n *Node) partitionStatus(cat *catalog, p partitionRow, reports map[txlog.NodeID]copyReport, primary txlog.NodeID, revision uint64) router.PartitionStatus {
	s := router.PartitionStatus{Node: cat.nodeName(p.node), Role: "subscriber", Status: "unavailable", Kind: p.kind, Leaving: p.leaving}
	if p.replaces != 0 {
		s.Replaces = cat.nodeName(p.replaces)
	}
	voters := reports[primary].Voters
	switch {
	case p.node == primary:
		s.Role = "primary"
	case p.away:
		s.Reason = "a witness has its place until its node is back; then it joins again"
	case (voters != nil || p.kind == kindWitness) && !slices.Contains(voters, p.replica):
		s.Role = "joining"
	case p.kind == kindWitness:
		s.Role = "witness"
	}
	r, ok := reports[p.node]
	switch {
	case !ok:
		s.Revision = n.statuses.revision(p.node, p.group)
	case r.Diverged != nil:
		s.Status, s.Revision = "diverged", r.Diverged.Revision
		s.Reason, s.Divergence = r.Diverged.Reason, r.Diverged
	default:
		s.Status, s.Revision, s.Divergence = "available", r.Revision, r.Former
	}
	if s.Revision < revision && p.kind != kindWitness {
		s.Lag = revision - s.Revision
	}
	if s.Role == "joining" && p.kind != kindWitness {
		s.Progress = &router.Progress{Revision: s.Revision, Of: max(revision, s.Revision)}
	}
	n.addState(&s, p.group, ok)
	return s
}

// rebuilding is the evidence against a group's copy that is on its way out; nil
// where none is.
func (n *Node) rebuilding(group string) *Evidence {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.rebuilds[group]; r != nil {
		return r.evidence
	}
	return nil
}

// Unready tells why the node should get no traffic yet.
func (n *Node) Unready() []router.Unready {
	var out []router.Unready
	if n.draining.Load() {
		out = append(out, router.Unready{Code: "draining", Detail: "the node is stopping"})
	}
	cat := n.catalog.Load()
	if _, ok := cat.node(n.id); !ok {
		out = append(out, router.Unready{Code: "starting", Detail: "the node has not read of itself in the catalog yet"})
	}
	for _, p := range cat.partitions {
		if p.node != n.id || n.copy(p.group) != nil || p.away || p.kind == kindWitness && n.witnessRuns(cat, p) {
			continue
		}
		if g, _ := cat.group(p.group); n.isFormer(g.shard) {
			out = append(out, router.Unready{Code: "starting", Group: p.group, Detail: "the group was rebuilt, and the catalog as it is known here does not say so yet: the copy is not opened before it does"})
		} else if e := n.rebuilding(p.group); e != nil {
			out = append(out, router.Unready{Code: "diverged", Group: p.group, Detail: "the copy differs from the others and is built anew: " + e.Reason})
		} else {
			out = append(out, router.Unready{Code: "starting", Group: p.group, Detail: "the copy is not open yet"})
		}
	}
	for _, c := range n.allCopies() {
		leader, _, ok := c.log.Leader()
		switch {
		case !ok:
			out = append(out, router.Unready{Code: "no_primary", Group: c.name, Detail: "no primary has been heard of"})
		case leader != n.id && c.Lag() > readyLag:
			out = append(out, router.Unready{Code: "behind", Group: c.name, Detail: fmt.Sprintf("the copy is %d revisions behind", c.Lag())})
		}
	}
	return out
}
