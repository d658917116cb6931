package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// compactionFS holds up the tables that compactions write, not those of flushes.
type compactionFS struct {
	vfs.FS
	held <-chan struct{}
}

func (f compactionFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.Contains(string(category), "compaction") {
		<-f.held
	}
	return f.FS.Create(name, category)
}

// "L0StopWrites 20+" (traps.md, 26): commits wait for compaction, and a waiting
// commit is let go by Close.
func TestCommitsWaitForCompaction(t *testing.T) {
	held := make(chan struct{})
	s := open(t, compactionFS{FS: vfs.NewMem(), held: held})
	ended := make(chan error)
	go func() {
		b := s.NewBatch()
		defer b.Close()
		for n := 0; ; n++ {
			b.Reset()
			b.Set([]byte("a"), nil) // every table covers every key
			b.Set([]byte("z"), nil)
			b.Set(fmt.Appendf(nil, "row%d", n), make([]byte, 100<<10))
			if err := b.Commit(); err != nil {
				ended <- err
				return
			}
		}
	}()
	for s.Metrics().L0Sublevels < l0StopSublevels {
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
	}
	before := s.Metrics()
	go close(held)
	check(t, s.Close())
	wantErr(t, <-ended, ErrClosed)
	if before.L0Sublevels > l0StopSublevels+1 {
		t.Fatalf("%d sublevels, at most %d", before.L0Sublevels, l0StopSublevels)
	}
}
