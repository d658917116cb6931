package tasks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// What a node tells a keeper, a line each. The end of the input is the node's
// death: the command is killed.
const (
	keepHold = "hold" // a majority was reached a moment ago: another lease
	keepTerm = "term" // end the command, SIGTERM
	keepKill = "kill" // end it at once, SIGKILL to its process group
)

// What a keeper tells its node, a line each: "pid 123", then "exit" with how the
// command ended, empty for exit code 0.
const (
	keptPID  = "pid "
	keptExit = "exit "
)

// Keep runs a command for a node and ends with it. It is the whole work of a
// process of its own, whose input is the node's orders, whose output is for the
// node, and whose standard error is the command's output. lease is how long it goes
// on without an order to hold; 0: until it is told to end.
func Keep(argv []string, lease time.Duration, orders io.Reader, reports, output *os.File) {
	// The kernel ties the command to the thread that starts it (Pdeathsig).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ignoreSignals() // those of a terminal are the node's to obey
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = keptAttributes()
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(reports, "%s%s\n", keptExit, oneLine(fmt.Sprintf("it can't be started: %v", errors.Unwrap(err))))
		return
	}
	fmt.Fprintf(reports, "%s%d\n", keptPID, cmd.Process.Pid)
	k := &keeper{pid: cmd.Process.Pid, lease: lease, told: make(chan string)}
	go k.listen(orders)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err := k.watch(ended)
	killGroup(k.pid) // what it has left behind
	how := exitText(err)
	if k.why != "" {
		how = strings.TrimSuffix(k.why+"; "+how, "; ")
	}
	fmt.Fprintf(reports, "%s%s\n", keptExit, oneLine(how))
}

type keeper struct {
	pid   int
	lease time.Duration
	told  chan string
	why   string // it killed the command by itself
}

// listen reads the node's orders; the channel closes with them.
func (k *keeper) listen(orders io.Reader) {
	lines := bufio.NewScanner(orders)
	for lines.Scan() {
		k.told <- lines.Text()
	}
	close(k.told)
}

// watch obeys until the command has ended, and says how.
func (k *keeper) watch(ended <-chan error) error {
	var out <-chan time.Time
	var timer *time.Timer
	if k.lease > 0 {
		timer = time.NewTimer(k.lease)
		defer timer.Stop()
		out = timer.C
	}
	told := k.told
	for {
		select {
		case err := <-ended:
			return err
		case <-out:
			k.why = fmt.Sprintf("killed: for %v the node has not confirmed that it reaches a majority of the group", k.lease)
			killGroup(k.pid)
		case order, alive := <-told:
			switch {
			case !alive:
				k.why, told = "killed: the node has ended", nil
				killGroup(k.pid)
			case order == keepHold && timer != nil:
				timer.Reset(k.lease)
			case order == keepTerm:
				terminateGroup(k.pid)
			case order == keepKill:
				killGroup(k.pid)
			}
		}
	}
}

// exitText says how a command ended; empty for exit code 0.
func exitText(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return strings.Replace(exit.ProcessState.String(), "exit status", "exit code", 1)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// kept is a keeper as its node sees it.
type kept struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has

	mu     sync.Mutex
	orders *os.File // nil once the keeper has ended
}

// startKept starts a keeper with its command. report is called with each of the
// keeper's lines, and once at its end, by a goroutine of its own.
func startKept(keeper, argv, env []string, lease time.Duration, output io.Writer, report func(line string), done func()) (*kept, error) {
	words := append(append([]string{}, keeper[1:]...), lease.String())
	cmd := exec.Command(keeper[0], append(words, argv...)...)
	cmd.Args[0] = os.Args[0] // what people see in a list of processes
	cmd.Env = env
	cmd.Stderr = output
	cmd.SysProcAttr = keeperAttributes()
	cmd.WaitDelay = killWait
	taken, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer taken.Close()
	cmd.Stdin = taken
	reports, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, orders.Close())
	}
	k := &kept{cmd: cmd, orders: orders, ended: make(chan struct{})}
	go func() {
		lines := bufio.NewScanner(reports)
		for lines.Scan() {
			report(lines.Text())
		}
		_ = cmd.Wait()
		k.mu.Lock()
		_ = k.orders.Close()
		k.orders = nil
		k.mu.Unlock()
		close(k.ended)
		done()
	}()
	return k, nil
}

// tell gives a keeper an order. One that takes none (it was stopped, or is ending)
// is not waited for.
func (k *kept) tell(order string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.orders != nil {
		_ = k.orders.SetWriteDeadline(time.Now().Add(orderTime))
		_, _ = io.WriteString(k.orders, order+"\n")
	}
}

// environment is what a command finds: the node's own environment without what is
// the node's business (addresses, tokens), and the task.
func environment(own []string, task map[string]string) []string {
	var env []string
	for _, pair := range own {
		if !strings.HasPrefix(pair, "LOCKSTEP_") {
			env = append(env, pair)
		}
	}
	for _, name := range sortedNames(task) {
		env = append(env, name+"="+task[name])
	}
	return env
}
