//go:build unix && !linux

package tasks

import "syscall"

// keptAttributes put a command into a process group of its own.
func keptAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
