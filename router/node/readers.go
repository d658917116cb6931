package node

import (
	"context"
	"slices"
	"time"

	"lockstep/policy/supervision"
	"lockstep/router"
	"lockstep/router/spread"
	"lockstep/txlog"
)

var _ router.Readers = (*Node)(nil)

// Readers are the copies that may serve a group's reads, as of the last look.
func (n *Node) Readers(group string) *spread.Set {
	sets := n.readers.Load()
	if sets == nil {
		return nil
	}
	return (*sets)[group]
}

// Read asks a node, once.
func (n *Node) Read(ctx context.Context, node uint64, request []byte) ([]byte, error) {
	return n.peers.Call(ctx, node, serviceForward, request)
}

// readersLoop looks which copies may serve reads, again and again.
func (n *Node) readersLoop() {
	tick := time.NewTicker(readersEvery)
	defer tick.Stop()
	choices := map[string]chosen{}
	for {
		cat := n.catalog.Load()
		reports := map[txlog.NodeID]nodeReport{n.id: n.report()}
		for _, row := range cat.nodes {
			if r, ok := n.statuses.fresh(row.id); ok && row.id != n.id {
				reports[row.id] = r
			}
		}
		sets, chose := map[string]*spread.Set{}, map[string]chosen{}
		for _, g := range cat.groups {
			states := n.states(g.name)
			set := n.readersOf(cat, g.name, reports, states)
			if now := n.keepChosen(set, n.readerInput(time.Now(), cat, g, reports, states), choices[g.name]); now != nil {
				chose[g.name] = now
			}
			sets[g.name] = set
		}
		choices = chose
		n.readers.Store(&sets)
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// readersOf finds the data copies of a group that have a vote, are open, not draining,
// not different from the majority and not far behind, on nodes that are there; suspects
// are for where no other can be asked. A copy without a vote is still being fed, or was
// replaced, and may be any distance behind whatever it says (interface.md: "never a
// non-voting copy").
func (n *Node) readersOf(cat *catalog, group string, reports map[txlog.NodeID]nodeReport, states map[string]supervision.Status) *spread.Set {
	set := &spread.Set{}
	var ahead uint64
	for _, p := range cat.copies(group) {
		ahead = max(ahead, reports[p.node].Groups[group].Revision)
	}
	voters := votersHeard(cat.copies(group), reports)
	for _, p := range cat.copies(group) {
		row, _ := cat.node(p.node)
		r, state := reports[p.node], states[row.name].State
		report, open := r.Groups[group]
		if p.kind == kindWitness || p.leaving || !votesAmong(voters, p) || !open || state == supervision.Unavailable || report.Diverged != nil || ahead-min(ahead, report.Revision) > readyLag {
			continue
		}
		c := spread.Copy{Node: uint64(p.node), Name: row.name, Revision: report.Revision, Load: r.CPU, Suspect: state == supervision.Suspect}
		if p.node == n.id {
			set.Own = c // while it stops, too: others may not be there yet
			continue
		}
		if r.Status == "draining" || row.state != "" {
			continue
		}
		set.Others = append(set.Others, c)
	}
	return set
}

// votersHeard are the replicas that vote in the group of some copies, as its primary has
// said; nil where none has.
func votersHeard(copies []partitionRow, reports map[txlog.NodeID]nodeReport) (voters []uint64) {
	var term uint64
	for _, p := range copies {
		if r := reports[p.node].Groups[p.group]; r.Voters != nil && r.Term >= term {
			voters, term = r.Voters, r.Term
		}
	}
	return voters
}

// votesAmong tells whether a copy has a vote, as far as is known.
func votesAmong(voters []uint64, p partitionRow) bool {
	return !p.away && (voters == nil || slices.Contains(voters, p.replica))
}
