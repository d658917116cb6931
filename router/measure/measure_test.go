package measure

import (
	"testing"
	"time"
)

// "carrying … load (cpu share), memory_free, disk_free": on any system that a node
// runs on they are shares of 1, and a machine that runs a test has some of each.
func TestSharesOfThisMachine(t *testing.T) {
	m := New(t.TempDir())
	first := m.Sample()
	if first.MemoryFree <= 0 || first.MemoryFree > 1 || first.DiskFree <= 0 || first.DiskFree > 1 || first.CPU != 0 {
		t.Errorf("the first reading is %+v", first)
	}
	m.read = m.read.Add(-time.Hour) // as if it were long ago
	for spin := time.Now(); time.Since(spin) < 50*time.Millisecond; {
	}
	if second := m.Sample(); second.CPU <= 0 || second.CPU > 1 {
		t.Errorf("50 ms of work, and the processors are busy for %v", second.CPU)
	}
	if m.last.CPU = 0.5; m.Sample().CPU != 0.5 {
		t.Error("the system is read oftener than once a second")
	}
}

// A folder that is gone changes nothing.
func TestWhatTheSystemDoesNotTell(t *testing.T) {
	if s := New("/nowhere/at/all").Sample(); s.DiskFree != 1 {
		t.Errorf("a disk that is not there is %v free", s.DiskFree)
	}
}
