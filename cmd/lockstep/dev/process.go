package dev

import (
	"errors"
	"fmt"
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
	cmd     *exec.Cmd
	began   time.Time
	done    chan struct{} // closed when it has ended
	state   string        // how it ended, once it has
	logPath string
	logFrom int64 // size of the log when it began
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
	p := &process{cmd: cmd, began: time.Now(), done: make(chan struct{}), logPath: logPath}
	if info, err := log.Stat(); err == nil {
		p.logFrom = info.Size()
	}
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

// lastWords gives what a node wrote in its last run that tells why it ended, whole
// lines, each indented: where it panicked from there on, else the end.
func (p *process) lastWords() string {
	f, err := os.Open(p.logPath)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(p.logFrom, info.Size()-searchedBytes)
	text := make([]byte, max(0, info.Size()-from))
	if _, err := f.ReadAt(text, from); err != nil {
		return ""
	}
	words := string(text)
	for _, mark := range []string{"panic: ", "fatal error: "} {
		if at := strings.Index("\n"+words, "\n"+mark); at >= 0 {
			words = words[at:]
			words = words[:min(len(words), tailBytes)]
		}
	}
	words = words[max(0, len(words)-tailBytes):]
	return "  " + strings.ReplaceAll(strings.TrimSpace(words), "\n", "\n  ")
}
