//go:build !unix

package tasks

import (
	"os"
	"syscall"
)

// Where there are no process groups, a keeper ends the command itself and nothing
// that it has started.

func keeperAttributes() *syscall.SysProcAttr { return nil }
func keptAttributes() *syscall.SysProcAttr   { return nil }
func ignoreSignals()                         {}

func terminateGroup(pid int) { killGroup(pid) }

func killGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}
