package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"lockstep/bench"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// app is what the commands share.
type app struct {
	out, err io.Writer
	started  bool // what fails now is no usage error
}

// usageError is the command line's fault.
type usageError struct{ error }

// run carries out one command line and gives its exit code.
func run(args []string, out, errs io.Writer) int {
	a := &app{out: out, err: errs}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(errs, "bench:", err)
	var usage usageError
	if !a.started || errors.As(err, &usage) {
		fmt.Fprintf(errs, "Run '%s --help' for usage.\n", cmd.CommandPath())
		return exitUsage
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bench",
		Short: "Measure Lockstep, and try to break it",
		Long: `Measure Lockstep, and try to break it. Every run ends with checks: the money is
all there, every acknowledged id is found with the outcome that was
acknowledged, the copies are equal. Where one fails, no figure is printed.

Without --server a cluster of three processes is started in a temporary folder and
removed; its program is the file lockstep beside this one, else on PATH.

Exit codes: 0 all checks hold, 1 a check or the run failed, 2 wrong usage.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.AddCommand(a.throughputCommand(), a.failoverCommand(), a.schemaCommand(), a.chaosCommand(), a.networkCommand(), a.dayCommand())
	return root
}

// common are the flags that several commands have.
type common struct {
	cluster bench.ClusterConfig
	seed    uint64
	format  string
}

func (c *common) flags(cmd *cobra.Command, servers bool) {
	f := cmd.Flags()
	if servers {
		f.StringSliceVar(&c.cluster.Servers, "server", nil, "`ADDRESSES` of the nodes of a running cluster (default: a cluster of bench's own)")
	}
	f.StringVar(&c.cluster.Group, "group", "bench", "the group that is used, and made where there is none")
	f.StringVar(&c.cluster.Dir, "dir", "", "`FOLDER` for the data of bench's own cluster (default: the system's for temporary files)")
	f.Uint64Var(&c.seed, "seed", 1, "of what is drawn at random")
	f.StringVarP(&c.format, "output", "o", "table", "`FORMAT` of the result: json or table")
}

// doing runs f with a progress line, having looked at what all commands share.
func (a *app) doing(c *common, validate func() error, f func(progress func(string)) error) error {
	return a.showing(c, validate, func(p *progress) error { return f(p.tell) })
}

// showing is doing for what has lines to keep.
func (a *app) showing(c *common, validate func() error, f func(*progress) error) error {
	if c.format != "json" && c.format != "table" {
		return usageError{fmt.Errorf("--output %q: there are json and table", c.format)}
	}
	if err := validate(); err != nil {
		return usageError{err}
	}
	a.started = true
	p := newProgress(a.err)
	defer p.stop()
	return f(p)
}
