// Package peer is the network between the nodes of one cluster: one TCP listener a node, and on it every
// conversation that nodes have with each other.
//
// # The idea
//
// A connection belongs to one service, named by a byte, for its whole life. It begins with one Hello from the
// side that dialled and one answer, which settle who talks to whom; afterwards it carries frames both ways and
// nothing else. What a service says in its frames is its own affair: the Raft log, forwarded transactions and
// small questions with answers all ride on the same listener, each on connections of its own, so that a slow
// one of them never holds up another.
//
//	dialler                                  acceptor
//	  Hello: cluster, from, to, service  →
//	                                     ←   Welcome: accepted, or a refusal with its reason
//	  frame: length, checksum, payload  ↔    frame: length, checksum, payload
//
// # Who is who
//
// A node is a number that never changes; where it listens may. The Network keeps an address book: what it was
// told with Learn, what peers say of themselves in their Hello, and what Config.Resolve answers for the rest.
// When a node's address changes, the connections to its old one are closed. A Hello that names another cluster
// or another node than the one that answers is refused, and the dialler learns why (ErrWrongCluster,
// ErrWrongNode). A node that has no cluster yet reaches only services that are registered with
// AllowUnknownCluster.
//
// # Three ways to use it
//
//   - Handle and Dial: a long-lived connection of frames, for streams. The handler owns the accepted
//     connection and runs on a goroutine of its own; it must return when reading fails, because Close waits
//     for it.
//   - HandleCall and Call: a question and its answer. Many questions share one cached connection a peer and
//     service; answers come in any order.
//   - DialAddr and CallAddr: the same with an address instead of a node, for joining a cluster.
//
// # What it withstands
//
// Handshakes run side by side, each with a time limit, so silent connections delay nobody. Frames are bounded
// and checksummed, and memory for a frame is taken as its bytes arrive, never on the word of its header.
// Running out of file descriptors makes the listener wait and go on. No byte from the network panics.
//
// # What it never does
//
// It doesn't retry, doesn't queue for an absent peer, doesn't order one connection after another, and doesn't
// keep a peer's connections alive once the Network is closed. It doesn't authenticate beyond the cluster id:
// the port belongs on a private network.
package peer
