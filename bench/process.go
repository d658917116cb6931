package bench

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// FindBinary finds the lockstep program: beside this program's own file, else on
// PATH.
func FindBinary() (string, error) {
	const name = "lockstep"
	beside := "(unknown)"
	if own, err := os.Executable(); err == nil {
		beside = filepath.Join(filepath.Dir(own), name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return beside, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("no lockstep program, neither %s nor on PATH: build it there, or name a running cluster with --server", beside)
	}
	return filepath.Abs(path)
}

// Node is one process of a cluster that bench started.
type Node struct {
	Name string
	HTTP string // address
	raft string // address
	args []string
	dir  string
	log  string
	// within starts its process where the node is to run; nil: as it is.
	within func(func() error) error

	mu     sync.Mutex
	run    *exec.Cmd
	done   chan struct{} // closed when the present run has ended
	wanted bool          // it should be running: an end is the node's own doing
	ended  error         // how it ended by itself
}

// endedError says that a node ended by itself, which none may.
type endedError struct {
	node string
	how  error
	tail string // of its log
}

func (e *endedError) Error() string {
	return fmt.Sprintf("%s ended by itself: %v; the end of its log:\n%s", e.node, e.how, e.tail)
}

// launcher starts all nodes from one thread that lives as long as the cluster:
// the kernel's "kill me when my parent dies" means the parent's thread.
type launcher chan func()

func newLauncher() launcher {
	l := make(launcher)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the loop
		for job := range l {
			job()
		}
	}()
	return l
}

func (l launcher) start(start func() error) error {
	result := make(chan error)
	l <- func() { result <- start() }
	return <-result
}

// start runs the node's process, which is not running.
func (n *Node) start(l launcher, binary string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", n.Name, err)
	}
	defer log.Close()
	cmd := exec.Command(binary, n.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = n.dir, log, log
	cmd.Env = nodeEnvironment(os.Environ())
	cmd.SysProcAttr = nodeAttributes()
	start := cmd.Start
	if n.within != nil {
		start = func() error { return n.within(cmd.Start) }
	}
	if err := l.start(start); err != nil {
		return fmt.Errorf("starting %s: %w", n.Name, err)
	}
	done := make(chan struct{})
	n.run, n.done, n.wanted = cmd, done, true
	go n.await(cmd, done)
	return nil
}

// await notes how a run ends.
func (n *Node) await(cmd *exec.Cmd, done chan struct{}) {
	err := cmd.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wanted && n.ended == nil {
		if err == nil {
			err = errors.New("exit status 0")
		}
		n.ended = &endedError{n.Name, err, logTail(n.log)}
	}
	n.wanted = false
	close(done)
}

// nodeEnvironment takes out of the environment what would configure a node.
func nodeEnvironment(environment []string) []string {
	var kept []string
	for _, pair := range environment {
		if !strings.HasPrefix(pair, "LOCKSTEP_") {
			kept = append(kept, pair)
		}
	}
	return kept
}

// PID is the process's id; 0 where it does not run.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run == nil || !n.running() {
		return 0
	}
	return n.run.Process.Pid
}

// running: the lock is held.
func (n *Node) running() bool {
	select {
	case <-n.done:
		return false
	default:
		return true
	}
}

// signal sends a signal to the process if it runs. final says that its end is our
// doing.
func (n *Node) signal(s syscall.Signal, final bool) (done <-chan struct{}, sent bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.run == nil || !n.running() {
		return nil, false
	}
	if final {
		n.wanted = false
	}
	// An error means that it has just ended by itself: await tells.
	return n.done, n.run.Process.Signal(s) == nil
}

// stop asks the process to end, and kills it if it takes too long.
func (n *Node) stop() {
	done, _ := n.signal(syscall.SIGTERM, true)
	if done == nil {
		return
	}
	n.signal(syscall.SIGCONT, true)
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		n.signal(syscall.SIGKILL, true)
		<-done
	}
}

// fault tells how the node ended by itself, if it ever did.
func (n *Node) fault() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ended
}

// logTail gives the end of a log; what can't be read is left out, for it is told
// beside an error.
func logTail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailBytes {
		if _, err := f.Seek(-tailBytes, io.SeekEnd); err != nil {
			return ""
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, tailBytes))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
