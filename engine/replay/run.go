package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/outcome"
	"lockstep/engine/recording"
	"lockstep/engine/store"
)

// Options of a replay.
type Options struct {
	// Dir is an empty folder for the stores; it is the caller's to remove.
	Dir string
	// Env is the pinned language environment.
	Env *lang.Env
	// Progress is brought up to date while the replay runs; nil: nobody asks.
	Progress *Progress

	// Schema, if not nil, is the document to rehearse.
	Schema []byte
	// At is the last revision before the new schema holds: what comes after it is
	// executed under both. Before the recording begins means from its beginning.
	At uint64
	// FromMillis, if not 0, is in At's place: the new schema holds from the first
	// entry that was stamped then or later.
	FromMillis int64
	// Examples is how many of each kind of difference are shown.
	Examples int
}

// run is one replay under way.
type run struct {
	opt    Options
	file   *recording.Reader
	report Report
	cache  *store.Cache

	recorded  *replica
	rehearsal *rehearsal // nil: none is asked for

	batch     []entry.Raw // not applied yet
	bytes     int
	lastEqual uint64 // revision of the last digests that were equal
	compared  uint64 // digests that the file had, verdicts excepted
	reader    entry.Reader
	points    checkpoints
}

// Run replays a recording. Errors: recording.ErrDamaged, recording.ErrGivenUp,
// ErrRefused where the schema is not taken, those of the disk, and of an entry that
// this program can't execute. That digests differ is no error: the report says so.
func Run(ctx context.Context, file io.Reader, opt Options) (report *Report, err error) {
	// Whoever altered a state may have made it one that no copy ever had.
	defer func() {
		if fault := recover(); fault != nil {
			report, err = nil, fmt.Errorf("%w: executing it met what no copy ever holds: %v", recording.ErrDamaged, fault)
		}
	}()
	if opt.Progress == nil {
		opt.Progress = new(Progress)
	}
	r := &run{opt: opt, cache: store.NewCache(cacheBytes)}
	defer r.cache.Close()
	defer r.close()
	if r.file, err = recording.NewReader(file); err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	if err := r.records(ctx); err != nil {
		return nil, err
	}
	return &r.report, r.finish()
}

func (r *run) close() {
	if r.recorded != nil {
		_ = r.recorded.Close()
	}
	if r.rehearsal != nil {
		r.rehearsal.close()
	}
}

// begin brings the copy to where the recording begins.
func (r *run) begin() (err error) {
	b := r.file.Begin()
	r.report = Report{
		Group: b.Group, Node: b.Node, Program: b.Program, Snapshot: b.Snapshot,
		From: Point{b.From.Index, b.From.Revision, b.From.TimeMillis},
	}
	r.lastEqual = b.From.Revision
	if b.Language != 0 {
		if _, err := r.opt.Env.At(uint32(min(b.Language, math.MaxUint32))); err != nil {
			return fmt.Errorf("the recording begins in another language: %w", err)
		}
	}
	if r.opt.Schema != nil {
		if r.rehearsal, err = newRehearsal(r); err != nil {
			return err
		}
	}
	if r.recorded, err = r.openReplica("recorded"); err != nil {
		return err
	}
	if !b.Snapshot {
		return nil
	}
	if err := r.recorded.RecoverFromSnapshot(r.file.State(), nil); err != nil {
		return fmt.Errorf("read the state that the recording begins with: %w", err)
	}
	pos := r.recorded.Position()
	if pos.Index != b.From.Index {
		return fmt.Errorf("%w: its state is of entry %d, and it says %d", recording.ErrDamaged, pos.Index, b.From.Index)
	}
	r.report.Compared.compare(digests{revision: b.From.Revision, running: b.From.Running}, digests{revision: pos.Revision, running: pos.Digest}, &r.lastEqual)
	return nil
}

// records executes entries and compares digests as they come.
func (r *run) records(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		rec, err := r.file.Next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		r.opt.Progress.Bytes.Store(r.file.Offset())
		switch rec.Kind {
		case recording.KindEntry:
			err = r.entry(rec.Index, rec.Cmd)
		case recording.KindDigest:
			err = r.digest(&rec.Digest)
		case recording.KindEnd:
			err = r.flush()
		}
		if err != nil {
			return err
		}
	}
}

// entry executes an entry, or puts it with others to be executed together.
func (r *run) entry(index uint64, cmd []byte) error {
	r.report.Entries++
	raw := entry.Raw{Index: index, Cmd: append([]byte(nil), cmd...)}
	if kind := entry.KindOf(cmd); kind != entry.KindBatch {
		if err := r.flush(); err != nil {
			return err
		}
		return r.special(kind, raw)
	}
	if r.rehearsal != nil {
		return r.rehearsal.batch(raw)
	}
	r.batch = append(r.batch, raw)
	if r.bytes += len(cmd); r.bytes < applyBytes && len(r.batch) < applyEntries {
		return nil
	}
	return r.flush()
}

// flush executes what was put together.
func (r *run) flush() error {
	if len(r.batch) == 0 {
		return nil
	}
	done, err := r.recorded.apply(r.batch...)
	clear(r.batch)
	r.batch, r.bytes = r.batch[:0], 0
	if err != nil {
		return err
	}
	for i := range done {
		r.count(done[i].Verdicts)
	}
	return nil
}

// count counts what became of transactions.
func (r *run) count(verdicts []outcome.Verdict) {
	for i := range verdicts {
		switch v := &verdicts[i]; {
		case v.Kind != outcome.Executed:
			r.report.PassedOver++
			continue
		case v.Outcome.Committed:
			r.report.Committed++
		default:
			r.report.Aborted++
		}
		r.report.Transactions++
	}
	r.opt.Progress.Transactions.Store(r.report.Transactions)
	r.opt.Progress.Revision.Store(r.recorded.Position().Revision)
}

// special executes an entry that holds no transactions. A verdict is not executed:
// it changes nothing, and a copy that differs would only stop.
func (r *run) special(kind entry.Kind, raw entry.Raw) error {
	if kind == entry.KindVerdict {
		return r.verdict(raw.Cmd)
	}
	if r.rehearsal != nil {
		if err := r.rehearsal.special(kind, raw); err != nil {
			return err
		}
	}
	before := r.recorded.Position().Schema
	if _, err := r.recorded.apply(raw); err != nil {
		return err
	}
	if r.recorded.Position().Schema != before {
		r.report.SchemaChanges++
	}
	if kind == entry.KindCheckpoint {
		return r.checkpoint(raw.Cmd)
	}
	return nil
}

// digest compares with what the writing copy had.
func (r *run) digest(d *recording.Digest) error {
	if err := r.flush(); err != nil {
		return err
	}
	r.compared++
	pos := r.recorded.Position()
	recorded := digests{revision: d.Revision, running: d.Running}
	replayed := digests{revision: pos.Revision, running: pos.Digest}
	if d.HasContent {
		content, err := r.recorded.content()
		if err != nil {
			return fmt.Errorf("digest the content at revision %d: %w", pos.Revision, err)
		}
		recorded.content, replayed.content = &d.Content, &content
	}
	r.report.Compared.compare(recorded, replayed, &r.lastEqual)
	return nil
}

// finish works out what is told at the end.
func (r *run) finish() error {
	pos := r.recorded.Position()
	r.report.To = pointOf(pos)
	content, err := r.recorded.content()
	if err != nil {
		return fmt.Errorf("digest the content at the end: %w", err)
	}
	h := sha256.New()
	h.Write(content[:])
	h.Write(pos.Digest[:])
	r.report.Digest = hex.EncodeToString(h.Sum(nil))
	if r.compared == 0 {
		return fmt.Errorf("%w: it has no digest to compare with", recording.ErrDamaged)
	}
	r.report.Equal = r.report.Compared.Different == 0
	if r.rehearsal != nil {
		return r.rehearsal.finish()
	}
	return nil
}
