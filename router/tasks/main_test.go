package tasks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test's own program be a keeper, a command of a task, and a
// node that is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		switch os.Args[1] {
		case "keep":
			lease, err := time.ParseDuration(os.Args[2])
			if err != nil {
				panic(err)
			}
			Keep(os.Args[3:], lease, os.Stdin, os.Stdout, os.Stderr)
			os.Exit(0)
		case "be":
			be(os.Args[2], os.Args[3:])
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// be does what a command of a test does.
func be(what string, args []string) {
	switch what {
	case "polite": // ends at SIGTERM
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		for _, name := range []string{"LOCKSTEP_TASK", "LOCKSTEP_GROUP", "LOCKSTEP_EPOCH", "LOCKSTEP_REASON", "LOCKSTEP_LABELS", "LOCKSTEP_PAYLOAD", "LOCKSTEP_SERVER", "LOCKSTEP_JOIN"} {
			fmt.Printf("%s=%s\n", name, os.Getenv(name))
		}
		<-asked
		fmt.Println("asked to end")
	case "stubborn": // does not, and has started another that does not either
		signal.Ignore(syscall.SIGTERM)
		if len(args) > 0 {
			self, _ := os.Executable()
			child := exec.Command(self, "be", "stubborn")
			if err := child.Start(); err != nil {
				panic(err)
			}
			text := fmt.Sprintf("%d %d", os.Getpid(), child.Process.Pid)
			if err := os.WriteFile(args[0]+".new", []byte(text), 0o600); err != nil {
				panic(err)
			}
			_ = os.Rename(args[0]+".new", args[0])
		}
		select {}
	case "failing":
		fmt.Println("no such account")
		os.Exit(3)
	case "well": // healthy as long as a file is there
		if _, err := os.Stat(args[0]); err != nil {
			fmt.Println("the file is gone")
			os.Exit(1)
		}
	case "node": // holds a stubborn task until it is killed
		r := New(testConfig(DefaultTimes()))
		r.Hold([]Held{heldOf("sweep", 1, "stubborn", args[0])}, nil)
		select {}
	}
}

func testConfig(times Times) Config {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Config{
		Node: "n1", Server: "127.0.0.1:7400", Keeper: []string{self, "keep"}, Times: times,
		Allow: Allow{Commands: []string{"be=" + self}},
		Reach: func(context.Context, string) error { return nil },
	}
}

// heldOf is a task that runs the test's own program.
func heldOf(task string, epoch uint64, run ...string) Held {
	words := append([]string{"be", "be"}, run...)
	stop := "10s"
	if len(run) > 0 && run[0] == "stubborn" {
		stop = "200ms"
	}
	return Held{Key: Key{"bank", task}, Epoch: epoch, Reason: "recovery", Version: 1, Definition: &Definition{
		Group: "bank", Run: words, Labels: map[string]string{"team": "ops"}, Payload: []byte(`{"every": 3}`), StopTimeout: stop,
	}}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("after 20 s still not: %s", what)
		}
	}
}

// pids reads what a stubborn command wrote.
func pids(t *testing.T, file string) (list []int) {
	t.Helper()
	eventually(t, "the command has started", func() bool { _, err := os.Stat(file); return err == nil })
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(text)) {
		var pid int
		if _, err := fmt.Sscan(word, &pid); err != nil {
			t.Fatal(err)
		}
		list = append(list, pid)
	}
	return list
}

// alive tells whether a process runs; one that has ended and was not waited for
// does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "stat"))
	if err != nil {
		return !os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
