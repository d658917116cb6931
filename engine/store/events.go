package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// pebbleLog carries Pebble's log lines to slog. Pebble's "fatal" must not end
// the process from inside a library: it becomes the store's failure.
type pebbleLog struct {
	log  *slog.Logger
	fail *failure
}

func (l pebbleLog) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

func (l pebbleLog) Errorf(format string, args ...any) {
	if l.fail.err() != nil {
		return // consequences of what has been reported already
	}
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

func (l pebbleLog) Fatalf(format string, args ...any) {
	l.fail.setUnreadable(fmt.Errorf("%w: pebble: %s", ErrCorrupt, fmt.Sprintf(format, args...)))
}

// backgroundError is told of every failed flush and compaction, with Pebble's
// main lock held.
func backgroundError(fail *failure, err error) {
	if errors.Is(err, pebble.ErrCancelledCompaction) {
		return
	}
	if pebble.IsCorruptionError(err) {
		fail.setUnreadable(fmt.Errorf("%w: %w", ErrCorrupt, err))
		return
	}
	fail.set(diskError("flush or compact", ".", err))
}

// pebbleOptions are the options of every database that a store opens.
func (s *Store) pebbleOptions(fs vfs.FS, fail *failure) *pebble.Options {
	o := &pebble.Options{
		FS:                          fs,
		FormatMajorVersion:          formatVersion,
		DisableWAL:                  true,
		MemTableSize:                uint64(s.opt.MemTableBytes),
		MemTableStopWritesThreshold: pebbleNeverStalls,
		L0StopWritesThreshold:       pebbleNeverStalls,
		L0CompactionThreshold:       l0Sublevels,
		LBaseMaxBytes:               lBaseBytes,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		MaxOpenFiles:                maxOpenFiles,
		Logger:                      pebbleLog{log: s.opt.Log, fail: fail},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { backgroundError(fail, err) },
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				fail.setUnreadable(fmt.Errorf("%w: %s: %w", ErrCorrupt, info.Path, info.Details))
			},
			LowDiskSpace: func(info pebble.LowDiskSpaceInfo) {
				s.opt.Log.Warn("disk space is running low", "avail_bytes", info.AvailBytes, "total_bytes", info.TotalBytes)
			},
		},
	}
	o.TargetFileSizes[0] = l0FileBytes
	if s.opt.Cache != nil {
		o.Cache = s.opt.Cache.cache
	} else {
		o.CacheSize = ownCacheBytes + int64(memTables*s.opt.MemTableBytes)
	}
	o.Levels[0].FilterPolicy = bloom.FilterPolicy(bloomBitsPerKey)
	o.EnsureDefaults()
	return o
}
