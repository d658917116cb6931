// Package ports gives tests loopback ports that stay theirs.
//
// A port that the system chose is free only until somebody else is given it: once
// its listener is closed, an outgoing connection of any process may get it as its
// own end. So ports here are below those that systems give out by themselves
// (Linux from 32768, others from 49152), in blocks. A process has a block as long
// as it listens on the block's first port, which its end closes, however it ends.
package ports

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
)

const (
	first     = 10000
	last      = 20000
	blockSize = 400
)

// block is what this process has taken; it is never given back before its end.
var block = sync.OnceValues(func() (*taken, error) {
	for start := first; start < last; start += blockSize {
		if l, err := net.Listen("tcp", Address(start)); err == nil {
			return &taken{start: start, next: start + 1, guard: l}, nil
		}
	}
	return nil, fmt.Errorf("other processes listen in each block of ports from %d to %d: stop some of them", first, last)
})

type taken struct {
	start int
	guard net.Listener

	mu   sync.Mutex
	next int
}

// Take returns a port of this process's block that nobody listens on, and whose
// offsets nobody listens on either. It goes round the block, so that a port comes
// again late.
func Take(offsets ...int) (int, error) {
	b, err := block()
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for range blockSize {
		port := b.next
		if b.next++; b.next == b.start+blockSize {
			b.next = b.start + 1
		}
		if b.free(port) && b.allFree(port, offsets) {
			return port, nil
		}
	}
	return 0, errors.New("no port of this process's block is free")
}

// TakeAddress returns a free port as an address.
func TakeAddress() (string, error) {
	port, err := Take()
	return Address(port), err
}

// Address is a port on the loopback interface.
func Address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (b *taken) allFree(port int, offsets []int) bool {
	for _, o := range offsets {
		if !b.free(port + o) {
			return false
		}
	}
	return true
}

func (b *taken) free(port int) bool {
	if port >= b.start+blockSize {
		return false
	}
	l, err := net.Listen("tcp", Address(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
