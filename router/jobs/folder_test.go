package jobs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func folder(t *testing.T) *Folder {
	return &Folder{Dir: filepath.Join(t.TempDir(), "backups"), Node: "n1", Keep: 2}
}

func (f *Folder) write(t *testing.T, group string, at time.Time, text string) error {
	t.Helper()
	_, err := f.Write(group, FileName(group, at, 7, 12),
		func(w io.Writer) error { _, err := io.WriteString(w, text); return err },
		func(r io.Reader) error {
			got, err := io.ReadAll(r)
			if err == nil && !strings.HasPrefix(string(got), "whole") {
				err = errors.New("it is cut off")
			}
			return err
		})
	return err
}

func (f *Folder) names(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

// A backup appears under its name when it is whole; what fails leaves nothing; what a
// crash left goes with the next one, and other groups' and nodes' files stay.
func TestABackupIsWholeOrNotThere(t *testing.T) {
	f := folder(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := f.write(t, "bank", at, "whole"); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"bank-20260102T000000Z-e7-r12.lockstep.partial-n1", "bank-two-20260102T000000Z-e7-r12.lockstep.partial-n1", "bank-20260102T000000Z-e7-r12.lockstep.partial-n2", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(f.Dir, left), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.write(t, "bank", at.Add(time.Second), "cut"); err == nil || !strings.Contains(err.Error(), "reads back wrong") {
		t.Errorf("what is not whole: %v", err)
	}
	want := "bank-20260102T000000Z-e7-r12.lockstep.partial-n2 bank-20260102T030405Z-e7-r12.lockstep bank-two-20260102T000000Z-e7-r12.lockstep.partial-n1 notes.txt"
	if got := f.names(t); got != want {
		t.Errorf("there is\n%s\nnot\n%s", got, want)
	}
}

// So many backups stay, and none that is too old but the last one.
func TestOldBackupsGo(t *testing.T) {
	f := folder(t)
	at := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	for i := range 4 {
		if err := f.write(t, "bank", at.Add(time.Duration(i)*time.Hour), "whole"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.write(t, "bank-two", at, "whole"); err != nil {
		t.Fatal(err)
	}
	if removed, err := f.Prune("bank", at.Add(4*time.Hour)); err != nil || len(removed) != 2 {
		t.Fatalf("%v %v", removed, err)
	}
	if got := f.names(t); got != "bank-20260102T050000Z-e7-r12.lockstep bank-20260102T060000Z-e7-r12.lockstep bank-two-20260102T030000Z-e7-r12.lockstep" {
		t.Errorf("there is %s", got)
	}
	f.Keep, f.MaxAge = 0, time.Hour
	if removed, err := f.Prune("bank", at.Add(100*time.Hour)); err != nil || len(removed) != 1 {
		t.Errorf("%v %v", removed, err)
	}
}

// Two nodes with one folder, neither of which holds the task, are asked within a second.
func TestBackupsOfTwoRunsHaveTwoNames(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if one, two := FileName("bank", at, 0, 12), FileName("bank", at, 0, 13); one == two {
		t.Errorf("both are %s", one)
	}
}
