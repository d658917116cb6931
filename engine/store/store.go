package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// Options say where a store is and what it may use.
type Options struct {
	// Dir is the store's own directory; it is created when missing.
	Dir string

	// FS is the file system; nil means the operating system's. Tests crash it.
	FS vfs.FS

	// InMemory keeps the store in memory, gone when it is closed: for trying things
	// out. It stands in place of FS.
	InMemory bool

	// MemTableBytes is the size of the write buffer; 0 means DefaultMemTableBytes.
	// Up to three of that size are in memory: filled, flushed, kept for reuse. They
	// are counted in Cache.
	MemTableBytes int

	// Cache of blocks read, shared among a node's stores; nil means a small own one.
	Cache *Cache

	// Log gets Pebble's lines; nil means none.
	Log *slog.Logger

	// OnFatal is called once, on a goroutine of its own, when the contents have
	// failed for good: stop admitting work and end. It may call Close.
	OnFatal func(error)
}

func (o *Options) validate() error {
	if o.Dir == "" {
		return errors.New("the option Dir is empty: name the store's directory")
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = DefaultMemTableBytes
	}
	if o.MemTableBytes < MinMemTableBytes || o.MemTableBytes > MaxMemTableBytes {
		return fmt.Errorf("MemTableBytes is %d: choose from %d to %d", o.MemTableBytes, MinMemTableBytes, MaxMemTableBytes)
	}
	switch {
	case o.InMemory && o.FS != nil:
		return errors.New("the options InMemory and FS are both given: choose one")
	case o.InMemory:
		o.FS = vfs.NewMem()
	case o.FS == nil:
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Cache holds blocks of tables in memory, for any number of stores.
type Cache struct{ cache *pebble.Cache }

// NewCache returns a cache of that many bytes. The memtables of the stores that
// share it are counted in it: it must be larger than three times the sum of their
// MemTableBytes, or no block is ever found in it and reads are twenty times slower.
func NewCache(bytes int64) *Cache { return &Cache{cache: pebble.NewCache(bytes)} }

// Close lets go of the cache; its memory is freed when the last store that uses
// it is closed.
func (c *Cache) Close() { c.cache.Unref() }

// Store is an ordered map on disk. It may be used by several goroutines.
type Store struct {
	opt    Options
	cur    atomic.Pointer[contents]
	lock   io.Closer
	fatal  sync.Once
	closer sync.Once

	closing chan struct{} // closed when Close begins: ends a recovery

	admin  sync.Mutex // held by Close and RecoverFrom
	marker *atomicfs.Marker
	number uint64 // of the present contents' directory
	closed bool
}

// Open opens the store in opt.Dir, creating it when there is none, and removes
// what an interrupted recovery has left. Errors: ErrLocked, ErrFormat,
// ErrCorrupt, ErrDiskFull, ErrIO.
func Open(opt Options) (*Store, error) {
	if err := opt.validate(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &Store{opt: opt, closing: make(chan struct{})}
	if err := s.open(); err != nil {
		s.unlock()
		return nil, fmt.Errorf("store %s: %w", opt.Dir, err)
	}
	return s, nil
}

// enter announces an operation on the present contents; the caller leaves them.
func (s *Store) enter() (*contents, error) {
	for {
		c := s.cur.Load()
		if c.enter() {
			return c, nil
		}
		if c == s.cur.Load() {
			return nil, c.reason
		}
	}
}

// Err returns why the store can't be written any more, or nil.
func (s *Store) Err() error {
	return s.cur.Load().fail.err()
}

func (s *Store) onFailure(err error) {
	s.fatal.Do(func() {
		s.opt.Log.Error("store failed", "dir", s.opt.Dir, "error", err.Error())
		if s.opt.OnFatal != nil {
			s.opt.OnFatal(err)
		}
	})
}

// Close closes the store and waits for the operations under way. It does not
// flush: what was committed since the last Flush is gone, to be executed again.
// A second Close does nothing.
func (s *Store) Close() error {
	s.closer.Do(func() { close(s.closing) })
	s.admin.Lock()
	defer s.admin.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	err := s.cur.Load().close(ErrClosed)
	s.unlock()
	if err != nil {
		return fmt.Errorf("store %s: close: %w", s.opt.Dir, err)
	}
	return nil
}

func (s *Store) unlock() {
	if s.marker != nil {
		_ = s.marker.Close()
		s.marker = nil
	}
	if s.lock != nil {
		_ = s.lock.Close()
		s.lock = nil
	}
}
