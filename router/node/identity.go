package node

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"lockstep/txlog"
	"lockstep/txlog/peer"
)

// identity is who a data folder belongs to. It is written before anything else
// is, and each field is set once.
type identity struct {
	Format int    `json:"format"`
	Node   string `json:"node"`    // permanent id: 16 hexadecimal digits
	Name   string `json:"name"`    // as in the configuration
	Member bool   `json:"member"`  // the cluster has this node in its catalog
	First  bool   `json:"first"`   // this node began the cluster
	Group  string `json:"cluster"` // cluster id: 32 hexadecimal digits; empty before it is known
	System uint64 `json:"replica"` // this node's replica of the system group; 0 before it is known
	Opened bool   `json:"opened"`  // the logs have been opened: from then on they must be there
}

const (
	identityFormat = 1
	identityFile   = "node.json"
	lockFile       = "lock"
)

// ErrInUse says that another process has the data folder open.
var ErrInUse = errors.New("the data folder is in use")

// folder is an open data folder.
type folder struct {
	dir  string
	lock *os.File
	id   identity
}

// openFolder locks the folder and reads whose it is, or makes it name's.
func openFolder(dir, name string) (*folder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	f := &folder{dir: dir, lock: lock}
	if err := f.load(name); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func lockFolder(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open the data folder's lock: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%w: another process runs a node in %s; stop it, or give this node a folder of its own", ErrInUse, dir)
	}
	return lock, nil
}

func (f *folder) load(name string) error {
	path := filepath.Join(f.dir, identityFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return f.create(name)
	}
	if err != nil {
		return fmt.Errorf("read who the data folder belongs to: %w", err)
	}
	if err := json.Unmarshal(raw, &f.id); err != nil {
		return fmt.Errorf("%s is damaged (%w): the folder can't be used; give the node an empty one", path, err)
	}
	if f.id.Format != identityFormat {
		return fmt.Errorf("%s has format %d and this program knows %d: use a program of the version that wrote it", path, f.id.Format, identityFormat)
	}
	if f.id.Name != name {
		return fmt.Errorf("the data folder %s belongs to node %s, not %s: give node %s a folder of its own", f.dir, f.id.Name, name, name)
	}
	if _, err := txlog.ParseNodeID(f.id.Node); err != nil {
		return fmt.Errorf("%s is damaged: %w", path, err)
	}
	return nil
}

// create makes a new identity in a folder that holds nothing of ours.
func (f *folder) create(name string) error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return fmt.Errorf("look into the data folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == raftDir || e.Name() == groupsDir {
			return fmt.Errorf("the data folder %s has a %s but no %s: it is not whole, and using it could lose data; give the node an empty folder", f.dir, e.Name(), identityFile)
		}
	}
	var raw [8]byte
	for binary.BigEndian.Uint64(raw[:]) == 0 {
		_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	}
	f.id = identity{Format: identityFormat, Node: hex.EncodeToString(raw[:]), Name: name}
	return f.save()
}

// ErrLost says that a part of the folder is gone. A node that forgot its votes
// or entries must not go on under the same name: a majority could be made of
// copies that never had what was acknowledged (traps.md, 12).
var ErrLost = errors.New("a part of the data folder is gone")

// checkLogs refuses a folder that had logs and has none.
func (f *folder) checkLogs() error {
	if _, err := os.Stat(filepath.Join(f.dir, raftDir)); f.id.Opened && errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %s has no %s, which held what this node promised to others; put it back from where it went, or start a new node under another name with an empty folder", ErrLost, f.dir, raftDir)
	}
	return nil
}

// noteLogs remembers that there are logs now.
func (f *folder) noteLogs() error {
	if f.id.Opened {
		return nil
	}
	f.id.Opened = true
	return f.save()
}

// openReplica makes the folder of a replica's state, and refuses to begin where
// the log knows the replica and the state is gone, or the other way round.
func (f *folder) openReplica(name string, logged bool) (string, error) {
	dir := filepath.Join(f.dir, groupsDir, name)
	entries, err := os.ReadDir(dir)
	missing := errors.Is(err, os.ErrNotExist)
	switch {
	case err != nil && !missing:
		return "", fmt.Errorf("look into the state of a copy: %w", err)
	case missing && logged:
		return "", fmt.Errorf("%w: the log knows the copy %s, and %s is missing; put it back, or start a new node under another name with an empty folder", ErrLost, name, dir)
	case len(entries) > 0 && !logged:
		return "", fmt.Errorf("%w: %s is there, and the log does not know the copy %s; put the log back, or start a new node under another name with an empty folder", ErrLost, dir, name)
	}
	// Made before the log hears of the replica: then its absence means a loss.
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("make the folder of a copy: %w", err)
	}
	return dir, errors.Join(syncDir(filepath.Dir(dir)), syncDir(f.dir))
}

// save replaces the identity's file whole, and waits for the disk.
func (f *folder) save() error {
	raw, err := json.MarshalIndent(&f.id, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the node's identity: %w", err)
	}
	path := filepath.Join(f.dir, identityFile)
	tmp, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("write the node's identity: %w", err)
	}
	_, err = tmp.Write(append(raw, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(f.dir)
	}
	if err != nil {
		return fmt.Errorf("write the node's identity: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *folder) close() error { return f.lock.Close() }

func (f *folder) nodeID() txlog.NodeID {
	id, _ := txlog.ParseNodeID(f.id.Node) // checked when it was read
	return id
}

func (f *folder) cluster() (c peer.ClusterID) {
	_, _ = hex.Decode(c[:], []byte(f.id.Group)) // zero where it is not known yet
	return c
}

func (f *folder) setCluster(c peer.ClusterID) { f.id.Group = c.String() }
