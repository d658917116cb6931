package store

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// failure is the first thing that went wrong for good in a store's contents.
type failure struct {
	first   atomic.Pointer[error]
	refuse  atomic.Bool   // reads are refused too
	failed  chan struct{} // closed when first is set
	closing chan struct{} // closed when the contents are being closed

	mu     sync.Mutex
	notify func(error) // called once, on its own goroutine: Pebble's locks may be held
}

func newFailure(notify func(error)) *failure {
	return &failure{failed: make(chan struct{}), closing: make(chan struct{}), notify: notify}
}

// watch makes notify the one to be told, at once if something has failed already.
func (f *failure) watch(notify func(error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notify = notify
	if err := f.err(); err != nil {
		go notify(err)
	}
}

// set records err unless there is an earlier failure, and returns the first.
func (f *failure) set(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if first := f.err(); first != nil {
		return first
	}
	f.first.Store(&err)
	close(f.failed)
	if f.notify != nil {
		go f.notify(err)
	}
	return err
}

// setUnreadable records damage after which reads can't be trusted. After a
// failure of the disk Pebble's complaints are its consequence, not damage.
func (f *failure) setUnreadable(err error) {
	if f.err() == nil {
		f.refuse.Store(true)
	}
	f.set(err)
}

func (f *failure) err() error {
	if p := f.first.Load(); p != nil {
		return *p
	}
	return nil
}

// readable returns the error with which reads are refused, or nil.
func (f *failure) readable() error {
	if f.refuse.Load() {
		return f.err()
	}
	return nil
}

// guardFS is the file system that Pebble writes through. It notes the first
// failed change, and from then on makes no further one, so that the disk stays as
// a crash at that moment would have left it. Reading passes through.
//
// Changes not made are refused with the failure, with two exceptions, which seem
// to succeed: those of the manifest and its marker, for Pebble can't go on after
// their failure, not even to be closed, and the syncing of directories, for its
// markers panic. Nothing is believed after a failure: whoever reports something
// durable looks at the failure first.
type guardFS struct {
	vfs.FS
	fail *failure
}

func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// refused returns the earlier failure, if there is one. With pause it waits a
// little before, for Pebble retries a failed flush without an end or a pause.
func (g *guardFS) refused(pause bool) error {
	err := g.fail.err()
	if err == nil || !pause {
		return err
	}
	timer := time.NewTimer(failedRetryInterval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.fail.closing:
	}
	return err
}

func (g *guardFS) note(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return g.fail.set(diskError(op, path, err))
}

// isManifest tells the files whose changes must not seem to fail.
func (g *guardFS) isManifest(name string) bool {
	base := g.FS.PathBase(name)
	return strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.manifest.")
}

func (g *guardFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	manifest := g.isManifest(name)
	err := g.refused(!manifest)
	var f vfs.File
	if err == nil {
		f, err = g.FS.Create(name, category)
		err = g.note("create", name, err)
	}
	switch {
	case err == nil:
		return &guardFile{File: f, fs: g, name: name, manifest: manifest}, nil
	case manifest:
		return &guardFile{File: vfs.NewMemFile(nil), fs: g, name: name, manifest: true}, nil
	default:
		return nil, err
	}
}

func (g *guardFS) OpenReadWrite(
	name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption,
) (vfs.File, error) {
	if err := g.refused(true); err != nil {
		return nil, err
	}
	f, err := g.FS.OpenReadWrite(name, category, opts...)
	if err != nil {
		return nil, g.note("open", name, err)
	}
	return &guardFile{File: f, fs: g, name: name}, nil
}

func (g *guardFS) ReuseForWrite(
	oldname, newname string, category vfs.DiskWriteCategory,
) (vfs.File, error) {
	if err := g.refused(true); err != nil {
		return nil, err
	}
	f, err := g.FS.ReuseForWrite(oldname, newname, category)
	if err != nil {
		return nil, g.note("reuse", newname, err)
	}
	return &guardFile{File: f, fs: g, name: newname}, nil
}

func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardDir{File: f, fs: g, name: name}, nil
}

// Link's error is returned, not noted: Pebble copies the file instead.
func (g *guardFS) Link(oldname, newname string) error {
	if err := g.refused(false); err != nil {
		return err
	}
	return g.FS.Link(oldname, newname)
}

func (g *guardFS) Rename(oldname, newname string) error {
	if err := g.refused(false); err != nil {
		return err
	}
	return g.note("rename", newname, g.FS.Rename(oldname, newname))
}

// Remove's error is returned, not noted: a file that stays is only waste.
func (g *guardFS) Remove(name string) error {
	if err := g.refused(false); err != nil {
		return err
	}
	return g.FS.Remove(name)
}

func (g *guardFS) RemoveAll(name string) error {
	if err := g.refused(false); err != nil {
		return err
	}
	return g.FS.RemoveAll(name)
}

func (g *guardFS) MkdirAll(dir string, perm os.FileMode) error {
	if err := g.refused(false); err != nil {
		return err
	}
	return g.note("make directory", dir, g.FS.MkdirAll(dir, perm))
}

// guardFile is a file open for writing.
type guardFile struct {
	vfs.File
	fs       *guardFS
	name     string
	manifest bool
}

// change makes a change, unless something has failed.
func (f *guardFile) change(op string, do func() error) error {
	err := f.fs.refused(false)
	if err == nil {
		err = f.fs.note(op, f.name, do())
	}
	if f.manifest {
		return nil
	}
	return err
}

func (f *guardFile) Write(p []byte) (int, error) {
	err := f.change("write", func() error { _, err := f.File.Write(p); return err })
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *guardFile) WriteAt(p []byte, offset int64) (int, error) {
	err := f.change("write", func() error { _, err := f.File.WriteAt(p, offset); return err })
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *guardFile) Sync() error     { return f.change("sync", f.File.Sync) }
func (f *guardFile) SyncData() error { return f.change("sync", f.File.SyncData) }

func (f *guardFile) SyncTo(length int64) (full bool, err error) {
	err = f.change("sync", func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Close closes the file even after a failure: descriptors must not leak.
func (f *guardFile) Close() error {
	err := f.fs.note("close", f.name, f.File.Close())
	if f.manifest {
		return nil
	}
	return err
}

// guardDir is a directory open for syncing.
type guardDir struct {
	vfs.File
	fs   *guardFS
	name string
}

func (d *guardDir) Sync() error {
	if d.fs.refused(false) == nil {
		_ = d.fs.note("sync directory", d.name, d.File.Sync())
	}
	return nil
}
