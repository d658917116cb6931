package node

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"lockstep/engine"
	"lockstep/engine/partition"
	"lockstep/engine/store"
	"lockstep/router/order"
	"lockstep/txlog"
	"lockstep/txlog/peer"
)

// copyOf is this node's copy of a group with all that makes it work.
type copyOf struct {
	name       string
	shard      uint64
	part       *partition.Partition
	log        *txlog.Group  // nil until started, and where that failed
	started    chan struct{} // closed when startCopy is over
	orderer    atomic.Pointer[order.Orderer]
	catalogs   catalogs
	counted    atomic.Pointer[rowCount]
	pace       pace
	transfer   transfer
	announced  announcements
	supervisor supervisor
	wish       atomic.Pointer[wish] // nil: the primary is as the policies want it
	primaries  *statuses            // what peers say of themselves, for lag
	self       txlog.NodeID
	session    uint64 // of the copy's router, as long as it is open

	handing chan struct{} // holds one while the group is being handed over

	// fed: it has been brought up to date once. Until then others answer for it.
	fed atomic.Bool

	queryBudget int
	times       *timetable
	// speaks tells why the group can't go on in a version of the language, if so.
	speaks func(version uint32) error
}

// startCopy opens the copy and joins it to its group's log. Its router's session is a
// new one each time, for its orderer counts its ids and its batches from 1: under an
// earlier session's they would be taken for what was executed then.
func (n *Node) startCopy(name string, cfg txlog.GroupConfig) (*copyOf, error) {
	c := &copyOf{name: name, shard: cfg.Shard, primaries: &n.statuses, self: n.id, session: newSession(), queryBudget: n.cfg.QueryBudget, started: make(chan struct{}), handing: make(chan struct{}, 1)}
	defer close(c.started)
	c.times = &timetable{node: n, group: name}
	c.speaks = func(version uint32) error { return n.speaks(name, version) }
	empty := cfg.NonVoting && !n.host.HasData(cfg.Shard, cfg.Replica)
	dir, err := n.folder.openReplica(strconv.FormatUint(cfg.Shard, 10)+"-"+strconv.FormatUint(cfg.Replica, 10), n.host.HasData(cfg.Shard, cfg.Replica))
	if err != nil {
		return nil, fmt.Errorf("start the copy of group %s: %w", name, err)
	}
	c.part = partition.New(partition.Config{
		Group: name,
		Store: store.Options{
			Dir: dir, Cache: n.cache, Log: n.cfg.Log.With("group", name),
			MemTableBytes: max(n.cfg.MemTableBytes/(expectedGroups*memTablesEach), store.MinMemTableBytes),
		},
		Local: c.session, Env: n.env, Log: n.cfg.Log, Fatal: n.fatal,
		Applied: c.applied,
		Pacer:   n.pacer, Known: n.folder.known(cfg.Shard, cfg.Replica),
		Compared: func(k partition.Compared) {
			if err := n.folder.keepKnown(cfg.Shard, cfg.Replica, k); err != nil {
				n.cfg.Log.Warn("what is known of a copy's digests can't be noted", "group", name, "error", err)
			}
		},
		Diverged: func(f partition.Finding) { n.condemn(c, cfg.Replica, &f) },
	})
	if _, err := c.part.Open(nil); err != nil {
		n.fatal(err) // trying again would not help
		return nil, err
	}
	cfg.StateMachine = logMachine{c.part, &c.transfer}
	if n.cfg.plant != nil {
		cfg.StateMachine = n.cfg.plant(name, cfg.StateMachine)
	}
	log, err := n.host.StartGroup(cfg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the copy of group %s: %w", name, err), c.part.Close())
	}
	n.halted("opened " + name) // entries are applied already
	c.log = log
	o, err := order.New(order.Config{
		Group: name, Self: uint64(n.id), Session: c.session,
		Log: groupLog{log}, Peers: orderPeers{n.peers}, Logger: n.cfg.Log,
		Held: func() bool { return c.part.Judged().Held != nil },
		Lead: func(term uint64) *order.Request { return n.lead(c, term) },
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the orderer of group %s: %w", name, err), n.host.StopGroup(context.Background(), cfg.Shard))
	}
	c.orderer.Store(o)
	n.orders.Add(o)
	n.work.Go(func() { n.driveChanges(c) })
	n.work.Go(func() { n.keepPrimary(c) })
	n.work.Go(func() { n.watchTasks(c) })
	if c.fed.Store(!empty); empty {
		n.work.Go(func() { n.feed(c) })
	}
	return c, nil
}

// feed waits until a copy that joined with nothing has all that its group had. What it
// was asked before would wait for that, which may take long, or for its being let in.
func (n *Node) feed(c *copyOf) {
	for n.ctx.Err() == nil && !over(c.part.Closed()) {
		ctx, cancel := context.WithTimeout(n.ctx, tendWait)
		_, err := c.log.ReadIndex(ctx)
		cancel()
		if err == nil {
			c.fed.Store(true)
			return
		}
		if errors.Is(err, txlog.ErrClosed) {
			return
		}
	}
}

// applied hands verdicts to those who wait. Before the orderer is made nobody
// can: what is applied then was proposed by former sessions.
func (c *copyOf) applied(done []engine.Applied) {
	o := c.orderer.Load()
	if o == nil {
		return
	}
	for i := range done {
		o.Applied(done[i].Sequence, done[i].Verdicts)
	}
}

// groupLog is a group's log as the orderer wants it.
type groupLog struct{ *txlog.Group }

func (l groupLog) Propose(cmd []byte, done func(order.Result)) error {
	err := l.Group.Propose(cmd, func(r txlog.Result) {
		switch r {
		case txlog.Committed:
			done(order.Committed)
		case txlog.Dropped:
			done(order.Dropped)
		default:
			done(order.Unknown)
		}
	})
	if errors.Is(err, txlog.ErrTooLarge) {
		return fmt.Errorf("%w: %w", order.ErrLogTooLarge, err)
	}
	return err
}

func (l groupLog) Leader() (node, term uint64, ok bool) {
	id, term, ok := l.Group.Leader()
	return uint64(id), term, ok
}

func (l groupLog) Watch(changed func()) (cancel func()) {
	return l.Group.Watch(func(txlog.LeaderEvent) { changed() })
}

// orderPeers reaches the orderers of other nodes.
type orderPeers struct{ network *peer.Network }

func (p orderPeers) Dial(ctx context.Context, node uint64) (order.Conn, error) {
	c, err := p.network.Dial(ctx, node, serviceOrder)
	if err != nil {
		return nil, err
	}
	return c, nil
}
