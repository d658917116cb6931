package txlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/client"
)

// Group is one replica of one group.
type Group struct {
	host    *Host
	id      uint64
	replica uint64
	witness bool
	machine *machine
	user    atomic.Pointer[dragonboat.INodeUser]
	session *client.Session
	leaders *leaderFeed
	keeper  *keeper

	inFlight atomic.Int64
	stopping chan struct{}

	mu      sync.Mutex // guards stopped, and that nothing begins after it
	stopped bool
	waiters sync.WaitGroup // goroutines of proposals and of standing for election
}

func newGroup(h *Host, cfg GroupConfig) *Group {
	g := &Group{
		host: h, id: cfg.Shard, replica: cfg.Replica, witness: cfg.Witness,
		session: h.nh.GetNoOPSession(cfg.Shard), stopping: make(chan struct{}),
	}
	g.machine = &machine{sm: cfg.StateMachine, group: g, done: make(chan struct{})}
	g.leaders = newLeaderFeed()
	g.keeper = newKeeper(g)
	return g
}

// Shard is the group's id, Replica this copy's.
func (g *Group) Shard() uint64 { return g.id }

// Replica is the id of this copy in its group.
func (g *Group) Replica() uint64 { return g.replica }

// stop ends this package's goroutines of the group; the library is stopped by the caller.
func (g *Group) stop() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return
	}
	g.stopped = true
	close(g.stopping)
	g.leaders.close()
	g.keeper.close()
}

// begin counts a goroutine in that wait waits for; false when the group has stopped.
func (g *Group) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	g.waiters.Add(1)
	return true
}

// wait waits until the state machine is closed and all callbacks have returned.
func (g *Group) wait(ctx context.Context) bool {
	limit := time.NewTimer(closeWait)
	defer limit.Stop()
	select {
	case <-g.machine.done:
	case <-ctx.Done():
		return false
	case <-limit.C:
		g.host.log().Warn("a state machine was not closed in time", "group", g.id)
		return false
	}
	g.waiters.Wait()
	return true
}

// Result is what became of a proposal.
type Result int

const (
	// Committed: the entry is in the log for good and was applied on this replica.
	Committed Result = iota + 1
	// Dropped: the entry is definitely in no log and never will be.
	Dropped
	// Unknown: the entry may be applied sooner or later, or never.
	Unknown
)

func (r Result) String() string {
	switch r {
	case Committed:
		return "committed"
	case Dropped:
		return "dropped"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("result %d", int(r))
}

// Propose hands an entry to the log and returns at once. An error is definite: ErrNotLeader (a NotLeaderError),
// ErrBusy, ErrTooLarge, ErrEmpty, ErrNotReady, ErrClosed. Otherwise done, if not nil, is called exactly once on
// a goroutine of its own; it must not wait for the group or its host to stop. The bytes may be used again when
// Propose has returned.
func (g *Group) Propose(cmd []byte, done func(Result)) error {
	switch {
	case len(cmd) == 0:
		return ErrEmpty
	case len(cmd) > MaxEntryBytes:
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(cmd), MaxEntryBytes)
	}
	if g.witness {
		return ErrWitness
	}
	user := g.user.Load()
	if user == nil {
		return ErrNotReady
	}
	if at := g.leaders.current(); at.Leader != g.host.cfg.NodeID || at.Replica != g.replica {
		return &NotLeaderError{Leader: at.Leader, Term: at.Term}
	}
	if g.inFlight.Add(1) > MaxInFlight {
		g.inFlight.Add(-1)
		return ErrBusy
	}
	if !g.begin() {
		g.inFlight.Add(-1)
		return ErrClosed
	}
	request, err := (*user).Propose(g.session, cmd, proposalTimeout)
	if err != nil {
		g.waiters.Done()
		g.inFlight.Add(-1)
		return proposeError(err)
	}
	go g.await(request, done)
	return nil
}

// await waits for a proposal's outcome. A proposal that was under way when this replica lost its leadership may
// never get one from the library; a short while later it is Unknown.
func (g *Group) await(request *dragonboat.RequestState, done func(Result)) {
	defer g.waiters.Done()
	result := g.outcome(request)
	g.inFlight.Add(-1)
	if done != nil {
		done(result)
	}
}

func (g *Group) outcome(request *dragonboat.RequestState) Result {
	var grace <-chan time.Time
	for {
		at, changed := g.leaders.wait()
		if !at.Self && grace == nil {
			t := time.NewTimer(g.host.ticks(graceTicks))
			defer t.Stop()
			grace = t.C
		}
		select {
		case answer := <-request.ResultC():
			request.Release()
			switch {
			case answer.Completed():
				return Committed
			case answer.Dropped():
				return Dropped
			}
			return Unknown
		case <-changed:
		case <-grace:
			return Unknown // the request isn't released: the library may still use it
		}
	}
}

// proposeError tells the library's definite refusals apart; nothing was proposed in any of these cases.
func proposeError(err error) error {
	switch {
	case errors.Is(err, dragonboat.ErrSystemBusy):
		return ErrBusy
	case errors.Is(err, dragonboat.ErrPayloadTooBig):
		return ErrTooLarge
	case errors.Is(err, dragonboat.ErrShardNotReady), errors.Is(err, dragonboat.ErrShardNotInitialized):
		return ErrNotReady
	}
	return libraryError(err)
}

// libraryError gives the library's errors this package's meaning.
func libraryError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dragonboat.ErrClosed), errors.Is(err, dragonboat.ErrShardClosed),
		errors.Is(err, dragonboat.ErrShardNotFound):
		return fmt.Errorf("%w: %w", ErrClosed, err)
	case errors.Is(err, dragonboat.ErrShardAlreadyExist):
		return fmt.Errorf("%w: %w", ErrGroupExists, err)
	case errors.Is(err, dragonboat.ErrReplicaRemoved):
		return fmt.Errorf("%w: %w", ErrReplicaRemoved, err)
	case errors.Is(err, dragonboat.ErrSystemBusy):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// ReadIndex returns when everything that was committed in the group before the call has been applied to this
// replica's state machine. The index is that of the last entry applied here by then, at least what was asked
// for. It fails with ErrNoLeader, ErrNoQuorum or ErrClosed; the first two only when ctx ends.
func (g *Group) ReadIndex(ctx context.Context) (uint64, error) {
	if g.witness {
		return 0, fmt.Errorf("read index of group %d: %w", g.id, ErrWitness)
	}
	wait := g.host.ticks(readRoundTicks)
	for {
		at, changed := g.leaders.wait()
		request, err := g.host.nh.ReadIndex(g.id, g.host.ticks(readRoundTicks)*1000)
		if err != nil && !retryable(err) {
			return 0, fmt.Errorf("read index of group %d: %w", g.id, libraryError(err))
		}
		var answered chan dragonboat.RequestResult
		if err == nil {
			answered = request.ResultC()
		}
		round := time.NewTimer(wait)
		select {
		case r := <-answered:
			round.Stop()
			request.Release()
			if r.Completed() {
				return g.machine.applied.Load(), nil
			}
			if r.Terminated() {
				return 0, fmt.Errorf("read index of group %d: %w", g.id, ErrClosed)
			}
			if !g.pause(ctx, changed, g.host.ticks(1)) { // dropped: the leader is not ready, or there is none
				return 0, g.readError(ctx, at)
			}
		case <-round.C:
			wait = min(2*wait, g.host.ticks(100*readRoundTicks)) // lost, or slow: a new round, more patiently
		case <-changed:
			round.Stop()
		case <-g.stopping:
			round.Stop()
			return 0, fmt.Errorf("read index of group %d: %w", g.id, ErrClosed)
		case <-ctx.Done():
			round.Stop()
			return 0, g.readError(ctx, at)
		}
	}
}

// pause waits for a change of leader or a while; false when the time of ctx or the group is over.
func (g *Group) pause(ctx context.Context, changed <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-g.stopping:
		return false
	case <-ctx.Done():
		return false
	}
	return true
}

func (g *Group) readError(ctx context.Context, at LeaderEvent) error {
	reason := ErrNoQuorum
	switch {
	case closed(g.stopping):
		reason = ErrClosed
	case at.Replica == 0:
		reason = ErrNoLeader
	}
	if ctx.Err() != nil {
		return fmt.Errorf("group %d: %w: %w", g.id, reason, context.Cause(ctx))
	}
	return fmt.Errorf("group %d: %w", g.id, reason)
}

// retryable errors of the library come from states that pass.
func retryable(err error) bool {
	return errors.Is(err, dragonboat.ErrSystemBusy) || errors.Is(err, dragonboat.ErrShardNotReady) ||
		errors.Is(err, dragonboat.ErrShardNotInitialized) || errors.Is(err, dragonboat.ErrTimeout) ||
		errors.Is(err, dragonboat.ErrAborted)
}
