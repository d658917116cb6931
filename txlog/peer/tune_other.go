//go:build !linux

package peer

import "net"

// limitUnacked does nothing where the system has no such setting: keep-alives and write limits remain.
func limitUnacked(*net.TCPConn) {}
