package golden

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lockstep/engine"
	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/partition"
	"lockstep/engine/store"
)

// session is that of the router that proposed all entries of the golden logs.
const session = 0x901d

// replica is a copy of a group, on a disk that loses what was not synced when it
// crashes.
type replica struct {
	*partition.Partition
	t    testing.TB
	env  *lang.Env
	disk *vfs.MemFS
	done []engine.Applied // what was applied since it was last asked for
}

func newReplica(t testing.TB) *replica {
	env, err := lang.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{t: t, env: env}
	r.open(vfs.NewCrashableMem())
	return r
}

func (r *replica) open(disk *vfs.MemFS) {
	r.disk = disk
	r.Partition = partition.New(partition.Config{
		Group: "golden", Env: r.env, Local: session,
		Store:   store.Options{Dir: "copy", FS: disk, MemTableBytes: store.MinMemTableBytes},
		Applied: func(done []engine.Applied) { r.done = append(r.done, done...) },
		Fatal:   func(err error) { r.t.Error(err) },
	})
	if _, err := r.Open(nil); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) close() { r.must(r.Close()) }

func (r *replica) must(err error) {
	if err != nil {
		r.t.Helper()
		r.t.Fatal(err)
	}
}

// applied applies entries in one call and gives what became of them.
func (r *replica) applied(entries ...entry.Raw) []engine.Applied {
	r.done = nil
	r.must(r.Apply(entries))
	return r.done
}

// crash loses all that was not synced, and some of what was not, by chance.
func (r *replica) crash(rng *rand.Rand) {
	disk := r.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	r.close()
	r.open(disk)
}

// move streams the copy to another disk, as a new copy is made.
func (r *replica) move() {
	prepared, err := r.PrepareSnapshot()
	r.must(err)
	var stream bytes.Buffer
	r.must(r.SaveSnapshot(prepared, &stream, nil))
	r.close()
	r.open(vfs.NewCrashableMem())
	r.must(r.RecoverFromSnapshot(&stream, nil))
}

// digestLine shows what the copy computes for a checkpoint that it has just met.
func (r *replica) digestLine(id uint64) (partition.Digests, string) {
	d, err := r.Digests(context.Background(), id)
	r.must(err)
	if !d.HasContent || d.Content == [32]byte{} {
		r.t.Fatal("the checkpoint has no digest of the content: there is less to compare than the golden logs promise")
	}
	return d, fmt.Sprintf("checkpoint %d at revision %d\n  running digest %x\n  content digest %x\n", id, d.Revision, d.Running, d.Content)
}
