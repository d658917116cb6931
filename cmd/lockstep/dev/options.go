package dev

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// Options say what cluster is wanted. Zero fields take the value that the cluster
// in the data folder was made with, else the default.
type Options struct {
	Nodes  int    // processes
	Copies int    // of the group, on the first nodes; default: as many as nodes, at most 3
	Port   int    // the first node's HTTP port
	Data   string // folder; empty: one under the user's cache, by the port
	Group  string

	Schema     []byte // applied to a group that is made
	Restart    bool   // start children again that end by themselves
	Executable string // the lockstep binary

	// Notice is told what happens, a line each, without line break; it may be
	// called from several goroutines.
	Notice func(line string)
}

// defaultCopies is how many copies a group gets where nobody says.
const defaultCopies = 3

// OptionError says which option can't be, and why: the command line is to blame.
type OptionError struct{ text string }

func (e *OptionError) Error() string { return e.text }

func refusef(format string, args ...any) error { return &OptionError{fmt.Sprintf(format, args...)} }

// complete fills in what was left out, from the record of the cluster in the
// folder if there is one, and refuses what can't be.
func (o *Options) complete(r *record) error {
	if r != nil {
		if err := o.agree(r); err != nil {
			return err
		}
	}
	fill(&o.Nodes, DefaultNodes)
	fill(&o.Copies, min(o.Nodes, defaultCopies))
	fill(&o.Port, DefaultPort)
	fill(&o.Group, DefaultGroup)
	switch {
	case o.Nodes < 1 || o.Nodes > maxNodes:
		return refusef("--nodes: %d: must be 1 to %d", o.Nodes, maxNodes)
	case o.Copies < 1 || o.Copies > o.Nodes:
		return refusef("--copies: %d: must be 1 to the number of nodes, %d", o.Copies, o.Nodes)
	case o.Port < 1 || o.Port+raftOffset+o.Nodes+controlTries > 65535:
		return refusef("--port: %d: must be 1 to %d, for the ports above it are used too", o.Port, 65535-raftOffset-o.Nodes-controlTries)
	}
	return nil
}

// agree takes the record's values, and refuses others where they were asked for.
func (o *Options) agree(r *record) error {
	const remedy = "leave the flag out to start it again, or name another folder with --data for a new cluster"
	if o.Nodes != 0 && o.Nodes != r.Nodes {
		return refusef("--nodes: the cluster in %s has %d nodes: %s", o.Data, r.Nodes, remedy)
	}
	if o.Copies != 0 && o.Copies != r.Copies {
		return refusef("--copies: the group in %s was made with %d copies: %s", o.Data, r.Copies, remedy)
	}
	if o.Group != "" && o.Group != r.Group {
		return refusef("--group: the cluster in %s was made with the group %s: %s", o.Data, r.Group, remedy)
	}
	if o.Port != 0 && o.Port != r.Port {
		return refusef("--port: the cluster in %s was made on port %d, and its nodes know each other by their ports: %s", o.Data, r.Port, remedy)
	}
	o.Nodes, o.Copies, o.Group, o.Port = r.Nodes, r.Copies, r.Group, r.Port
	return nil
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// DataFolder gives the folder that a cluster on a port keeps its data in where no
// other is named.
func DataFolder(port int) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the data: %w: name one with --data", err)
	}
	fill(&port, DefaultPort)
	return filepath.Join(cache, "lockstep", "dev-"+strconv.Itoa(port)), nil
}

// freePorts looks whether all ports can be listened on, and names the one that
// can't.
func (o *Options) freePorts() error {
	for i := range o.Nodes {
		for _, port := range []int{o.Port + i, o.Port + raftOffset + i} {
			l, err := net.Listen("tcp", address(port))
			if err != nil {
				return fmt.Errorf("port %d is in use, and node n%d needs it: stop what listens there, or choose other ports with --port: %w", port, i+1, err)
			}
			if err := l.Close(); err != nil {
				return fmt.Errorf("letting port %d go: %w", port, err)
			}
		}
	}
	return nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// takeFolder makes the folder, takes it for this process alone and reads its
// record, nil where it is new.
func takeFolder(dir string) (*os.File, *record, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the data folder: %w", err)
	}
	r, err := readRecord(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err := onlyOurs(dir); err != nil {
			return nil, nil, err
		}
		r, err = nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	lock, err := lockFile(filepath.Join(dir, "dev.lock"))
	if err != nil {
		return nil, nil, fmt.Errorf("the data folder %s is in use by another lockstep dev%s: %w", dir, r.by(), err)
	}
	return lock, r, nil
}

// onlyOurs refuses a folder with other things in it, for a cluster's would be
// strewn among them.
func onlyOurs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() != "dev.lock" {
			return fmt.Errorf("the folder %s holds %s and no cluster of lockstep dev: name a new or empty folder with --data", dir, e.Name())
		}
	}
	return nil
}
