package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

var (
	// ErrClosed: the store was closed; nothing can be read or written any more.
	ErrClosed = errors.New("store is closed")

	// ErrReplaced: the contents that a snapshot, iterator or batch belongs to were
	// replaced by a recovery. Take a new one. It is an ErrClosed.
	ErrReplaced = fmt.Errorf("%w: contents were replaced by a received snapshot", ErrClosed)

	// ErrDiskFull: the disk or the quota is exhausted. Free space, then restart.
	ErrDiskFull = errors.New("disk is full")

	// ErrIO: the disk refused a write, a sync or a read. What was flushed before
	// is intact as far as is known.
	ErrIO = errors.New("disk failed")

	// ErrCorrupt: data read back is not what was written. The copy must be
	// replaced by a fresh one from another node.
	ErrCorrupt = errors.New("data on disk is damaged")

	// ErrBadStream: a snapshot stream is torn, altered or of an unknown version.
	ErrBadStream = errors.New("snapshot stream is damaged")

	// ErrStopped: the caller's stop channel was closed.
	ErrStopped = errors.New("stopped")

	// ErrLocked: another process, or another store of this one, has the directory.
	ErrLocked = errors.New("data directory is in use")

	// ErrFormat: the directory is not one that this version understands.
	ErrFormat = errors.New("data directory has an unknown format")

	// ErrTooLarge: a key, value or batch is beyond its limit, or a key is empty.
	ErrTooLarge = errors.New("key or value is out of bounds")

	// errCommitted: a batch was used again without a Reset.
	errCommitted = errors.New("batch was committed already")
)

// diskError says which operation on which file failed, and of which kind the
// failure is: errors.Is finds ErrDiskFull or ErrIO, and the system's error.
func diskError(op, path string, err error) error {
	if errors.Is(err, ErrDiskFull) || errors.Is(err, ErrIO) {
		return err
	}
	kind := ErrIO
	if isDiskFull(err) {
		kind = ErrDiskFull
	}
	return fmt.Errorf("%w: %s %s: %w", kind, op, filepath.Base(path), err)
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
