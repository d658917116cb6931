//go:build !linux

package bench

import "syscall"

// nodeAttributes leave nodes in bench's own process group, so that Ctrl-C finds
// them even where bench is killed before it can end them.
func nodeAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
