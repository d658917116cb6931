package jobs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Folder is where a node keeps backups.
type Folder struct {
	Dir  string
	Node string
	// Keep is how many whole backups of a group stay, the newest ones; 0: all. MaxAge
	// is how old they may become; 0: any age. The newest one stays whatever its age.
	Keep   int
	MaxAge time.Duration
}

// suffix of backups: they are recordings (engine/recording).
const suffix = ".lockstep"

// stamp is a backup's time in its name, in UTC.
const stamp = "20060102T150405Z"

// FileName names a backup after its group, its time, the epoch under which the task was
// held that made it, and the run: two by request, of nodes that don't hold the task,
// have the same epoch, and may have the same second.
func FileName(group string, at time.Time, epoch, run uint64) string {
	return group + "-" + at.UTC().Format(stamp) + "-e" + strconv.FormatUint(epoch, 10) + "-r" + strconv.FormatUint(run, 10) + suffix
}

// Backup is a whole backup in the folder.
type Backup struct {
	Name string
	Time time.Time
}

// nameOf is the form of the names of a group's backups.
func nameOf(group, end string) *regexp.Regexp {
	return regexp.MustCompile("^" + regexp.QuoteMeta(group) + `-(\d{8}T\d{6}Z)-e\d+-r\d+` + regexp.QuoteMeta(suffix+end) + "$")
}

// List finds a group's whole backups, the newest first. Other files are passed over.
func (f *Folder) List(group string) ([]Backup, error) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the backup folder: %w", err)
	}
	form := nameOf(group, "")
	var out []Backup
	for _, e := range entries {
		m := form.FindStringSubmatch(e.Name())
		if m == nil || !e.Type().IsRegular() {
			continue
		}
		if at, err := time.Parse(stamp, m[1]); err == nil {
			out = append(out, Backup{Name: e.Name(), Time: at})
		}
	}
	slices.SortFunc(out, func(a, b Backup) int {
		if c := b.Time.Compare(a.Time); c != 0 {
			return c
		}
		return strings.Compare(b.Name, a.Name)
	})
	return out, nil
}

// Write makes a backup of a group: write gets the file, and check reads it back from
// its beginning before it gets its name. What a former run of this node left is removed.
func (f *Folder) Write(group, name string, write func(io.Writer) error, check func(io.Reader) error) (bytes int64, err error) {
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return 0, fmt.Errorf("make the backup folder: %w", err)
	}
	f.removeLeft(group)
	part := filepath.Join(f.Dir, name+f.partial())
	file, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return 0, fmt.Errorf("make the backup's file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	err = fill(file, write, check)
	if info, statErr := file.Stat(); statErr == nil {
		bytes = info.Size()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return bytes, err
	}
	if err := os.Rename(part, filepath.Join(f.Dir, name)); err != nil {
		return bytes, fmt.Errorf("give the backup its name: %w", err)
	}
	return bytes, syncDir(f.Dir)
}

func fill(file *os.File, write func(io.Writer) error, check func(io.Reader) error) error {
	if err := write(file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("have the backup on disk: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the backup back: %w", err)
	}
	if err := check(file); err != nil {
		return fmt.Errorf("the backup reads back wrong: %w", err)
	}
	return nil
}

func (f *Folder) partial() string { return ".partial-" + f.Node }

// removeLeft removes what runs of this node left that did not end: a node makes one
// backup of a group at a time.
func (f *Folder) removeLeft(group string) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		return
	}
	form := nameOf(group, f.partial())
	for _, e := range entries {
		if form.MatchString(e.Name()) {
			_ = os.Remove(filepath.Join(f.Dir, e.Name()))
		}
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("have the backup's name on disk: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("have the backup's name on disk: %w", err)
	}
	return nil
}

// Prune removes backups of a group that need not be kept, and tells which.
func (f *Folder) Prune(group string, now time.Time) (removed []string, err error) {
	list, err := f.List(group)
	if err != nil {
		return nil, err
	}
	for i, b := range list {
		old := f.MaxAge > 0 && now.Sub(b.Time) > f.MaxAge
		if i == 0 || !(f.Keep > 0 && i >= f.Keep || old) {
			continue
		}
		if err := os.Remove(filepath.Join(f.Dir, b.Name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return removed, fmt.Errorf("remove an old backup: %w", err)
		}
		removed = append(removed, b.Name)
	}
	return removed, nil
}
