package node

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lockstep/engine/partition"
)

// Evidence is what is kept of a copy that was found to differ from the majority:
// when, by which digests, between which revisions. Once its file is written the
// copy of that replica is never opened again, whatever happens to the node.
type Evidence struct {
	Group   string    `json:"group"`
	Shard   uint64    `json:"shard"`
	Replica uint64    `json:"replica"`
	Node    string    `json:"node"`
	Found   time.Time `json:"found"`
	// Kind is by which digest it was found: running or content.
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	// The copy was equal at EqualRevision, as far as is known (0: nothing is), and
	// differed at Revision: what went wrong did so in between.
	EqualRevision uint64     `json:"equal_revision"`
	Revision      uint64     `json:"revision"`
	Checkpoint    string     `json:"checkpoint"`
	Own           digestPair `json:"own"`
	Majority      digestPair `json:"majority"`
	// Agreed are the replicas whose digests are the majority's. Chosen says that an
	// operator chose them.
	Agreed []uint64 `json:"agreed"`
	Chosen bool     `json:"chosen,omitempty"`
	// Data is where the copy's data was moved to; empty where it has not been. Only
	// the last of a group is kept.
	Data string `json:"data,omitempty"`
}

// digestPair is both kinds of digests; the content's is empty where it was not
// computed.
type digestPair struct {
	Running string `json:"running"`
	Content string `json:"content,omitempty"`
}

// Names within the data folder.
const (
	checksDir      = "checks"
	evidenceSuffix = ".diverged.json"
	knownSuffix    = ".equal.json"
	asideSuffix    = ".data"
)

func newEvidence(group, node string, shard, replica uint64, f *partition.Finding) *Evidence {
	pair := func(running, content [32]byte, has bool) digestPair {
		p := digestPair{Running: hex.EncodeToString(running[:])}
		if has {
			p.Content = hex.EncodeToString(content[:])
		}
		return p
	}
	v := f.Verdict
	return &Evidence{
		Group: group, Node: node, Shard: shard, Replica: replica, Found: time.Now().UTC(),
		Kind: f.Kind, Reason: f.String(), EqualRevision: f.Equal, Revision: v.Revision,
		Checkpoint: fmt.Sprintf("%016x", v.Checkpoint),
		Own:        pair(f.Own.Running, f.Own.Content, f.Kind == partition.ByContent && f.Unreadable == nil),
		Majority:   pair(v.Running, v.Content, v.HasContent),
		Agreed:     v.Agreed, Chosen: v.Chosen,
	}
}

// replicaName names a replica in the data folder.
func replicaName(shard, replica uint64) string { return fmt.Sprintf("%d-%d", shard, replica) }

func (f *folder) checkPath(shard, replica uint64, suffix string) string {
	return filepath.Join(f.dir, checksDir, replicaName(shard, replica)+suffix)
}

// keepEvidence writes the evidence for good, and waits for the disk: a node that
// is killed right afterwards must not serve that copy again.
func (f *folder) keepEvidence(e *Evidence) error {
	if err := f.writeCheck(f.checkPath(e.Shard, e.Replica, evidenceSuffix), e, true); err != nil {
		return fmt.Errorf("keep the evidence of a copy that differs: %w", err)
	}
	return nil
}

// evidence reads all that was kept. What can't be read is told: it may be of a copy
// that must not be opened.
func (f *folder) evidence() ([]*Evidence, error) {
	names, err := filepath.Glob(filepath.Join(f.dir, checksDir, "*"+evidenceSuffix))
	if err != nil {
		return nil, err
	}
	var all []*Evidence
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the evidence of a copy that differs: %w", err)
		}
		e := &Evidence{}
		if err := json.Unmarshal(raw, e); err != nil || name != f.checkPath(e.Shard, e.Replica, evidenceSuffix) {
			return nil, fmt.Errorf("%s is damaged (%w): it names a copy that must not be served; move the file away only if that copy's data is gone", name, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// putAside moves the data of a copy that differs out of the way, and removes what
// was put aside before of the same group: one is enough to find a cause by, and
// disks are not endless. It can be repeated.
func (f *folder) putAside(e *Evidence) error {
	from := filepath.Join(f.dir, groupsDir, replicaName(e.Shard, e.Replica))
	to := f.checkPath(e.Shard, e.Replica, asideSuffix)
	if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
		return nil // moved before
	}
	older, err := filepath.Glob(filepath.Join(f.dir, checksDir, fmt.Sprintf("%d-*%s", e.Shard, asideSuffix)))
	if err != nil {
		return err
	}
	for _, dir := range older {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove older data that was put aside: %w", err)
		}
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("put the data of a copy that differs aside: %w", err)
	}
	if err := errors.Join(syncDir(filepath.Dir(from)), syncDir(filepath.Dir(to))); err != nil {
		return fmt.Errorf("put the data of a copy that differs aside: %w", err)
	}
	e.Data = to
	return f.keepEvidence(e)
}

// keepKnown notes at which revisions a copy's digests were right, so that evidence
// can tell since when they are not. To lose it costs nothing but that.
func (f *folder) keepKnown(shard, replica uint64, k partition.Compared) error {
	return f.writeCheck(f.checkPath(shard, replica, knownSuffix), k, false)
}

// known reads what was noted; of what is missing or damaged nothing is known.
func (f *folder) known(shard, replica uint64) (k partition.Compared) {
	raw, err := os.ReadFile(f.checkPath(shard, replica, knownSuffix))
	if err == nil {
		err = json.Unmarshal(raw, &k)
	}
	if err != nil {
		return partition.Compared{}
	}
	return k
}

// forgetKnown removes the notes of a group's former replicas.
func (f *folder) forgetKnown(shard, present uint64) {
	old, _ := filepath.Glob(filepath.Join(f.dir, checksDir, fmt.Sprintf("%d-*%s", shard, knownSuffix))) // the pattern is well formed
	for _, name := range old {
		if strings.TrimSuffix(filepath.Base(name), knownSuffix) != replicaName(shard, present) {
			_ = os.Remove(name) // a few bytes that nobody reads
		}
	}
}

// writeCheck replaces a file whole.
func (f *folder) writeCheck(path string, content any, durably bool) error {
	raw, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	tmp, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(raw, '\n'))
	if durably {
		err = errors.Join(err, tmp.Sync())
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil || !durably {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(path)), syncDir(f.dir))
}
