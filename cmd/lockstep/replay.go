package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"

	"lockstep/engine/lang"
	"lockstep/engine/recording"
	"lockstep/engine/replay"
)

// replayFlags are what the replay command takes.
type replayFlags struct {
	form     format
	schema   string
	at       uint64
	last     time.Duration
	examples int
	dir      string
}

func (a *app) replayCommand() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Execute a recording again, and compare; or rehearse a schema on it",
		Long: `Execute a recording of a group's log again, on this machine, and compare digests
wherever it has some. It asks no node, so that nobody has to trust the one that
wrote the file. "lockstep replay export" writes one.

With --schema the recorded history is lived through twice, as recorded and under the
new schema: shown are the transactions whose outcomes differ and the rows that
differ at the end. Nothing is changed anywhere.

Exit codes: 0 all equal, 1 something differs or the file is damaged, 2 wrong usage.`,
		Example: `  lockstep replay export bank --out bank.lockstep
  lockstep replay bank.lockstep
  lockstep replay bank.lockstep --schema new.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: a.runs(func(cmd *cobra.Command, args []string) error {
			return a.replay(cmd, args[0], &f)
		}),
	}
	f.form.flag(c)
	c.Flags().StringVar(&f.schema, "schema", "", "rehearse the YAML or JSON schema in `FILE`")
	c.Flags().Uint64Var(&f.at, "at", 0, "with --schema: the last `REVISION` before it holds; default the recording's beginning")
	c.Flags().DurationVar(&f.last, "last", 0, "with --schema: it holds for the last so much time of the recording")
	c.Flags().IntVar(&f.examples, "examples", replay.DefaultExamples, "with --schema: how many of each kind of difference to show")
	c.Flags().StringVar(&f.dir, "dir", "", "where to make a temporary `FOLDER`, with room for twice the group's data; default the system's")
	c.AddCommand(a.replayExport())
	return c
}

// options checks the flags.
func (f *replayFlags) options(a *app) (opt replay.Options, err error) {
	switch {
	case f.schema == "" && (f.at != 0 || f.last != 0):
		return opt, usagef("--at and --last say from where on a schema is rehearsed: give it with --schema")
	case f.at != 0 && f.last != 0:
		return opt, usagef("give --at or --last, not both")
	case f.last < 0:
		return opt, usagef("--last: must be longer than nothing, for example 10m")
	case f.examples < 0 || f.examples > replay.MaxExamples:
		return opt, usagef("--examples: must be from 0 to %d", replay.MaxExamples)
	}
	if f.schema != "" {
		if opt.Schema, err = a.document("", f.schema); err != nil {
			return opt, err
		}
	}
	opt.At, opt.Examples = f.at, f.examples
	if opt.Env, err = lang.NewEnv(); err != nil {
		return opt, fmt.Errorf("making the language's environment: %w", err)
	}
	return opt, nil
}

// replayed is a report with what only this command knows.
type replayed struct {
	File      string  `json:"file"`
	Bytes     uint64  `json:"bytes"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"transactions_per_second"`
	*replay.Report
}

func (a *app) replay(cmd *cobra.Command, name string, f *replayFlags) error {
	opt, err := f.options(a)
	if err != nil {
		return err
	}
	file, err := os.Open(name)
	if err != nil {
		return usagef("%w", err)
	}
	defer file.Close()
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	whole, err := a.checkRecording(file, name)
	if err != nil {
		return err
	}
	if f.last > 0 {
		opt.FromMillis = max(whole.LastMillis-f.last.Milliseconds(), 1)
	}
	if opt.Dir, err = os.MkdirTemp(f.dir, "lockstep-replay-"); err != nil {
		return usagef("--dir: %w", err)
	}
	defer os.RemoveAll(opt.Dir)
	r, err := a.runReplay(ctx, file, whole.Bytes, opt)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.File = name
	doc, err := encoded(r)
	if err != nil {
		return err
	}
	if err := a.show(f.form, doc, func(w io.Writer) error { return replayText(w, r) }); err != nil {
		return err
	}
	return replayVerdict(r)
}

// checkRecording reads the whole file once, before anything is executed: damage is
// told at once, and how much there is to do is known.
func (a *app) checkRecording(file *os.File, name string) (recording.Summary, error) {
	stop := a.waiting("checking " + name)
	s, err := recording.Summarize(file)
	stop()
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (a *app) runReplay(ctx context.Context, file io.Reader, size uint64, opt replay.Options) (*replayed, error) {
	opt.Progress = new(replay.Progress)
	began := time.Now()
	stop := a.progress(func() string {
		n := opt.Progress.Transactions.Load()
		return fmt.Sprintf("%d%%, revision %d, %.0f transactions a second", 100*opt.Progress.Bytes.Load()/max(size, 1),
			opt.Progress.Revision.Load(), float64(n)/time.Since(began).Seconds())
	})
	report, err := replay.Run(ctx, file, opt)
	stop()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
		return nil, err
	}
	r := &replayed{Bytes: size, Seconds: time.Since(began).Seconds(), Report: report}
	r.PerSecond = float64(report.Transactions) / r.Seconds
	return r, nil
}

// encoded is a document as programs read it: text as it is.
func encoded(doc any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	return b.Bytes(), nil
}

// replayVerdict turns a report into an exit code.
func replayVerdict(r *replayed) error {
	switch {
	case !r.Equal:
		return &exitError{exitRefused, errors.New("the replay differs from the recording: the file was altered, the copy that wrote it differs, or this program executes otherwise than the one that did")}
	case r.Rehearsal != nil && !r.Rehearsal.Equal:
		return &exitError{exitRefused, nil}
	}
	return nil
}
