package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

const (
	// layoutPrefix begins the name of every directory of contents; the digit is the
	// version of the layout, and of the meaning of the directory as a whole.
	layoutPrefix = "v1-"

	// incomingSuffix marks the directory where a recovery writes its tables.
	incomingSuffix = ".incoming"

	markerName = "contents"
	lockName   = "LOCK"
)

func contentsName(number uint64) string {
	return fmt.Sprintf("%s%06d", layoutPrefix, number)
}

func contentsNumber(name string) (uint64, bool) {
	digits, ok := strings.CutPrefix(name, layoutPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && contentsName(n) == name
}

func (s *Store) path(name string) string { return s.opt.FS.PathJoin(s.opt.Dir, name) }

// open does Open's work; on an error the caller unlocks.
func (s *Store) open() error {
	fs := s.opt.FS
	if err := makeDir(fs, s.opt.Dir); err != nil {
		return diskError("make directory", s.opt.Dir, err)
	}
	lock, err := fs.Lock(s.path(lockName))
	if err != nil {
		return lockError(s.path(lockName), err)
	}
	s.lock = lock

	fail := newFailure(s.onFailure)
	marker, name, err := atomicfs.LocateMarker(&guardFS{FS: fs, fail: fail}, s.opt.Dir, markerName)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	s.marker = marker
	current := name
	if current == "" {
		name = contentsName(1)
	}
	number, ok := contentsNumber(name)
	if !ok { // said before anything is removed
		return fmt.Errorf("%w: contents are in %q, of another version of this program", ErrFormat, name)
	}
	if err := s.removeLeftovers(current); err != nil {
		return err
	}
	c, err := s.openContents(name, fail)
	if err != nil {
		return err
	}
	if current == "" {
		if err := s.point(name, fail); err != nil {
			_ = c.close(ErrClosed)
			return err
		}
	}
	s.number = number
	s.cur.Store(c)
	return nil
}

// lockError tells a directory in use from one that can't be written.
func lockError(path string, err error) error {
	if isDiskFull(err) || errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO) {
		return diskError("lock", path, err)
	}
	return fmt.Errorf("%w by another process or store: %w", ErrLocked, err)
}

// openContents opens the database in the directory name.
func (s *Store) openContents(name string, fail *failure) (*contents, error) {
	dir := s.path(name)
	if err := removeLogs(s.opt.FS, dir); err != nil {
		return nil, err
	}
	db, err := pebble.Open(dir, s.pebbleOptions(&guardFS{FS: s.opt.FS, fail: fail}, fail))
	if first := fail.err(); first != nil {
		if db != nil {
			_ = db.Close()
		}
		return nil, first
	}
	if err != nil {
		if pebble.IsCorruptionError(err) {
			return nil, fmt.Errorf("%w: opening: %w", ErrCorrupt, err)
		}
		return nil, diskError("open", dir, err)
	}
	return newContents(db, dir, fail), nil
}

// removeLogs removes Pebble's own log files. They are empty, for it writes none,
// but finding one makes Pebble flush while opening, and on a full disk it would
// try that for ever instead of returning an error.
func removeLogs(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return diskError("list", dir, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			if err := fs.Remove(fs.PathJoin(dir, name)); err != nil {
				return diskError("remove", name, err)
			}
		}
	}
	return nil
}

// point makes name the directory of the contents, durably.
func (s *Store) point(name string, fail *failure) error {
	if err := s.marker.Move(name); err != nil {
		return fail.set(diskError("move the pointer to", name, err))
	}
	return fail.err() // a failed sync of the directory is found here
}

// removeLeftovers removes every directory of contents but the one named, and old
// markers. Without a pointer only an empty database can be there, left by a first
// Open cut short: anything more means that the pointer was lost, and stays.
func (s *Store) removeLeftovers(current string) error {
	fs := s.opt.FS
	names, err := fs.List(s.opt.Dir)
	if err != nil {
		return diskError("list", s.opt.Dir, err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, layoutPrefix) || name == current {
			continue
		}
		if current == "" {
			if err := s.refuseTables(name); err != nil {
				return err
			}
		}
		if err := fs.RemoveAll(s.path(name)); err != nil {
			return diskError("remove", name, err)
		}
	}
	if err := s.marker.RemoveObsolete(); err != nil {
		return diskError("remove", "old markers", err)
	}
	return nil
}

func (s *Store) refuseTables(name string) error {
	files, err := s.opt.FS.List(s.path(name))
	if err != nil {
		return diskError("list", name, err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".sst") {
			return fmt.Errorf("%w: %s holds data but nothing points to it", ErrFormat, name)
		}
	}
	return nil
}

// makeDir creates dir and syncs every parent that gained an entry.
func makeDir(fs vfs.FS, dir string) error {
	var missing []string
	for d := dir; ; d = fs.PathDir(d) {
		if _, err := fs.Stat(d); err == nil || d == fs.PathDir(d) {
			break
		}
		missing = append(missing, d)
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range missing {
		if err := syncDir(fs, fs.PathDir(d)); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
