package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lockstep/cmd/lockstep/dev"
	"lockstep/router/client"
	"lockstep/testdata/ports"
)

// These tests run the program as a user does: real processes, real ports, real
// folders.

// patience bounds everything that should come within a second or two.
const patience = 60 * time.Second

// running is one run of lockstep.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Reader
	errs said
}

// said is what a program has written so far.
type said struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // closed at each write
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, b...)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	return len(b), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

// await waits until the program has written something.
func (s *said) await(t *testing.T, text string) {
	t.Helper()
	limit := time.After(patience)
	for {
		s.mu.Lock()
		found := bytes.Contains(s.text, []byte(text))
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%q was not written, but\n%s", text, s)
		}
	}
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("lockstep")
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// begin starts the program and ends it with the test.
func begin(t *testing.T, args ...string) *running {
	t.Helper()
	p := &running{t: t, cmd: command(t, args...)}
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(pipe)
	p.cmd.Stderr = &p.errs
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.end(syscall.SIGTERM) })
	return p
}

// end sends a signal and gives the exit code.
func (p *running) end(s syscall.Signal) int {
	p.t.Helper()
	_ = p.cmd.Process.Signal(s) // it may have ended already
	if p.cmd.ProcessState == nil {
		timer := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
		defer timer.Stop()
		_ = p.cmd.Wait() // its code is what matters
	}
	return p.cmd.ProcessState.ExitCode()
}

// outcome runs the program to its end.
func outcome(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	cmd := command(t, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// must is outcome for what has to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := outcome(t, args...)
	if code != 0 {
		t.Fatalf("lockstep %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// freePort finds the first of ports that a cluster of n nodes can have.
func freePort(t *testing.T, n int) int {
	t.Helper()
	offsets := []int{100 + n}
	for i := range n {
		offsets = append(offsets, i, 100+i)
	}
	port, err := ports.Take(offsets...)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// startDev starts a cluster and waits for its line.
func startDev(t *testing.T, args ...string) (*running, dev.Info) {
	t.Helper()
	p := begin(t, append([]string{"dev", "--json"}, args...)...)
	line, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("no line from dev: %v\n%s", p.end(syscall.SIGTERM), p.errs.String())
	}
	var info dev.Info
	if err := json.Unmarshal([]byte(line), &info); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return p, info
}

func addresses(info dev.Info) string {
	var list []string
	for _, n := range info.Nodes {
		list = append(list, n.HTTP)
	}
	return strings.Join(list, ",")
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(patience); syscall.Kill(pid, 0) == nil && !zombie(pid); {
		select {
		case <-limit:
			t.Fatalf("process %d still runs", pid)
		case <-tick.C:
		}
	}
}

// zombie: the process has ended and nobody has asked how.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

// interface.md, dev: ready means that every node answers /readyz with 200 and a
// write through any of them commits; children killed stay killed; dev restart
// starts one again; started again, the cluster finds its data.
func TestDevFromStartToStartAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	port := freePort(t, 3)
	p, info := startDev(t, "--data", dir, "--port", fmt.Sprint(port))
	if info.Group != "bank" || info.Data != dir || len(info.Nodes) != 3 || info.Nodes[1].Name != "n2" || info.Nodes[2].HTTP != fmt.Sprintf("127.0.0.1:%d", port+2) {
		t.Fatalf("told %+v", info)
	}
	for i, owner := range []string{"alice", "bob", "carol"} {
		must(t, "tx", "bank", "open", "id="+owner, "owner="+owner, "balance:=100", "--server", info.Nodes[i].HTTP)
	}
	all := addresses(info)
	if out := must(t, "status", "--server", all); !strings.Contains(out, "primary") {
		t.Errorf("status shows no primary:\n%s", out)
	}
	// The issue: result types of procedures appear in GET schema; what was read can be put back.
	if out := must(t, "schema", "show", "bank", "--server", all); !strings.Contains(out, "{from: int, to: int}") {
		t.Errorf("the schema is shown without the type of a result:\n%s", out)
	}
	typed := filepath.Join(t.TempDir(), "typed.yaml")
	if err := os.WriteFile(typed, []byte(must(t, "schema", "get", "bank", "--types", "-o", "yaml", "--server", all)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := must(t, "schema", "apply", "bank", typed, "--server", all); !strings.Contains(out, "this is the schema that the group has") {
		t.Errorf("put back with its types, it is another schema:\n%s", out)
	}

	if err := syscall.Kill(info.Nodes[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	must(t, "tx", "bank", "transfer", "from=alice", "to=bob", "amount:=30", "--id", "t1", "--server", all)
	if code, out, _ := outcome(t, "verify", "bank", "--server", all, "--timeout", "1s", "-o", "json"); code != exitUnavailable || !strings.Contains(out, `"error"`) {
		t.Errorf("with a node down verify ends with %d: %s", code, out)
	}
	var again dev.Node
	if err := json.Unmarshal([]byte(must(t, "dev", "restart", "n1", "--data", dir, "--json")), &again); err != nil {
		t.Fatal(err)
	}
	if again.Name != "n1" || again.HTTP != info.Nodes[0].HTTP || again.PID == info.Nodes[0].PID {
		t.Errorf("started again %+v", again)
	}
	var verified client.Verification
	if err := json.Unmarshal([]byte(must(t, "verify", "bank", "--server", all, "-o", "json")), &verified); err != nil {
		t.Fatal(err)
	}
	if !verified.Equal || len(verified.Partitions) != 3 {
		t.Errorf("verified %+v", verified)
	}

	if code := p.end(syscall.SIGINT); code != 0 {
		t.Fatalf("dev ended with %d\n%s", code, p.errs.String())
	}
	if more, _ := p.out.ReadString('\n'); more != "" {
		t.Errorf("after its line dev also wrote %q", more)
	}
	gone(t, again.PID)

	p, info = startDev(t, "--data", dir)
	if out := must(t, "tx", "bank", "--outcome", "t1", "--server", addresses(info), "-o", "json"); !strings.Contains(out, `"from":70`) {
		t.Errorf("the outcome is %s", out)
	}
	if out := must(t, "query", "bank", `{"procedure": "balance", "params": {"id": "bob"}}`, "--server", info.Nodes[2].HTTP); out != "130\n" {
		t.Errorf("bob has %s", out)
	}

	// However dev dies, its nodes die with it.
	p.end(syscall.SIGKILL)
	for _, n := range info.Nodes {
		gone(t, n.PID)
	}
}

// interface.md, dev: killed children are not restarted unless --restart is given;
// the group's copies start on the first --copies nodes by number.
func TestDevStartsNodesAgainWhereAsked(t *testing.T) {
	schema := filepath.Join(t.TempDir(), "schema.yaml")
	if err := os.WriteFile(schema, []byte("tables: {notes: {columns: {id: {type: int}}, key: [id]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t, 2)
	p, info := startDev(t, "--data", t.TempDir(), "--port", fmt.Sprint(port), "--nodes", "2", "--copies", "1", "--group", "notes", "--schema", schema, "--restart")
	if info.Group != "notes" || len(info.Nodes) != 2 {
		t.Fatalf("told %+v", info)
	}
	var s client.Status
	if err := json.Unmarshal([]byte(must(t, "status", "--server", info.Nodes[1].HTTP, "-o", "json")), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Groups) != 1 || len(s.Groups[0].Partitions) != 1 || s.Groups[0].Partitions[0].Node != "n1" {
		t.Errorf("the copies are %+v", s.Groups)
	}
	if err := syscall.Kill(info.Nodes[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The other node keeps the request until the first is back.
	must(t, "tx", "notes", `{"steps": [{"insert": {"table": "notes", "row": {"id": 1}}}]}`, "--server", info.Nodes[1].HTTP)
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("dev ended with %d", code)
	}
	if !strings.Contains(p.errs.String(), "n1 was started again") {
		t.Errorf("dev said\n%s", p.errs.String())
	}
}

// A folder or a port that is in use is refused, and says so.
func TestDevRefusesWhatIsTaken(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t, 1)
	_, info := startDev(t, "--data", dir, "--port", fmt.Sprint(port), "--nodes", "1")
	code, _, errs := outcome(t, "dev", "--data", dir)
	if code != exitRefused || !strings.Contains(errs, "is in use by another lockstep dev (process ") {
		t.Errorf("a second dev on the folder ended with %d: %s", code, errs)
	}
	code, _, errs = outcome(t, "dev", "--data", t.TempDir(), "--port", fmt.Sprint(port))
	if code != exitRefused || !strings.Contains(errs, fmt.Sprintf("port %d is in use, and node n1 needs it", port)) {
		t.Errorf("a second dev on the port ended with %d: %s", code, errs)
	}
	free := freePort(t, 1)
	code, _, errs = outcome(t, "serve", "--name", "n1", "--data", filepath.Join(dir, "n1"), "--bootstrap",
		"--http", fmt.Sprintf("127.0.0.1:%d", free), "--raft", fmt.Sprintf("127.0.0.1:%d", free+100))
	if code != exitRefused || !strings.Contains(errs, "the data folder is in use") {
		t.Errorf("a second node on the data ended with %d: %s", code, errs)
	}
	code, _, errs = outcome(t, "serve", "--name", "n1", "--data", t.TempDir(), "--bootstrap",
		"--http", info.Nodes[0].HTTP, "--raft", fmt.Sprintf("127.0.0.1:%d", free+100))
	if code != exitRefused || !strings.Contains(errs, "address already in use") || !strings.Contains(errs, "--http") {
		t.Errorf("a node on a port in use ended with %d: %s", code, errs)
	}
}

// ready waits until a node says that it is.
func ready(t *testing.T, address string) {
	t.Helper()
	cl, err := client.New(client.Config{Servers: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := cl.Ready(ctx, address)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(err)
		}
	}
}

// A node stops in good order at SIGTERM, whatever it is doing.
func TestServeStopsInGoodOrder(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t, 1)
	http, raft := fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+100)
	file := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(file, []byte("http: "+http+"\nraft: "+raft+"\nbootstrap: true\nlabels: {zone: eu-1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := begin(t, "serve", "--config", file, "--name", "n1", "--data", filepath.Join(dir, "data"), "--log-format", "json")
	ready(t, http)
	must(t, "group", "create", "g", "--nodes", "n1", "--server", http)
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Fatalf("ended with %d\n%s", code, p.errs.String())
	}
	for _, line := range strings.Split(strings.TrimSpace(p.errs.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("the log has the line %q, which is no JSON", line)
		}
	}
	// A node that waits for a cluster that never answers stops as well.
	p = begin(t, "serve", "--name", "n2", "--data", filepath.Join(dir, "other"), "--http", http, "--raft", raft, "--join", "127.0.0.1:1")
	p.errs.await(t, "waiting to join")
	if code := p.end(syscall.SIGTERM); code != 0 {
		t.Errorf("a node that waits to join ended with %d\n%s", code, p.errs.String())
	}
	// Another node's folder is refused by name.
	code, _, errs := outcome(t, "serve", "--name", "n3", "--data", filepath.Join(dir, "data"), "--http", http, "--raft", raft)
	if code != exitRefused || !strings.Contains(errs, "belongs to node n1, not n3") {
		t.Errorf("another node's folder: %d, %s", code, errs)
	}
}
