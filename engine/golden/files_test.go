package golden

import (
	"bytes"
	"os"
	"testing"

	"lockstep/engine/entry"
	"lockstep/engine/lang"
	"lockstep/engine/partition"
	"lockstep/engine/recording"
)

// dir has the golden logs and what they must come to.
const dir = "../../testdata/golden/"

// logged is an entry of a golden log with the checkpoint that it is, if any.
type logged struct {
	entry.Raw
	checkpoint uint64
	digests    partition.Digests // recorded at the checkpoint
	millis     int64             // tx.now there
}

// readLog reads a recording as a log would deliver it.
func readLog(t testing.TB, name string) []logged {
	raw, err := os.ReadFile(dir + name + ".recording")
	if err != nil {
		t.Fatal(err)
	}
	r, err := recording.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var log []logged
	for {
		rec, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		switch rec.Kind {
		case recording.KindEnd:
			return log
		case recording.KindEntry:
			cmd := bytes.Clone(rec.Cmd)
			log = append(log, logged{Raw: entry.Raw{Index: rec.Index, Cmd: cmd}, checkpoint: checkpointOf(cmd)})
		case recording.KindDigest:
			log[len(log)-1].digests = partition.Digests{Revision: rec.Digest.Revision, Running: rec.Digest.Running, HasContent: rec.Digest.HasContent, Content: rec.Digest.Content}
		}
	}
}

// checkpointOf is the id of a checkpoint; 0 for other entries.
func checkpointOf(cmd []byte) uint64 {
	var r entry.Reader
	if kind, err := r.Reset(cmd); err != nil || kind != entry.KindCheckpoint {
		return 0
	}
	c, err := r.Checkpoint()
	if err != nil {
		return 0
	}
	return c.ID
}

// writeLog writes a recording.
func writeLog(t testing.TB, name string, log []logged) {
	var out bytes.Buffer
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	w, err := recording.NewWriter(&out, recording.Begin{Group: name, Node: "golden", Language: uint64(lang.Version), TakenMillis: beginMillis})
	must(err)
	for _, e := range log {
		must(w.Entry(e.Index, e.Cmd))
		if e.checkpoint != 0 {
			must(w.Digest(recording.Digest{
				Index: e.Index, Revision: e.digests.Revision, TimeMillis: e.millis,
				Running: e.digests.Running, HasContent: e.digests.HasContent, Content: e.digests.Content,
			}))
		}
	}
	must(w.Close(beginMillis))
	must(os.WriteFile(dir+name+".recording", out.Bytes(), 0o644))
}
