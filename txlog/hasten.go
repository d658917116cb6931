package txlog

import (
	"errors"
	"syscall"
	"time"

	"github.com/lni/dragonboat/v4/raftio"
	"github.com/lni/dragonboat/v4/raftpb"

	"lockstep/txlog/peer"
)

// A follower notices a lost leader by its silence, which takes 10 to 20 ticks. A process that is killed is
// noticed sooner: its connections end, and nobody listens at its address any more. That is not silence but an
// answer, and this file acts on it: one follower of each group that was led from there stands for election at
// once, as if the leader had asked it to (Raft's TimeoutNow, which is what Transfer uses). The others follow
// one after the other in case it can't win. A leader that is merely slow, stopped or cut off is never treated
// so, and Raft decides every election as ever: a mistake here costs one, not the log.

// gone tells whether an error of dialling means that nobody is there to answer.
func gone(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, peer.ErrUnknownService)
}

// lost is called when a peer that we were connected to is gone.
func (h *Host) lost(node NodeID) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return
	}
	for _, g := range h.groups {
		if at := g.leaders.current(); at.Leader == node && node != h.cfg.NodeID && !g.witness && g.begin() {
			go g.hasten(at)
		}
	}
}

// hasten makes this replica stand for election unless another does first.
func (g *Group) hasten(lost LeaderEvent) {
	defer g.waiters.Done()
	wait := time.NewTimer(g.host.ticks(hastenTicks * g.host.registry.rank(g.id, g.replica, lost.Replica)))
	defer wait.Stop()
	for {
		at, changed := g.leaders.wait()
		if at.Replica != 0 && at != lost {
			return // there is another
		}
		select {
		case <-wait.C:
			g.host.log().Info("the leader's process is gone: standing for election", "group", g.id, "leader", lost.Leader)
			g.host.transport.stand(g.id, g.replica, lost.Replica, at.Term)
			return
		case <-changed:
		case <-g.stopping:
			return
		}
	}
}

// stand hands a replica of this host the message by which a leader asks its successor to stand for election.
func (t *transport) stand(shard, replica, leader, term uint64) {
	t.timeoutNow(raftpb.Message{
		Type: raftpb.TimeoutNow, ShardID: shard, To: replica, From: leader, Term: term,
	}, 0)
}

// timeoutNow delivers a TimeoutNow, and again a few times in the next moments. The library passes it over while
// a replica has something committed that isn't applied, which under load is nearly always so just then; and the
// leader, having asked, takes no proposals until its successor has won or an election's time is over. One that
// comes late names an old term and is ignored.
func (t *transport) timeoutNow(m raftpb.Message, first time.Duration) {
	if !t.begin() {
		return
	}
	go func() {
		defer t.serving.Done()
		for wait, n := first, 0; n < timeoutNowTimes; n++ {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-t.ctx.Done():
				timer.Stop()
				return
			}
			t.deliver(raftpb.MessageBatch{
				Requests: []raftpb.Message{m}, DeploymentId: t.deployment, BinVer: raftio.TransportBinVersion,
			})
			wait = max(time.Millisecond, 2*wait)
		}
	}()
}
