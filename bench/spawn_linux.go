package bench

import "syscall"

// nodeAttributes give a node a process group of its own, so that Ctrl-C reaches
// bench alone, and have the kernel kill it when bench dies.
func nodeAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
