//go:build !linux

package dev

import "syscall"

// firstDescriptors is how many descriptors are looked at: more than a shell or a
// test harness hands on.
const firstDescriptors = 256

// childAttributes leave children in dev's own process group: without the kernel's
// help they would outlive a dev that is killed, and so at least Ctrl-C finds
// them.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// keepDescriptors has children inherit none of the descriptors that this process
// was itself started with.
func keepDescriptors() error {
	for fd := 3; fd < firstDescriptors; fd++ {
		syscall.CloseOnExec(fd)
	}
	return nil
}
