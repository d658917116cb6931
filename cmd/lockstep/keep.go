package main

import (
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"lockstep/router/tasks"
)

// keeperCommand is how a node starts a keeper: this very program, also where its
// file was replaced by another version meanwhile.
func keeperCommand() []string {
	self, err := os.Executable()
	if runtime.GOOS == "linux" {
		self, err = "/proc/self/exe", nil
	}
	if err != nil {
		return nil // the node says that it can start no commands
	}
	return []string{self, "keep"}
}

// keepCommand stands between a node and the command of a task (tasks.Keep). It is
// for nodes, not for people.
func (a *app) keepCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "keep LEASE COMMAND [ARGUMENT...]",
		Short:              "Run a task's command for a node, and end with it",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: a.runs(func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usagef("this command is for nodes: it wants a lease and a command")
			}
			lease, err := time.ParseDuration(args[0])
			if err != nil {
				return usagef("%q is no duration", args[0])
			}
			tasks.Keep(args[1:], lease, os.Stdin, os.Stdout, os.Stderr)
			return nil
		}),
	}
}
