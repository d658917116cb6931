package chronicle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The last lines are always there, within the bound, whole and in order.
func TestTheLastLinesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept", "lines")
	const most = 1000
	f := New(path, most)
	for i := range 300 {
		if f.Full() {
			if err := f.Turn(); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Append(fmt.Appendf(nil, "line %d\n", i)); err != nil {
			t.Fatal(err)
		}
		text, err := Read(path)
		if err != nil || len(text) > most+10 || i > 100 && len(text) < most/2 {
			t.Fatalf("%d bytes after %d lines, %v", len(text), i, err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		for k, l := range lines {
			if want := fmt.Sprintf("line %d", i-len(lines)+1+k); l != want {
				t.Fatalf("%q where %q is due", l, want)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Remove(path); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(path); len(text) != 0 || err != nil {
		t.Errorf("%q %v", text, err)
	}
}

// A line that was being written when the process was killed is cut off.
func TestATornLineIsCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(path, []byte("one\ntwo\nthr"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(path); string(text) != "one\ntwo\n" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	f := New(path, 1000)
	if err := f.Append([]byte("four\n")); err != nil {
		t.Fatal(err)
	}
	if text, err := Read(path); string(text) != "one\ntwo\nfour\n" || err != nil {
		t.Errorf("%q %v", text, err)
	}
	_ = f.Close()
}
