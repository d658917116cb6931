package tasks

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func runnerOf(t *testing.T, cfg Config) *Runner {
	t.Helper()
	r := New(cfg)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		r.Stop(ctx)
	})
	return r
}

func (r *Runner) only() State {
	if states := r.States(); len(states) == 1 {
		return states[0]
	}
	return State{}
}

func texts(lines []Line) string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Text)
	}
	return strings.Join(out, "\n")
}

// The application is told what it is started for: "whether a request is normal,
// recovery, start-up or shut-down" (patent, paragraph 43), and nothing of the node's
// own settings.
func TestACommandFindsItsTaskInTheEnvironment(t *testing.T) {
	t.Setenv("LOCKSTEP_JOIN", "secret")
	r := runnerOf(t, testConfig(Times{}))
	h := heldOf("sweep", 7, "polite")
	r.Hold([]Held{h}, nil)
	eventually(t, "the command has started", func() bool { return strings.Contains(texts(r.Output(h.Key)), "LOCKSTEP_JOIN") })
	for _, want := range []string{
		"be be polite is started on n1, epoch 7, recovery", "LOCKSTEP_TASK=sweep", "LOCKSTEP_GROUP=bank", "LOCKSTEP_EPOCH=7",
		"LOCKSTEP_REASON=recovery", `LOCKSTEP_LABELS={"team":"ops"}`, `LOCKSTEP_PAYLOAD={"every":3}`, "LOCKSTEP_SERVER=127.0.0.1:7400", "LOCKSTEP_JOIN=\n",
	} {
		if !strings.Contains(texts(r.Output(h.Key))+"\n", want) {
			t.Errorf("%q is missing in\n%s", want, texts(r.Output(h.Key)))
		}
	}
	if r.only().PID == 0 || !alive(r.only().PID) {
		t.Errorf("the state names no process that runs: %+v", r.only())
	}
	r.Hold(nil, map[Key]string{h.Key: "maintenance"})
	eventually(t, "the command has ended", func() bool { return len(r.States()) == 0 })
	if out := texts(r.Output(h.Key)); !strings.Contains(out, "asked to end\nlockstep: it has ended: exit code 0") {
		t.Errorf("the command was not asked to end:\n%s", out)
	}
}

// Labels that may be given keep no command from being started: Linux takes 128 KiB.
func TestTheLongestLabelsFitIntoTheEnvironment(t *testing.T) {
	for _, letter := range []string{"<", "\"", "\u2028"} {
		r := runnerOf(t, testConfig(Times{}))
		h := heldOf("sweep", 7, "polite")
		h.Definition.Labels = map[string]string{}
		for i := range MaxLabels {
			text := strings.Repeat(letter, (maxLabelBytes-2)/len(letter))
			h.Definition.Labels[fmt.Sprintf("%02d%s", i, text)] = text
		}
		if err := h.Definition.Valid(); err != nil {
			t.Fatal(err)
		}
		r.Hold([]Held{h}, nil)
		eventually(t, "the command has started", func() bool { return strings.Contains(texts(r.Output(h.Key)), "LOCKSTEP_JOIN") })
	}
}

// What is heard of assignments while the node stops starts no command again.
func TestNothingIsStartedDuringAStop(t *testing.T) {
	r := runnerOf(t, testConfig(Times{}))
	h := heldOf("sweep", 7, "stubborn", filepath.Join(t.TempDir(), "pids"))
	r.Hold([]Held{h}, nil)
	eventually(t, "the command has started", func() bool { return r.only().PID != 0 })
	ended := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	go func() { defer close(ended); r.Stop(ctx) }()
	eventually(t, "it is told to end", func() bool { return r.only().Phase == PhaseStopping })
	r.Hold([]Held{h}, nil) // the log says so, until it is given back
	<-ended
	if ctx.Err() != nil {
		t.Error("it was started again")
	}
}

func TestACommandThatFailsIsStartedAgainLaterAndLater(t *testing.T) {
	r := runnerOf(t, testConfig(Times{FirstPause: 10 * time.Millisecond, LongestPause: 40 * time.Millisecond}))
	h := heldOf("sweep", 1, "failing")
	r.Hold([]Held{h}, nil)
	eventually(t, "it was started several times", func() bool { return r.only().Restarts >= 3 })
	if s := r.only(); s.Exit != "exit code 3" {
		t.Errorf("it ended with %q", s.Exit)
	}
	if out := texts(r.Output(h.Key)); !strings.Contains(out, "no such account") {
		t.Errorf("its words were not kept:\n%s", out)
	}
}

// A command ends with its process group, whether it wants to or not.
func TestACommandThatDoesNotEndIsKilledWithAllItHasStarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	r := runnerOf(t, testConfig(Times{}))
	r.Hold([]Held{heldOf("sweep", 1, "stubborn", file)}, nil)
	list := pids(t, file)
	r.Hold(nil, nil)
	eventually(t, "the task is let go", func() bool { return len(r.States()) == 0 })
	eventually(t, "both processes are gone", func() bool { return !alive(list[0]) && !alive(list[1]) })
}

// No process outlives its node, however that dies.
func TestACommandDiesWithItsNode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command(self, "be", "node", file)
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	list := pids(t, file)
	if err := node.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = node.Wait()
	eventually(t, "the command and what it has started are gone", func() bool { return !alive(list[0]) && !alive(list[1]) })
}

// A node that is stopped for longer than a lease may have lost the task: its command
// must not go on meanwhile.
func TestACommandEndsWhereItsNodeStandsStill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command(self, "be", "node", file)
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = node.Process.Kill()
		_ = node.Wait()
	}()
	list := pids(t, file)
	if err := node.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command and what it has started are gone", func() bool { return !alive(list[0]) && !alive(list[1]) })
	if !alive(node.Process.Pid) {
		t.Error("the node is gone too: that proves nothing")
	}
}

func TestACommandEndsWhereNoMajorityIsInReachAndComesBackWithIt(t *testing.T) {
	var cut atomic.Bool
	cfg := testConfig(Times{Lease: 200 * time.Millisecond, LeaseStop: 50 * time.Millisecond})
	cfg.Reach = func(context.Context, string) error {
		if cut.Load() {
			return errors.New("no answer")
		}
		return nil
	}
	r := runnerOf(t, cfg)
	h := heldOf("sweep", 1, "polite")
	r.Hold([]Held{h}, nil)
	eventually(t, "it runs", func() bool { return r.only().PID != 0 })
	pid := r.only().PID
	cut.Store(true)
	eventually(t, "it has ended", func() bool { return r.only().Phase == PhasePaused && !alive(pid) })
	cut.Store(false)
	eventually(t, "it runs again", func() bool { return r.only().PID != 0 && r.only().Phase == PhaseRunning })
}

// "A node runs only commands that its own configuration lists" (interface.md).
func TestACommandThatIsNotListedIsNotRun(t *testing.T) {
	r := runnerOf(t, testConfig(Times{}))
	file := filepath.Join(t.TempDir(), "made")
	h := heldOf("sweep", 1)
	h.Definition.Run = []string{"touch", file}
	r.Hold([]Held{h}, nil)
	eventually(t, "it is refused", func() bool { return r.only().Phase == PhaseRefused })
	if d := r.only().Detail; !strings.Contains(d, "tasks.commands") {
		t.Errorf("the remedy is missing: %s", d)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it was run")
	}
}

func TestACommandThatIsNotThereSaysSo(t *testing.T) {
	cfg := testConfig(Times{FirstPause: 10 * time.Millisecond})
	cfg.Allow.Commands = append(cfg.Allow.Commands, "/nowhere/sweep")
	r := runnerOf(t, cfg)
	h := heldOf("sweep", 1)
	h.Definition.Run = []string{"sweep"}
	r.Hold([]Held{h}, nil)
	eventually(t, "it could not be started", func() bool { return strings.Contains(r.only().Exit, "no such file") })
}

func TestACommandThatIsNotHealthyIsStartedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "well")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := runnerOf(t, testConfig(Times{FirstPause: 10 * time.Millisecond}))
	h := heldOf("sweep", 1, "polite")
	h.Definition.Health = &Health{Run: []string{"be", "be", "well", file}, Interval: "100ms", Timeout: "5s", Failures: 2, Delay: "10ms"}
	r.Hold([]Held{h}, nil)
	eventually(t, "it is healthy", func() bool { return r.only().Health == "healthy" })
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was started again", func() bool { return r.only().Restarts > 0 })
}

// A webhook's receiver can check who calls, and is called until it has answered.
func TestAWebhookIsSignedAndRepeated(t *testing.T) {
	type call struct {
		header http.Header
		body   []byte
	}
	calls := make(chan call, 16)
	var failures atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, rq *http.Request) {
		body, _ := io.ReadAll(rq.Body)
		if failures.Add(1) <= 2 {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		calls <- call{rq.Header, body}
	}))
	defer server.Close()
	cfg := testConfig(Times{FirstPause: 10 * time.Millisecond})
	cfg.Secret = []byte("s3cret")
	cfg.Allow.Hosts = []string{"127.0.0.1"}
	r := runnerOf(t, cfg)
	h := heldOf("sweep", 7)
	h.Definition = &Definition{Group: "bank", Webhook: server.URL + "/hook", Payload: []byte(`{"every": 3}`)}
	r.Hold([]Held{h}, nil)
	check := func(event, reason string) {
		t.Helper()
		got := <-calls
		var n notice
		if err := stdjson.Unmarshal(got.body, &n); err != nil {
			t.Fatal(err)
		}
		if n.Event != event || n.Epoch != 7 || n.Task != "sweep" || n.Reason != reason || string(n.Payload) != `{"every":3}` {
			t.Errorf("it was told %s", got.body)
		}
		if got.header.Get("X-Lockstep-Signature-256") != Sign(cfg.Secret, got.body) || got.header.Get("X-Lockstep-Delivery") != "bank/sweep/7/"+event {
			t.Errorf("headers are %v", got.header)
		}
	}
	check(EventAssigned, "recovery")
	eventually(t, "it has been told", func() bool { return r.only().Phase == PhaseTold })
	r.Hold(nil, map[Key]string{h.Key: "maintenance"})
	check(EventReleased, "maintenance")
	eventually(t, "nothing is left", func() bool { return len(r.States()) == 0 })
}

// A webhook can't lead the node to a host that its owner did not list.
func TestAWebhookIsNotRedirected(t *testing.T) {
	var inner atomic.Int32
	private := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inner.Add(1) }))
	defer private.Close()
	server := httptest.NewServer(http.RedirectHandler(private.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	cfg := testConfig(Times{FirstPause: 10 * time.Millisecond, TellLoss: 50 * time.Millisecond})
	cfg.Allow.Hosts = []string{strings.TrimPrefix(server.URL, "http://")}
	r := runnerOf(t, cfg)
	h := heldOf("sweep", 7)
	h.Definition = &Definition{Group: "bank", Webhook: server.URL}
	r.Hold([]Held{h}, nil)
	eventually(t, "it failed", func() bool { return strings.Contains(r.only().Detail, "307") })
	if inner.Load() != 0 {
		t.Error("the redirection was followed")
	}
	h.Definition = &Definition{Group: "bank", Webhook: private.URL}
	h.Version = 2
	r.Hold([]Held{h}, nil)
	eventually(t, "it is refused", func() bool { return r.only().Phase == PhaseRefused })
}
