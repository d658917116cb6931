package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/program"
	"lockstep/engine/value"
)

// ErrInternal says that executing an entry failed for a reason that is no
// outcome: a defect of this program. The copy stops rather than guess.
var ErrInternal = errors.New("internal error while executing an entry")

// Apply executes one entry. What it changes is seen by nobody before Commit.
// An error means that the copy must stop: the store failed, or the entry was
// written by a newer program.
func (m *Machine) Apply(raw entry.Raw) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: entry %d: %v", ErrInternal, raw.Index, r)
		}
	}()
	if raw.Index <= m.index {
		return fmt.Errorf("%w: entry %d came after entry %d", ErrInternal, raw.Index, m.index)
	}
	m.index, m.dirty = raw.Index, true
	if len(raw.Cmd) == 0 {
		return nil
	}
	if err := m.applyCommand(raw.Cmd); err != nil {
		return fmt.Errorf("apply entry %d: %w", raw.Index, err)
	}
	return nil
}

func (m *Machine) applyCommand(cmd []byte) error {
	kind, err := m.reader.Reset(cmd)
	if err == nil {
		switch kind {
		case entry.KindBatch:
			err = m.applyBatch()
		case entry.KindSchema:
			err = m.applySchema()
		case entry.KindCheckpoint:
			err = m.applyCheckpoint()
		case entry.KindLanguage:
			err = m.applyLanguage()
		case entry.KindAssign:
			err = m.applyAssign()
		case entry.KindSettings:
			err = m.applySettings()
		case entry.KindIncarnation:
			err = m.applyIncarnation()
		case entry.KindVerdict:
			err = m.applyVerdict(cmd)
		case entry.KindBackfill:
			err = m.applyBackfill()
		case entry.KindFinish:
			err = m.applyFinish()
		}
	}
	// A corrupt entry is corrupt on every copy, for the log vouches for its
	// bytes: all pass over it alike. Its proposer gets no verdict.
	if errors.Is(err, entry.ErrCorrupt) {
		return nil
	}
	return err
}

func (m *Machine) applyBatch() error {
	b, err := m.reader.Batch()
	if err != nil {
		return err
	}
	// The whole entry is read before any of it is executed: all or nothing.
	m.items = m.items[:0]
	var it entry.Item
	for m.reader.Next(&it) {
		m.items = append(m.items, it)
	}
	if err := m.reader.Err(); err != nil {
		return err
	}
	m.advance(b.TimeMillis)
	local := m.awaited(b.Origin)
	var verdicts []outcome.Verdict
	if local {
		verdicts = make([]outcome.Verdict, len(m.items))
	}
	cost, before := uint64(0), m.written
	for i := range m.items {
		if i > 0 && (cost > entryCost || m.written-before > entryBytes) {
			if local {
				deferred(verdicts[i:])
			}
			break
		}
		m.meter.Used = idleCost
		v, err := m.execute(&b, &m.items[i], local)
		cost += max(m.meter.Used, idleCost) + sourceCost*uint64(len(m.items[i].Source))
		if err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
		if local {
			verdicts[i] = v
		}
	}
	if local {
		m.applied = append(m.applied, Applied{Sequence: b.Sequence, Verdicts: verdicts})
	}
	return nil
}

func deferred(rest []outcome.Verdict) {
	for i := range rest {
		rest[i].Kind = outcome.Deferred
	}
}

// advance moves time to an entry's stamp and drops what has expired.
func (m *Machine) advance(stamp int64) {
	m.nowMillis = max(m.nowMillis, stamp)
	m.keep.advance(stamp)
	if before := m.feedKept.trim(m.keep.clock); before > 0 {
		m.trimFeed(binary.BigEndian.AppendUint64([]byte{spaceFeed}, before))
	}
	dropped, rolled := m.keep.roll(m.revision + 1)
	for _, b := range dropped {
		start := prefixKey(spaceOutcomes, b.id)
		m.batch.DeleteRange(start, prefixEnd(start))
		m.filters.drop(b.id)
		m.forget(start)
	}
	if !rolled {
		return
	}
	for _, session := range m.sessions.expired(m.keep.clock-max(m.keep.kept(), keyRetentionMillis), maxSessions) {
		m.sessions.forget(session)
		m.batch.Delete(sessionKey(session))
	}
}

// forget drops outcomes that are not committed yet: what is kept does not depend
// on when a commit falls.
func (m *Machine) forget(prefix []byte) {
	m.pending = slices.DeleteFunc(m.pending, func(p pendingOutcome) bool { return bytes.HasPrefix(p.key, prefix) })
	clear(m.byID)
	m.indexed = 0
}

// execute runs one item, or finds that it must not be run. The verdict is
// complete only if it is wanted.
func (m *Machine) execute(b *entry.Batch, it *entry.Item, wanted bool) (outcome.Verdict, error) {
	known, v, err := m.known(it)
	if err != nil || known {
		return v, err
	}
	return m.perform(b, it, wanted)
}

// perform runs an item that was not executed before, unless it was typed against
// another schema than the present one.
func (m *Machine) perform(b *entry.Batch, it *entry.Item, wanted bool) (outcome.Verdict, error) {
	if b.SchemaVersion != m.schema || m.compiled == nil {
		return outcome.Verdict{Kind: outcome.StaleSchema}, nil
	}
	prog, params, ok := m.bind(it)
	if !ok {
		return outcome.Verdict{Kind: outcome.StaleSchema}, nil
	}
	m.revision++
	m.rows.begin()
	m.emitted.reset()
	m.prepare(b, it, prog, params)
	result, abort, err := m.run(prog)
	if err != nil {
		return outcome.Verdict{}, err
	}
	o := outcome.Outcome{
		ID: it.ID, Fingerprint: it.Fingerprint, Revision: m.revision,
		TimeMillis: m.nowMillis, Committed: abort == nil,
	}
	if abort != nil {
		m.rows.rollback()
		m.emitted.reset()
		o.Code, o.Step, o.Message = abort.Code, abort.Step, abort.Message
	} else {
		m.scratch = value.AppendJSON(m.scratch[:0], result)
		o.Result = m.scratch
		if wanted {
			o.Result = m.results.keep(m.scratch)
		}
		if err := m.watchItem(); err != nil {
			return outcome.Verdict{}, err
		}
	}
	m.record(&o)
	return outcome.Verdict{Kind: outcome.Executed, Outcome: o}, nil
}

// run runs the program of the present item.
func (m *Machine) run(prog *program.Program) (value.Value, *program.Abort, error) {
	if m.opt.Trace == nil {
		return prog.Run(&m.frame, m, &m.limits)
	}
	var t program.Trace
	result, abort, err := prog.RunWith(&m.frame, m, &m.limits, program.Extras{Trace: &t})
	m.opt.Trace(&t)
	return result, abort, err
}

// bind finds the program of an item and its parameters. It is not ok where the
// item does not fit the schema that it names.
func (m *Machine) bind(it *entry.Item) (*program.Program, value.Value, bool) {
	var prog *program.Program
	if it.Proc >= 0 {
		if int(it.Proc) >= len(m.compiled.Procs) {
			return nil, value.Value{}, false
		}
		prog = m.compiled.Procs[it.Proc]
	} else {
		p, refusal := m.compiled.Inline(it.Source)
		if refusal != nil {
			return nil, value.Value{}, false
		}
		prog = p
	}
	params, err := prog.DecodeParams(it.Params)
	return prog, params, err == nil
}

func (m *Machine) prepare(b *entry.Batch, it *entry.Item, prog *program.Program, params value.Value) {
	m.limits = program.DefaultLimits()
	m.meter = lang.Meter{Limit: program.CostLimit}
	m.tx = lang.Tx{
		ID: it.ID.String(), Revision: int64(m.revision), Seed: b.Seed,
		Now: instant(m.nowMillis),
	}
	if cap(m.frame.Slots) < prog.Slots {
		m.frame.Slots = make([]value.Value, prog.Slots)
	}
	m.frame.Slots = m.frame.Slots[:prog.Slots]
	clear(m.frame.Slots)
	m.frame.Slots[0] = params
}

// record keeps an outcome, advances its router's window, and chains the digest.
func (m *Machine) record(o *outcome.Outcome) {
	bucket := m.keep.current()
	m.probe = appendOutcomeKey(m.probe[:0], bucket.id, sliceOf(o.Revision), o.ID)
	key := m.arena.keep(m.probe)
	m.probe = o.Append(m.probe[:0])
	val := m.arena.keep(m.probe)
	m.probe = appendID(m.probe[:0], o.ID)
	id := m.arena.keep(m.probe)
	if o.ID.Key != "" {
		m.filters.of(bucket.id).add(hashKey(o.ID.Key))
		o.ID.Key = strings.Clone(o.ID.Key)
	} else {
		m.sessions.touch(o.ID.Session, m.keep.clock).mark(o.ID.Counter)
	}
	m.pending = append(m.pending, pendingOutcome{key: key, value: val, id: id})
	bucket.bytes += int64(len(key) + len(val))
	m.written += len(key) + len(val)
	feed := m.recordFeed()

	// The digest chains every executed transaction: what came before, the id
	// (not its key, which is about keeping, not about content), the outcome, each
	// write in order, and what it emitted.
	d := append(m.probe[:0], m.digest[:]...)
	d = appendPart(d, id)
	d = appendPart(d, val)
	for i := range m.rows.journal {
		s := m.rows.journal[i].at
		d = appendPart(d, []byte(s.key))
		d = appendPart(d, s.enc)
	}
	if feed != nil {
		d = appendPart(d, feed)
	}
	m.digest = sha256.Sum256(d)
	m.probe = d
}

// prefixBytes is the length of a key's space and the number within it.
const prefixBytes = 5

// appendPart appends a part so that no two sequences of parts read alike.
func appendPart(dst, part []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(part))), part...)
}

// known finds whether an item was executed before, or never will be.
func (m *Machine) known(it *entry.Item) (bool, outcome.Verdict, error) {
	if it.ID.Key == "" {
		w := m.sessions.get(it.ID.Session)
		if w == nil {
			return false, outcome.Verdict{}, nil
		}
		switch w.state(it.ID.Counter) {
		case windowNew:
			return false, outcome.Verdict{}, nil
		case windowBelow:
			return true, outcome.Verdict{Kind: outcome.Expired}, nil
		}
	}
	o, ok, err := m.recorded(it.ID)
	switch {
	case err != nil:
		return false, outcome.Verdict{}, err
	case ok && o.Fingerprint != it.Fingerprint:
		return true, outcome.Verdict{Kind: outcome.KeyReused}, nil
	case ok:
		return true, outcome.Verdict{Kind: outcome.Duplicate, Outcome: o}, nil
	case it.ID.Key == "":
		return true, outcome.Verdict{Kind: outcome.Expired}, nil
	}
	return false, outcome.Verdict{}, nil
}

// recorded finds an outcome, first among those not committed yet.
func (m *Machine) recorded(id entry.ID) (outcome.Outcome, bool, error) {
	if id.Key != "" && !m.mayKnow(id.Key) {
		return outcome.Outcome{}, false, nil
	}
	m.probe = appendID(m.probe[:0], id)
	// Ids are looked up among the pending only where something is sent twice,
	// or has a client's key: the index is made when it is first asked for.
	for ; m.indexed < len(m.pending); m.indexed++ {
		m.byID[string(m.pending[m.indexed].id)] = m.indexed
	}
	if i, ok := m.byID[string(m.probe)]; ok {
		id.Key = strings.Clone(id.Key)
		o, _, err := outcome.Decode(append([]byte(nil), m.pending[i].value...), id)
		return o, err == nil, err
	}
	return findOutcome(m.store, &m.keep, m.revision, id, &m.probe)
}

// mayKnow tells whether a client's key can be in any bucket.
func (m *Machine) mayKnow(key string) bool {
	hash := hashKey(key)
	for i := len(m.keep.buckets) - 1; i >= 0; i-- {
		if m.filters.of(m.keep.buckets[i].id).may(hash) {
			return true
		}
	}
	return false
}

// findOutcome looks an outcome up in the slices of the buckets, newest first.
// last is the highest revision there is.
func findOutcome(r Reader, keep *retention, last uint64, id entry.ID, scratch *[]byte) (outcome.Outcome, bool, error) {
	for i := len(keep.buckets) - 1; i >= 0; i-- {
		b := &keep.buckets[i]
		lowest := sliceOf(b.first)
		for slice := sliceOf(last); ; slice-- {
			*scratch = appendOutcomeKey((*scratch)[:0], b.id, slice, id)
			raw, ok, err := r.Get(*scratch, nil)
			if err != nil {
				return outcome.Outcome{}, false, err
			}
			if ok {
				id.Key = strings.Clone(id.Key)
				o, _, err := outcome.Decode(raw, id)
				return o, err == nil, err
			}
			if slice <= lowest {
				break
			}
		}
		last = b.first
	}
	return outcome.Outcome{}, false, nil
}

func (m *Machine) applyCheckpoint() error {
	c, err := m.reader.Checkpoint()
	if err != nil {
		return err
	}
	// A checkpoint changes nothing, not even the time: the digest at a revision
	// is the same whenever it is asked for.
	m.acknowledge(c.Origin)
	return nil
}

// acknowledge lets the local router know that its entry, which executes nothing,
// has had its turn.
func (m *Machine) acknowledge(o entry.Origin) {
	if m.awaited(o) {
		m.applied = append(m.applied, Applied{Sequence: o.Sequence, Verdicts: []outcome.Verdict{{
			Kind: outcome.Executed, Outcome: outcome.Outcome{Committed: true, Revision: m.revision, TimeMillis: m.nowMillis},
		}}})
	}
}
