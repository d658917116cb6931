package store

import (
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options.InMemory "keeps the store in memory, gone when it is closed": nothing
// is written to the disk, and two such stores know nothing of each other.
func TestInMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	one, err := Open(Options{Dir: "copy", InMemory: true})
	check(t, err)
	two, err := Open(Options{Dir: "copy", InMemory: true})
	check(t, err)
	b := one.NewBatch()
	b.Set([]byte("k"), []byte("v"))
	check(t, b.Commit())
	check(t, one.Flush())
	if v, ok, err := one.Get([]byte("k"), nil); string(v) != "v" || !ok || err != nil {
		t.Errorf("got %q, %t, %v", v, ok, err)
	}
	if _, ok, err := two.Get([]byte("k"), nil); ok || err != nil {
		t.Errorf("the other store has it: %t, %v", ok, err)
	}
	check(t, one.Close())
	check(t, two.Close())
	if files, err := os.ReadDir("."); err != nil || len(files) > 0 {
		t.Errorf("on the disk there is %v, %v", files, err)
	}
	if _, err := Open(Options{Dir: "copy", InMemory: true, FS: vfs.NewMem()}); err == nil || !strings.Contains(err.Error(), "choose one") {
		t.Errorf("a store in memory with a file system: %v", err)
	}
}
