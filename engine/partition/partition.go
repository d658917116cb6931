package partition

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/program"
	"lockstep/engine/store"
)

// ErrClosed says that the copy is not open: it is starting, or has stopped.
var ErrClosed = errors.New("the group's copy on this node is not open")

// Config of a partition.
type Config struct {
	Group string // for messages
	// Store says where the database is and how much memory it may use.
	Store store.Options
	// Local is the session of this node's router.
	Local uint64
	// Everyone has Applied told of all entries, whoever proposed them: for replays.
	Everyone bool
	// Env is the pinned language environment, shared by all copies of a node.
	Env *lang.Env
	// Applied is told what became of entries that the local router proposed,
	// after they are committed. It must not block.
	Applied func([]engine.Applied)
	// Pacer paces scrubs, together with those of other copies; nil: nothing does.
	Pacer *Pacer
	// Known is what was known of this copy's digests before it was opened.
	Known Compared
	// Compared is told when more is known, and Diverged, once, that this copy
	// differs from the majority; from then on it is neither read nor does it apply
	// anything. Both may be called by the goroutine that applies. Diverged returns
	// when it is certain that the copy is never opened again, or when it is closed:
	// until then the log is told neither that the copy has applied what it skips, nor
	// that it has synced it, and keeps what a restart has to apply.
	Compared func(Compared)
	Diverged func(Finding)
	// Fatal is told, once, why the copy cannot go on.
	Fatal func(error)
	Log   *slog.Logger
}

// Partition is one copy. It meets the state machine interface of the log.
type Partition struct {
	cfg Config

	// The log's calls come one at a time; open and close are guarded.
	store   *store.Store
	machine *engine.Machine
	open    atomic.Bool
	closed  chan struct{}
	once    sync.Once

	diverged  atomic.Bool
	condemned chan struct{} // closed when Diverged has returned
	published atomic.Pointer[published]
	waiters   waiters
	changes   changeWatch
	assigned  taskWatch
	checks    checks
}

// published is what readers may know of the machine.
type published struct {
	engine.Position
	compiled *program.Compiled
	judged   engine.Judged
	change   *engine.ChangeStatus // nil: no schema change is under way
	ends     []engine.ChangeEnd
	tasks    []engine.Task // never changed once published
	epoch    uint64        // the last one that a task was assigned under
}

// New makes a partition; the log opens it.
func New(cfg Config) *Partition {
	p := &Partition{cfg: cfg, closed: make(chan struct{}), condemned: make(chan struct{})}
	p.published.Store(&published{})
	p.changes.init()
	p.assigned.init()
	p.checks.init(p)
	p.checks.equal = cfg.Known
	return p
}

// Open opens the database and returns the index of the last entry in it. It may
// be called before the log does, which can't be told of an error in good order.
func (p *Partition) Open(<-chan struct{}) (uint64, error) {
	if p.open.Load() {
		return p.machine.Position().Index, nil
	}
	opt := p.cfg.Store
	opt.OnFatal = p.fatal
	st, err := store.Open(opt)
	if err != nil {
		return 0, fmt.Errorf("open the copy of group %s: %w", p.cfg.Group, err)
	}
	p.store = st
	if err := p.loadMachine(); err != nil {
		return 0, errors.Join(fmt.Errorf("open the copy of group %s: %w", p.cfg.Group, err), st.Close())
	}
	p.open.Store(true)
	return p.machine.Position().Index, nil
}

// loadMachine makes the machine of what the store holds.
func (p *Partition) loadMachine() error {
	m, err := engine.Open(machineStore{p.store}, engine.Options{Local: p.cfg.Local, Everyone: p.cfg.Everyone, Env: p.cfg.Env})
	if err != nil {
		return err
	}
	p.machine = m
	p.publish()
	return nil
}

// Apply executes entries in order and commits them together. The steps of a
// schema change, checkpoints and verdicts are commits of their own: a step so that
// it sees what came before it in the store, a checkpoint so that a snapshot is of
// its revision, a verdict so that what it is compared with is committed.
func (p *Partition) Apply(entries []entry.Raw) error {
	for i := range entries {
		if p.diverged.Load() {
			return p.standStill()
		}
		kind := entry.KindOf(entries[i].Cmd)
		alone := alone(kind)
		if alone {
			if err := p.commit(); err != nil {
				return p.stop(err)
			}
		}
		if err := p.machine.Apply(entries[i]); err != nil {
			return p.stop(err)
		}
		if alone || i == len(entries)-1 || p.machine.Full() {
			if err := p.commit(); err != nil {
				return p.stop(err)
			}
		}
		switch kind {
		case entry.KindCheckpoint:
			p.checks.begin(entries[i].Cmd, p.machine.Position())
		case entry.KindVerdict:
			p.checks.judge(entries[i].Cmd)
		}
	}
	return nil
}

func alone(kind entry.Kind) bool {
	switch kind {
	case entry.KindSchema, entry.KindBackfill, entry.KindFinish, entry.KindLanguage, entry.KindCheckpoint, entry.KindVerdict, entry.KindIncarnation:
		return true
	}
	return false
}

func (p *Partition) commit() error {
	done, err := p.machine.Commit()
	if err != nil {
		return err
	}
	p.publish()
	if len(done) > 0 && !p.diverged.Load() {
		p.cfg.Applied(done)
	}
	return nil
}

func (p *Partition) publish() {
	pos := p.machine.Position()
	next := &published{Position: pos, compiled: p.machine.Compiled(), change: p.machine.Change(), judged: p.machine.Judged()}
	_, next.ends = p.machine.ChangeEnds()
	next.tasks, next.epoch = p.machine.Tasks()
	p.published.Store(next)
	p.waiters.wake(pos.Index, pos.Revision)
	p.changes.wake(next.change, next.ends)
	p.assigned.wake(next.epoch)
}

// stop reports an error of Apply and keeps it from being taken for anything
// but the end: nothing more is applied until the copy is closed.
func (p *Partition) stop(err error) error {
	p.fatal(err)
	<-p.closed
	return err
}

func (p *Partition) fatal(err error) {
	p.once.Do(func() {
		err = fmt.Errorf("the copy of group %s stops: %w", p.cfg.Group, err)
		if p.cfg.Fatal != nil {
			p.cfg.Fatal(err)
		}
	})
}

// Flush makes all that was applied durable.
func (p *Partition) Flush() error {
	if err := p.store.Flush(); err != nil {
		return fmt.Errorf("flush the copy of group %s: %w", p.cfg.Group, err)
	}
	return nil
}

// standStill is all that the log gets of a copy that differs.
func (p *Partition) standStill() error {
	select {
	case <-p.condemned:
		return nil
	case <-p.closed:
		return ErrDiverged
	}
}

// Sync is Flush for the log, which must not go on after an error.
func (p *Partition) Sync() error {
	if p.diverged.Load() {
		if err := p.standStill(); err != nil {
			return err
		}
	}
	if err := p.Flush(); err != nil {
		return p.stop(err)
	}
	return nil
}

// FlushSoon begins to make durable what was applied, and does not wait: it bounds
// what has to be executed again after a crash, which is time without this copy.
func (p *Partition) FlushSoon() {
	if !p.open.Load() {
		return
	}
	if err := p.store.FlushAsync(); err != nil && !errors.Is(err, store.ErrClosed) {
		p.fatal(fmt.Errorf("flush: %w", err))
	}
}

// Close stops the copy. Reads under way finish or fail with ErrClosed.
func (p *Partition) Close() error {
	if !p.open.CompareAndSwap(true, false) {
		return nil
	}
	close(p.closed)
	p.waiters.close()
	p.checks.close()
	return p.store.Close()
}

// Compiled is the present schema; nil before the first.
func (p *Partition) Compiled() *program.Compiled { return p.published.Load().compiled }

// Position is the point of the order that readers see.
func (p *Partition) Position() engine.Position { return p.published.Load().Position }

// WaitIndex waits until the copy has applied the entry at index.
func (p *Partition) WaitIndex(ctx context.Context, index uint64) error {
	if p.published.Load().Index >= index {
		return nil
	}
	return p.waiters.wait(ctx, p, waiter{index: index})
}

// WaitRevision waits until the copy has reached the revision.
func (p *Partition) WaitRevision(ctx context.Context, revision uint64) error {
	if p.published.Load().Revision >= revision {
		return nil
	}
	return p.waiters.wait(ctx, p, waiter{revision: revision})
}
