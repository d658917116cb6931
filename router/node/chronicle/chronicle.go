package chronicle

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// aside is what the name of a file ends with that was full.
const aside = ".1"

// File is a bounded file of lines. It is safe for concurrent use.
type File struct {
	path string
	most int64

	mu   sync.Mutex
	file *os.File // nil until the first append
	size int64
}

// New is the file of a path, of at most so many bytes; it and its folder are made with
// the first line.
func New(path string, most int64) *File { return &File{path: path, most: most} }

// Full tells whether the file has reached half of its bound: it is time to Turn.
func (f *File) Full() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size >= f.most/2
}

// Append writes whole lines at the end.
func (f *File) Append(lines []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.open(); err != nil {
		return err
	}
	n, err := f.file.Write(lines)
	f.size += int64(n)
	if err != nil && n > 0 {
		// Cut off what was written in part, so that the next line stands for itself.
		if f.file.Truncate(f.size-int64(n)) == nil {
			f.size -= int64(n)
		}
	}
	if err != nil {
		return fmt.Errorf("append to %s: %w", f.path, err)
	}
	return nil
}

// open opens the file at its end, without a torn last line.
func (f *File) open() error {
	if f.file != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.path), 0o750); err != nil {
		return fmt.Errorf("make the folder of %s: %w", f.path, err)
	}
	was, err := os.ReadFile(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", f.path, err)
	}
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("open %s: %w", f.path, err)
	}
	size := int64(bytes.LastIndexByte(was, '\n') + 1)
	if size < int64(len(was)) {
		if err := file.Truncate(size); err != nil {
			return errors.Join(fmt.Errorf("cut the torn end off %s: %w", f.path, err), file.Close())
		}
	}
	f.file, f.size = file, size
	return nil
}

// Turn sets the file aside and begins another.
func (f *File) Turn() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.open(); err != nil {
		return err
	}
	if err := os.Rename(f.path, f.path+aside); err != nil {
		return fmt.Errorf("set %s aside: %w", f.path, err)
	}
	err := f.file.Close()
	f.file, f.size = nil, 0
	return errors.Join(err, f.open())
}

// Close lets go of the file; an append opens it again.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// Read gives all lines that are kept under a path, oldest first.
func Read(path string) ([]byte, error) {
	var out []byte
	for _, p := range []string{path + aside, path} {
		part, err := os.ReadFile(p)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read %s: %w", p, err)
		}
		out = append(out, part[:bytes.LastIndexByte(part, '\n')+1]...)
	}
	return out, nil
}

// Remove takes all that is kept under a path away.
func Remove(path string) error {
	var errs []error
	for _, p := range []string{path, path + aside} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
