package tasks

import "syscall"

// keptAttributes put a command into a process group of its own, and have the kernel
// kill it if its keeper dies.
func keptAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
