package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"lockstep/engine/recording"
	"lockstep/engine/replay"
	"lockstep/router/client"
)

func (a *app) replayExport() *cobra.Command {
	var (
		conn               connection
		form               format
		out                string
		fromStart, fromNow bool
		follow             time.Duration
	)
	c := &cobra.Command{
		Use:   "export GROUP",
		Short: "Record a group's log, for a replay",
		Long: `Write a recording: a state of the group, the log's entries from there on, and the
digests that the copy had. It begins with the group itself where the log still
reaches back so far; else with the present state, and --follow says for how long
what happens is recorded. Any node takes the request, and the group goes on
undisturbed.

The recording is checked as it comes, and FILE is replaced only by a whole one.`,
		Example: `  lockstep replay export bank --out bank.lockstep
  lockstep replay export bank --from-now --follow 10m --out peak.lockstep`,
		Args: cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			var o client.ExportOptions
			switch {
			case fromStart && fromNow:
				return usagef("give --from-start or --from-now, not both")
			case follow < 0:
				return usagef("--follow: must be longer than nothing, for example 30s")
			case fromStart:
				o.From = "start"
			case fromNow:
				o.From = "now"
			}
			if follow > 0 {
				o.Follow = follow.String()
			}
			if out == "" {
				out = args[0] + ".lockstep"
			}
			return a.export(cmd, &conn, form, args[0], out, o)
		}),
	}
	conn.flags(c)
	form.flag(c)
	c.Flags().StringVar(&out, "out", "", "the `FILE` to write; default GROUP.lockstep, - is standard output")
	c.Flags().BoolVar(&fromStart, "from-start", false, "begin with the group, or refuse where the log no longer reaches back so far")
	c.Flags().BoolVar(&fromNow, "from-now", false, "begin with the present state")
	c.Flags().DurationVar(&follow, "follow", 0, "for how long what happens is recorded as well")
	return c
}

// exported is what is told of a recording.
type exported struct {
	File         string       `json:"file"`
	Bytes        uint64       `json:"bytes"`
	Group        string       `json:"group"`
	Node         string       `json:"node"`
	Snapshot     bool         `json:"snapshot"`
	From         replay.Point `json:"from"`
	To           replay.Point `json:"to"`
	Entries      uint64       `json:"entries"`
	Transactions uint64       `json:"transactions"`
	FirstMillis  int64        `json:"first_ms"`
	LastMillis   int64        `json:"last_ms"`
	Digests      uint64       `json:"digests"`
}

func (a *app) export(cmd *cobra.Command, conn *connection, form format, group, out string, o client.ExportOptions) error {
	cl, err := conn.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	target, err := a.exportTarget(out)
	if err != nil {
		return err
	}
	defer target.drop()
	body, err := beginExport(ctx, cl, conn.timeout, group, o)
	if err != nil {
		return err
	}
	defer body.Close()
	var n atomic.Uint64
	begun := time.Now()
	done := a.progress(func() string {
		return fmt.Sprintf("recording %s: %s, %s", group, sizeText(n.Load()), time.Since(begun).Round(time.Second))
	})
	// What is read is written, and checked on the way.
	sink := &counting{w: target, n: &n}
	s, err := recording.Summarize(io.TeeReader(body, sink))
	done()
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return errors.New("interrupted: nothing was written")
	case sink.failed != nil:
		return fmt.Errorf("writing %s: %w", out, sink.failed)
	default:
		return &exitError{exitUnavailable, fmt.Errorf("the recording broke off, nothing was written: %w", err)}
	}
	if err := target.keep(); err != nil {
		return err
	}
	if out == "-" {
		return nil
	}
	return a.showExported(form, out, &s)
}

// beginExport bounds the beginning by --timeout, and not what follows.
func beginExport(ctx context.Context, cl *client.Client, timeout time.Duration, group string, o client.ExportOptions) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	limit := time.AfterFunc(timeout, cancel)
	body, err := cl.Export(ctx, group, o)
	if err != nil || !limit.Stop() {
		cancel()
	}
	if err != nil {
		return nil, err
	}
	return &cancelling{body, cancel}, nil
}

// cancelling ends a request with its body.
type cancelling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *cancelling) Close() error {
	c.cancel()
	return c.ReadCloser.Close()
}

// counting counts what goes through, and remembers that it is the writer that
// failed.
type counting struct {
	w      io.Writer
	n      *atomic.Uint64
	failed error
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n.Add(uint64(n))
	c.failed = err
	return n, err
}

// exportFile is a file that takes its name when it is whole.
type exportFile struct {
	io.Writer
	file *os.File // nil: standard output
	name string
}

func (a *app) exportTarget(name string) (*exportFile, error) {
	if name == "-" {
		return &exportFile{Writer: a.out}, nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".partial-")
	if err != nil {
		return nil, usagef("--out: %w", err)
	}
	return &exportFile{Writer: f, file: f, name: name}, nil
}

func (e *exportFile) keep() error {
	if e.file == nil {
		return nil
	}
	err := e.file.Chmod(0o644)
	if err == nil {
		err = e.file.Sync()
	}
	if closeErr := e.file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(e.file.Name(), e.name)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", e.name, err)
	}
	e.file = nil
	return nil
}

// drop removes a file that was not kept.
func (e *exportFile) drop() {
	if e.file != nil {
		_ = e.file.Close()
		_ = os.Remove(e.file.Name())
	}
}

func (a *app) showExported(form format, out string, s *recording.Summary) error {
	e := exported{
		File: out, Bytes: s.Bytes, Group: s.Group, Node: s.Node, Snapshot: s.Snapshot,
		From:    replay.Point{Index: s.From.Index, Revision: s.From.Revision, TimeMillis: s.From.TimeMillis},
		To:      replay.Point{Index: s.To.Index, Revision: s.To.Revision, TimeMillis: s.To.TimeMillis},
		Entries: s.Entries, Transactions: s.Transactions, FirstMillis: s.FirstMillis, LastMillis: s.LastMillis, Digests: s.Digests,
	}
	doc, err := encoded(&e)
	if err != nil {
		return err
	}
	return a.show(form, doc, func(w io.Writer) error {
		t := newTable(w)
		t.rows = nil
		t.add("group", fmt.Sprintf("%s, recorded by %s", e.Group, e.Node))
		t.add("from", fromText(e.Snapshot, e.From))
		t.add("to", fmt.Sprintf("revision %d, %s", e.To.Revision, timeText(e.To.TimeMillis)))
		held := counted(e.Entries, "entry") + ", " + counted(e.Transactions, "transaction")
		if e.Transactions > 0 {
			held += fmt.Sprintf(", from %s to %s", timeText(e.FirstMillis), timeText(e.LastMillis))
		}
		t.add("holds", held)
		t.add("file", fmt.Sprintf("%s, %s", e.File, sizeText(e.Bytes)))
		return t.write(w)
	})
}

// sizeText is a number of bytes as people read it.
func sizeText(n uint64) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 10<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
