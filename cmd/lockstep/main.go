package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"lockstep/router/node"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// app is what the commands share: the streams they use.
type app struct {
	in      io.Reader
	out     io.Writer
	err     io.Writer
	started bool // a command's own code was reached: what fails now is no usage error
}

// run carries out one command line and gives its exit code.
func run(args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, err: errs}
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(context.Background())
	if err == nil {
		return exitDone
	}
	code := exitCode(err)
	if !a.started {
		code = exitUsage
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(errs, "lockstep:", text)
	}
	if code == exitUsage {
		fmt.Fprintf(errs, "Run '%s --help' for usage.\n", cmd.CommandPath())
	}
	return code
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lockstep",
		Short: "A database that takes whole transactions and keeps identical copies",
		Long: `Lockstep takes whole transactions, orders them in a replicated log, and executes
them alike on every copy.

Try it:   lockstep dev
Then:     lockstep status
          lockstep tx bank transfer from=alice to=bob amount:=30

Exit codes: 0 done, 1 refused or aborted, 2 wrong usage, 3 unavailable (try again).`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("lockstep {{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Running nodes:"},
		&cobra.Group{ID: "use", Title: "Using a cluster:"},
		&cobra.Group{ID: "operate", Title: "Looking after a cluster:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("run", a.devCommand(), a.serveCommand())
	root.AddCommand(a.keepCommand())
	add("use", a.txCommand(), a.queryCommand(), a.schemaCommand(), a.taskCommand())
	add("operate", a.groupCommand(), a.partitionCommand(), a.nodeCommand(), a.policyCommand(), a.statusCommand(), a.verifyCommand(), a.replayCommand())
	return root
}

// runs marks where a command's own code begins: what fails before it (an unknown
// flag, a missing argument) is a usage error.
func (a *app) runs(f func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		return f(cmd, args)
	}
}

// family is a command that only holds others.
func (a *app) family(use, short string, members ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: a.runs(func(cmd *cobra.Command, _ []string) error {
			return usagef("%s wants one of its commands", cmd.CommandPath())
		}),
	}
	c.AddCommand(members...)
	return c
}

// version is the module's version, or the commit that was built.
func version() string {
	text := node.Version
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			text = v
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				text += " " + s.Value[:12]
			}
		}
	}
	return fmt.Sprintf("%s (%s, %s/%s)", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
