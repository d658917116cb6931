package store

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestStories runs the transcripts in testdata/story. Commands: set (k=v, -k
// removes), get, scan, flush, crash (all that is not flushed is lost), close,
// open, full, space, save NAME, recover NAME [cut=BYTES], files, snapshot, past
// (scan of the snapshot taken last).
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/story", func(t *testing.T, path string) {
		st := &story{t: t, base: vfs.NewCrashableMem(), saved: map[string][]byte{}}
		st.open()
		defer func() { check(t, st.s.Close()) }()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return st.run(d)
		})
	})
}

type story struct {
	t     *testing.T
	base  *vfs.MemFS
	full  atomic.Bool
	s     *Store
	snap  *Snapshot
	saved map[string][]byte
}

func (st *story) open() {
	fs := errorfs.Wrap(st.base, changes(func(errorfs.Op) error {
		if st.full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}))
	st.s = open(st.t, fs)
}

func result(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func (st *story) run(d *datadriven.TestData) string {
	switch d.Cmd {
	case "set":
		return st.set(d)
	case "get":
		v, ok, err := st.s.Get([]byte(d.CmdArgs[0].Key), nil)
		return fmt.Sprintf("%q %v %s", v, ok, result(err))
	case "scan":
		return scan(st.s.NewIter(nil, nil))
	case "past":
		return scan(st.snap.NewIter(nil, nil))
	case "snapshot":
		st.snap = st.s.Snapshot()
		return "ok"
	case "flush":
		return result(st.s.Flush())
	case "crash":
		st.base = st.base.CrashClone(vfs.CrashCloneCfg{})
		check(st.t, st.s.Close())
		st.open()
		return scan(st.s.NewIter(nil, nil))
	case "close":
		return result(st.s.Close())
	case "open":
		st.open()
		return result(st.s.Err())
	case "full", "space":
		st.full.Store(d.Cmd == "full")
		return "ok"
	case "save":
		stream := save(st.t, st.s)
		st.saved[d.CmdArgs[0].Key] = stream
		return fmt.Sprintf("%d bytes", len(stream))
	case "recover":
		return st.recover(d)
	case "files":
		names, err := st.base.List("data/group")
		check(st.t, err)
		slices.Sort(names)
		return strings.Join(names, "\n")
	}
	d.Fatalf(st.t, "unknown command %s", d.Cmd)
	return ""
}

func (st *story) set(d *datadriven.TestData) string {
	b := st.s.NewBatch()
	defer b.Close()
	for line := range strings.FieldsSeq(d.Input) {
		if key, ok := strings.CutPrefix(line, "-"); ok {
			b.Delete([]byte(key))
		} else {
			key, val, _ := strings.Cut(line, "=")
			b.Set([]byte(key), []byte(val))
		}
	}
	return result(b.Commit())
}

func (st *story) recover(d *datadriven.TestData) string {
	stream, cut := st.saved[d.CmdArgs[0].Key], 0
	d.MaybeScanArgs(st.t, "cut", &cut)
	return result(st.s.RecoverFrom(bytes.NewReader(stream[:len(stream)-cut]), nil))
}

func scan(it *Iter) string {
	var out strings.Builder
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Fprintf(&out, "%s=%s\n", it.Key(), it.Value())
	}
	out.WriteString(result(it.Close()))
	return out.String()
}
