package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
)

// Reader reads a store or a snapshot of one.
type Reader interface {
	// Get returns the value under key, in the storage of dst if that is large
	// enough.
	Get(key, dst []byte) (value []byte, ok bool, err error)
	// NewIter iterates over the keys in [lower, upper). What goes wrong is told
	// by the iterator's Err.
	NewIter(lower, upper []byte) Iterator
}

// Iterator walks over keys in order. Key and Value are valid until it moves.
type Iterator interface {
	First() bool
	Last() bool
	SeekGE(key []byte) bool
	SeekLT(key []byte) bool
	Next() bool
	Prev() bool
	// Skipped is about how many keys that are deleted, or older values, the
	// iterator has passed over so far.
	Skipped() int
	Key() []byte
	Value() []byte
	Err() error
	Close() error
}

// Store is what a Machine keeps its state in.
type Store interface {
	Reader
	NewBatch() Batch
}

// Batch collects writes that Commit makes visible at once, without waiting for
// the disk. It copies what it is given. What is wrong with a write is told by
// Commit. Reset empties it for another use.
type Batch interface {
	Set(key, value []byte)
	Delete(key []byte)
	DeleteRange(start, end []byte)
	Commit() error
	Reset()
}

// Options of a Machine.
type Options struct {
	// Local is the session of this node's router: the verdicts of entries that
	// it proposed are kept for it; those of others nobody here waits for.
	Local uint64
	// Everyone keeps the verdicts of all entries, whoever proposed them, in the
	// order of the entries: for a replay. It changes no state.
	Everyone bool
	// Env has the language versions that this program knows.
	Env *lang.Env
	// Trace, where it is not nil, is told how each transaction went that is
	// executed, step by step: for tests that want to know what they have covered.
	// It changes no outcome.
	Trace func(*program.Trace)
}

// Applied is what became of an entry that the local router proposed.
type Applied struct {
	Sequence uint64
	Verdicts []outcome.Verdict
}

// Machine executes the entries of one group on one copy. It is not safe for
// concurrent use; readers use snapshots of its store.
type Machine struct {
	opt      Options
	store    Store
	batch    Batch
	compiled *program.Compiled // nil before the first schema
	env      *lang.Env         // of the language version

	// Replicated state, in memory.
	index     uint64 // of the last entry applied
	revision  uint64
	nowMillis int64 // tx.now: never goes back
	schema    uint64
	language  uint32 // version of the language
	digest    [32]byte
	keep      retention
	feedKept  feedRetention
	epoch     uint64 // of the last assignment of a task
	begunAnew uint64 // the group's incarnation; 0: it was never begun anew
	settings  uint64 // version of the group's settings; 0: there were none yet
	sessions  sessions
	tasks     tasks

	judged Judged

	change *change     // the schema change under way, nil where there is none
	begun  uint64      // how many schema changes were begun in steps
	ends   []ChangeEnd // how the last of them ended, oldest first

	filters keyFilters // which keys need no look-up

	// What is not committed yet.
	rows    overlay
	pending []pendingOutcome
	byID    map[string]int // id → pending, of the first indexed ones
	indexed int
	feed    []feedEntry
	applied []Applied

	// Scratch of the item being executed.
	reader  entry.Reader
	frame   lang.Frame
	meter   lang.Meter
	tx      lang.Tx
	limits  program.Limits
	scratch []byte
	probe   []byte
	items   []entry.Item
	emitted feedBuffer
	arena   arena // until the next commit
	results arena // what verdicts refer to: left to the garbage collector
	dirty   bool  // anything to commit
	written int   // bytes of outcomes, rows and index entries since the last commit
}

// pendingOutcome is an outcome that is not in the store yet.
type pendingOutcome struct {
	key, value []byte // in the arena
	id         []byte // likewise, as appendID writes it
}

// awaited tells whether anybody here waits for what becomes of an entry.
func (m *Machine) awaited(o entry.Origin) bool {
	return m.opt.Everyone || o.Proposer == m.opt.Local && m.opt.Local != 0
}

// Position is the point of the order that a Machine has reached.
type Position struct {
	Index     uint64
	Revision  uint64
	NowMillis int64
	Schema    uint64 // version of the present schema: the revision that applied it; 0: none
	Language  uint32 // version of the language that transactions are executed in
	Digest    [32]byte
	// KeyWindowMillis is for how long back outcomes are certainly kept.
	KeyWindowMillis int64
	// Incarnation counts how often the group was begun anew from one of its copies.
	Incarnation uint64
	// Settings is the version of the group's settings that are followed, 0 before
	// the first; KeyRetentionMillis is for how long they have keys kept.
	Settings           uint64
	KeyRetentionMillis int64
}

// Open loads the state from the store, empty at first.
func Open(store Store, opt Options) (*Machine, error) {
	m := &Machine{
		opt: opt, store: store, batch: store.NewBatch(),
		byID:     map[string]int{},
		sessions: sessions{byID: map[uint64]*window{}},
	}
	m.rows.init(store, rowCacheBytes)
	m.frame.Meter, m.frame.Tx = &m.meter, &m.tx
	if err := m.load(); err != nil {
		return nil, fmt.Errorf("load the copy's state: %w", err)
	}
	return m, nil
}

// Position is where the machine stands, what Apply did since the last Commit
// included.
func (m *Machine) Position() Position {
	return Position{
		Index: m.index, Revision: m.revision, NowMillis: m.nowMillis, Schema: m.schema, Language: m.language,
		Digest: m.digest, KeyWindowMillis: m.keep.windowMillis(), Incarnation: m.begunAnew,
		Settings: m.settings, KeyRetentionMillis: m.keep.kept(),
	}
}

// Compiled is the present schema; nil before the first.
func (m *Machine) Compiled() *program.Compiled { return m.compiled }

// stateVersion is the version of the record of counters.
const stateVersion = 1

func (m *Machine) load() error {
	raw, ok, err := m.store.Get(appliedKey(), nil)
	if err != nil {
		return err
	}
	if ok {
		if len(raw) != 8 {
			return fmt.Errorf("%w: applied position", errState)
		}
		m.index = binary.BigEndian.Uint64(raw)
	}
	if err := m.loadJudged(); err != nil {
		return err
	}
	raw, ok, err = m.store.Get(stateKey(), nil)
	if err == nil && ok {
		err = m.decodeState(raw)
	}
	m.filters.init(m.keep.buckets)
	if err == nil {
		if !ok {
			m.language = firstLanguage
		}
		m.env, err = m.opt.Env.At(m.language)
	}
	if err != nil || !ok {
		return err
	}
	if err := errors.Join(m.loadSessions(), m.loadTasks()); err != nil {
		return err
	}
	if m.compiled, err = loadSchema(m.store, m.schema, m.opt.Env); err != nil {
		return err
	}
	return m.loadChange()
}

func (m *Machine) encodeState(dst []byte) []byte {
	dst = append(dst, stateVersion)
	dst = binary.AppendUvarint(dst, uint64(m.language))
	dst = binary.AppendUvarint(dst, m.revision)
	dst = binary.AppendUvarint(dst, uint64(m.nowMillis))
	dst = binary.AppendUvarint(dst, m.schema)
	dst = binary.AppendUvarint(dst, m.epoch)
	dst = append(dst, m.digest[:]...)
	dst = m.feedKept.append(m.keep.append(dst))
	// What most groups never have stands last, and only if they have it.
	if m.begunAnew > 0 || m.settings > 0 {
		dst = binary.AppendUvarint(dst, m.begunAnew)
	}
	if m.settings > 0 {
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, m.settings), uint64(m.keep.span))
	}
	return dst
}

func (m *Machine) decodeState(src []byte) error {
	if len(src) == 0 || src[0] != stateVersion {
		return fmt.Errorf("%w: its version is not %d; use a program of the version that wrote it", errState, stateVersion)
	}
	src = src[1:]
	var fields [5]uint64
	for i := range fields {
		v, n := binary.Uvarint(src)
		if n <= 0 {
			return errState
		}
		fields[i], src = v, src[n:]
	}
	if fields[0] > math.MaxUint32 {
		return errState
	}
	m.language = uint32(fields[0])
	m.revision, m.nowMillis, m.schema, m.epoch = fields[1], int64(fields[2]), fields[3], fields[4]
	if len(src) < len(m.digest) {
		return errState
	}
	src = src[copy(m.digest[:], src):]
	var err error
	if m.keep, src, err = decodeRetention(src); err != nil {
		return err
	}
	if m.feedKept, src, err = decodeFeedRetention(src); err != nil {
		return errState
	}
	return m.decodeRest(src)
}

// decodeRest reads what only some groups have.
func (m *Machine) decodeRest(src []byte) error {
	m.begunAnew, m.settings = 0, 0
	if len(src) == 0 {
		return nil
	}
	d := stateReader{src: src}
	m.begunAnew = uint64(d.number())
	if len(d.src) > 0 {
		m.settings, m.keep.span = uint64(d.number()), d.number()
	}
	if d.err != nil || len(d.src) > 0 || m.begunAnew == 0 && m.settings == 0 {
		return errState
	}
	return nil
}

func (m *Machine) loadSessions() error {
	it := m.store.NewIter([]byte{spaceSessions}, []byte{spaceSessions + 1})
	for ok := it.First(); ok; ok = it.Next() {
		if len(it.Key()) != 9 {
			return closeWith(it, errWindow)
		}
		session := binary.BigEndian.Uint64(it.Key()[1:])
		w, err := decodeWindow(session, it.Value())
		if err != nil {
			return closeWith(it, err)
		}
		m.sessions.byID[session] = w
	}
	return closeWith(it, it.Err())
}

// closeWith closes the iterator and returns the first error.
func closeWith(it Iterator, err error) error {
	if closeErr := it.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Full tells that a Commit is due before another entry is applied: much is
// written, what scans have to merge is much, or the rows that were read are.
func (m *Machine) Full() bool {
	return m.written > commitBytes || m.rows.bytes > 2*m.rows.limit || len(m.rows.dirty)+len(m.rows.indexDirty) > overlaidRows
}

// Commit puts everything that Apply changed into one batch of the store, and
// returns what the local router waits for, valid until the next Apply.
func (m *Machine) Commit() ([]Applied, error) {
	if !m.dirty {
		return nil, nil
	}
	m.fill()
	if err := m.batch.Commit(); err != nil {
		return nil, fmt.Errorf("commit the writes up to entry %d: %w", m.index, err)
	}
	m.batch.Reset()
	if err := m.filters.warm(m.store); err != nil {
		return nil, fmt.Errorf("read the keys of before: %w", err)
	}
	if m.change != nil && m.change.rows < filteredRows {
		if err := m.change.warmFilters(m.store); err != nil {
			return nil, fmt.Errorf("read the entries of a new index: %w", err)
		}
	}
	m.rows.settle()
	m.pending, m.feed = m.pending[:0], m.feed[:0]
	clear(m.byID)
	m.indexed = 0
	m.arena.reset()
	m.dirty, m.written = false, 0
	done := m.applied
	m.applied = nil
	return done, nil
}

func (m *Machine) fill() {
	m.rows.flush(m.batch)
	for i := range m.pending {
		m.batch.Set(m.pending[i].key, m.pending[i].value)
	}
	for _, e := range m.feed {
		m.batch.Set(e.key, e.value)
	}
	m.fillTasks()
	for _, w := range m.sessions.dirty {
		w.dirty = false
		m.scratch = w.append(m.scratch[:0])
		m.batch.Set(sessionKey(w.session), m.scratch)
	}
	m.sessions.dirty = m.sessions.dirty[:0]
	if m.change != nil && m.change.dirty {
		m.change.dirty = false
		m.batch.Set(changeKey(), m.change.append(nil))
	}
	m.scratch = m.encodeState(m.scratch[:0])
	m.batch.Set(stateKey(), m.scratch)
	m.scratch = binary.BigEndian.AppendUint64(m.scratch[:0], m.index)
	m.batch.Set(appliedKey(), m.scratch)
}

// arena holds what lives until the next commit in few large allocations.
type arena struct{ chunk []byte }

const arenaChunk = 256 << 10

// grow makes room for n more bytes in one piece and returns where to append.
func (a *arena) grow(n int) []byte {
	if cap(a.chunk)-len(a.chunk) < n {
		a.chunk = make([]byte, 0, max(arenaChunk, n))
	}
	return a.chunk[len(a.chunk) : len(a.chunk) : len(a.chunk)+n]
}

// keep copies b into the arena.
func (a *arena) keep(b []byte) []byte {
	kept := append(a.grow(len(b)), b...)
	a.chunk = a.chunk[:len(a.chunk)+len(b)]
	return kept
}

// reset begins the last chunk anew: nothing kept may be used any more.
func (a *arena) reset() { a.chunk = a.chunk[:0] }
