package dev

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// childAttributes give a child a process group of its own, so that a terminal's
// Ctrl-C reaches only dev, and have the kernel kill it when dev dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// keepDescriptors has children inherit none of the descriptors that this process
// was itself started with.
func keepDescriptors() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("looking at the open descriptors: %w", err)
	}
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}
