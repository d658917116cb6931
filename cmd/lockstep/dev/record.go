package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// recordVersion of dev.json's form.
const recordVersion = 1

// record is dev.json: what the cluster was made of, and how to reach the dev
// that runs it now.
type record struct {
	Version int    `json:"version"`
	Nodes   int    `json:"nodes"`
	Copies  int    `json:"copies"`
	Group   string `json:"group"`
	Port    int    `json:"port"`
	Made    bool   `json:"made"` // group and schema are in place

	// Of the present run; absent when none is.
	PID     int    `json:"pid,omitempty"`
	Control string `json:"control,omitempty"` // address of the control listener
	Token   string `json:"token,omitempty"`   // to be shown there
}

func recordPath(dir string) string { return filepath.Join(dir, "dev.json") }

// readRecord reads a folder's record; the error wraps os.ErrNotExist where there
// is none.
func readRecord(dir string) (*record, error) {
	text, err := os.ReadFile(recordPath(dir))
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's record: %w", err)
	}
	r := &record{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("reading %s: %w", recordPath(dir), err)
	}
	if r.Version != recordVersion {
		return nil, fmt.Errorf("%s has version %d, and this program knows %d: use the one that wrote it", recordPath(dir), r.Version, recordVersion)
	}
	return r, nil
}

// write replaces the record whole; only its owner may read it, for the token is
// in it.
func (r *record) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the cluster's record: %w", err)
	}
	next := recordPath(dir) + ".new"
	err = os.Remove(next)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("writing the cluster's record: %w", err)
	}
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the cluster's record: %w", err)
	}
	if err := os.Rename(next, recordPath(dir)); err != nil {
		return fmt.Errorf("writing the cluster's record: %w", err)
	}
	return nil
}

// by names the process that last ran the cluster, for people.
func (r *record) by() string {
	if r == nil || r.PID == 0 {
		return ""
	}
	return fmt.Sprintf(" (process %d)", r.PID)
}
