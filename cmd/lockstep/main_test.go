package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain puts the program itself on the tests' PATH.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lockstep": main})
}

// Command lines as people type them, without a cluster (interface.md, Command
// line).
func TestCommandLines(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
		Setup: func(e *testscript.Env) error {
			// A port that nobody listens on, for commands that need no more.
			e.Setenv("LOCKSTEP_SERVER", "127.0.0.1:1")
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
	})
}

// exits CODE COMMAND… runs a command that must end with this exit code. What it
// wrote is there for stdout and stderr to look at.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	err := ts.Exec("sh", append([]string{"-c", `code=$1; shift; "$@"; got=$?; if [ $got != $code ]; then echo "exit code $got, want $code" >&2; exit 1; fi`, "sh"}, args...)...)
	if err != nil {
		ts.Fatalf("%s", ts.ReadFile("stderr"))
	}
}
