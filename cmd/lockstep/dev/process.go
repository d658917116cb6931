package dev

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// launcher starts all children from one thread that lives as long as dev: the
// kernel's "kill me when my parent dies" means the parent's thread.
type launcher struct {
	jobs chan func()
}

func newLauncher() *launcher {
	l := &launcher{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the loop
		for job := range l.jobs {
			job()
		}
	}()
	return l
}

func (l *launcher) start(cmd *exec.Cmd) error {
	result := make(chan error)
	l.jobs <- func() { result <- cmd.Start() }
	return <-result
}

// close ends the thread; children must have ended.
func (l *launcher) close() { close(l.jobs) }

// process is one run of a child.
type process struct {
	cmd   *exec.Cmd
	began time.Time
	done  chan struct{} // closed when it has ended
	state string        // how it ended, once it has
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// ended says whether the process is over.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// launch starts a child whose output goes to the end of a log file.
func (l *launcher) launch(executable string, args []string, dir, logPath string) (*process, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a node's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(executable, args...)
	cmd.Dir = dir
	cmd.Env = childEnvironment(os.Environ())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	p := &process{cmd: cmd, began: time.Now(), done: make(chan struct{})}
	if err := l.start(cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", executable, err)
	}
	go func() {
		defer close(p.done)
		err := cmd.Wait()
		p.state = cmd.ProcessState.String()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.state = err.Error()
		}
	}()
	return p, nil
}

// childEnvironment takes out of the environment what is given as flags, and a
// configuration file meant for one node.
func childEnvironment(environment []string) []string {
	var kept []string
	for _, pair := range environment {
		name, _, _ := strings.Cut(pair, "=")
		switch name {
		case "LOCKSTEP_CONFIG", "LOCKSTEP_NAME", "LOCKSTEP_DATA", "LOCKSTEP_HTTP", "LOCKSTEP_RAFT", "LOCKSTEP_BOOTSTRAP", "LOCKSTEP_JOIN":
		default:
			kept = append(kept, pair)
		}
	}
	return kept
}

// stop asks the process to end, wakes it where it is paused, and kills it when it
// takes too long. It returns when the process has ended.
func (p *process) stop() (killed bool) {
	if p.ended() {
		return false
	}
	// An error of these means that it has just ended: done tells.
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-p.done:
		return false
	case <-timer.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return true
}

// logTail gives the end of a log, whole lines, each indented.
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
	return "  " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n  ")
}
