package peer

import (
	"errors"
	"fmt"
)

var (
	// ErrWrongCluster: the other side belongs to another cluster, or to none and the service asks for one.
	ErrWrongCluster = errors.New("the other node belongs to another cluster")
	// ErrWrongNode: another node than the one that was meant answers at that address.
	ErrWrongNode = errors.New("another node answers at this address")
	// ErrDuplicateNode: a second process uses this node's id, most likely with a copy of its data folder.
	ErrDuplicateNode = errors.New("another process uses the same node id")
	// ErrUnknownService: the other node has no handler for the service, or not yet.
	ErrUnknownService = errors.New("the other node does not offer this service")
	// ErrIncompatible: what answers is not a node of this program, or of a version that speaks otherwise.
	ErrIncompatible = errors.New("the other side speaks another protocol")
	// ErrBusy: the other node has as many connections as it takes.
	ErrBusy = errors.New("the other node takes no more connections")
	// ErrUnknownNode: no address is known for the node.
	ErrUnknownNode = errors.New("no address is known for this node")
	// ErrClosed: the network or the connection was closed on this side.
	ErrClosed = errors.New("peer network closed")
	// ErrFrameTooLarge: a frame is larger than the network allows.
	ErrFrameTooLarge = errors.New("frame too large")
	// ErrCorrupt: bytes that arrived don't match their checksum or make no sense. The connection is useless.
	ErrCorrupt = errors.New("corrupt bytes from peer")
)

// RemoteError is what the handler of a call answered instead of a result.
type RemoteError struct {
	// Node is the node that answered.
	Node uint64
	// Message is the text of the handler's error.
	Message string
}

func (e *RemoteError) Error() string { return fmt.Sprintf("node %016x: %s", e.Node, e.Message) }

// refusal is the status byte of a Welcome. Append only: the numbers are on the wire.
type refusal byte

const (
	accepted refusal = iota
	refusedCluster
	refusedNode
	refusedDuplicate
	refusedService
	refusedVersion
	refusedBusy
)

// err is the error value that the dialler gets for a refusal.
func (r refusal) err() error {
	switch r {
	case accepted:
		return nil
	case refusedCluster:
		return ErrWrongCluster
	case refusedNode:
		return ErrWrongNode
	case refusedDuplicate:
		return ErrDuplicateNode
	case refusedService:
		return ErrUnknownService
	case refusedBusy:
		return ErrBusy
	default:
		return ErrIncompatible
	}
}
