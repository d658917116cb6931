package peer

import "time"

const (
	// MaxFrameBytes is the default bound of one frame's payload. It is above the largest log entry (4 MiB) with
	// room for a batch of them, and small enough that a lost peer cannot make a node run out of memory.
	MaxFrameBytes = 64 << 20

	// HandshakeTimeout bounds the time from an accepted or dialled connection to its last byte of handshake.
	// Three seconds is far above a slow link's round trip and short enough to shed silent connections.
	HandshakeTimeout = 3 * time.Second

	// WriteTimeout bounds one flush. A peer that takes no bytes for so long is as good as gone.
	WriteTimeout = 10 * time.Second

	// UnackedTimeout is how long sent bytes may stay unacknowledged before the system gives the connection up.
	// Without it a vanished host is noticed only after a quarter of an hour of retransmissions.
	UnackedTimeout = 10 * time.Second

	// MaxConnections bounds accepted connections of a node, handshakes included. A node has a handful a peer.
	MaxConnections = 4096

	// MaxHandshakes bounds handshakes at the same time. Above it new connections are closed at once.
	MaxHandshakes = 1024

	// MaxAddressBytes bounds an advertised address: a DNS name (253) with a port.
	MaxAddressBytes = 300

	// MaxReasonBytes bounds the text of a refusal.
	MaxReasonBytes = 500

	// MaxConcurrentCalls bounds the questions of one connection that are being answered. Above it the
	// connection is read no further until one is done: back-pressure reaches the asker.
	MaxConcurrentCalls = 256

	// bufferBytes is the size of a connection's read and write buffers: several small frames a system call.
	bufferBytes = 64 << 10

	// growBytes is the step in which memory for a frame's payload is taken as its bytes arrive.
	growBytes = 1 << 20

	// acceptBackoffMin and acceptBackoffMax bound the wait after a failed accept (no file descriptors, say).
	acceptBackoffMin = 5 * time.Millisecond
	acceptBackoffMax = time.Second

	// keepAliveIdle, keepAliveInterval and keepAliveCount notice a vanished peer on a quiet connection in
	// about fifteen seconds.
	keepAliveIdle     = 10 * time.Second
	keepAliveInterval = 2 * time.Second
	keepAliveCount    = 3
)
