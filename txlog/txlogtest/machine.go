package txlogtest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"lockstep/engine/entry"
	"lockstep/txlog"
)

// Machine is a state machine that remembers every entry. It is on disk as of its last Sync, so that a restart
// is given the rest again. An entry of the form "id|text" that came before under the same id is passed over, as
// anything on top of a log has to be able to; Cluster.Propose makes such entries.
type Machine struct {
	// OnApply, if set before the replica starts, is called for every Apply before it takes effect; its error is
	// Apply's.
	OnApply func(entries []entry.Raw) error

	dir    string
	mu     sync.Mutex
	state  state
	digest uint64
	seen   map[string]bool // ids
	closed bool
	// Counters for tests.
	syncs, recoveries, saves, opened int
}

// state is everything that a Machine knows.
type state struct {
	index   uint64
	entries []string
}

var _ txlog.StateMachine = (*Machine)(nil)

// NewMachine makes a machine that keeps its file in dir.
func NewMachine(dir string) *Machine {
	return &Machine{dir: dir, seen: map[string]bool{}}
}

func (m *Machine) file() string { return filepath.Join(m.dir, "machine") }

// Open reads the file, if there is one.
func (m *Machine) Open(<-chan struct{}) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened++
	f, err := os.Open(m.file())
	if errors.Is(err, os.ErrNotExist) {
		return 0, os.MkdirAll(m.dir, 0o755)
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	s, err := readState(bufio.NewReader(f))
	m.take(s)
	return s.index, err
}

// Apply appends the entries.
func (m *Machine) Apply(entries []entry.Raw) error {
	if m.OnApply != nil {
		if err := m.OnApply(entries); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if e.Index <= m.state.index {
			return fmt.Errorf("entry %d came after entry %d", e.Index, m.state.index)
		}
		m.state.index = e.Index
		if id, _, named := strings.Cut(string(e.Cmd), "|"); named {
			if m.seen[id] {
				continue
			}
			m.seen[id] = true
		}
		m.add(string(e.Cmd))
	}
	return nil
}

// Sync writes the file.
func (m *Machine) Sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.syncs++
	temporary := m.file() + ".new"
	f, err := os.Create(temporary)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := m.state.write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(temporary, m.file())
}

// PrepareSnapshot copies the state.
func (m *Machine) PrepareSnapshot() (any, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return state{index: m.state.index, entries: slices.Clone(m.state.entries)}, nil
}

// SaveSnapshot writes the copy.
func (m *Machine) SaveSnapshot(fixed any, w io.Writer, _ <-chan struct{}) error {
	m.mu.Lock()
	m.saves++
	m.mu.Unlock()
	s := fixed.(state)
	return s.write(w)
}

// RecoverFromSnapshot reads a state in place of its own.
func (m *Machine) RecoverFromSnapshot(r io.Reader, _ <-chan struct{}) error {
	s, err := readState(r)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(s)
	m.recoveries++
	return nil
}

// take replaces the state.
func (m *Machine) take(s state) {
	m.state, m.digest, m.seen = state{index: s.index}, 0, map[string]bool{}
	for _, e := range s.entries {
		m.add(e)
		if id, _, named := strings.Cut(e, "|"); named {
			m.seen[id] = true
		}
	}
}

// Close notes that it was called.
func (m *Machine) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// Entries lists what was applied, in order, without ids.
func (m *Machine) Entries() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	entries := slices.Clone(m.state.entries)
	for i, e := range entries {
		if _, text, named := strings.Cut(e, "|"); named {
			entries[i] = text
		}
	}
	return entries
}

// Len is the number of entries.
func (m *Machine) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.state.entries)
}

// Digest is equal for equal entries in equal order.
func (m *Machine) Digest() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.digest
}

// add appends an entry; m.mu is held.
func (m *Machine) add(e string) {
	m.state.entries = append(m.state.entries, e)
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d:%s", m.digest, e)
	m.digest = h.Sum64()
}

// Recoveries is how often a snapshot was taken in.
func (m *Machine) Recoveries() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.recoveries
}

// Syncs is how often Sync was called.
func (m *Machine) Syncs() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.syncs
}

// Closed tells whether Close was called.
func (m *Machine) Closed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

func (s *state) write(w io.Writer) error {
	b := bufio.NewWriter(w)
	var buf []byte
	buf = binary.BigEndian.AppendUint64(buf, s.index)
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(s.entries)))
	for _, e := range s.entries {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(e)))
		buf = append(buf, e...)
		if _, err := b.Write(buf); err != nil {
			return fmt.Errorf("saving: %w", err)
		}
		buf = buf[:0]
	}
	if _, err := b.Write(buf); err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	return b.Flush()
}

func readState(r io.Reader) (state, error) {
	var head [16]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return state{}, fmt.Errorf("reading state: %w", err)
	}
	s := state{index: binary.BigEndian.Uint64(head[:])}
	for range binary.BigEndian.Uint64(head[8:]) {
		if _, err := io.ReadFull(r, head[:4]); err != nil {
			return state{}, fmt.Errorf("reading state: %w", err)
		}
		e := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(r, e); err != nil {
			return state{}, fmt.Errorf("reading state: %w", err)
		}
		s.entries = append(s.entries, string(e))
	}
	return s, nil
}
