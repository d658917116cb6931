package store

import (
	"context"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// SaveTo writes the snapshot's contents to w as a stream (stream.go has the
// format). Equal contents make equal streams. An error of w is returned as it is,
// unwrapped, for Raft libraries compare it; when stop is closed, ErrStopped.
func (s *Store) SaveTo(snap *Snapshot, w io.Writer, stop <-chan struct{}) error {
	if err := s.Flush(); err != nil { // so that the iterator holds files, not memtables
		return fmt.Errorf("save snapshot: %w", err)
	}
	it := snap.NewIter(nil, nil)
	defer it.Close()
	e, err := newEncoder(w)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		full, err := e.add(it.Key(), it.Value())
		if err != nil {
			return err
		}
		if full && isClosed(stop) {
			return fmt.Errorf("save snapshot: %w", ErrStopped)
		}
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("save snapshot: %w", err)
	}
	if isClosed(stop) {
		return fmt.Errorf("save snapshot: %w", ErrStopped)
	}
	return e.finish()
}

func isClosed(stop <-chan struct{}) bool {
	select {
	case <-stop: // a nil channel is never ready
		return true
	default:
		return false
	}
}

// RecoverFrom replaces the store's contents by those of a stream, older or newer,
// durably when it returns. Until then the old contents stay and are read, and a
// crash at any moment finds the one or the other, whole. After an error the old
// contents are still there and usable, unless the moving of the pointer itself
// failed. Snapshots, iterators and batches of the old contents fail with
// ErrReplaced afterwards. Errors: ErrBadStream, ErrStopped, ErrClosed,
// ErrDiskFull, ErrIO; an error of r is returned unwrapped.
//
// The disk needs room for both contents at once.
func (s *Store) RecoverFrom(r io.Reader, stop <-chan struct{}) error {
	s.admin.Lock()
	defer s.admin.Unlock()
	if s.closed || isClosed(s.closing) {
		return fmt.Errorf("recover from snapshot: %w", ErrClosed)
	}
	old := s.cur.Load()
	if err := old.fail.err(); err != nil {
		return fmt.Errorf("recover from snapshot: %w", err)
	}
	number := s.number + 1
	rec := &recovery{
		s: s, name: contentsName(number), stop: stop,
		fail: newFailure(nil), // until the contents are the store's own, a failure is only this call's
	}
	c, err := rec.build(r)
	if err != nil {
		rec.discard(c)
		return err
	}
	if err := s.swap(c, rec); err != nil {
		return fmt.Errorf("recover from snapshot: %w", err)
	}
	s.number = number
	if err := old.close(ErrReplaced); err != nil {
		s.opt.Log.Warn("closing replaced contents", "dir", old.dir, "error", err.Error())
	}
	if err := s.opt.FS.RemoveAll(old.dir); err != nil {
		s.opt.Log.Warn("removing replaced contents", "dir", old.dir, "error", err.Error())
	}
	return nil
}

// swap points the store to c. When the pointer's move fails nobody knows where it
// points: both contents are given up.
func (s *Store) swap(c *contents, rec *recovery) error {
	marker, _, err := atomicfs.LocateMarker(&guardFS{FS: s.opt.FS, fail: rec.fail}, s.opt.Dir, markerName)
	if err != nil {
		rec.discard(c)
		return diskError("locate the pointer in", s.opt.Dir, err)
	}
	_ = s.marker.Close()
	s.marker = marker
	if err := s.point(rec.name, rec.fail); err != nil {
		_ = c.close(ErrClosed)
		return s.cur.Load().fail.set(err)
	}
	rec.fail.watch(s.onFailure)
	s.cur.Store(c)
	return nil
}

// recovery builds contents from a stream in a directory of their own.
type recovery struct {
	s    *Store
	name string
	stop <-chan struct{}
	fail *failure

	opts   *pebble.Options
	db     *pebble.DB
	tables []string
	w      *sstable.Writer
	size   int // of the table being written
}

func (r *recovery) incoming() string { return r.s.path(r.name + incomingSuffix) }

// discard removes what an unsuccessful recovery has written; what it can't remove
// Open will.
func (r *recovery) discard(c *contents) {
	if c != nil {
		_ = c.close(ErrClosed)
	}
	_ = r.s.opt.FS.RemoveAll(r.s.path(r.name))
	_ = r.s.opt.FS.RemoveAll(r.incoming())
}

// build returns the new contents, durable but for the pointer. With an error it
// may return contents to be discarded.
func (r *recovery) build(from io.Reader) (*contents, error) {
	r.discard(nil)
	fs := &guardFS{FS: r.s.opt.FS, fail: r.fail}
	c, err := r.s.openContents(r.name, r.fail)
	if err != nil {
		return nil, fmt.Errorf("recover from snapshot: %w", err)
	}
	r.db, r.opts = c.db, r.s.pebbleOptions(fs, r.fail)
	if err := fs.MkdirAll(r.incoming(), 0o755); err != nil {
		return c, fmt.Errorf("recover from snapshot: %w", err)
	}
	if err := r.readTables(fs, from); err != nil {
		r.abandonTable()
		return c, err
	}
	if len(r.tables) > 0 {
		if err := r.db.Ingest(context.Background(), r.tables); err != nil {
			return c, fmt.Errorf("recover from snapshot: %w", diskError("ingest tables into", r.name, err))
		}
	}
	if err := fs.RemoveAll(r.incoming()); err != nil {
		return c, fmt.Errorf("recover from snapshot: %w", diskError("remove", r.incoming(), err))
	}
	if err := r.fail.err(); err != nil {
		return c, fmt.Errorf("recover from snapshot: %w", err)
	}
	return c, nil
}

// readTables turns the stream into tables.
func (r *recovery) readTables(fs vfs.FS, from io.Reader) error {
	d, err := newDecoder(from)
	if err != nil {
		return err
	}
	for {
		if isClosed(r.stop) {
			return fmt.Errorf("recover from snapshot: %w", ErrStopped)
		}
		if isClosed(r.s.closing) {
			return fmt.Errorf("recover from snapshot: %w", ErrClosed)
		}
		more, err := d.nextBlock()
		if err != nil {
			return err
		}
		if !more {
			return r.endTable()
		}
		if err := r.readBlock(fs, d); err != nil {
			return err
		}
	}
}

func (r *recovery) readBlock(fs vfs.FS, d *decoder) error {
	for {
		key, val, ok, err := d.next()
		if err != nil || !ok {
			return err
		}
		if err := r.put(fs, key, val); err != nil {
			return fmt.Errorf("recover from snapshot: %w", diskError("write table in", r.name, err))
		}
	}
}

func (r *recovery) put(fs vfs.FS, key, val []byte) error {
	if r.w != nil && r.size >= tableBytes {
		if err := r.endTable(); err != nil {
			return err
		}
	}
	if r.w == nil {
		path := fs.PathJoin(r.incoming(), fmt.Sprintf("%06d.sst", len(r.tables)))
		f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		lowest := len(r.opts.Levels) - 1 // where tables of an empty database go
		r.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), r.opts.MakeWriterOptions(lowest, r.db.TableFormat()))
		r.tables = append(r.tables, path)
		r.size = 0
	}
	r.size += len(key) + len(val)
	return r.w.Set(key, val)
}

// endTable finishes the table being written, and syncs it.
func (r *recovery) endTable() error {
	if r.w == nil {
		return nil
	}
	w := r.w
	r.w = nil
	if err := w.Close(); err != nil {
		return diskError("write table in", r.name, err)
	}
	return nil
}

func (r *recovery) abandonTable() {
	if r.w != nil {
		_ = r.w.Close() // its file is removed with the directory
		r.w = nil
	}
}
