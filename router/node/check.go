package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lockstep/engine/entry"
	"lockstep/router"
	"lockstep/router/order"
	"lockstep/txlog"
)

// guard is what this node knows of a group of which it is primary, to have its
// copies checked and its members as the catalog says.
type guard struct {
	term    uint64
	tending bool

	// A scrub takes as long as thousands of checks of running digests, which go on
	// beside it. What is found is ordered one at a time. All ends with the term.
	comparing, scrubbing bool
	ordering             sync.Mutex
	ctx                  context.Context
	end                  context.CancelFunc

	// at is when the last checkpoint was ordered.
	at time.Time
	// scrubAt is when the next scrub is due, as far as this primary decides.
	scrubAt time.Time

	// Of the members: the catalog's revision at which all was as it says, the
	// voters' replicas, and the revision that a newcomer must have reached.
	settled uint64
	sealed  uint64 // version of the members after which an entry was ordered
	voters  []uint64
	members txlog.Membership // as they were last read
	mark    uint64
	marked  bool      // mark is set
	waiting time.Time // since when somebody waits for a vote

	// away is since when a node with a copy or witness has been silent, stepping that
	// the next step of the last copy is being taken.
	away     map[txlog.NodeID]time.Time
	stepping bool
}

// guardLoop looks after the groups of which this node is primary.
func (n *Node) guardLoop() {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
		for _, c := range n.allCopies() {
			if c.name != systemGroup && c.log.IsLeader() {
				n.watchOver(c)
			}
		}
	}
}

// watchOver begins what is due for a group. A check may take as long as a scrub,
// so members are looked after beside it.
func (n *Node) watchOver(c *copyOf) {
	_, term, _ := c.log.Leader()
	n.guarding.Lock()
	defer n.guarding.Unlock()
	g := n.guards[c.name]
	if g == nil || g.term != term && !g.tending {
		// A new primary's first checkpoint comes after an interval, like any other.
		old := g
		g = &guard{term: term, at: time.Now()}
		g.ctx, g.end = context.WithCancel(n.ctx)
		if old != nil {
			old.end()
			g.voters = old.voters
		}
		n.guards[c.name] = g
	}
	if contents, due := n.checkDue(c, g); due {
		under := g.underWay(contents)
		*under = true
		n.work.Go(func() {
			err := n.check(c, g, contents)
			n.guarding.Lock()
			*under = false
			n.guarding.Unlock()
			if err != nil && g.ctx.Err() == nil {
				n.cfg.Log.Info("a checkpoint had no verdict", "group", c.name, "reason", err)
			}
		})
	}
	n.watchAway(c, g)
	if g.settled != n.catalog.Load().revision && !g.tending {
		g.tending = true
		n.work.Go(func() {
			revision, err := n.tendGroup(c, g)
			n.guarding.Lock()
			g.tending, g.settled = false, revision
			n.guarding.Unlock()
			if err != nil && n.ctx.Err() == nil {
				n.cfg.Log.Info("the members of a group are not yet as the catalog says", "group", c.name, "reason", err)
			}
		})
	}
}

// underWay is the flag of checks of a kind.
func (g *guard) underWay(contents entry.Contents) *bool {
	if contents == entry.ContentsNone {
		return &g.comparing
	}
	return &g.scrubbing
}

// checkDue tells whether a checkpoint is due, and what is to be digested at it: of
// a kind of which none is under way. n.guarding is held.
func (n *Node) checkDue(c *copyOf, g *guard) (entry.Contents, bool) {
	now, j := time.Now(), c.part.Judged()
	if j.Held != nil {
		// Until a majority agrees nothing is written: look again soon.
		contents, pause := entry.ContentsNone, min(n.cfg.CheckEvery, heldPause)
		if j.Held.HasContent {
			contents, pause = entry.ContentsScrubbed, heldScrubPause
			if every := n.cfg.ScrubEvery; every > 0 {
				pause = min(every, pause)
			}
		}
		return contents, now.Sub(g.at) >= pause && !*g.underWay(contents)
	}
	var scrubbed time.Time
	if j.Content != nil {
		scrubbed = time.UnixMilli(j.Content.TimeMillis)
	}
	if n.cfg.ScrubEvery > 0 && !g.scrubbing && now.Sub(scrubbed) >= n.cfg.ScrubEvery && !now.Before(g.scrubAt) && now.Sub(g.at) >= min(n.cfg.CheckEvery, n.cfg.ScrubEvery) {
		return entry.ContentsScrubbed, true
	}
	// What no verdict covers yet is due, whoever was primary when it was written.
	var judged uint64
	if j.Last != nil {
		judged = j.Last.Revision
	}
	due, since := c.part.Position().Revision-judged, now.Sub(g.at)
	return entry.ContentsNone, !g.comparing && (due > 0 && since >= n.cfg.CheckEvery || due >= n.cfg.CheckRevisions && since >= minCheckEvery)
}

// check orders a checkpoint, hears the copies, and orders the verdict.
func (n *Node) check(c *copyOf, g *guard, contents entry.Contents) error {
	n.guarding.Lock()
	g.at = time.Now()
	if contents != entry.ContentsNone {
		g.scrubAt = g.at.Add(min(n.cfg.ScrubEvery, scrubRetry))
	}
	n.guarding.Unlock()
	p, err := n.poll(g.ctx, c, contents)
	if err != nil {
		return err
	}
	n.checks.checkpoints.WithLabelValues(c.name, contentsName(contents)).Inc()
	v, ok := tally(p.answers, len(p.voters))
	if !ok {
		return fmt.Errorf("%d of %d copies answered: %w", len(p.answers), len(p.voters), errors.Join(p.silent...))
	}
	g.ordering.Lock()
	defer g.ordering.Unlock()
	switch held := c.part.Judged().Held; {
	case held == nil:
	case v.Held() && slices.Equal(held.Differed, v.Differed):
		return nil // as before
	case !v.Held() && v.Revision < held.Revision:
		return nil // a scrub that was begun before the copies differed does not say that they agree
	}
	v.Checkpoint = p.checkpoint
	return n.orderVerdict(g.ctx, c, &v)
}

func contentsName(c entry.Contents) string {
	return [...]string{"running", "asked", "scrub"}[c]
}

func (n *Node) orderVerdict(ctx context.Context, c *copyOf, v *entry.Verdict) error {
	ctx, cancel := context.WithTimeout(ctx, catalogWait)
	defer cancel()
	if _, err := c.order(ctx, &order.Request{Verdict: v}); err != nil {
		return fmt.Errorf("order the verdict: %w", err)
	}
	result := "agreed"
	if v.Held() {
		result = "none"
		n.cfg.Log.Error("copies of a group differ and no majority of them agrees; the group takes no changes", "group", c.name, "revision", v.Revision, "replicas", v.Differed)
	}
	n.checks.verdicts.WithLabelValues(c.name, result).Inc()
	return nil
}

// poll is a checkpoint at which the voters' copies were asked.
type poll struct {
	checkpoint uint64
	voters     []txlog.Member
	answers    []answered
	silent     []error
}

// answered is a copy's answer.
type answered struct {
	replica uint64
	node    txlog.NodeID
	digests answeredDigests
}

// answeredDigests can be compared: equal copies answer equally.
type answeredDigests struct {
	revision         uint64
	running, content string
	unreadable       string
}

// poll orders a checkpoint and asks every voter's copy for its digests, until all
// have answered or there is no point in waiting longer.
func (n *Node) poll(ctx context.Context, c *copyOf, contents entry.Contents) (*poll, error) {
	p := &poll{checkpoint: checkpointID()}
	ordering, cancel := context.WithTimeout(ctx, catalogWait)
	defer cancel()
	members, err := c.log.Members(ordering)
	if err != nil {
		return nil, err
	}
	for _, m := range members.Members {
		if m.Voting && !m.Witness { // a witness has nothing to compare
			p.voters = append(p.voters, m)
		}
	}
	if _, err := c.order(ordering, &order.Request{Checkpoint: &entry.Checkpoint{ID: p.checkpoint, Contents: contents}}); err != nil {
		return nil, fmt.Errorf("order a checkpoint: %w", err)
	}
	asking, stop := context.WithTimeout(ctx, scrubLimit)
	defer stop()
	type result struct {
		answered
		err error
	}
	results := make(chan result, len(p.voters)) // room for all: none is left behind
	for _, m := range p.voters {
		n.work.Go(func() {
			d, err := n.askDigests(asking, m.Node, digestQuestion{Group: c.name, Checkpoint: p.checkpoint, Replica: m.Replica, Soon: true})
			results <- result{answered{m.Replica, m.Node, d}, err}
		})
	}
	var late <-chan time.Time
	for range p.voters {
		select {
		case r := <-results:
			if r.err != nil {
				p.silent = append(p.silent, fmt.Errorf("replica %d: %w", r.replica, r.err))
			} else {
				p.answers = append(p.answers, r.answered)
			}
		case <-late:
			return p, nil
		}
		if v, ok := tally(p.answers, len(p.voters)); ok && !v.Held() && late == nil {
			late = time.After(stragglers) // a majority agrees: the others compare for themselves
		}
	}
	return p, nil
}

// askDigests asks a node until it has the digests, or is silent for too long.
func (n *Node) askDigests(ctx context.Context, at txlog.NodeID, q digestQuestion) (answeredDigests, error) {
	heard := time.Now()
	for {
		once, cancel := context.WithTimeout(ctx, askWait)
		a, err := n.digestOf(once, at, q)
		cancel()
		switch {
		case err == nil && !a.Pending:
			return answeredDigests{a.Revision, a.Running, a.Content, a.Unreadable}, nil
		case err == nil:
			heard = time.Now()
		case time.Since(heard) > silenceLimit:
			return answeredDigests{}, err
		}
		pause := time.NewTimer(askPause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return answeredDigests{}, ctx.Err()
		}
	}
}

// tally finds what a majority of the group's copies answered. Where copies differ
// and no majority agrees, the verdict is that. It is not ok where too few answered
// to tell.
func tally(answers []answered, copies int) (v entry.Verdict, ok bool) {
	answers = slices.Clone(answers)
	slices.SortFunc(answers, func(a, b answered) int { return int(int64(a.replica) - int64(b.replica)) })
	var best *answered
	most, same := 0, true
	for i := range answers {
		count := 0
		for j := range answers {
			if answers[j].digests == answers[i].digests {
				count++
			}
		}
		same = same && count == len(answers)
		if count > most && answers[i].digests.unreadable == "" {
			best, most = &answers[i], count
		}
	}
	if best != nil && 2*most > copies {
		return verdictFor(best, answers), true
	}
	if same {
		return entry.Verdict{}, false
	}
	for i := range answers {
		v.Revision = max(v.Revision, answers[i].digests.revision)
		v.HasContent = v.HasContent || answers[i].digests.content != ""
		v.Differed = append(v.Differed, answers[i].replica)
	}
	return v, true
}

// verdictFor is the verdict that one copy is right.
func verdictFor(right *answered, answers []answered) entry.Verdict {
	d := &right.digests
	v := entry.Verdict{Revision: d.revision, Running: digestOfText(d.running), HasContent: d.content != "", Content: digestOfText(d.content)}
	for i := range answers {
		if answers[i].digests == *d {
			v.Agreed = append(v.Agreed, answers[i].replica)
		} else {
			v.Differed = append(v.Differed, answers[i].replica)
		}
	}
	return v
}

// Trust has an operator say which copy of a group is right where no majority
// agrees: the others are built anew from it.
func (n *Node) Trust(ctx context.Context, group, node string) (router.GroupStatus, error) {
	cat := n.catalog.Load()
	g, ok := cat.group(group)
	if !ok {
		return router.GroupStatus{}, &router.Problem{Code: "unknown_group", Group: group, Detail: fmt.Sprintf("there is no group %q", group)}
	}
	row, ok := cat.named(node)
	c := n.copy(group)
	switch {
	case !ok:
		return router.GroupStatus{}, &router.Problem{Code: "not_found", Group: group, Detail: fmt.Sprintf("the cluster has no node %q", node)}
	case c == nil:
		return router.GroupStatus{}, &router.Problem{Code: "starting", Group: group, Detail: "this node has no copy of the group: ask one that has"}
	case c.part.Judged().Held == nil:
		return router.GroupStatus{}, &router.Problem{Code: "invalid", Group: group, Detail: "a majority of the group's copies agrees: there is nothing to choose"}
	}
	contents := entry.ContentsNone
	if c.part.Judged().Held.HasContent {
		contents = entry.ContentsScrubbed
	}
	p, err := n.poll(ctx, c, contents)
	if err != nil {
		return router.GroupStatus{}, err
	}
	i := slices.IndexFunc(p.answers, func(a answered) bool { return a.node == row.id && a.digests.unreadable == "" })
	if i < 0 {
		return router.GroupStatus{}, &router.Problem{Code: "behind", Group: group, Detail: fmt.Sprintf("the copy on node %s did not answer with its digests: %v", node, errors.Join(p.silent...))}
	}
	v := verdictFor(&p.answers[i], p.answers)
	v.Checkpoint, v.Chosen = p.checkpoint, true
	if err := n.orderVerdict(n.ctx, c, &v); err != nil {
		return router.GroupStatus{}, err
	}
	n.cfg.Log.Warn("an operator chose the copy that is right", "group", group, "node", node)
	return n.groupStatus(n.catalog.Load(), g), nil
}
